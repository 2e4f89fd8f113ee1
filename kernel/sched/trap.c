/* What the architecture calls when user mode was left, and where it goes from there. */
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "endpoint.h"
#include "handlers.h"
#include "mm/aspace.h"
#include "process.h"
#include "sched.h"
#include "trace.h"

void trap_finish(struct thread *self, status_t status)
{
    if (status == KERNEL_BLOCKED) {
        if (arch_cpu_local()->current == self)
            sched_forget_current();
    } else if (status == KERNEL_RESTART) {
        arch_syscall_restart(self);
        sched_yield_current();
    } else if (status != KERNEL_DONE) {
        arch_syscall_status_set(self, status);
    }
}

/* Who waits has chosen itself who runs next. */
COLD NORETURN void ipc_slowly(struct thread *self, uint64_t number)
{
    arch_syscall_number_set(self, number);
    status_t status =
        number == SYS_ENDPOINT_CALL ? raw_endpoint_call(self) : raw_endpoint_reply_receive(self);
    if (unlikely(status != KERNEL_BLOCKED && status != KERNEL_DONE))
        trap_finish(self, status);
    sched_leave_quickly();
    sched_leave();
}

NORETURN void ipc_interrupted(struct thread *self, uint64_t sequence)
{
    const struct wait_class *wait_class = __atomic_load_n(&self->wait_class, __ATOMIC_SEQ_CST);
    if (wait_class != NULL && wait_cancel(self, wait_class, sequence)) {
        __atomic_fetch_and(&self->attention, ~(uint32_t)ATTENTION_INTERRUPT, __ATOMIC_RELAXED);
        thread_wake_status(self, STATUS_INTERRUPTED);
    }
    sched_leave();
}

status_t trap_syscall(struct thread *self)
{
    self->in_syscall = true;
    self->wait_restarts = false;
    status_t status = syscall_dispatch(self, arch_syscall_number(self));
    if (likely(!status_is_internal(status)))
        return status;
    trap_finish(self, status);
    sched_leave();
}

NORETURN COLD void trap_native(struct thread *self, uint64_t number)
{
    if (number >= SYS_LIMIT) {
        arch_syscall_status_set(self, STATUS_UNSUPPORTED);
        sched_leave();
    }
    trace_call(self);
    self->in_syscall = true;
    self->wait_restarts = false;
    if (number == SYS_ENDPOINT_CALL || number == SYS_ENDPOINT_REPLY_RECEIVE)
        ipc_slowly(self, number);
    trap_finish(self, trap_syscall(self));
    sched_leave();
}

/* @self waits for the page, or has a page fault that is not the kernel's to resolve. */
static COLD void unresolved(struct thread *self, uint64_t address, uint32_t access, status_t status)
{
    if (trace_is_on())
        trace_fault(self, address, access, false);
    if (status == KERNEL_BLOCKED)
        sched_forget_current();
    else if (!status_is_internal(status))
        raise_exception(self, EXCEPTION_PAGE, status_name(status),
                        (uint64_t[]){address, access, (uint64_t)(int64_t)status_code(status)});
}

/* True: @self goes on. */
static inline bool resolve(struct thread *self, uint64_t address, uint32_t access)
{
    self->in_syscall = false;
    self->wait_restarts = false;
    status_t status = aspace_fault(self->aspace, self, address, access);
    if (likely(status == STATUS_OK || status == KERNEL_DONE))
        return true;
    unresolved(self, address, access, status);
    return false;
}

void raise_page_fault(struct thread *self, uint64_t address, uint32_t access)
{
    (void)resolve(self, address, access);
}

NORETURN void trap_page_fault(struct thread *self, uint64_t address, uint32_t access)
{
    if (likely(resolve(self, address, access))) {
        if (likely(arch_cpu_local()->work == 0))
            arch_thread_resume(self);
        if (trace_is_on())
            trace_fault(self, address, access, true);
    }
    sched_leave();
}

NORETURN void trap_exception(struct thread *self, uint32_t exception, const char *what,
                             uint64_t code, uint64_t more)
{
    self->in_syscall = false;
    raise_exception(self, exception, what, (uint64_t[]){code, more, 0});
    sched_leave();
}

void trap_timer(void)
{
    if (trace_is_on())
        trace_record(TRACE_INTERRUPT, 0, 0, 0);
    ktimer_interrupt();
}

/* Someone changed what this CPU should run, or began a grace period: the way out looks at everything. */
void trap_ipi(void)
{
    struct cpu *cpu = arch_cpu_local();
    cpu->resched = true;
    cpu->rcu_due = true;
    if (unlikely(__atomic_load_n(&trace_now, __ATOMIC_RELAXED) != NULL)) {
        trace_join(cpu);
        trace_record(TRACE_INTERRUPT, 1, 0, 0);
    }
}
