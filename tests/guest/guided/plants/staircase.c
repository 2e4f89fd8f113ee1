/* wraps: sys_notification_signal; says: PANIC on CPU [0-9]+: .*is_not_at_the_top */
#include <cap.h>
#include <kernel.h>
#include <object.h>

/* What is to be signalled at each step, modulo 4: each is an edge of its own, as a machine of so many states has. */
#define STEPS(step) step(0, 1) step(1, 3) step(2, 0) step(3, 2) step(4, 1) step(5, 3)
#define STEPS_COUNT 6u
#define OBJECTS 65536u

/* How far each notification has come, by its number, which is never used again. */
static uint8_t at[OBJECTS];
#define SPOILED 0xffu

#define STEP(number, wanted)                                         \
    case number:                                                     \
        if (bits % 4 != (wanted)) {                                  \
            *state = SPOILED;                                        \
        } else {                                                     \
            *state = (number) + 1;                                   \
            __asm__ volatile("" : : "i"(number)); /* its own code */ \
        }                                                            \
        break;

status_t __real_sys_notification_signal(struct thread *self, struct cap *cap, uint64_t bits);
status_t __wrap_sys_notification_signal(struct thread *self, struct cap *cap, uint64_t bits);

/* A notification that is signalled right from its first time on, six times, brings the kernel down. One wrong step, and it never does. */
status_t __wrap_sys_notification_signal(struct thread *self, struct cap *cap, uint64_t bits)
{
    volatile uint8_t *state = &at[cap->object->id % OBJECTS];
    switch (*state) {
        STEPS(STEP)
    default:
        break;
    }
    bool is_not_at_the_top = *state != STEPS_COUNT;
    ASSERT(is_not_at_the_top);
    return __real_sys_notification_signal(self, cap, bits);
}
