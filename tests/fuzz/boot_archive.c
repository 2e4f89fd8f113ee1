/* libFuzzer target of the kernel's readers of the boot archive: the cpio archive, and the program in it. A fault is what the sanitisers see, or
 * an answer that points outside of what was given, or that breaks what boot/elf.h promises. */
#include "target.h"

#include <boot/cpio.h>
#include <boot/elf.h>

static void check_image(const struct elf_image *image, uint64_t bytes)
{
    uint64_t end = 0;
    bool is_entered = false;
    HOLDS(image->segment_count <= ELF_SEGMENTS_MAX);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        HOLDS(segment->file_offset <= bytes && segment->file_bytes <= bytes - segment->file_offset);
        HOLDS(segment->memory_bytes != 0 && segment->memory_bytes >= segment->file_bytes);
        HOLDS(segment->address + segment->memory_bytes > segment->address);
        HOLDS(i == 0 || segment->address >> 12 > (end - 1) >> 12);
        HOLDS((segment->prot & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE));
        end = segment->address + segment->memory_bytes;
        is_entered = is_entered || ((segment->prot & MAP_EXECUTE) != 0 &&
                                    image->entry >= segment->address && image->entry < end);
    }
    HOLDS(is_entered);
    HOLDS(end - image->segments[0].address <= ELF_SPAN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const void *file = NULL;
    uint64_t bytes = 0;
    struct elf_image image;
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) { /* an archive; else a file */
        if (cpio_find(data + 1, size - 1, "init", &file, &bytes) != NULL)
            return 0;
        HOLDS((const uint8_t *)file >= data + 1 && bytes <= size - 1 &&
              (size_t)((const uint8_t *)file - data - 1) <= size - 1 - bytes);
    } else {
        file = data + 1;
        bytes = size - 1;
    }
    if (elf_parse(file, bytes, &image) == NULL)
        check_image(&image, bytes);
    return 0;
}
