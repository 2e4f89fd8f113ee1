#pragma once
/* What the files of this architecture share; nothing here is seen outside. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <rcu.h>

/** Interrupt numbers (INTID): 16 from CPU to CPU, 16 private to a CPU, lines of devices, and from LPI_FIRST on messages. */
#define SGI_IPI 0u
#define SGI_STOP 1u
#define PPI_FIRST 16u
#define SPI_FIRST 32u
#define SPI_END 1020u
#define INTID_SPECIAL 1020u /* up to 1023: none, or not ours */
#define LPI_FIRST 8192u
#define LPI_COUNT 1024u

/** Where TTBR0 and TLB operations have the identifier. */
#define ASID_FIELD(asid) ((uint64_t)(asid) << 48)

/** Of each CPU; cpu->arch points at it. */
struct arch_cpu {
    struct asid asids[ASID_COUNT]; /* of ASIDs from 1; own CPU only; first: see arch_root_find() */
    struct asid none;              /* no address space */
    paddr_t redistributor;         /* registers of GICR, and mapped */
    volatile uint8_t *gicr;
    uint32_t processor;  /* GICR_TYPER: how the ITS names it */
    uint32_t irq_count;  /* arch_lock */
    bool takes_messages; /* arch_lock */
    bool started;        /* atomic: it runs C */
};

extern struct arch_cpu boot_arch_cpu;

static inline struct arch_cpu *arch_cpu_of(const struct cpu *cpu)
{
    return cpu->arch;
}

/** What the device tree says of the machine. */
struct platform {
    bool has_psci;
    bool psci_by_smc;  /* else by hvc */
    paddr_t gicd, its; /* 0: none */
    struct boot_fdt_node gic;
    uint32_t timer_intid;
    paddr_t uart; /* a PL011; 0: none */
    uint32_t uart_intid;
};
extern struct platform platform;

/* platform.c */
void platform_read(void);

/* cpu.c */
/** Ends the machine, with the name, if the CPU lacks what the kernel needs. */
void cpu_check(void);
/** How many CPUs there are, and what of the optional they have. */
void cpu_log(void);
/** On the CPU itself: what boot.S has not set. */
void cpu_setup(struct cpu *cpu, struct arch_cpu *arch);

/* aspace.c */
/** No identifier is in use. */
void asids_init(struct arch_cpu *arch);

/* entry.S */
/** What entry code stores of a fault in kernel mode. */
struct trap_frame {
    uint64_t x[31];
    uint64_t sp;
    uint64_t pc, pstate;
    uint64_t esr, far;
};
extern const char vectors[];
/** The instructions that CPUs without pointer authentication must not see. */
extern uint32_t *const pac_sites_start[], *const pac_sites_end[];

/* trap.c: called by entry.S. */
NORETURN void trap_from_user(struct thread *self, uint64_t esr, uint64_t far);
NORETURN void trap_error_from_user(struct thread *self, uint64_t esr);
NORETURN void trap_interrupt_from_user(void);
void trap_interrupt(void);
void trap_kernel(const struct trap_frame *frame);

/* smp.c */
/** Other CPUs: called by boot.S. */
NORETURN void ap_main(struct cpu *cpu);
void cpus_discover(void);

/* psci.c */
/** PSCI (Arm DEN 0022): start the CPU with affinity @mpidr at @entry with @argument. False: it cannot. */
bool psci_cpu_on(uint64_t mpidr, paddr_t entry, uint64_t argument);
NORETURN void psci_power_off(void);
void psci_reset(void);

/* gic.c */
void gic_init(void);
/** On each CPU. */
void gic_cpu_init(void);
/** Which interrupt waits? It is active until gic_end. */
uint32_t gic_acknowledge(void);
void gic_end(uint32_t intid);
void gic_send(uint32_t mpidr, uint32_t sgi);
void gic_send_to_others(uint32_t sgi);
/** A line of a device: whether it exists; its trigger, and to which CPU; let it through or not. */
bool gic_has_line(uint32_t intid);
void gic_line_set(uint32_t intid, bool level, uint32_t mpidr);
void gic_line_enable(uint32_t intid, bool enabled);
extern volatile uint8_t *gic_distributor;

/* its.c: all but its_init and the spare's two are called under arch_lock. */
/** Memory that its_prepare() may need. What it took is NULL afterwards. */
struct its_spare {
    struct its_device *device;
    void *events, *device_page, *pending;
};
/** After gic_init. Without an ITS there are no messages. */
void its_init(void);
/** False: no memory; what there is of it is to be freed all the same. */
bool its_spare_make(struct its_spare *spare, const struct cpu *cpu);
void its_spare_free(struct its_spare *spare);
/** @device can have messages, @cpu can get some. False: the ITS knows no such device. */
bool its_prepare(uint32_t device, const struct cpu *cpu, struct its_spare *spare)
    REQUIRES(arch_lock);
/** After its_prepare: messages of @device's @event end in LPI @intid at @cpu. False: the device has no more of them. */
bool its_map(uint32_t device, uint32_t intid, const struct cpu *cpu, uint32_t *event)
    REQUIRES(arch_lock);
void its_unmap(uint32_t device, uint32_t event, const struct cpu *cpu) REQUIRES(arch_lock);
/** As if the device had written it again. */
void its_raise(uint32_t device, uint32_t event) REQUIRES(arch_lock);
/** Where devices write; 0: there is no ITS. */
paddr_t its_address(void);

/* time.c */
void time_init(void);
/** On each CPU. */
void time_cpu_init(void);
/** The timer's interrupt has come: it is quiet until armed. */
void time_silence(void);

/* irq.c */
/** A device interrupt came in; true: it was ours. */
void irq_handle(uint32_t intid);

/* fpu.c */
/** On each CPU, the boot CPU first. */
void fpu_cpu_init(void);
/** First use of FP, SIMD or vector registers by @self. */
NORETURN void fpu_first_use(struct thread *self, bool vectors);

/* cache.c */
/** What was stored in [@start, @start + @bytes) may be executed, on this CPU after a context synchronisation. */
void cache_make_executable(const void *start, uint64_t bytes);
/** CPUs whose caches are off see it too. */
void cache_clean(const void *start, uint64_t bytes);

/* debug.c */
void debug_init(void);
/** The log goes out by semihosting: said on the command line. */
extern bool debug_by_semihosting;
/** A driver takes the serial port's interrupt, or gives it back: it has the port, or the log has. */
void debug_line_taken(uint32_t intid, bool taken);
/** The machine ends: what is logged goes out whoever has the port. */
void debug_machine_stops(void);
