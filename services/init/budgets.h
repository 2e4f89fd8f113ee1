#pragma once
/* How the machine's memory is divided: a Budget for each service whose manifest asks for one. */
#include <os/catalogue.h>
#include <os/start.h>
#include <stdint.h>

#define BUDGETS_MAX 16u

struct budgets {
    uint64_t free_kib, kernel_free_kib;         /**< of the system's Budget, at the start */
    uint64_t realtime_free;                     /**< the same: millionths of a CPU */
    uint64_t needed_kib, kernel_needed_kib;     /**< what the manifests say, together */
    char names[BUDGETS_MAX][OS_CAP_NAME_BYTES]; /**< "budget." and the service's name */
    handle_t handles[BUDGETS_MAX];
    size_t count;
};

/** Compare what there is with what @catalogue's manifests want. NO_MEMORY: it is too little. */
MUST_CHECK status_t budgets_plan(const struct catalogue *catalogue, struct budgets *budgets);
/** Make the services' budgets. */
MUST_CHECK status_t budgets_make(const struct catalogue *catalogue, struct budgets *budgets);
/** Memory for files that init's own share, the Budget "files", pays for. */
MUST_CHECK status_t budgets_make_files(const struct catalogue *catalogue, struct budgets *budgets,
                                       handle_t *files);
