/* Port ranges. Access is checked against the range of the capability's object; which ports exist is the architecture's. */
#include <arch.h>
#include <device.h>
#include <handlers.h>
#include <inject.h>
#include <kcov.h>
#include <log.h>
#include <mm/aspace.h>
#include <obj_create.h>
#include <thread.h>

#define PORTS 65536u
#define IOPORT_RIGHTS                                                                        \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_READ | RIGHT_WRITE | \
     RIGHT_MANAGE)

struct ioport {
    struct object object;
    uint32_t base, count;
};

static inline struct ioport *ioport_of(struct object *object)
{
    return container_of(object, struct ioport, object);
}

static status_t access_check(const struct ioport *ioport, uint32_t port, uint32_t width)
{
    if (width != 1 && width != 2 && width != 4)
        return STATUS_INVALID;
    /* base + count is at most 65536, so nothing wraps. */
    if (port < ioport->base || port >= ioport->base + ioport->count ||
        width > ioport->base + ioport->count - port)
        return STATUS_RANGE;
    return STATUS_OK;
}

status_t sys_ioport_in(struct thread *self, struct cap *cap, uint32_t port, uint32_t width,
                       uint32_t *value)
{
    (void)self;
    status_t status = access_check(ioport_of(cap->object), port, width);

    if (!status_is_ok(status))
        return status;
    if (INJECTS && port == INJECT_PORT)
        *value = inject_points();
    else if (KCOV_IS_ON && port == KCOV_PORT)
        *value = kcov_read();
    else
        return arch_port_in(port, width, value);
    return STATUS_OK;
}

status_t sys_ioport_out(struct thread *self, struct cap *cap, uint32_t port, uint32_t width,
                        uint32_t value)
{
    status_t status = access_check(ioport_of(cap->object), port, width);

    if (!status_is_ok(status))
        return status;
    if (INJECTS && port == INJECT_PORT)
        inject_arm(self, value);
    else if (KCOV_IS_ON && port == KCOV_PORT)
        kcov_write(self->process, value);
    else
        return arch_port_out(port, width, value);
    return STATUS_OK;
}

status_t sys_ioport_write(struct thread *self, struct cap *cap, uint32_t port, struct user_in bytes)
{
    char text[IOPORT_WRITE_MAX];
    status_t status = access_check(ioport_of(cap->object), port, 1);

    if (status_is_ok(status) && port != LOG_PORT)
        status = STATUS_UNSUPPORTED;
    if (status_is_ok(status) && bytes.length > sizeof(text))
        status = STATUS_INVALID;
    if (status_is_ok(status))
        status = user_copy_in(self, text, bytes.address, bytes.length);
    if (status_is_ok(status))
        log_echo(text, bytes.length);
    return status;
}

static void ioport_destroy(struct object *object)
{
    (void)object;
}

static void ioport_free(struct object *object)
{
    object_release(object, sizeof(struct ioport));
}

static const struct object_ops ioport_ops = {.type = OBJECT_IOPORT,
                                             .destroy = ioport_destroy,
                                             .free = ioport_free};

status_t sys_ioport_slice(struct thread *self, struct cap *cap, struct cap *budget, uint32_t base,
                          uint32_t count, handle_t *handle)
{
    const struct ioport *whole = ioport_of(cap->object);

    if (count == 0 || base < whole->base || count > whole->count ||
        base - whole->base > whole->count - count)
        return STATUS_RANGE;
    struct ioport *slice = object_allocate(budget, sizeof(*slice), &ioport_ops);

    if (slice == NULL)
        return STATUS_NO_MEMORY;
    slice->base = base;
    slice->count = count;
    return object_publish(self->process, &slice->object, IOPORT_RIGHTS, handle);
}

status_t ioport_create_root(struct process *process, struct budget *budget, handle_t *handle)
{
    struct ioport *root = kmem_alloc(budget, sizeof(*root));

    if (root == NULL)
        return STATUS_NO_MEMORY;
    object_init(&root->object, &ioport_ops, budget);
    root->count = PORTS;
    return object_publish(process, &root->object, IOPORT_RIGHTS, handle);
}
