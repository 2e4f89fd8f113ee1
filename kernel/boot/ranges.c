/* The RAM and the reserved ranges of boot_info, for whoever reads a memory map. RAM is sorted and never overlaps, and what is taken out of
 * it is gone whole pages at a time. And the words of the command line.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <boot.h>

struct boot_info boot_info;

static uint64_t page_down(uint64_t address)
{
    return address & ~(PAGE_SIZE - 1);
}

/** The last page of all addresses is out of reach. */
static uint64_t page_up(uint64_t address)
{
    return address > UINT64_MAX - PAGE_SIZE ? page_down(UINT64_MAX)
                                            : page_down(address + PAGE_SIZE - 1);
}

static void ram_remove_at(uint32_t i)
{
    boot_info.ram_count--;
    for (; i < boot_info.ram_count; i++)
        boot_info.ram[i] = boot_info.ram[i + 1];
}

/** Range @i and the one after it are one, if they touch: a firmware's map has hundreds of pieces. */
static void ram_join(uint32_t i)
{
    struct boot_range *range = &boot_info.ram[i];

    if (i + 1 < boot_info.ram_count && range->base + range->bytes == range[1].base) {
        range->bytes += range[1].bytes;
        ram_remove_at(i + 1);
    }
}

static void ram_insert(uint64_t base, uint64_t end)
{
    uint32_t i = boot_info.ram_count;

    if (i == BOOT_RANGES_MAX || base >= end)
        return;
    for (; i > 0 && boot_info.ram[i - 1].base > base; i--)
        boot_info.ram[i] = boot_info.ram[i - 1];
    boot_info.ram[i] = (struct boot_range){base, end - base};
    boot_info.ram_count++;
    ram_join(i);
    if (i > 0)
        ram_join(i - 1);
}

static bool ram_overlaps(uint32_t i, uint64_t base, uint64_t end)
{
    const struct boot_range *range = &boot_info.ram[i];

    return base < range->base + range->bytes && range->base < end;
}

void boot_ram_add(uint64_t base, uint64_t end)
{
    base = page_up(base);
    end = page_down(end);
    for (uint32_t i = 0; i < boot_info.ram_count; i++) {
        if (base < end && ram_overlaps(i, base, end))
            panic("memory map: RAM ranges overlap at %#llx", (unsigned long long)base);
    }
    ram_insert(base, end);
}

void boot_ram_subtract(uint64_t base, uint64_t end)
{
    uint32_t i = 0;

    if (base >= end)
        return;
    base = page_down(base);
    end = page_up(end);
    while (i < boot_info.ram_count) {
        struct boot_range range = boot_info.ram[i];

        if (!ram_overlaps(i, base, end)) {
            i++;
            continue;
        }
        ram_remove_at(i);
        ram_insert(range.base, MIN(base, range.base + range.bytes));
        ram_insert(MAX(end, range.base), range.base + range.bytes);
        i = 0;
    }
}

void boot_reserve(uint64_t base, uint64_t end)
{
    boot_ram_subtract(base, end);
    if (boot_info.reserved_count == BOOT_RANGES_MAX)
        panic("memory map: more than %u ranges in use", BOOT_RANGES_MAX);
    boot_info.reserved[boot_info.reserved_count++] =
        (struct boot_range){page_down(base), page_up(end) - page_down(base)};
}

bool boot_word(const char *word)
{
    const char *at = boot_info.cmdline;

    while (*at != '\0') {
        size_t same = 0;

        while (word[same] != '\0' && at[same] == word[same])
            same++;
        if (word[same] == '\0' && (at[same] == ' ' || at[same] == '\0'))
            return true;
        while (*at != ' ' && *at != '\0')
            at++;
        while (*at == ' ')
            at++;
    }
    return false;
}
