#pragma once
/* The loader's parts. Nothing here is kept after ExitBootServices but what loader_enter needs. */
#include <handoff.h>
#include <stdbool.h>

#include "efi.h"

#define NORETURN __attribute__((noreturn))

struct loader {
    efi_handle image;
    efi_handle device; /* that the loader came from */
    struct efi_system_table *system;
    struct handoff *handoff;
    uint64_t kernel, kernel_bytes; /* where the kernel is loaded */
    uint64_t entry;                /* its first instruction */
};

/* payload.S: what is in the file beside the loader. */
extern const uint8_t payload_kernel[], payload_kernel_end[];
extern const uint8_t payload_archive[], payload_archive_end[];
extern const char payload_cmdline[HANDOFF_CMDLINE_BYTES];

/* console.c */
/** @text, ASCII, on the firmware's console. */
void console_print(const struct loader *loader, const char *text);

/* kernel.c */
/** Put the kernel where it runs: fills kernel, kernel_bytes and entry. NULL, or what is wrong. */
const char *kernel_load(struct loader *loader);

/* cmdline.c */
/** Is only what is signed to be believed? */
bool secure_boot_is_on(const struct loader *loader);
/** The image's own command line, and unless Secure Boot is on the words of the file beside it. */
void cmdline_read(struct loader *loader, char *cmdline, uint32_t bytes);

/* handoff.c */
/** Make the block, all but its memory map. NULL, or what is wrong. */
const char *handoff_make(struct loader *loader);
/** Leave the firmware: the memory map is in the block, no service can be called any more. False: it does not let us. */
bool handoff_finish(struct loader *loader);

/* arch/<name>/enter.c, and in arch.h LOADER_MACHINE, LOADER_KERNEL_ALIGN, LOADER_MEMORY_END. */
/** What this CPU is, should the firmware have to be asked. NULL, or what is wrong. */
const char *enter_prepare(const struct loader *loader);
NORETURN void enter_kernel(const struct loader *loader);

/* string.c: the compiler wants them. */
void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
