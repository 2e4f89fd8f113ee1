#pragma once
/* What the files of this architecture share; nothing here is seen outside. */
#include <arch.h>
#include <arch_cpu.h>
#include <arch_thread.h>

/** Of each CPU; cpu->arch points at it. */
struct arch_cpu {
    struct asids asids; /* first: see arch_root_find() */
    uint64_t
        fpu_dirty; /* sstatus.FS and VS of registers that memory lacks, from when they were turned off */
    uint32_t irq_count;   /* arch_lock: lines routed here */
    uint32_t irq_context; /* what the interrupt controller calls this CPU */
    bool has_irq_context;
    volatile uint32_t *file; /* of its IMSIC, if there is one */
    paddr_t file_address;
    bool started; /* atomic: it runs C */
};

extern struct arch_cpu boot_arch_cpu;

static inline struct arch_cpu *arch_cpu_of(const struct cpu *cpu)
{
    return cpu->arch;
}

/* What a trap in kernel mode leaves on the stack: entry.S. */
struct trap_frame {
    struct arch_context registers;
    uint64_t status, cause, value;
    uint64_t padding;
};

/* trap.c: the first two are called by entry.S. */
NORETURN void trap_from_user(struct thread *self, uint64_t cause);
void trap_from_kernel(const struct trap_frame *frame);
/** Has arch_stop_others been called? */
bool trap_is_stopping(void);
void registers_print(const struct arch_context *registers, void (*pause)(void));

/* early.c */
/** Called by boot.S. @levels: of the boot tables. */
NORETURN void early_main(uint64_t hart, paddr_t fdt, unsigned levels);

/* aspace.c */
/** Does satp hold numbers (ASIDs)? The kernel's tables are loaded. */
void asids_find(void);

/* cpu.c */
/** What the ISA strings of all harts name, and nothing that one of them lacks. */
struct isa {
    bool sstc;   /* stimecmp */
    bool svpbmt; /* memory types in page tables */
    bool vector; /* V */
};
extern struct isa isa;
void isa_read(void);
/** On the CPU itself: its control registers. */
void cpu_setup(void);

/* smp.c */
/** Other CPUs: called by boot.S. */
NORETURN void hart_main(struct cpu *cpu);

/* time.c */
void time_init(void);

/* irq.c: over one of two controllers of lines, and the IMSIC if there is one */
/** What irq.c asks of a controller. Lines are numbered from 1; arch_lock is held but for claim(). */
struct irq_controller {
    uint32_t lines;
    bool holds; /* a claimed line is quiet until it is completed */
    /** Nothing comes in; then CPU by CPU, once each, on itself. */
    void (*cpu_init)(const struct cpu *cpu);
    /** Send @line to @cpu, masked, to an IMSIC as @vector. @flags as arch_irq_attach has them. */
    void (*route)(uint32_t line, uint32_t flags, const struct cpu *cpu, uint32_t vector);
    void (*enable)(uint32_t line, bool enabled);
    /** The line that most wants @cpu, 0: none. These two only without an IMSIC. */
    uint32_t (*claim)(const struct cpu *cpu);
    void (*complete)(uint32_t line, const struct cpu *cpu);
};
void irq_init(void);
/** On each CPU: let the controller's interrupts in. */
void irq_cpu_init(void);
/** The controller has something for this CPU. */
void irq_handle(void);

/* imsic.c */
/** The highest identity of a file, 0: there is no IMSIC, and the rest must not be called; its phandle. */
extern uint32_t imsic_identities, imsic_handle;
/** CPUs that have a file get their irq_context. */
void imsic_find(void);
/** On each CPU that has a file. */
void imsic_cpu_init(void);
/** The identity that most wants this CPU, pending no more; 0: none. */
uint32_t imsic_claim(void);
/** Make @identity pending at @cpu, as a device would. */
void imsic_raise(const struct cpu *cpu, uint32_t identity);

/* plic.c, aplic.c: NULL if the machine has none. CPUs that it serves have got their irq_context. */
const struct irq_controller *plic_find(void);
const struct irq_controller *aplic_find(void);

/* fpu.c */
/** On each CPU. False: its vector registers are not as long as those of the others. */
void fpu_init(void);
/** An instruction of @self is not there, or wants the FPU: true if that is settled, one way or the other. */
bool fpu_first_use(struct thread *self);

/* state.S: registers and memory; sstatus must let them */
void fpu_state_save(struct arch_fpu *fpu);
void fpu_state_load(const struct arch_fpu *fpu);
void vector_state_save(struct arch_fpu *fpu, void *area);
void vector_state_load(const struct arch_fpu *fpu, const void *area);

/* debug.c */
/** When boot_info is there. */
void debug_init(void);
/** Somebody has attached the interrupt of @line, or has given it up. */
void debug_line_taken(uint32_t line, bool taken);
/** The device that ends the machine, if the device tree names one: when devices can be mapped. */
void poweroff_init(void);
