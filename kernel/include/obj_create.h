#pragma once
/* What the handlers that create objects share. */
#include "budget.h"
#include "cap.h"
#include "kmem.h"

/** A zeroed object of @bytes, its header (at its beginning) initialised, charged to the budget of @budget_cap. NULL: no memory, or the
 *  budget's last capability is going at this moment. Given back by object_unref() as long as no capability was made. */
static inline void *object_allocate(const struct cap *budget_cap, size_t bytes,
                                    const struct object_ops *ops)
{
    struct budget *budget = budget_of(budget_cap->object);

    if (!object_try_ref(&budget->object))
        return NULL;
    struct object *object = kmem_alloc(budget, bytes);

    if (object != NULL)
        object_init(object, ops, budget);
    object_unref(&budget->object);
    return object;
}

/** The first capability of the new @object in the table of @process; on failure the object is given back. */
MUST_CHECK static inline status_t object_publish(struct process *process, struct object *object,
                                                 uint32_t rights, handle_t *handle)
{
    status_t status = cap_create(process, object, rights, handle);

    if (!status_is_ok(status))
        object_unref(object);
    return status;
}

/** The end of every free(): give back the object's @bytes and its reference on its budget. */
static inline void object_release(struct object *object, size_t bytes)
{
    struct budget *budget = object->budget;

    kmem_free(budget, object, bytes);
    object_unref(&budget->object);
}
