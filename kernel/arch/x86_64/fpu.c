/* FPU, SSE and AVX state, lazily.
 *
 * The registers of a CPU belong to cpu->fpu_owner, whose thread->fpu_cpu is that CPU. CR0.TS is set unless the owner itself runs, so
 * the first use by anyone else traps (#NM); only then is the owner's state saved and the other's loaded. A thread without an area has
 * never used the FPU; its area, allocated on first use and charged to it, starts in the initial state, so nobody sees what another
 * left behind. cpu->fpu_on mirrors CR0.TS, so that switching between threads that do not use the FPU costs one comparison.
 *
 * CPUs that let code speculate on the registers in spite of TS (LazyFP, CVE-2018-3665: Intel's family 6) are switched eagerly: the
 * owner is saved and the registers are cleared or loaded before another thread runs.
 *
 * Who frees a thread may be on another CPU than the registers: both take the ownership by an exchange, and the one that lost waits
 * until the other has stored fpu_cpu. Invariant: fpu_owner points to a thread whose area exists. */
#include <arch.h>
#include <arch_cpu.h>
#include <kmem.h>
#include <kstring.h>
#include <process.h>
#include <sched.h>
#include <thread.h>

#include "cpu_regs.h"
#include "local.h"

#define AREA_ALIGN 64u
#define LEGACY_BYTES 512u
#define LEGACY_FCW 0 /* byte offsets in the area (SDM vol. 1, 13.4.1) */
#define LEGACY_MXCSR 24
#define FCW_INITIAL 0x37fu
#define MXCSR_INITIAL 0x1f80u
/* x87, SSE, AVX, and the three parts of AVX-512. */
#define XCR0_WANTED 0xe7ull
#define FPU_NOWHERE UINT32_MAX

static uint64_t xcr0; /* 0: no XSAVE, FXSAVE serves */
static bool has_xsaveopt;
static bool eager;
static size_t area_bytes = LEGACY_BYTES;
static uint8_t initial_area[4096] __attribute__((aligned(AREA_ALIGN)));

static void *area_of(struct arch_fpu *fpu)
{
    return (void *)(((uintptr_t)fpu + AREA_ALIGN - 1) & ~(uintptr_t)(AREA_ALIGN - 1));
}

static size_t allocation_bytes(void)
{
    return area_bytes + AREA_ALIGN;
}

static void area_init(uint8_t *area)
{
    area[LEGACY_FCW] = FCW_INITIAL & 0xff;
    area[LEGACY_FCW + 1] = FCW_INITIAL >> 8;
    area[LEGACY_MXCSR] = MXCSR_INITIAL & 0xff;
    area[LEGACY_MXCSR + 1] = MXCSR_INITIAL >> 8;
}

static void state_save(void *area)
{
    if (has_xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"((uint32_t)xcr0), "d"(0) : "memory");
    else if (xcr0 != 0)
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)xcr0), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void state_load(const void *area)
{
    if (xcr0 != 0)
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"((uint32_t)xcr0), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static void fpu_enable(struct cpu *cpu)
{
    if (!cpu->fpu_on)
        __asm__ volatile("clts");
    cpu->fpu_on = true;
}

static void fpu_disable(struct cpu *cpu)
{
    if (cpu->fpu_on)
        cr0_write(cr0_read() | CR0_TS);
    cpu->fpu_on = false;
}

void fpu_cpu_init(void)
{
    if (xcr0 != 0)
        __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)));
    /* TS is set since cpu_setup, fpu_on is false, nobody owns the registers. */
}

void fpu_init(void)
{
    struct cpuid basic = cpuid(1, 0);
    struct cpuid vendor = cpuid(0, 0);

    area_init(initial_area);
    eager = vendor.ebx == 0x756e6547u /* "Genu" ineIntel */ && (basic.eax >> 8 & 0xf) == 6;
    klog("fpu: switched %s", eager ? "eagerly" : "lazily");
    if (!(basic.ecx & (1u << 26)))
        return;
    struct cpuid features = cpuid(0xd, 0);

    xcr0 = features.eax & XCR0_WANTED;
    if ((xcr0 & 0xe0) != 0xe0)
        xcr0 &= ~0xe0ull; /* AVX-512 whole or not at all */
    fpu_cpu_init();
    area_bytes = cpuid(0xd, 0).ebx; /* for what is enabled now */
    has_xsaveopt = (cpuid(0xd, 1).eax & 1) != 0;
    ASSERT(area_bytes <= sizeof(initial_area));
}

/** Take the registers of this CPU from @thread and store them. */
static void owner_save(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = thread;

    if (!__atomic_compare_exchange_n(&cpu->fpu_owner, &owner, NULL, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return; /* arch_fpu_free was quicker */
    fpu_enable(cpu);
    state_save(area_of(thread->fpu));
    __atomic_store_n(&thread->fpu_cpu, FPU_NOWHERE, __ATOMIC_RELEASE);
}

void arch_fpu_save(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_local();

    owner_save(cpu, thread);
    if (eager)
        state_load(initial_area);
    fpu_disable(cpu);
}

static void registers_take(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED);

    if (owner != NULL && owner != thread)
        owner_save(cpu, owner);
    fpu_enable(cpu);
    state_load(area_of(thread->fpu));
    __atomic_store_n(&thread->fpu_cpu, cpu->id, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->fpu_owner, thread, __ATOMIC_RELEASE);
}

static void switch_eagerly(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED);

    if (owner == thread)
        return;
    if (thread->fpu != NULL)
        registers_take(cpu, thread);
    else if (owner != NULL)
        arch_fpu_save(owner);
}

void arch_fpu_switch(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_local();

    if (eager)
        switch_eagerly(cpu, thread);
    if (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread) {
        fpu_enable(cpu);
        return;
    }
    if (eager && cpu->fpu_on)
        state_load(initial_area); /* what a freed thread left */
    fpu_disable(cpu);
}

void fpu_first_use(struct thread *self)
{
    if (self->fpu == NULL) {
        self->fpu = kmem_alloc(self->object.budget, allocation_bytes());
        if (self->fpu == NULL) {
            process_fault(self, "no memory for the FPU state", self->context.rip,
                          PROCESS_WITHOUT_MEMORY);
            sched_leave();
        }
        area_init(area_of(self->fpu));
    }
    registers_take(arch_cpu_local(), self);
    sched_leave();
}

void arch_fpu_free(struct thread *thread)
{
    if (thread->fpu == NULL)
        return;
    uint32_t id = __atomic_load_n(&thread->fpu_cpu, __ATOMIC_ACQUIRE);

    if (id != FPU_NOWHERE) {
        struct thread *owner = thread;

        if (!__atomic_compare_exchange_n(&cpus[id]->fpu_owner, &owner, NULL, false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            while (__atomic_load_n(&thread->fpu_cpu, __ATOMIC_ACQUIRE) != FPU_NOWHERE)
                arch_cpu_relax();
        }
    }
    kmem_free(thread->object.budget, thread->fpu, allocation_bytes());
    thread->fpu = NULL;
}
