/* Starting programs.
 *
 * A program gets three streams and what its manifest names, nothing else. The manifest of a program in the boot archive (/boot) is in
 * the catalogue there; one that has no manifest gets the files. What the manifest names comes from the shell's own capabilities, or,
 * if it is what a service provides, from the service manager. A file that is no program is a script. */
#include "shell.h"

#include <idl/svc.h>
#include <os/archive.h>
#include <os/catalogue.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

#define CAPS_MAX 48u
#define BOOT_FOLDER "/boot/"
#define SCRIPT_DEPTH_MAX 8u
#define LINKS_MAX 8u
/** What a service that was connected to is kept under. */
#define CONNECTS_MAX 32u

struct connect {
    char name[OS_CAP_NAME_BYTES];
    handle_t handle;
};

static pthread_mutex_t connects_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connect connects[CONNECTS_MAX];
static size_t connect_count;

/* --- finding ---------------------------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
    struct file_status status;
    return status_is_ok(file_status(path, 0, &status)) && status.attributes.type == FS_TYPE_FILE;
}

bool program_find(struct shell *shell, const char *name, char full[FILE_PATH_BYTES + 1])
{
    const char *path = shell_get(shell, "PATH");
    if (strchr(name, '/')) {
        return shell_path(shell, name, full) && is_file(full);
    }
    while (path && *path) {
        size_t bytes = strcspn(path, ":");
        int length = snprintf(full, FILE_PATH_BYTES + 1, "%.*s/%s", (int)bytes, path, name);
        if (bytes > 0 && length > 0 && (size_t)length <= FILE_PATH_BYTES && is_file(full)) {
            return true;
        }
        path += bytes + (path[bytes] == ':');
    }
    return false;
}

/** The catalogue of the boot archive; NULL: there is none. */
static const struct catalogue *catalogue_get(void)
{
    static struct catalogue catalogue;
    static bool tried, good;
    const void *archive;
    uint64_t archive_bytes, offset, bytes;
    pthread_mutex_lock(&connects_lock);
    if (!tried) {
        good = status_is_ok(archive_map(os_cap("archive"), &archive, &archive_bytes)) &&
               status_is_ok(archive_find(archive, archive_bytes, "catalogue", &offset, &bytes)) &&
               status_is_ok(catalogue_open((const uint8_t *)archive + offset, bytes, &catalogue));
        tried = true;
    }
    pthread_mutex_unlock(&connects_lock);
    return good ? &catalogue : NULL;
}

static bool is_same_file(const struct file_status *one, const struct file_status *other)
{
    return one->mount == other->mount && one->attributes.inode == other->attributes.inode &&
           one->attributes.generation == other->attributes.generation;
}

/** Whether @file is the program of the boot archive with the last name of @path: its manifest, and its own path as @own. */
static bool is_program_of_boot(const struct file_status *file, const char *path,
                               struct catalogue_entry *manifest, char own[FILE_PATH_BYTES + 1])
{
    struct file_status status;
    uint32_t index;
    const char *slash = strrchr(path, '/');
    const struct catalogue *catalogue = catalogue_get();
    if (!catalogue || !slash ||
        !status_is_ok(catalogue_find(catalogue, slash + 1, manifest, &index))) {
        return false;
    }
    snprintf(own, FILE_PATH_BYTES + 1, BOOT_FOLDER "%s", manifest->name);
    return status_is_ok(file_status(own, 0, &status)) && is_same_file(file, &status);
}

/** The target of the link at @path, as a path. */
static bool follow(char path[FILE_PATH_BYTES + 1])
{
    char target[FILE_PATH_BYTES + 1], folder[FILE_PATH_BYTES + 1];
    if (!status_is_ok(file_readlink(path, target, sizeof(target)))) {
        return false;
    }
    size_t bytes = target[0] == '/' ? 0 : (size_t)(strrchr(path, '/') + 1 - path);
    memcpy(folder, path, bytes);
    int length = snprintf(path, FILE_PATH_BYTES + 1, "%.*s%s", (int)bytes, folder, target);
    return length > 0 && (size_t)length <= FILE_PATH_BYTES;
}

/** The manifest of the program at @path, if that leads to one of the boot archive, by whatever links: then @path becomes its own, so what has
 * been looked at is what is started. What a file is called gives it nothing. */
static bool find_manifest(char path[FILE_PATH_BYTES + 1], struct catalogue_entry *manifest)
{
    struct file_status file;
    char name[FILE_PATH_BYTES + 1], own[FILE_PATH_BYTES + 1];
    bool found = false;
    if (!status_is_ok(file_status(path, 0, &file))) {
        return false;
    }
    strcpy(name, path);
    for (unsigned i = 0; i < LINKS_MAX && !found; i++) {
        found = is_program_of_boot(&file, name, manifest, own);
        if (!found && !follow(name)) {
            return false;
        }
    }
    if (found) {
        strcpy(path, own);
    }
    return found;
}

/* --- capabilities ----------------------------------------------------------------------------------------- */

struct caps {
    struct process_cap items[CAPS_MAX];
    size_t count;
};

static handle_t connect_find(const char *name)
{
    for (size_t i = 0; i < connect_count; i++) {
        if (strcmp(connects[i].name, name) == 0) {
            return connects[i].handle;
        }
    }
    return HANDLE_NONE;
}

/** A connect capability for what a service provides: that of @shell's part, the shell's own, or the service manager's. */
static handle_t connect_get(const struct shell *shell, const char *name)
{
    handle_t handle = quota_connect(shell, name);
    handle = handle != HANDLE_NONE ? handle : os_cap(name);
    if (handle != HANDLE_NONE || strlen(name) >= OS_CAP_NAME_BYTES) {
        return handle;
    }
    pthread_mutex_lock(&connects_lock);
    handle = connect_find(name);
    if (handle == HANDLE_NONE && connect_count < CONNECTS_MAX &&
        status_is_ok(svc_connect(os_cap("svc"), name, 0, &handle))) {
        strcpy(connects[connect_count].name, name);
        connects[connect_count++].handle = handle;
    }
    pthread_mutex_unlock(&connects_lock);
    return handle;
}

static bool caps_add(struct caps *caps, const char *name, handle_t handle)
{
    if (handle == HANDLE_NONE || caps->count == CAPS_MAX) {
        return false;
    }
    caps->items[caps->count++] = (struct process_cap){.name = name, .handle = handle};
    return true;
}

/** To look at: the parts of the system's Budget, and those of the shell's. */
static bool caps_add_budgets(struct caps *caps)
{
    handle_t handle;
    const char *name;
    for (size_t i = 0; (name = os_cap_at(i, &handle)) != NULL; i++) {
        if (strncmp(name, "budget.", strlen("budget.")) == 0 && !caps_add(caps, name, handle)) {
            return false;
        }
    }
    caps->count += quota_parts(caps->items + caps->count, CAPS_MAX - caps->count);
    return true;
}

static bool caps_add_list(struct shell *shell, struct caps *caps, const char *program,
                          struct catalogue_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        const char *name = catalogue_text(list, i);
        if (strcmp(program, "vsh") == 0 &&
            (strcmp(name, "boot") == 0 || strcmp(name, "quota") == 0)) {
            // Only the login shell runs the boot's command, and divides its Budget.
            continue;
        }
        if (strcmp(name, "budgets") == 0 ? !caps_add_budgets(caps)
                                         : !caps_add(caps, name, connect_get(shell, name))) {
            shell_complain(shell, "%s: it needs the capability %s, which is not there", program,
                           name);
            return false;
        }
    }
    return true;
}

/** Was the service that provides @name stopped (and does not just begin anew)? Then nobody answers until somebody starts it. */
static bool is_stopped(const char *name, struct catalogue_entry *provider)
{
    const struct catalogue *catalogue = catalogue_get();
    struct svc_info info;
    uint32_t index;
    if (!catalogue || !status_is_ok(catalogue_provider(catalogue, name, &index))) {
        return false;
    }
    catalogue_at(catalogue, index, provider);
    return status_is_ok(svc_status(os_cap("svc"), provider->name, &info)) &&
           info.state == SVC_STATE_STOPPED;
}

static bool needs(const struct catalogue_entry *manifest, const char *provided)
{
    for (uint32_t i = 0; i < manifest->needs.count; i++) {
        if (strcmp(catalogue_text(manifest->needs, i), provided) == 0) {
            return true;
        }
    }
    return false;
}

/** Say which service of those that @manifest needs was stopped; false: none. */
static bool complain_of_stopped(struct shell *shell, const struct catalogue_entry *manifest)
{
    struct catalogue_entry provider, own;
    uint32_t index;
    const struct catalogue *catalogue = catalogue_get();
    bool known = catalogue && status_is_ok(catalogue_find(catalogue, "vsh", &own, &index));
    for (uint32_t i = 0; i < manifest->needs.count; i++) {
        const char *name = catalogue_text(manifest->needs, i);
        // Without what the shell needs itself nobody would have come here.
        if (!(known && needs(&own, name)) && is_stopped(name, &provider)) {
            shell_complain(shell, "%s: %s is stopped (svc start %s)", manifest->name, provider.name,
                           provider.name);
            return true;
        }
    }
    return false;
}

static bool caps_of(struct shell *shell, struct caps *caps, const struct catalogue_entry *manifest)
{
    if (complain_of_stopped(shell, manifest)) {
        return false;
    }
    if (!caps_add_list(shell, caps, manifest->name, manifest->needs) ||
        !caps_add_list(shell, caps, manifest->name, manifest->wants) ||
        !caps_add_list(shell, caps, manifest->name, manifest->roots)) {
        return false;
    }
    if (manifest->svc != 0 && !caps_add(caps, "svc", os_cap("svc"))) {
        shell_complain(shell, "%s: the service manager is not there", manifest->name);
        return false;
    }
    return true;
}

static bool caps_prepare(struct shell *shell, struct caps *caps,
                         const struct catalogue_entry *manifest)
{
    static const char *const streams[] = {"stdin", "stdout", "stderr"};
    for (size_t i = 0; i < 3; i++) {
        handle_t handle = shell->ports[i]->stream.handle;
        handle_t part = quota_is_console(handle) ? quota_connect(shell, "console") : HANDLE_NONE;
        if (handle != HANDLE_NONE) {
            caps_add(caps, streams[i], part != HANDLE_NONE ? part : handle);
        }
    }
    return manifest ? caps_of(shell, caps, manifest)
                    : caps_add(caps, "vfs", connect_get(shell, "vfs"));
}

/* --- running ---------------------------------------------------------------------------------------------- */

/** The exit status that a shell tells for how a process ended. */
static int status_of(struct shell *shell, const char *name, int64_t exit_status)
{
    if (exit_status >= 0) {
        return (int)(exit_status & 255);
    }
    shell_complain(shell, "%s: it was ended: %s", name,
                   exit_status == STATUS_CODE_FAULT       ? "fault"
                   : exit_status == STATUS_CODE_NO_MEMORY ? "out of memory"
                                                          : "killed");
    return 128 + (int)(-exit_status & 127);
}

static int wait_for(struct shell *shell, const char *name, handle_t process)
{
    int64_t exit_status = 0;
    bool listed = running_add(shell->session, process, shell->job);
    if (listed && shell_interrupted(shell)) {
        status_ignore(sys_process_kill(process, STATUS_INTERRUPT));
    }
    status_t status = process_wait(process, DEADLINE_NEVER, &exit_status);
    if (listed) {
        running_remove(shell->session, process);
    }
    status_ignore(sys_cap_close(process));
    if (!status_is_ok(status)) {
        shell_complain(shell, "%s: %s", name, status_words(status));
        return STATUS_FAILURE;
    }
    return status_of(shell, name, exit_status);
}

/** A file that is no program: a script, for this shell or for what its first line names. */
static int run_no_program(struct shell *shell, const char *path, const struct strings *fields)
{
    if (shell->depth >= SCRIPT_DEPTH_MAX * 20) {
        shell_complain(shell, "%s: scripts start scripts without end", fields->items[0]);
        return STATUS_NOT_A_PROGRAM;
    }
    return run_script(shell, path, fields);
}

static bool is_program(const char *path, status_t *status)
{
    char head[4] = {0};
    size_t done = 0;
    struct file *file;
    *status = file_open(path, FILE_OPEN_READ, 0, &file);
    if (!status_is_ok(*status)) {
        return false;
    }
    *status = file_read(file, head, sizeof(head), &done);
    file_close(file);
    return done == sizeof(head) && memcmp(head,
                                          "\x7f"
                                          "ELF",
                                          sizeof(head)) == 0;
}

static int spawn(struct shell *shell, char path[FILE_PATH_BYTES + 1], const struct strings *fields)
{
    struct catalogue_entry manifest;
    struct caps caps = {.count = 0};
    struct strings environment = {.items = NULL};
    char name[PROCESS_NAME_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(name, sizeof(name), "%.31s", slash ? slash + 1 : path);
    bool has_manifest = find_manifest(path, &manifest);
    bool is_unlimited = shell->turn.priority > PRIORITY_NORMAL_MAX && shell->turn.period_ns == 0;
    handle_t process = HANDLE_NONE;
    if (!caps_prepare(shell, &caps, has_manifest ? &manifest : NULL)) {
        return STATUS_NOT_A_PROGRAM;
    }
    shell_environment(shell, &environment);
    struct process_start start = {
        .name = name,
        .budget = quota_for(shell),
        .args = (const char *const *)fields->items,
        .env = (const char *const *)environment.items,
        .caps = caps.items,
        .cap_count = caps.count,
        .stack_bytes = has_manifest ? (uint64_t)manifest.stack_kib << 10 : 0,
        .priority = has_manifest ? manifest.priority : 0,
    };
    if (shell->turn.priority != 0) {
        start.priority = shell->turn.priority;
        start.thread_budget = is_unlimited ? os_cap("quota") : HANDLE_NONE;
        start.budget_ns = shell->turn.budget_ns;
        start.period_ns = shell->turn.period_ns;
    }
    unsigned tries = 0;
    status_t status;
    do {
        status = file_image(path, start.budget, &start.image);
        if (status_is_ok(status)) {
            status = process_spawn(&start, &process);
            status_ignore(sys_cap_close(start.image.memory));
        }
    } while (quota_awaits(status, &tries) || quota_admits(shell, status, &tries));
    strings_free(&environment);
    if (!status_is_ok(status)) {
        // Who was interrupted ended it while it was made.
        if (!shell_interrupted(shell)) {
            shell_complain(shell, "%s: it cannot be started: %s", fields->items[0],
                           status_words(status));
        }
        return STATUS_NOT_A_PROGRAM;
    }
    return wait_for(shell, fields->items[0], process);
}

int program_run(struct shell *shell, const struct strings *fields)
{
    char path[FILE_PATH_BYTES + 1];
    struct file_status info;
    status_t status;
    if (!program_find(shell, fields->items[0], path)) {
        bool other = strchr(fields->items[0], '/') && shell_path(shell, fields->items[0], path) &&
                     status_is_ok(file_status(path, 0, &info));
        shell_complain(shell, other ? "%s: is a directory" : "%s: not found", fields->items[0]);
        return other ? STATUS_NOT_A_PROGRAM : STATUS_NO_COMMAND;
    }
    if (is_program(path, &status)) {
        return spawn(shell, path, fields);
    }
    if (!status_is_ok(status)) {
        shell_complain(shell, "%s: %s", fields->items[0], status_words(status));
        return STATUS_NOT_A_PROGRAM;
    }
    return run_no_program(shell, path, fields);
}
