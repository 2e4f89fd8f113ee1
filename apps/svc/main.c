/* svc: services: what runs, and starting and ending it. */
#include <idl/svc.h>
#include <inttypes.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <tool/status.h>

#define RETRY_NS (50 * NS_PER_MS)
#define RETRIES 200

static const char *const states[] = {"stopped", "running", "backoff",
                                     "done",    "failed",  "quarantined"};

static handle_t manager(void)
{
    return os_cap("svc");
}

/** The service manager was away: true, after a while, if that is no reason to give up. */
static bool is_away(status_t status, int *tries)
{
    if ((status != STATUS_PEER_DIED && status != STATUS_STALE) || ++*tries > RETRIES) {
        return false;
    }
    clock_sleep(RETRY_NS);
    return true;
}

static void print_info(const struct svc_info *info)
{
    const char *state =
        info->state < sizeof(states) / sizeof(states[0]) ? states[info->state] : "?";
    printf("%-20.31s %-11s %8" PRIu64 " %8u %6" PRId64 "%s\n", info->name, state, info->process_id,
           info->restarts, info->exit_status, info->adopted ? "  driver" : "");
}

static void print_heading(void)
{
    printf("%-20s %-11s %8s %8s %6s\n", "name", "state", "process", "restarts", "exit");
}

static status_t list(void)
{
    struct svc_info info;
    uint32_t cursor = 0;
    int tries = 0;
    status_t status;
    print_heading();
    for (;;) {
        do {
            status = svc_list(manager(), cursor, &info, &cursor);
        } while (is_away(status, &tries));
        if (!status_is_ok(status)) {
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
        print_info(&info);
    }
}

static status_t show(handle_t server, const char *name)
{
    struct svc_info info;
    int tries = 0;
    status_t status;
    do {
        status = svc_status(server, name, &info);
    } while (is_away(status, &tries));
    if (status_is_ok(status)) {
        print_heading();
        print_info(&info);
    }
    return status;
}

static status_t stop(handle_t server, const char *name)
{
    return svc_stop(server, name, 0);
}

static status_t stop_all_the_same(handle_t server, const char *name)
{
    return svc_stop(server, name, SVC_END_FORCE);
}

struct command {
    const char *name, *option; /**< option: that follows; NULL: none does */
    status_t (*run)(handle_t manager, const char *name);
};

static const struct command commands[] = {
    {"status", NULL, show}, {"start", NULL, svc_start},     {"stop", "-f", stop_all_the_same},
    {"stop", NULL, stop},   {"restart", NULL, svc_restart}, {"kill", NULL, svc_kill},
};

/** The command that @word and what follows it are, or NULL. */
static const struct command *find(const char *word, const char *next)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command *command = &commands[i];
        if (strcmp(command->name, word) == 0 &&
            (!command->option || strcmp(command->option, next) == 0)) {
            return command;
        }
    }
    return NULL;
}

static status_t act(const struct command *command, const char *name)
{
    status_t status = command->run(manager(), name);
    // Whoever kills the service manager gets no answer from it.
    bool itself = strcmp(name, "svcmgr") == 0 && strcmp(command->name, "kill") == 0;
    return itself && (status == STATUS_PEER_DIED || status == STATUS_STALE) ? STATUS_OK : status;
}

static void complain(const struct command *command, const char *name, status_t status)
{
    if (status == STATUS_BUSY && command->run == stop) {
        fprintf(stderr,
                "svc: %s: this session stands on it (svc restart %s begins it anew; "
                "svc stop -f %s stops it all the same)\n",
                name, name, name);
    } else {
        fprintf(stderr, "svc: %s: %s\n", name, status_words(status));
    }
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: svc [list] | status name … | start name … | stop [-f] name … | restart name … | kill name …\n");
    return 2;
}

static int for_names(int argc, char **argv)
{
    const struct command *command = find(argv[1], argv[2]);
    int result = 0, first = command && command->option ? 3 : 2;
    if (!command || first == argc) {
        return usage();
    }
    for (int i = first; i < argc; i++) {
        status_t status = act(command, argv[i]);
        if (!status_is_ok(status)) {
            complain(command, argv[i], status);
            result = 1;
        }
    }
    return result;
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        return for_names(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "list") != 0) {
        return usage();
    }
    status_t status = list();
    if (!status_is_ok(status)) {
        fprintf(stderr, "svc: %s\n", status_words(status));
        return 1;
    }
    return 0;
}
