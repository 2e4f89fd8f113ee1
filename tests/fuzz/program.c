/* libFuzzer target of lib/os's checker of programs: the first two bytes choose the machine, and a file longer than what is at hand of it. A fault is
 * what the sanitisers see, or an image that os/elf.h says there cannot be. */
#include "target.h"

#include <os/elf.h>

static void check_image(const struct elf_image *image, uint64_t bytes)
{
    uint64_t end = 0;
    bool is_entered = false;
    HOLDS(image->segment_count <= ELF_SEGMENTS_MAX && image->span <= ELF_SPAN_MAX);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        HOLDS(segment->file_offset <= bytes && segment->file_bytes <= bytes - segment->file_offset);
        HOLDS(segment->memory_bytes != 0 && segment->memory_bytes >= segment->file_bytes);
        HOLDS(segment->address % 4096 == segment->file_offset % 4096 || segment->file_bytes == 0);
        HOLDS(i == 0 || segment->address >> 12 > (end - 1) >> 12);
        HOLDS((segment->prot & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE));
        end = segment->address + segment->memory_bytes;
        HOLDS(end > segment->address && end <= image->span);
        is_entered = is_entered || ((segment->prot & MAP_EXECUTE) != 0 &&
                                    image->entry >= segment->address && image->entry < end);
    }
    HOLDS(is_entered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t machines[] = {62, 183, 243};
    struct elf_image image;
    if (size < 2)
        return 0;
    size_t head = size - 2 < ELF_HEAD_BYTES ? size - 2 : ELF_HEAD_BYTES;
    uint64_t bytes = head < ELF_HEAD_BYTES ? head : ELF_HEAD_BYTES + data[1] * 1024ull;
    if (elf_parse(data + 2, head, bytes, machines[data[0] % 3], &image) == STATUS_OK)
        check_image(&image, bytes);
    return 0;
}
