#include "spawn.h"

#include "tools.h"

#include <os/process.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define STATUS_TIMEOUT 124
#define STATUS_NOT_STARTABLE 126
#define STATUS_NOT_FOUND_HERE 127

static bool is_file(const char *path)
{
    struct file_status info;
    return status_is_ok(file_status(path, 0, &info)) && info.attributes.type == FS_TYPE_FILE;
}

/** The path of program @name, the caller's to free(); NULL: there is none. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    if (strchr(name, '/')) {
        return is_file(name) ? must_have(strdup(name)) : NULL;
    }
    while (path && *path) {
        size_t bytes = strcspn(path, ":");
        char *folder = must_have(strndup(path, bytes)), *full = path_join(folder, name);
        free(folder);
        if (bytes > 0 && is_file(full)) {
            return full;
        }
        free(full);
        path += bytes + (path[bytes] == ':');
    }
    return NULL;
}

static int wait_for(handle_t process, const char *name, uint64_t deadline_ns)
{
    int64_t exit_status = 0;
    status_t status = process_wait(process, deadline_ns, &exit_status);
    if (status == STATUS_TIMED_OUT) {
        status_ignore(process_kill(process, STATUS_TIMEOUT));
        exit_status = STATUS_TIMEOUT;
    } else if (!status_is_ok(status)) {
        exit_status = complain_status(name, status);
    }
    status_ignore(sys_cap_close(process));
    return exit_status < 0 ? 128 + (int)(-exit_status & 127) : (int)(exit_status & 255);
}

int run_program(char *const *argv, char *const *environment, uint64_t deadline_ns)
{
    static const char *const given[] = {"stdin", "stdout", "stderr", "vfs"};
    struct process_cap caps[sizeof(given) / sizeof(given[0])];
    char *path = find_program(argv[0]);
    char name[PROCESS_NAME_BYTES];
    handle_t process;
    struct process_start start = {.name = name,
                                  .args = (const char *const *)argv,
                                  .env = (const char *const *)environment,
                                  .caps = caps};
    if (!path) {
        complain("%s: not found", argv[0]);
        return STATUS_NOT_FOUND_HERE;
    }
    // What was gathered goes out before what the program prints.
    out_flush();
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (os_cap(given[i]) != HANDLE_NONE) {
            caps[start.cap_count++] =
                (struct process_cap){.name = given[i], .handle = os_cap(given[i])};
        }
    }
    snprintf(name, sizeof(name), "%.31s", path_base(path));
    status_t status = file_image(path, HANDLE_NONE, &start.image);
    free(path);
    if (status_is_ok(status)) {
        status = process_spawn(&start, &process);
        status_ignore(sys_cap_close(start.image.memory));
    }
    if (!status_is_ok(status)) {
        complain_status(argv[0], status);
        return STATUS_NOT_STARTABLE;
    }
    return wait_for(process, argv[0], deadline_ns);
}
