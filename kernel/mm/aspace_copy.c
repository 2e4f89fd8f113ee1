/* The kernel's access to user memory: always through the page tables, by the direct map.
 *
 * The walk takes no lock: it sees an entry that is, or a moment ago was, in force, and the frame it names stays what it is until the
 * kernel is left. Only when there is no entry, or one that allows too little, the fault is resolved as if user code had made it.
 * Copies between two address spaces, or between user memory and a Memory, never hold two locks of a class: a source page is found,
 * then a destination page, then the bytes are copied. */
#include "arch.h"
#include "handlers.h"
#include "kstring.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "sched.h"

/* The frame that @address is in, if the page tables allow @access; 0 if not. */
static inline paddr_t frame_lookup(const struct aspace *aspace, uint64_t address, uint32_t access)
{
    unsigned level;
    if (unlikely(address < ARCH_USER_START || address >= ARCH_USER_END))
        return 0;
    pte_t entry = pagetable_lookup(aspace->root, address, &level);
    if (entry == 0 || (access & ~arch_pte_flags(entry)) != 0 || arch_pte_is_device(entry))
        return 0;
    return arch_pte_address(entry) + (address & (arch_pt_span(level) - 1) & ~(PAGE_SIZE - 1));
}

status_t aspace_frame(struct aspace *aspace, struct thread *self, uint64_t address, uint32_t access,
                      paddr_t *frame)
{
    *frame = frame_lookup(aspace, address, access);
    if (likely(*frame != 0))
        return STATUS_OK;
    if (address < ARCH_USER_START || address >= ARCH_USER_END)
        return STATUS_FAULT;
    status_t status = aspace_resolve(aspace, self, address, access, frame);
    bool is_none = status == STATUS_RANGE || (status_is_ok(status) && *frame == 0);
    return is_none ? STATUS_FAULT : status;
}

/* One run of bytes inside a page, between the kernel and user memory. */
static inline status_t copy_part(struct aspace *aspace, struct thread *self, uint64_t address,
                                 void *to, const void *from, size_t bytes)
{
    paddr_t frame;
    status_t status =
        aspace_frame(aspace, self, address, to != NULL ? MAP_READ : MAP_WRITE, &frame);
    if (unlikely(!status_is_ok(status)))
        return status;
    char *user = (char *)phys_to_virt(frame) + (address & (PAGE_SIZE - 1));
    if (to != NULL)
        user_memcpy(to, user, bytes);
    else
        user_memcpy(user, from, bytes);
    return STATUS_OK;
}

static inline size_t part_of(uint64_t address, uint64_t left)
{
    return (size_t)MIN(left, PAGE_SIZE - (address & (PAGE_SIZE - 1)));
}

static inline void bytes_copy(void *to, const void *from, size_t bytes, bool same_page)
{
    if (unlikely(same_page))
        memmove(to, from, bytes);
    else
        user_memcpy(to, from, bytes);
}

__attribute__((noinline)) status_t aspace_copy_in(struct aspace *aspace, struct thread *self,
                                                  void *to, uint64_t address, size_t bytes,
                                                  size_t *done)
{
    size_t copied = 0;
    status_t status = STATUS_OK;
    while (copied < bytes) {
        size_t part = part_of(address + copied, bytes - copied);
        status = copy_part(aspace, self, address + copied, (char *)to + copied, NULL, part);
        if (unlikely(!status_is_ok(status)))
            break;
        copied += part;
    }
    if (done != NULL)
        *done = copied;
    return status;
}

__attribute__((noinline)) status_t aspace_copy_out(struct aspace *aspace, struct thread *self,
                                                   uint64_t address, const void *from, size_t bytes,
                                                   size_t *done)
{
    size_t copied = 0;
    status_t status = STATUS_OK;
    while (copied < bytes) {
        size_t part = part_of(address + copied, bytes - copied);
        status = copy_part(aspace, self, address + copied, NULL, (const char *)from + copied, part);
        if (unlikely(!status_is_ok(status)))
            break;
        copied += part;
    }
    if (done != NULL)
        *done = copied;
    return status;
}

COLD status_t aspace_copy(struct aspace *to, uint64_t to_address, struct aspace *from,
                          uint64_t from_address, size_t bytes, size_t *done)
{
    size_t copied = 0;
    status_t status = STATUS_OK;
    while (copied < bytes) {
        paddr_t source, target;
        size_t part = MIN(part_of(to_address + copied, bytes - copied),
                          part_of(from_address + copied, bytes - copied));
        status = aspace_frame(from, NULL, from_address + copied, MAP_READ, &source);
        if (status_is_ok(status))
            status = aspace_frame(to, NULL, to_address + copied, MAP_WRITE, &target);
        if (unlikely(!status_is_ok(status)))
            break;
        bytes_copy((char *)phys_to_virt(target) + ((to_address + copied) & (PAGE_SIZE - 1)),
                   (char *)phys_to_virt(source) + ((from_address + copied) & (PAGE_SIZE - 1)), part,
                   source == target);
        copied += part;
    }
    if (done != NULL)
        *done = copied;
    if (status_is_ok(status) || status == KERNEL_RESTART)
        return status;
    return STATUS_FAULT; /* whatever keeps the page away */
}

status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes)
{
    return aspace_copy_in(self->aspace, self, to, address, bytes, NULL);
}

status_t user_copy_out(struct thread *self, uint64_t address, const void *from, size_t bytes)
{
    status_t status;
    /* No lock is held: what is to be done first can be done here, and what was done is not to be done again. */
    while ((status = aspace_copy_out(self->aspace, self, address, from, bytes, NULL)) ==
           KERNEL_RESTART)
        self->continuation(self);
    return status;
}

/* ── System calls ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Copy @bytes between @self's aspace and @other, either way; restartable. *@done is short, and the status OK, if @other ends. */
static status_t copy_other(struct thread *self, struct aspace *other, uint64_t address,
                           uint64_t user, uint64_t bytes, bool out, uint64_t *done)
{
    uint64_t copied = progress_begin(self, address, user, bytes);
    status_t status = STATUS_OK;
    while (copied < bytes) {
        paddr_t theirs, ours;
        size_t part =
            MIN(part_of(address + copied, bytes - copied), part_of(user + copied, bytes - copied));
        status = aspace_frame(self->aspace, self, user + copied, out ? MAP_WRITE : MAP_READ, &ours);
        if (!status_is_ok(status))
            break;
        status = aspace_frame(other, self, address + copied, out ? MAP_READ : MAP_WRITE, &theirs);
        if (!status_is_ok(status)) {
            if (status == STATUS_FAULT && copied != 0)
                status = STATUS_OK;
            break;
        }
        char *mine = (char *)phys_to_virt(ours) + ((user + copied) & (PAGE_SIZE - 1));
        char *that = (char *)phys_to_virt(theirs) + ((address + copied) & (PAGE_SIZE - 1));
        bytes_copy(out ? mine : that, out ? that : mine, part, ours == theirs);
        copied += part;
        self->progress = copied;
        if (copied < bytes && sched_should_yield()) {
            status = KERNEL_RESTART;
            break;
        }
    }
    *done = copied;
    return progress_end(self, status);
}

status_t sys_aspace_read(struct thread *self, struct cap *aspace, uint64_t address,
                         struct user_out buffer, uint64_t *done)
{
    return copy_other(self, aspace_of(aspace->object), address, buffer.address, buffer.length, true,
                      done);
}

status_t sys_aspace_write(struct thread *self, struct cap *aspace, uint64_t address,
                          struct user_in buffer, uint64_t *done)
{
    return copy_other(self, aspace_of(aspace->object), address, buffer.address, buffer.length,
                      false, done);
}

/* The aligned word at @address in @aspace. */
static status_t word_find(struct thread *self, struct cap *aspace, uint64_t address,
                          uint32_t access, uint32_t **word)
{
    paddr_t frame;
    if (address % sizeof(uint32_t) != 0)
        return STATUS_INVALID;
    status_t status = aspace_frame(aspace_of(aspace->object), self, address, access, &frame);
    if (status_is_ok(status))
        *word = (uint32_t *)phys_to_virt(frame) + (address & (PAGE_SIZE - 1)) / sizeof(uint32_t);
    return status;
}

status_t sys_aspace_load32(struct thread *self, struct cap *aspace, uint64_t address,
                           uint32_t *value)
{
    uint32_t *word;
    status_t status = word_find(self, aspace, address, MAP_READ, &word);
    if (status_is_ok(status))
        *value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    return status;
}

status_t sys_aspace_cmpxchg32(struct thread *self, struct cap *aspace, uint64_t address,
                              uint32_t expected, uint32_t desired, uint32_t *old)
{
    uint32_t *word;
    status_t status = word_find(self, aspace, address, MAP_WRITE, &word);
    if (status_is_ok(status)) {
        (void)__atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST);
        *old = expected;
    }
    return status;
}
