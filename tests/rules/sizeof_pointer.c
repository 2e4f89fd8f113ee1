/* gate: tidy; says: bugprone-sizeof-expression|clang-analyzer */
#include <stddef.h>
#include <stdint.h>

struct rule_record {
    uint64_t words[8];
};

size_t rule(const struct rule_record *record);

size_t rule(const struct rule_record *record)
{
#ifdef OBEYED
    return sizeof(*record) / sizeof(record->words[0]);
#else
    return sizeof(record) / sizeof(record->words[0]) * sizeof(*record) / sizeof(record);
#endif
}
