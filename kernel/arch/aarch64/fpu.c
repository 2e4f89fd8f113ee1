/* FP, SIMD and scalable vector state, lazily.
 *
 * The registers of a CPU belong to cpu->fpu_owner, whose thread->fpu_cpu is that CPU. CPACR_EL1 traps their use unless the owner itself runs,
 * so the first use by anyone else traps; only then is the owner's state saved and the other's loaded. A thread without an area has
 * never used them; its area, allocated on first use and charged to it, starts as zeros, so nobody sees what another left behind.
 * cpu->fpu_on mirrors CPACR_EL1, so that switching between threads that do not use them costs one comparison.
 *
 * There are two kinds of state. Most threads use FP and SIMD only: 32 registers of 16 bytes. The first use of a scalable vector traps by
 * itself, and from then on the thread has the whole vectors, the predicates and the first-fault register, in a bigger area. While the owner
 * has the small kind, vector instructions trap.
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

#define CPACR_FP (3ull << 20)
#define CPACR_VECTORS (3ull << 16)
#define ZCR_LONGEST 0xfull
#define REGISTERS 32u
#define PREDICATES 16u
#define SIMD_BYTES 16u
#define FPU_NOWHERE UINT32_MAX

struct arch_fpu {
    uint64_t status, control; /* FPSR, FPCR */
    bool has_vectors;
    uint8_t registers[] __attribute__((aligned(16))); /* then predicates */
};

static uint64_t vector_bytes; /* 0: the CPU has no scalable vectors */

/* fpu_regs.S */
void fpu_store(void *registers);
void fpu_load(const void *registers);
void sve_store(void *vectors, void *predicates);
void sve_load(const void *vectors, const void *predicates);
uint64_t sve_bytes(void);
uint64_t fpu_status(void);
uint64_t fpu_control(void);
void fpu_status_set(uint64_t status, uint64_t control);

static size_t area_bytes(bool has_vectors)
{
    uint64_t predicates = (PREDICATES + 1) * vector_bytes / 8;

    return sizeof(struct arch_fpu) +
           (has_vectors ? REGISTERS * vector_bytes + predicates : REGISTERS * SIMD_BYTES);
}

static void *predicates_of(struct arch_fpu *fpu)
{
    return fpu->registers + REGISTERS * vector_bytes;
}

static void access_set(struct cpu *cpu, uint64_t access)
{
    SYSREG_WRITE(cpacr_el1, access);
    isb();
    cpu->fpu_on = access != 0;
}

static uint64_t access_for(const struct arch_fpu *fpu)
{
    return fpu->has_vectors ? CPACR_FP | CPACR_VECTORS : CPACR_FP;
}

static void state_save(struct arch_fpu *fpu)
{
    fpu->status = fpu_status();
    fpu->control = fpu_control();
    if (fpu->has_vectors)
        sve_store(fpu->registers, predicates_of(fpu));
    else
        fpu_store(fpu->registers);
}

static void state_load(struct arch_fpu *fpu)
{
    fpu_status_set(fpu->status, fpu->control);
    if (fpu->has_vectors)
        sve_load(fpu->registers, predicates_of(fpu));
    else
        fpu_load(fpu->registers);
}

void fpu_cpu_init(void)
{
    if (id_field(SYSREG_READ(id_aa64pfr0_el1), 32) == 0)
        return;
    SYSREG_WRITE(cpacr_el1, CPACR_FP | CPACR_VECTORS);
    isb();
    SYSREG_WRITE(S3_0_C1_C2_0, ZCR_LONGEST); /* ZCR_EL1 */
    isb();
    uint64_t bytes = sve_bytes();

    SYSREG_WRITE(cpacr_el1, 0);
    if (arch_cpu_local()->id == 0)
        vector_bytes = bytes;
    else if (bytes != vector_bytes)
        panic("CPU %u has vectors of %llu bytes, the others %llu", arch_cpu_local()->id,
              (unsigned long long)bytes, (unsigned long long)vector_bytes);
}

/** Take the registers of this CPU from @thread and store them. */
static void owner_save(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = thread;

    if (!__atomic_compare_exchange_n(&cpu->fpu_owner, &owner, NULL, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return; /* arch_fpu_free was quicker */
    access_set(cpu, access_for(thread->fpu));
    state_save(thread->fpu);
    __atomic_store_n(&thread->fpu_cpu, FPU_NOWHERE, __ATOMIC_RELEASE);
}

void arch_fpu_save(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_local();

    owner_save(cpu, thread);
    access_set(cpu, 0);
}

static void registers_take(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED);

    if (owner != NULL && owner != thread)
        owner_save(cpu, owner);
    access_set(cpu, access_for(thread->fpu));
    state_load(thread->fpu);
    __atomic_store_n(&thread->fpu_cpu, cpu->id, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->fpu_owner, thread, __ATOMIC_RELEASE);
}

void arch_fpu_switch(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_local();
    bool is_owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread;

    access_set(cpu, is_owner ? access_for(thread->fpu) : 0);
}

/** The area of @self becomes one of the kind asked for, with the same contents; the registers are not live. */
static bool area_make(struct thread *self, bool has_vectors)
{
    struct budget *budget = self->object.budget;
    struct arch_fpu *old = self->fpu;
    struct arch_fpu *made = kmem_alloc(budget, area_bytes(has_vectors));

    if (made == NULL)
        return false;
    made->has_vectors = has_vectors;
    if (old != NULL) {
        made->status = old->status;
        made->control = old->control;
        for (unsigned i = 0; i < REGISTERS; i++)
            memcpy(made->registers + i * vector_bytes, old->registers + i * SIMD_BYTES, SIMD_BYTES);
        kmem_free(budget, old, area_bytes(false));
    }
    self->fpu = made;
    return true;
}

void fpu_first_use(struct thread *self, bool has_vectors)
{
    struct cpu *cpu = arch_cpu_local();

    if (has_vectors && vector_bytes == 0)
        trap_exception(self, EXCEPTION_ILLEGAL, "undefined instruction", self->context.pc, 0);
    if (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == self)
        owner_save(cpu, self);
    if ((self->fpu == NULL || (has_vectors && !self->fpu->has_vectors)) &&
        !area_make(self, has_vectors)) {
        access_set(cpu, 0);
        process_fault(self, "no memory for the FPU state", self->context.pc,
                      PROCESS_WITHOUT_MEMORY);
        sched_leave();
    }
    registers_take(cpu, self);
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
    kmem_free(thread->object.budget, thread->fpu, area_bytes(thread->fpu->has_vectors));
    thread->fpu = NULL;
}
