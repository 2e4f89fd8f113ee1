/* Ports: streams that commands share, and the threads that carry them to and from files.
 *
 * Programs read and write streams (a terminal or a pipe); a file is none. Where a command's stream is a file, or a text of ours, there
 * is a pipe and a thread, the pump, at its other end. When the last user of the port is gone the pipe ends, the pump with it, and
 * whoever gives up the port last waits for that: after a command all that it wrote is in the file. */
#include "shell.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

#define PUMP_BYTES 16384u

struct pump {
    pthread_t thread;
    struct stream stream; /* the pump's end */
    struct file *file;
    const struct job *job; /* whose it is; NULL: the foreground's */
    bool reads_file;       /* from the file into the pipe */
    char *input;           /* or from this text */
    struct text *output;   /* or into that one */
    char *shown;           /* the file's name, for messages */
    struct port *error;    /* where they go */
    bool failed;
};

struct port *port_new(handle_t handle)
{
    struct port *port = calloc(1, sizeof(*port));
    if (port && status_is_ok(stream_open(&port->stream, handle))) {
        port->refs = 1;
        pthread_mutex_init(&port->lock, NULL);
        return port;
    }
    if (handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(handle));
    }
    free(port);
    return NULL;
}

struct port *port_ref(struct port *port)
{
    if (port) {
        atomic_fetch_add(&port->refs, 1);
    }
    return port;
}

static void pump_free(struct pump *pump)
{
    stream_close(&pump->stream);
    file_close(pump->file);
    port_release(pump->error);
    free(pump->input);
    free(pump->shown);
    free(pump);
}

bool port_release(struct port *port)
{
    bool good = true;
    if (!port || atomic_fetch_sub(&port->refs, 1) != 1) {
        return true;
    }
    stream_close(&port->stream);
    if (port->pump) {
        pthread_join(port->pump->thread, NULL);
        good = !port->pump->failed;
        pump_free(port->pump);
    }
    free(port);
    return good;
}

bool port_write(struct port *port, const char *data, size_t bytes)
{
    pthread_mutex_lock(&port->lock);
    status_t status = stream_write(&port->stream, data, bytes);
    pthread_mutex_unlock(&port->lock);
    return status_is_ok(status);
}

bool port_print(struct port *port, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    bool good = bytes >= 0 && port_write(port, text, (size_t)bytes);
    if (bytes >= 0) {
        free(text);
    }
    return good;
}

void shell_complain(struct shell *shell, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (bytes >= 0) {
        port_print(shell->ports[2], "vsh: %s\n", text);
        free(text);
    }
}

/* --- pumps ------------------------------------------------------------------------------------------------ */

static void pump_complain(struct pump *pump, status_t status)
{
    pump->failed = true;
    if (pump->error && pump->shown) {
        port_print(pump->error, "vsh: %s: %s\n", pump->shown, status_words(status));
    }
}

static void pump_in(struct pump *pump)
{
    char *buffer = malloc(PUMP_BYTES);
    size_t done = 0;
    status_t status = buffer ? STATUS_OK : STATUS_NO_MEMORY;
    while (status_is_ok(status)) {
        status = file_read(pump->file, buffer, PUMP_BYTES, &done);
        if (done == 0 || !status_is_ok(status)) {
            break;
        }
        // Nobody reads any more: that is no failure.
        if (!status_is_ok(stream_write(&pump->stream, buffer, done))) {
            break;
        }
    }
    if (!status_is_ok(status)) {
        pump_complain(pump, status);
    }
    free(buffer);
}

static status_t pump_put(struct pump *pump, const char *buffer, size_t bytes)
{
    size_t done = 0;
    if (pump->file) {
        return file_write(pump->file, buffer, bytes, &done);
    }
    if (!quota_has_room(pump->job, (pump->output->used + bytes) * QUOTA_TEXT_FACTOR)) {
        return STATUS_NO_MEMORY;
    }
    text_add(pump->output, buffer, bytes);
    return pump->output->failed ? STATUS_NO_MEMORY : STATUS_OK;
}

static void pump_out(struct pump *pump)
{
    char *buffer = malloc(PUMP_BYTES);
    size_t held = 0, done = 0;
    status_t status = buffer ? STATUS_OK : STATUS_NO_MEMORY;
    while (status_is_ok(status)) {
        status = stream_read(&pump->stream, buffer + held, PUMP_BYTES - held, &done);
        held += done;
        bool end = done == 0 || !status_is_ok(status);
        // Pieces that are there are gathered, since a write to a file costs more than they; those that are not are not waited for.
        if (held > 0 && (held == PUMP_BYTES || !stream_has_more(&pump->stream))) {
            status_t written = pump_put(pump, buffer, held);
            status = status_is_ok(written) ? status : written;
            held = 0;
        }
        if (end) {
            break;
        }
    }
    if (!status_is_ok(status)) {
        pump_complain(pump, status);
    }
    free(buffer);
}

static void *pump_main(void *argument)
{
    struct pump *pump = argument;
    if (pump->input) {
        // Nobody reads it to the end: that is no failure.
        status_ignore(stream_write(&pump->stream, pump->input, strlen(pump->input)));
    } else if (pump->reads_file) {
        pump_in(pump);
    } else {
        pump_out(pump);
    }
    // The other side sees the end. What it holds is freed with the port.
    handle_t handle = pump->stream.handle;
    pump->stream.handle = HANDLE_NONE;
    if (handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(handle));
    }
    return NULL;
}

static bool make_pipe(handle_t budget, handle_t *read_end, handle_t *write_end)
{
    unsigned tries = 0;
    status_t status;
    do {
        status = pipe_create(budget, read_end, write_end);
    } while (quota_awaits(status, &tries));
    return status_is_ok(status);
}

/** A port with @pump, which it owns, behind it; NULL: no memory. */
static struct port *pump_port(const struct shell *shell, struct pump *pump)
{
    handle_t read_end, write_end;
    bool in = pump->reads_file || pump->input;
    pump->job = shell->job;
    if (!quota_has_room(pump->job, 0) || !make_pipe(quota_for(shell), &read_end, &write_end)) {
        pump_free(pump);
        return NULL;
    }
    struct port *port = port_new(in ? read_end : write_end);
    if (!status_is_ok(stream_open(&pump->stream, in ? write_end : read_end)) || !port ||
        !quota_thread_create(&pump->thread, NULL, pump_main, pump)) {
        pump_free(pump);
        port_release(port);
        return NULL;
    }
    port->pump = pump;
    return port;
}

static struct pump *pump_new(struct port *error, const char *shown)
{
    struct pump *pump = calloc(1, sizeof(*pump));
    if (pump) {
        pump->error = port_ref(error);
        pump->shown = shown ? strdup(shown) : NULL;
    }
    return pump;
}

struct port *port_file(const struct shell *shell, enum redirect_kind kind, const char *path,
                       const char *shown, struct port *error)
{
    static const uint32_t flags[] = {
        [REDIRECT_READ] = FILE_OPEN_READ,
        [REDIRECT_WRITE] = FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE,
        [REDIRECT_APPEND] = FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_APPEND,
    };
    if (strcmp(path, "/dev/null") == 0) {
        return port_new(HANDLE_NONE);
    }
    struct pump *pump = pump_new(error, shown);
    status_t status = pump ? file_open(path, flags[kind], 0644, &pump->file) : STATUS_NO_MEMORY;
    struct file_status info;
    if (status_is_ok(status)) {
        status = file_attributes(pump->file, &info);
    }
    if (status_is_ok(status) && info.attributes.type == FS_TYPE_DIRECTORY) {
        status = STATUS_WRONG_TYPE;
    }
    if (!status_is_ok(status)) {
        port_print(error, "vsh: %s: %s\n", shown, status_words(status));
        if (pump) {
            pump_free(pump);
        }
        return NULL;
    }
    pump->reads_file = kind == REDIRECT_READ;
    struct port *port = pump_port(shell, pump);
    if (!port) {
        port_print(error, "vsh: %s: no memory\n", shown);
    }
    return port;
}

struct port *port_text(const struct shell *shell, const char *text)
{
    struct pump *pump = pump_new(NULL, NULL);
    if (!pump) {
        return NULL;
    }
    pump->input = strdup(text);
    if (!pump->input) {
        pump_free(pump);
        return NULL;
    }
    return pump_port(shell, pump);
}

struct port *port_collect(const struct shell *shell, struct text *text)
{
    struct pump *pump = pump_new(NULL, NULL);
    if (!pump) {
        return NULL;
    }
    pump->output = text;
    return pump_port(shell, pump);
}

bool port_pipe(const struct shell *shell, struct port **read_end, struct port **write_end)
{
    handle_t reader, writer;
    if (!make_pipe(quota_for(shell), &reader, &writer)) {
        return false;
    }
    *read_end = port_new(reader);
    *write_end = port_new(writer);
    if (*read_end && *write_end) {
        return true;
    }
    port_release(*read_end);
    port_release(*write_end);
    return false;
}
