/* F, D and V state, lazily.
 *
 * The registers of a CPU belong to cpu->fpu_owner, whose thread->fpu_cpu is that CPU. sstatus.FS and VS are off unless the owner itself
 * runs, so the first use by anyone else is an illegal instruction; only then is the owner's state saved and the other's loaded. What an
 * illegal instruction wanted is not decoded: it gets first the floating-point registers, then the vector registers, and is illegal
 * indeed if it then comes back. A thread has memory for what it has used, charged to it, in the initial state, so nobody sees what
 * another left behind. cpu->fpu_on mirrors FS, so that switching between threads that do not use the FPU costs one comparison.
 *
 * While a field is on, the hardware tells whether its registers were written: only then they are saved. Turning a field off forgets
 * that, so arch_cpu.fpu_dirty remembers.
 *
 * Who frees a thread may be on another CPU than the registers: both take the ownership by an exchange, and the one that lost waits
 * until the other has stored fpu_cpu. Invariant: fpu_owner points to a thread whose area exists. */
#include <arch.h>
#include <arch_cpu.h>
#include <kmem.h>
#include <process.h>
#include <thread.h>

#include "csr.h"
#include "local.h"

#define FPU_NOWHERE UINT32_MAX
#define VECTOR_REGISTERS 32u
#define VTYPE_ILLEGAL (1ull << 63) /* vill: no vector instruction has set a type */
/** Both fields clean; what makes them dirty is the other bit of each. */
#define BOTH_CLEAN (STATE_CLEAN << SSTATUS_FS_SHIFT | STATE_CLEAN << SSTATUS_VS_SHIFT)
#define BOTH_DIRTY_BITS (1ull << SSTATUS_FS_SHIFT | 1ull << SSTATUS_VS_SHIFT)

struct arch_fpu {
    uint64_t f[32];
    uint64_t fcsr;
    uint64_t vstart, vcsr, vl, vtype;
    void *vector; /* the vector registers; NULL: not used yet */
};
_Static_assert(offsetof(struct arch_fpu, fcsr) == 32 * 8, "state.S");
_Static_assert(offsetof(struct arch_fpu, vtype) == 36 * 8, "state.S");

static uint64_t vector_bytes;

static uint64_t fields_of(const struct thread *thread)
{
    return SSTATUS_FS | (thread->fpu->vector != NULL ? SSTATUS_VS : 0);
}

static bool is_dirty(uint64_t status, uint64_t field)
{
    return (status & field) == field;
}

/** Let @thread, whose state is in the registers, use them. */
static void fpu_enable(struct cpu *cpu, const struct thread *thread)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);

    if (cpu->fpu_on)
        return;
    csr_set("sstatus", (BOTH_CLEAN & fields_of(thread)) | arch->fpu_dirty);
    cpu->fpu_on = true;
}

static void fpu_disable(struct cpu *cpu)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);

    if (!cpu->fpu_on)
        return;
    uint64_t status = csr_read("sstatus");

    arch->fpu_dirty = (is_dirty(status, SSTATUS_FS) ? SSTATUS_FS : 0) |
                      (is_dirty(status, SSTATUS_VS) ? SSTATUS_VS : 0);
    csr_clear("sstatus", SSTATUS_FS | SSTATUS_VS);
    cpu->fpu_on = false;
}

static void state_save(const struct arch_cpu *arch, struct arch_fpu *fpu)
{
    csr_set("sstatus", arch->fpu_dirty);
    if (arch->fpu_dirty & SSTATUS_FS)
        fpu_state_save(fpu);
    if (arch->fpu_dirty & SSTATUS_VS)
        vector_state_save(fpu, fpu->vector);
    csr_clear("sstatus", SSTATUS_FS | SSTATUS_VS);
}

/** Take the registers of this CPU from @thread and store them. The FPU is off then. */
static void owner_save(struct cpu *cpu, struct thread *thread)
{
    struct thread *owner = thread;

    fpu_disable(cpu);
    if (!__atomic_compare_exchange_n(&cpu->fpu_owner, &owner, NULL, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return; /* arch_fpu_free was quicker */
    state_save(arch_cpu_of(cpu), thread->fpu);
    __atomic_store_n(&thread->fpu_cpu, FPU_NOWHERE, __ATOMIC_RELEASE);
}

void arch_fpu_save(struct thread *thread)
{
    owner_save(arch_cpu_local(), thread);
}

/** Load what @thread has in memory, and let it use it. The FPU is off, and nobody owns it. */
static void registers_take(struct cpu *cpu, struct thread *thread)
{
    csr_set("sstatus", fields_of(thread));
    fpu_state_load(thread->fpu);
    if (thread->fpu->vector != NULL)
        vector_state_load(thread->fpu, thread->fpu->vector);
    csr_clear("sstatus", BOTH_DIRTY_BITS);
    arch_cpu_of(cpu)->fpu_dirty = 0;
    cpu->fpu_on = true;
    __atomic_store_n(&thread->fpu_cpu, cpu->id, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->fpu_owner, thread, __ATOMIC_RELEASE);
}

void arch_fpu_switch(struct thread *thread)
{
    struct cpu *cpu = arch_cpu_local();

    if (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread)
        fpu_enable(cpu, thread);
    else
        fpu_disable(cpu);
}

/** Memory for what @thread has not used yet, NULL: none. */
static void *area_new(struct thread *thread, size_t bytes)
{
    void *area = kmem_alloc(thread->object.budget, bytes);

    if (area == NULL)
        process_fault(thread, "no memory for the FPU state", thread->context.pc,
                      PROCESS_WITHOUT_MEMORY);
    return area;
}

bool fpu_first_use(struct thread *self)
{
    struct cpu *cpu = arch_cpu_local();
    bool wants_vector = cpu->fpu_on && isa.vector && self->fpu->vector == NULL;

    if (cpu->fpu_on && !wants_vector)
        return false;
    if (self->fpu == NULL) {
        self->fpu = area_new(self, sizeof(*self->fpu));
        if (self->fpu == NULL)
            return true;
        self->fpu->vtype = VTYPE_ILLEGAL;
    }
    struct thread *owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED);

    if (owner != NULL)
        owner_save(cpu, owner); /* its own, too, when it wants more of them */
    if (wants_vector)
        self->fpu->vector = area_new(self, vector_bytes);
    registers_take(cpu, self);
    return true;
}

void arch_fpu_free(struct thread *thread)
{
    struct arch_fpu *fpu = thread->fpu;

    if (fpu == NULL)
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
    if (fpu->vector != NULL)
        kmem_free(thread->object.budget, fpu->vector, vector_bytes);
    kmem_free(thread->object.budget, fpu, sizeof(*fpu));
    thread->fpu = NULL;
}

/* The registers are as long on every hart, or a thread could not move. */
void fpu_init(void)
{
    if (!isa.vector)
        return;
    csr_set("sstatus", STATE_CLEAN << SSTATUS_VS_SHIFT);
    uint64_t bytes = csr_read(CSR_VLENB) * VECTOR_REGISTERS;

    csr_clear("sstatus", SSTATUS_VS);
    if (vector_bytes != 0 && vector_bytes != bytes)
        panic("CPU %u: vector registers of another length", arch_cpu_local()->id);
    vector_bytes = bytes;
}
