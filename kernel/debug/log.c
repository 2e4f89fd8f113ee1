/* The kernel log.
 *
 * One ring of bytes, oldest overwritten first. Its header (struct log_ring) is shared with user space, which maps the ring
 * read-only: head counts all bytes ever written and is stored after the bytes, so that a reader that loads head first sees whole
 * lines and can tell what it has missed. Lines are formatted on the caller's stack before the lock is taken; each gets a time stamp
 * and goes to the debug console as well. Until the physical allocator stands a small static ring is used. */
#include <format.h>
#include <kstring.h>
#include <log.h>
#include <mm/phys.h>
#include <spinlock.h>

#define LOG_ORDER 4 /* 64 KiB */
#define LOG_BYTES (PAGE_SIZE << LOG_ORDER)
#define EARLY_BYTES 2048
#define LINE_BYTES 320

struct ring {
    struct log_ring header;
    char data[];
};

static union {
    struct ring ring;
    char bytes[EARLY_BYTES];
} early = {.ring = {.header = {.capacity = EARLY_BYTES - sizeof(struct log_ring)}}};

static struct spinlock log_spinlock;
static struct ring *ring GUARDED_BY(log_lock) = &early.ring;
static bool panicking;

static void ring_write(struct ring *to, const char *text, size_t bytes)
{
    uint64_t head = to->header.head;

    for (size_t i = 0; i < bytes; i++)
        to->data[(head + i) % to->header.capacity] = text[i];
    __atomic_store_n(&to->header.head, head + bytes, __ATOMIC_RELEASE);
}

static void ring_lock(void) ACQUIRE(log_lock) NO_THREAD_SAFETY
{
    if (!__atomic_load_n(&panicking, __ATOMIC_ACQUIRE))
        log_lock_acquire(&log_spinlock);
}

static void ring_unlock(void) RELEASE(log_lock) NO_THREAD_SAFETY
{
    if (!__atomic_load_n(&panicking, __ATOMIC_ACQUIRE))
        log_lock_release(&log_spinlock);
}

static void log_write(const char *text, size_t bytes)
{
    ring_lock();
    ring_write(ring, text, bytes);
    for (size_t i = 0; i < bytes; i++)
        arch_putc(text[i]);
    ring_unlock();
}

void log_echo(const char *text, size_t bytes)
{
    ring_lock();
    for (size_t i = 0; i < bytes; i++)
        arch_putc(text[i]);
    ring_unlock();
}

static void klog_va(const char *format, va_list arguments) PRINTF_LIKE(1, 0);
static void klog_va(const char *format, va_list arguments)
{
    char line[LINE_BYTES];
    uint64_t now_us = arch_time_now_ns() / 1000;
    size_t length =
        format_text(line, sizeof(line), "[%5llu.%06llu] ", (unsigned long long)(now_us / 1000000),
                    (unsigned long long)(now_us % 1000000));

    length += format_text_va(line + length, sizeof(line) - length, format, arguments);
    /* The last byte of the buffer is the newline's at the latest. */
    length = MIN(length, sizeof(line) - 1);
    line[length++] = '\n';
    log_write(line, length);
}

void klog(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    klog_va(format, arguments);
    va_end(arguments);
}

INIT_TEXT void log_init(void)
{
    paddr_t base;

    if (!phys_alloc(LOG_ORDER, &base))
        panic("no memory for the kernel log");
    struct ring *pages = phys_to_virt(base);

    memset(pages, 0, LOG_BYTES);
    pages->header.capacity = LOG_BYTES - sizeof(struct log_ring);
    log_lock_acquire(&log_spinlock);
    uint64_t kept = MIN(ring->header.head, ring->header.capacity);

    for (uint64_t i = ring->header.head - kept; i < ring->header.head; i++)
        ring_write(pages, &ring->data[i % ring->header.capacity], 1);
    ring = pages;
    log_lock_release(&log_spinlock);
}

void log_range(paddr_t *base, uint64_t *bytes)
{
    log_lock_acquire(&log_spinlock);
    *base = virt_to_phys(ring);
    log_lock_release(&log_spinlock);
    *bytes = LOG_BYTES;
}

void log_enter_panic(void)
{
    __atomic_store_n(&panicking, true, __ATOMIC_RELEASE);
}
