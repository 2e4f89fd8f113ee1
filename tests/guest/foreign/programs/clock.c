/* The time, by the clock page and by the system call in turn: it never goes back. */
#include "linux.h"

#include <os/clock.h>

#define ROUNDS 200
#define READS 20

static uint64_t by_call(void)
{
    struct linux_timespec now = {0, 0};

    EXPECT(CALL2(clock_gettime, CLOCK_MONOTONIC, &now) == 0 && now.nanoseconds < 1000000000);
    return (uint64_t)now.seconds * 1000000000 + (uint64_t)now.nanoseconds;
}

/* As a vDSO would. */
static uint64_t by_page(void)
{
    const struct clock_page *page = (const struct clock_page *)CLOCK_PAGE_ADDRESS;
    uint64_t now_ns;

    return clock_page_now(page, &now_ns) ? now_ns : by_call();
}

int main(int letter)
{
    uint64_t start_ns = by_call(), last_ns = start_ns;

    (void)letter;
    EXPECT(start_ns != 0);
    for (int i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < READS; j++) {
            uint64_t now_ns = by_page();
            EXPECT(now_ns >= last_ns);
            last_ns = now_ns;
        }
        uint64_t called_ns = by_call();
        EXPECT(called_ns >= last_ns);
        last_ns = called_ns;
    }
    EXPECT(last_ns > start_ns);
    return 0;
}
