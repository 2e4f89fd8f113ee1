#pragma once
/* Everything an architecture supplies. tools/check-boundary fails the build if what crosses differs from this file.
 * arch_thread.h (per architecture, inline) adds: struct arch_context, struct arch_fpu, and the accessors listed at the end; arch_elf.h
 * ARCH_ELF_MACHINE, e_machine of programs. */
#include "cpu.h"
#include "kernel.h"

struct aspace;
struct thread;

/* ── Boot and CPUs ─────────────────────────────────────────────────────────────────────────────────────────────────── */
#define BOOT_RANGES_MAX 64
struct boot_range {
    paddr_t base;
    uint64_t bytes;
};
/** What the boot path found, whichever it was. Filled by the architecture before kernel_main. */
struct boot_info {
    /* usable RAM, page-aligned, sorted, without what follows */
    struct boot_range ram[BOOT_RANGES_MAX];
    uint32_t ram_count;
    /* kernel image, archive, firmware tables: never allocated */
    struct boot_range reserved[BOOT_RANGES_MAX];
    uint32_t reserved_count;
    paddr_t archive;
    uint64_t archive_bytes;
    paddr_t acpi_rsdp;
    paddr_t fdt;
    uint64_t fdt_bytes;
    struct framebuffer framebuffer; /* bytes 0: none */
    char cmdline[2048];
    uint8_t seed[32];
    uint64_t kernel_bytes; /* of the image, for good */
    /* RAM that boot runs from: in use until kernel_main is through. 0 bytes: it will not be free */
    struct boot_range init_text;
};
extern struct boot_info boot_info;

/** First things on the boot CPU once the heap stands: interrupt controllers, clock, CPU discovery (fills cpus[], cpu_count). */
void arch_init(void);
/** Start CPU @id; it calls kernel_cpu_main. False if it did not answer. */
bool arch_cpu_start(uint32_t id);
/** This CPU's data. Inline in arch_cpu.h: struct cpu *arch_cpu_local(void); */
/** Enable interrupts and wait for one; handlers run inside; returns with interrupts off. Called only with nothing to run. */
void arch_cpu_idle(void);
/** Take the interrupts that wait, and go on with them off. No lock is held, nothing is kept that a handler may change. Each way out of a system
 *  call still goes back to where that came from. Not within an interrupt that came in this way, or in arch_cpu_idle(). */
void arch_irq_window(void);
void arch_cpu_relax(void);
/** Stop the other CPUs for a panic; then this one ends the machine with a failing status. */
void arch_stop_others(void);
NORETURN void arch_poweroff(uint32_t status);
/** A seed of entropy from the CPU, or 0 bytes: fills @seed, returns bytes. */
size_t arch_random(void *seed, size_t bytes);

/* ── Interrupts and time ───────────────────────────────────────────────────────────────────────────────────────────── */
/** Make CPU @id enter the kernel soon (trap_ipi), where it sees all that this CPU has stored before: whatever barrier the interrupt
 *  controller needs for that is in here. */
void arch_ipi_send(uint32_t id);
/** Is an interrupt waiting for this CPU? For preemption points. */
bool arch_irq_pending(void);
/** How arch_time_now_ns() makes nanoseconds of the counter, and whether programs may read that and do the same. Filled by arch_init(), then
 *  nobody changes it. */
extern struct clock_page clock_page;
/** Not before what comes before: what another CPU has told of its clock is not after this. */
uint64_t arch_time_now_ns(void);
/** One-shot: trap_timer at @deadline_ns (UINT64_MAX: none). */
void arch_timer_arm(uint64_t deadline_ns);
/** Route global line @line to a vector that ends in trap_irq(@cookie), masked. INVALID, BUSY, NO_MEMORY. */
MUST_CHECK status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector);
/** Allocate a message-signalled vector for the device that the interrupt controller knows as @device. UNSUPPORTED, NO_MEMORY. */
MUST_CHECK status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector,
                                    uint64_t *address, uint32_t *data);
void arch_irq_mask(uint32_t vector);
void arch_irq_unmask(uint32_t vector);
void arch_irq_detach(uint32_t vector);

/* ── Threads ───────────────────────────────────────────────────────────────────────────────────────────────────────── */
/** Leave the kernel as @thread: restore its context (its aspace is active already). */
NORETURN void arch_thread_resume(struct thread *thread);
/** The type of the fast path of message calls (ipc/fastpath.c): everything in it ends in a tail call of another one and never returns, so
 *  the five words in registers that C preserves are as entry code found them; the last word is handed on. A thread's context has the rest. */
#define IPC_FAST(a0, a1, a2, a3, a4, a5) \
    uint64_t a0, uint64_t a1, uint64_t a2, struct thread *a3, uint64_t a4, uint64_t a5
/** Leave as @next, which waited in a message call, with status OK, badge, info and the words; everything else that is not its own is
 *  zero. arch_ipc_switch() first loads what arch_root_find() found. */
status_t arch_ipc_resume(IPC_FAST(badge, info, unused, next, last, zero));
status_t arch_ipc_switch(IPC_FAST(badge, info, root, next, last, zero));
/** The words go into the context of @thread; then @handler, which gets @first and @second as its arguments. */
status_t arch_ipc_save(IPC_FAST(first, second, handler, thread, last, unused));
/** Save the live FPU state of @thread from this CPU into memory (thread->fpu_cpu is this CPU). */
void arch_fpu_save(struct thread *thread);
/** Unless arch_fpu_is_settled(thread, cpu) (inline, arch_cpu.h): @thread is about to run here: enable the FPU if its state is live on this CPU, else trap the first use (eager where needed). */
void arch_fpu_switch(struct thread *thread);
/** The state is not needed any more (thread freed). */
void arch_fpu_free(struct thread *thread);

/** The debug registers of this CPU become those of @thread, and it is stepped if it shall be. Others that run here meanwhile are handed the CPU
 *  without a look: what they meet is not told of, and this called for them, of whom nothing is loaded. */
void arch_debug_load(const struct thread *thread);

/* ── Words in memory ───────────────────────────────────────────────────────────────────────────────────────────────── */
/* arch_string.h, inline, the loops of lib/string.c: arch_copy_words(), arch_fill_words(), arch_zero_page(). */

/* ── Page tables: entry formats only; the walker is mm/pagetable.c ─────────────────────────────────────────────────── */
/* arch_pt.h, inline: ARCH_PT_LEVELS, arch_pte_leaf(), arch_pte_table(), arch_pte_is_present(), arch_pte_is_leaf(), arch_pte_address(),
 * arch_pte_flags(), arch_pte_is_accessed(), arch_pte_mark_accessed(), arch_pte_write_protect(), arch_pte_age(),
 * arch_pte_is_device(), ARCH_PT_BREAK_BEFORE_MAKE, ARCH_PT_USER_ROOT_ENTRIES, ARCH_USER_START, ARCH_USER_END, and for the kernel's own tables, which mm/kernelmap.c builds:
 * arch_pt_synchronise(), ARCH_PT_LATE_BIT, ARCH_PT_ROOT_IS_SHARED, ARCH_DIRECT_MAP_BASE, ARCH_HEAP_BASE, ARCH_HEAP_END, ARCH_DEVICE_BASE, ARCH_DEVICE_END, ARCH_STACKS_BASE, ARCH_FAULT_STACKS. */
/** Load the page tables of @root (a table frame), or look at them again if they are loaded: translations that this CPU keeps from
 *  another @generation of them are not used any more, nor any read from the tables before @generation was. No two address spaces ever share a generation; 0: the kernel's own. */
void arch_aspace_activate(paddr_t root, uint64_t generation);
/* Inline, arch_cpu.h: arch_root_find(cpu, root, arch_root_slot(root), generation): what arch_ipc_switch() loads instead, on @cpu, this
 * one; 0: not known. */
/** Flush this CPU's translations of one page of the active address space. @tables: a fault was spurious, so forget too what the CPU may
 *  have kept of the tables on the way there: that one was not there yet. */
void arch_tlb_flush_page(uint64_t address, bool tables);
/** Flush all that this CPU keeps of any page table, global translations too. */
void arch_tlb_flush_all(void);
/** Make instructions written through the direct map visible to fetch, for who runs @aspace now (NULL: nobody) or loads it from now on. */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes);

/* ── Debug and ports ───────────────────────────────────────────────────────────────────────────────────────────────── */
void arch_putc(char c);
/** Return addresses from the current frame (or @frame_pointer if not 0) outwards. */
size_t arch_backtrace(uint64_t frame_pointer, uint64_t *addresses, size_t count);
/** Log the user registers of @thread; @pause is called after every few lines. */
void arch_print_registers(const struct thread *thread, void (*pause)(void));
/** What the entry code of a fault in the kernel saved: the architecture's own. */
struct trap_frame;
void arch_print_frame(const struct trap_frame *frame);
/** Port access. Where the machine has no ports, three exist all the same, UNSUPPORTED are the others: 0xe9 takes bytes of the debug log
 *  as arch_putc does, 0xf4 ends the machine with a status as arch_poweroff does, and a 6 for 0xcf9 resets it. */
MUST_CHECK status_t arch_port_in(uint32_t port, uint32_t width, uint32_t *value);
MUST_CHECK status_t arch_port_out(uint32_t port, uint32_t width, uint32_t value);

/* ── Upwards: what the architecture calls. Those from user mode never return: they end in sched_leave(). ─────────────── */
/** Boot CPU, boot_info filled, running on its kernel stack, direct map and kernel page tables final. */
NORETURN void kernel_main(void);
/** Another CPU, on its own stack, interrupts off. */
NORETURN void kernel_cpu_main(void);
/** A system call of cpu->current that is not quick (handlers.h); its registers are saved. Returns its status if @self goes on; entry
 *  code then leaves by the short way, if cpu->work is 0: the registers that C preserves are the user's still, those of its arguments are in
 *  the context, and the address space is loaded. */
MUST_CHECK status_t trap_syscall(struct thread *self);
/** An endpoint_call and an endpoint_reply_receive. */
status_t fast_call(IPC_FAST(handle, info, deadline_ns, self, last, queue));
status_t fast_reply_receive(IPC_FAST(handle, info, deadline_ns, self, last, queue));
/* Of a quick one entry code calls the dispatcher itself (handlers.h), and leaves by the short way. Where cpu->work is not 0 it saves
 * the status and all registers that are not saved, and calls sched_leave(). */
/** A system call whose number is not below self->syscall_limit: of a foreign thread, or one that there is not. All registers are saved. */
NORETURN void trap_foreign(struct thread *self);
/** User page fault. @access: MAP_READ, MAP_WRITE or MAP_EXECUTE. */
NORETURN void trap_page_fault(struct thread *self, uint64_t address, uint32_t access);
/** Any other user exception, but EXCEPTION_PAGE: @what for the report, words 0 and 1. */
NORETURN void trap_exception(struct thread *self, uint32_t exception, const char *what,
                             uint64_t code, uint64_t more);
/** Interrupts: sched_interrupt_begin() comes first. From user mode the entry code then calls sched_leave(); from idle it returns. */
void trap_irq(void *cookie);
void trap_timer(void);
void trap_ipi(void);
/** A fault in kernel mode, or what may come at any time and is the machine's end: panics. @frame goes to arch_print_frame(); nothing is
 *  printed before, while other CPUs run and locks are held. */
NORETURN void trap_kernel_fault(const char *what, uint64_t pc, uint64_t address,
                                uint64_t frame_pointer, const struct trap_frame *frame);
/* Services of the kernel that an architecture may use. */
/* boundary-up: blocks_catch_up boot_cpu_add boot_cpu_name boot_cpu_named boot_fdt_cell boot_fdt_child boot_fdt_cpu boot_fdt_find boot_fdt_path boot_fdt_read boot_fdt_reg
 * boot_fdt_string boot_fdt_u32 boot_handoff_bytes boot_handoff_is_at boot_handoff_read boot_ram_add boot_ram_subtract boot_reserve
 * boot_word cpus cpu_count kernelmap_build kernelmap_device kernelmap_image kernelmap_is_late kernelmap_is_stack kernelmap_reserve kernelmap_root
 * kernelmap_stacks kernelmap_stack_top klog panic panic_cpu_stopped phys_alloc phys_free phys_count_tables kmem_alloc kmem_free rcu_call process_fault sched_leave spinlock_wait strlen strncmp strnlen
 * syscall_dispatchers syscall_index */
/* FPU first use: arch handles it wholly (allocates with kmem_alloc charged to thread->object.budget; on failure process_fault). */

/* arch_accessors.h, inline; what is alike everywhere is in accessors.h, over the places in struct arch_context that arch_thread.h names:
 *   ARCH_NUMBER, ARCH_STATUS, ARCH_ARG(i), ARCH_RESULT(i)                        of system calls
 *   ARCH_HANDLE, ARCH_INFO, ARCH_WORD(i), ARCH_DEADLINE, ARCH_QUEUE              of message calls; the badge is where the handle was
 *   ARCH_FOREIGN_RESULT, ARCH_PC, ARCH_TLS; ARCH_SYSCALL_BYTES: how long the instruction of a call is
 *   ARCH_FRAME: the frame pointer; that far from it, ARCH_FRAME_BASE, the caller's stands, and the return address behind it
 * They are:
 *   uint64_t arch_syscall_number(const struct thread *)
 *   uint64_t arch_syscall_arg(const struct thread *, unsigned i)                 i < 8
 *   void arch_syscall_arg_set(struct thread *, unsigned i, uint64_t value)        progress of a call that restarts
 *   void arch_syscall_status_set(struct thread *, status_t)
 *   void arch_syscall_result_set(struct thread *, unsigned i, uint64_t value)    i < 4
 *   void arch_syscall_restart(struct thread *)                                   execute the call again
 *   void arch_syscall_skip(struct thread *)                                      undo that
 *   void arch_foreign_result_set(struct thread *, uint64_t value)                where Linux's system calls return it
 *   ipc registers, in and out: arch_ipc_handle(t), arch_ipc_info(t), arch_ipc_word(t, i), arch_ipc_deadline(t), arch_ipc_queue(t);
 *   arch_ipc_set(t, status, badge, info), arch_ipc_words_copy(to, from)
 *   void arch_context_init(struct thread *, uint64_t pc, uint64_t sp, uint64_t argument, uint64_t tls)
 *   void arch_tls_set(struct thread *, uint64_t tls)
 *   void arch_regs_get(const struct thread *, struct thread_regs *)
 *   status_t arch_regs_set(struct thread *, const struct thread_regs *)          INVALID: privileged bits, non-canonical addresses
 *   bool arch_user_address_is_valid(uint64_t address)
 *   ARCH_DEBUG_REGISTERS: how many a thread may have, 0: none, and then the next two say so too
 *   uint32_t arch_debug_takes(uint32_t index)                                    bits of `map`; 0: this machine has no such register
 *   bool arch_debug_encode(uint32_t index, struct debug_register *)              its value and control, for user mode alone; false: it cannot
 * They need struct thread: arch_thread.h is included by thread.h; the inline accessors are in arch_accessors.h, which thread.h users include. */
