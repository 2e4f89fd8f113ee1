#pragma once
/* What the files of this architecture share; nothing here is seen outside. */
#include <arch.h>
#include <rcu.h>

/** Vectors: exceptions, then legacy spurious ones, devices, and ours at the top (a higher number goes first). */
#define VECTOR_DEVICE_FIRST 0x30u
#define VECTOR_DEVICE_END 0xf0u
#define VECTOR_DEVICES (VECTOR_DEVICE_END - VECTOR_DEVICE_FIRST)
#define VECTOR_TIMER 0xf0u
#define VECTOR_IPI 0xf1u
#define VECTOR_SPURIOUS 0xffu

/** Task state segment (SDM vol. 3, 8.7). Only the stacks of it are used. */
struct __attribute__((packed)) tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
};
_Static_assert(sizeof(struct tss) == 104, "TSS");

struct irq;

/** Of each CPU; cpu->arch points at it. */
struct arch_cpu {
    uint64_t gdt[8];
    struct tss tss;
    struct irq *irqs[VECTOR_DEVICES]; /* atomic pointers; arch_lock to write */
    uint32_t irq_count;               /* arch_lock */
    uint32_t irq_words; /* bit n: a vector of [32 * n, 32 * n + 32) is or was in use here; atomic */
    bool started;       /* atomic: it runs C */
};

extern struct arch_cpu boot_arch_cpu;

static inline struct arch_cpu *arch_cpu_of(const struct cpu *cpu)
{
    return cpu->arch;
}

/* cpu.c */
/** Panics, with the name, if the CPU lacks what the kernel needs. */
void cpu_check(void);
/** On the CPU itself: descriptor tables, control registers, system call entry. */
void cpu_setup(struct cpu *cpu, struct arch_cpu *arch);

/* entry.S */
/** What entry code pushes for a trap in kernel mode, or one on a stack of its own. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
extern const char exception_entries[32][16];
extern const char interrupt_entries[224][8];
void syscall_entry(void);

/* trap.c: called by entry.S. */
NORETURN void trap_from_user(struct thread *self, uint64_t vector, uint64_t error);
void trap_from_kernel(const struct trap_frame *frame);
void trap_on_own_stack(struct trap_frame *frame);

/* smp.c */
/** Other CPUs: called by boot.S. */
NORETURN void ap_main(struct cpu *cpu);
extern struct cpu *ap_cpu;
void cpus_discover(void);

/* acpi.c */
/** Fills the tables below from the MADT and the FADT. What is missing or malformed leaves them empty. */
void acpi_read(paddr_t base);
/** Port and value that reset the machine; port 0: none. */
extern uint16_t acpi_reset_port;
extern uint8_t acpi_reset_value;

/* Registers in memory. The jump is for QEMU before 8.2 with its CPUs in parallel: when another CPU turns decoding of a PCI function on or
 * off, this CPU learns of the new address map at its next jump, and until then its accesses can end in another device. An access that waits
 * for that very change (both take the emulator's one lock), and another one behind it in the same run of instructions, would do so. */
static inline uint32_t device_read(volatile uint32_t *reg)
{
    __asm__ volatile("jmp 1f\n1:");
    return *reg;
}

static inline void device_write(volatile uint32_t *reg, uint32_t value)
{
    __asm__ volatile("jmp 1f\n1:");
    *reg = value;
}

#define IOAPIC_MAX 16u
struct ioapic {
    paddr_t base;
    uint32_t first_line;
    uint32_t lines;
    volatile uint32_t *registers;
};
extern struct ioapic ioapics[IOAPIC_MAX];
extern uint32_t ioapic_count;

/** APIC ids of the usable CPUs, in the order of the table. */
extern uint32_t acpi_apic_ids[CPU_MAX];
extern uint32_t acpi_cpu_count;
extern paddr_t acpi_apic_base;

/** Where an ISA line is really connected, and how. */
struct line_override {
    uint32_t line;
    bool level, active_low;
};
#define ISA_LINES 16u
extern struct line_override isa_overrides[ISA_LINES];

/* apic.c */
void apic_init(void);
/** On each CPU. */
void apic_cpu_init(void);
uint32_t apic_id(void);
void apic_end_of_interrupt(void);
/** Fixed interrupt @vector to the CPU with APIC id @target. */
void apic_send(uint32_t target, uint32_t vector);
void apic_send_nmi(uint32_t target);
void apic_send_init(uint32_t target);
void apic_send_startup(uint32_t target, uint32_t page);
/** Requests waiting here that are not in service: one bit a vector of [32 * @word, 32 * @word + 32). */
uint32_t apic_requests(uint32_t word);

/* apic.c, for time.c: the timer's raw counter. */
void apic_timer_start_raw(uint32_t count);
uint32_t apic_timer_count(void);
void apic_timer_set_rate(uint64_t ticks_per_second);
extern bool apic_has_deadline;

/* time.c */
void time_init(void);
/** The TSC value at @time_ns. */
uint64_t time_to_tsc(uint64_t time_ns);

/* irq.c */
void irq_init(void);
/** A device interrupt came in at @vector of this CPU. */
void irq_handle(uint32_t vector);

/* fpu.c */
void fpu_init(void);
void fpu_cpu_init(void);
/** First use of the FPU by @self (#NM). */
NORETURN void fpu_first_use(struct thread *self);
