/* The process: a connect capability "block" to the device comes in, fs.idl goes out at
 * "endpoint".
 *
 * A device that fails, or too little memory, ends the process with the reason in the log; the
 * service manager starts it again after a while, and a device that was not ready then is. What holds
 * no file system that we read never will: the reason is in the log, and whoever connects hears of it
 * until somebody starts us anew. A driver that dies is no
 * concern of ours: the block client connects to the next one and asks again, and our callers
 * wait meanwhile. We are restarted without ceremony too: there is nothing to save.
 *
 * The file system is the whole device, or on a device with a GUID partition table its first
 * partition of Linux file system data. */
#include "server.h"
#include "windows.h"

#include <block/block.h>
#include <gpt/gpt.h>
#include <os/log.h>
#include <os/server.h>
#include <os/start.h>
#include <stdlib.h>

#define CACHE_BYTES ((size_t)1 << 20)

/* Whatever went wrong below us, to our callers it is the device: statuses of a transport would
 * speak of ours. */
static status_t device_read(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    return block_read(context, offset, buffer, bytes) == STATUS_OK ? STATUS_OK : STATUS_IO;
}

static status_t device_from_windows(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    return windows_read(context, offset, buffer, bytes);
}

/** The part of the device that the file system has. */
struct medium {
    struct windows *windows;
    struct gpt_partition partition;
};

static status_t medium_read(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    const struct medium *medium = context;
    const struct gpt_partition *part = &medium->partition;
    if (offset > part->bytes || bytes > part->bytes - offset)
        return STATUS_RANGE;
    return windows_read(medium->windows, part->offset + offset, buffer, bytes);
}

static void *heap_allocate(void *context, size_t bytes)
{
    (void)context;
    return malloc(bytes);
}

static void heap_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static void log_message(void *context, const char *text)
{
    (void)context;
    os_log("%s", text);
}

/* The device's facts come from its driver, which need not be right. */
static status_t device_check(const struct block_info *info)
{
    uint32_t block = info->block_bytes;
    if (block < 512 || (block & (block - 1)) != 0 || block > WINDOW_BYTES ||
        info->bytes % block != 0)
        return STATUS_UNSUPPORTED;
    return STATUS_OK;
}

static status_t device_open(struct block_client *client, struct windows *windows)
{
    status_t s = block_client_init(client, os_cap("block"));
    if (s == STATUS_OK)
        s = device_check(&client->info);
    if (s != STATUS_OK)
        return s;
    windows->context = client;
    windows->read = device_read;
    windows->size_bytes = client->info.bytes;
    windows->block_bytes = client->info.block_bytes;
    windows_init(windows);
    return STATUS_OK;
}

static status_t medium_open(struct medium *medium, struct windows *windows)
{
    struct gpt_disk disk = {
        .context = windows,
        .read = device_from_windows,
        .size_bytes = windows->size_bytes,
        .block_bytes = windows->block_bytes,
    };
    medium->windows = windows;
    status_t s = gpt_find(&disk, gpt_type_linux, &medium->partition);
    if (s == STATUS_UNSUPPORTED) {
        medium->partition = (struct gpt_partition){.bytes = windows->size_bytes};
        return STATUS_OK;
    }
    if (s == STATUS_OK && medium->partition.from_backup)
        os_log("the partition table's first copy is damaged: its backup is used");
    return s;
}

/* Would another look at the medium find what this one found? */
static bool is_final(status_t status)
{
    return status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED || status == STATUS_NOT_FOUND;
}

static status_t server_open(struct ext4_server *server, struct medium *medium)
{
    struct ext4_device device = {
        .context = medium,
        .read = medium_read,
        .size_bytes = medium->partition.bytes,
    };
    struct ext4_options options = {
        .allocate = heap_allocate,
        .release = heap_release,
        .message = log_message,
        .cache_bytes = CACHE_BYTES,
    };
    server->transfer = malloc(TRANSFER_BYTES);
    if (server->transfer == NULL)
        return STATUS_NO_MEMORY;
    return ext4_mount(&device, &options, &server->fs);
}

static status_t serve(struct ext4_server *ext4)
{
    static const struct server_ops ops;
    struct server_service service = {
        .protocol = &fs_protocol,
        .ops = &ext4_service_ops,
        .instance = ext4,
    };
    struct server server = {
        .endpoint = ext4->endpoint,
        .queue = HANDLE_NONE,
        .ops = &ops,
        .services = &service,
        .service_count = 1,
    };
    return server_run(&server);
}

int main(void)
{
    struct block_client *client = calloc(1, sizeof(*client));
    struct windows *windows = calloc(1, sizeof(*windows));
    struct medium *medium = calloc(1, sizeof(*medium));
    struct ext4_server *server = calloc(1, sizeof(*server));
    if (client == NULL || windows == NULL || medium == NULL || server == NULL)
        return EXIT_FAILURE;
    status_t s = device_open(client, windows);
    if (s != STATUS_OK) {
        os_log("the block device cannot be opened: %s", status_name(s));
        return EXIT_FAILURE;
    }
    const char *failed = "no partition can be mounted";
    s = medium_open(medium, windows);
    if (s == STATUS_OK) {
        failed = "the file system cannot be mounted";
        s = server_open(server, medium);
    }
    if (s != STATUS_OK)
        os_log("%s: %s", failed, status_name(s));
    if (s != STATUS_OK && !is_final(s))
        return EXIT_FAILURE;
    server->refusal = s;
    server->endpoint = os_cap("endpoint");
    s = serve(server);
    os_log("the server ends: %s", status_name(s));
    return EXIT_FAILURE;
}
