/* From the first instruction to main().
 *
 * A program is a position-independent executable that nobody has relocated: relocate() does, before anything is touched that needs
 * it, and then closes what only relocation writes (RELRO). No function here that runs before main() has a stack protector, since
 * its canary is thread-local and the thread pointer is not set yet. The capabilities are taken note of next, because the C library's
 * start already maps memory with them. */
#pragma clang attribute push(__attribute__((no_stack_protector)), apply_to = function)

#include <arch_program.h>
#include <elf.h>
#include <os/ipc.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

#include "start_block.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define INIT_CAPS 14

extern HIDDEN const Elf64_Ehdr __ehdr_start;
extern HIDDEN const Elf64_Dyn _DYNAMIC[];

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader)(void));
_Noreturn void os_start(const void *argument, uint64_t *vector);

struct os_self os_self;

static const struct start_cap *caps;
static size_t cap_count;
static uint64_t first_ipc_buffer;
static struct start_cap init_caps[INIT_CAPS];

/** The image is linked at 0, so its ELF header is where it was loaded. */
static inline uintptr_t load_address(void)
{
    return (uintptr_t)&__ehdr_start;
}

static __attribute__((noinline)) void relocate(void)
{
    uintptr_t base = load_address();
    uintptr_t table = 0;
    uint64_t bytes = 0;
    for (const Elf64_Dyn *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELA) {
            table = base + entry->d_un.d_ptr;
        } else if (entry->d_tag == DT_RELASZ) {
            bytes = entry->d_un.d_val;
        }
    }
    const Elf64_Rela *relocations = (const Elf64_Rela *)table;
    for (uint64_t i = 0; table != 0 && i < bytes / sizeof(*relocations); i++) {
        if (ELF64_R_TYPE(relocations[i].r_info) == ELF_RELATIVE) {
            *(uint64_t *)(base + relocations[i].r_offset) =
                base + (uint64_t)relocations[i].r_addend;
        }
    }
}

/** Nothing writes any more what the program headers call RELRO. */
static void seal(void)
{
    const Elf64_Phdr *headers = (const Elf64_Phdr *)(load_address() + __ehdr_start.e_phoff);
    for (size_t i = 0; i < __ehdr_start.e_phnum; i++) {
        if (headers[i].p_type == PT_GNU_RELRO) {
            uint64_t start = (load_address() + headers[i].p_vaddr) & ~(PAGE_SIZE - 1);
            uint64_t end =
                (load_address() + headers[i].p_vaddr + headers[i].p_memsz) & ~(PAGE_SIZE - 1);
            if (end > start) {
                status_ignore(sys_aspace_protect(os_self.aspace, start, end - start, MAP_READ));
            }
        }
    }
}

static void init_cap(const char *name, handle_t handle)
{
    init_caps[cap_count].handle = handle;
    strcpy(init_caps[cap_count].name, name);
    cap_count++;
}

static void note_init(const struct init_info *info)
{
    init_cap("self.process", info->process);
    init_cap("self.aspace", info->aspace);
    init_cap("self.thread", info->thread);
    init_cap("self.budget", info->budget);
    init_cap("self.clock", info->clock);
    init_cap("physical", info->physical);
    init_cap("ioports", info->ioports);
    init_cap("interrupts", info->interrupts);
    init_cap("dma", info->dma);
    init_cap("trace", info->trace);
    init_cap("archive", info->archive);
    init_cap("boot", info->boot);
    init_cap("kernel-log", info->log);
    init_cap("device-tree", info->device_tree);
    caps = init_caps;
    first_ipc_buffer = info->ipc_buffer;
}

static void note_block(const struct start_block *block)
{
    caps = block->caps;
    cap_count = block->cap_count;
    first_ipc_buffer = block->ipc_buffer;
}

static int start_main(int argc, char **argv, char **envp)
{
    os_ipc_buffer = (struct ipc_buffer *)first_ipc_buffer;
    return main(argc, argv, envp);
}

void os_start(const void *argument, uint64_t *vector)
{
    relocate();
    if (*(const uint64_t *)argument == START_MAGIC) {
        note_block(argument);
    } else {
        note_init(argument);
    }
    os_self.process = os_cap("self.process");
    os_self.aspace = os_cap("self.aspace");
    os_self.thread = os_cap("self.thread");
    os_self.budget = os_cap("self.budget");
    os_self.clock = os_cap("self.clock");
    seal();
    __libc_start_main(start_main, (int)vector[0], (char **)(vector + 1), NULL, NULL, NULL);
    __builtin_trap();
}

handle_t os_cap(const char *name)
{
    for (size_t i = 0; i < cap_count; i++) {
        if (strcmp(caps[i].name, name) == 0) {
            return caps[i].handle;
        }
    }
    return HANDLE_NONE;
}

const char *os_cap_at(size_t index, handle_t *handle)
{
    if (index >= cap_count) {
        return NULL;
    }
    *handle = caps[index].handle;
    return caps[index].name;
}

#pragma clang attribute pop
