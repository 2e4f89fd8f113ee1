/* Programs of the guided fuzzer: as text, and how one becomes another.
 *
 * A line is a program: its calls with "; " between. A call is its name and the seeds of its arguments, hexadecimal; in front of the name "1:" or
 * "2:" if another thread than the first makes it, behind the seeds ":" and one more if registers that are no argument hold something. */
#include "guided.h"

#include <format.h>
#include <fuzz/syscalls.h>
#include <kstring.h>
#include <stdarg.h>

const uint32_t call_count = sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]);

uint32_t program_seeds(uint32_t call)
{
    return (fuzz_syscalls[call].flags & FUZZ_RAW) != 0 ? FUZZ_MESSAGE_SEEDS
                                                       : fuzz_syscalls[call].argument_count;
}

bool program_is_end(uint32_t call)
{
    return fuzz_syscalls[call].number == SYS_PROCESS_EXIT ||
           fuzz_syscalls[call].number == SYS_THREAD_EXIT;
}

/* ── Text ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    char text[96];
    va_list arguments;
    va_start(arguments, format);
    format_text_va(text, sizeof(text), format, arguments);
    va_end(arguments);
    status_ignore(sys_ioport_write(info->ioports, LOG_PORT, text, strlen(text)));
}

void program_print(const char *label, const struct fuzz_program *program)
{
    put("# %s", label);
    for (uint32_t i = 0; i < program->count; i++) {
        const struct fuzz_record *record = &program->records[i];
        put(i == 0 ? " " : "; ");
        if (record->thread != 0)
            put("%u:", record->thread);
        put("%s", fuzz_syscalls[record->call].name);
        for (uint32_t k = 0; k < program_seeds(record->call); k++)
            put(" %x", record->seeds[k]);
        if (record->seeds[FUZZ_JUNK_SEED] != 0)
            put(" :%x", record->seeds[FUZZ_JUNK_SEED]);
    }
    put("\n");
}

/* The word at *@text ends before a blank, a semicolon or the line's end. Its length; 0: the line ends here. */
static size_t word_next(const char **text, const char *end)
{
    const char *at = *text;
    size_t length = 0;
    while (at < end && *at == ' ')
        at++;
    while (at + length < end && at[length] != ' ' && at[length] != '\n' &&
           (length == 0 || at[length - 1] != ';'))
        length++;
    *text = at;
    return length;
}

static uint16_t hexadecimal(const char *text, size_t length)
{
    uint32_t value = 0;
    for (size_t i = 0; i < length && text[i] != ';'; i++)
        value = value * 16 + (uint32_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    return (uint16_t)value;
}

/* call_count: there is no such call. */
static uint32_t call_named(const char *name, size_t length)
{
    uint32_t call = 0;
    if (length != 0 && name[length - 1] == ';')
        length--;
    while (call < call_count && (strlen(fuzz_syscalls[call].name) != length ||
                                 memcmp(fuzz_syscalls[call].name, name, length) != 0))
        call++;
    return call;
}

const char *program_parse(const char *text, const char *end, struct fuzz_program *program)
{
    struct fuzz_record *record = NULL;
    uint32_t seeds = 0;
    bool begins = true;
    memset(program, 0, sizeof(*program));
    for (size_t length; (length = word_next(&text, end)) != 0; text += length) {
        if (begins) {
            struct fuzz_record next = {0};
            size_t skip = length > 2 && text[1] == ':' ? 2 : 0;
            uint32_t call = call_named(text + skip, length - skip);
            next.thread = skip != 0 ? (uint8_t)((uint8_t)(text[0] - '0') % FUZZ_THREADS) : 0;
            next.call = (uint8_t)call;
            seeds = 0;
            record = NULL;
            if (call < call_count && program->count < FUZZ_RECORDS) {
                record = &program->records[program->count++];
                *record = next;
            }
        } else if (record != NULL && text[0] == ':') {
            record->seeds[FUZZ_JUNK_SEED] = hexadecimal(text + 1, length - 1);
        } else if (record != NULL && seeds < program_seeds(record->call)) {
            record->seeds[seeds++] = hexadecimal(text, length);
        }
        begins = text[length - 1] == ';';
    }
    return text < end ? text + 1 : end;
}

/* ── Change ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t state;

void choose_begin(uint64_t seed)
{
    state = fuzz_mix(seed);
}

uint64_t choose(uint64_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

static uint16_t any_seed(void)
{
    return (uint16_t)choose(UINT16_MAX + 1);
}

static uint8_t any_thread(void)
{
    uint64_t of = choose(20);
    return of == 0 ? 2 : of < 5 ? 1 : 0;
}

static void record_invent(struct fuzz_record *record)
{
    memset(record, 0, sizeof(*record));
    do
        record->call = (uint8_t)choose(call_count);
    while (program_is_end(record->call) && choose(20) != 0);
    record->thread = any_thread();
    for (uint32_t i = 0; i < program_seeds(record->call); i++)
        record->seeds[i] = any_seed();
    if (choose(20) == 0)
        record->seeds[FUZZ_JUNK_SEED] = any_seed();
}

static void insert(struct fuzz_program *program, uint32_t index, const struct fuzz_record *record)
{
    struct fuzz_record copy = *record;
    if (program->count == FUZZ_RECORDS)
        program_remove(program, (uint32_t)choose(FUZZ_RECORDS));
    if (index > program->count)
        index = program->count;
    memmove(&program->records[index + 1], &program->records[index],
            (program->count - index) * sizeof(copy));
    program->records[index] = copy;
    program->count++;
}

void program_remove(struct fuzz_program *program, uint32_t index)
{
    program->count--;
    memmove(&program->records[index], &program->records[index + 1],
            (program->count - index) * sizeof(program->records[0]));
}

void program_invent(struct fuzz_program *program)
{
    program->count = 1 + (uint32_t)choose(12);
    for (uint32_t i = 0; i < program->count; i++)
        record_invent(&program->records[i]);
}

static void seed_change(struct fuzz_record *record)
{
    uint32_t seeds = program_seeds(record->call);
    if (seeds != 0)
        record->seeds[choose(seeds)] = any_seed();
}

/* What the beginning of one leads to, the end of the other may go on from. */
static void splice(struct fuzz_program *program, const struct fuzz_program *other)
{
    uint32_t from = (uint32_t)choose(other->count);
    program->count = 1 + (uint32_t)choose(program->count);
    while (from < other->count && program->count < FUZZ_RECORDS)
        program->records[program->count++] = other->records[from++];
}

static void change_once(struct fuzz_program *program, const struct fuzz_program *other)
{
    uint32_t index = (uint32_t)choose(program->count);
    struct fuzz_record record;
    uint64_t what = choose(100);
    if (what < 30) {
        record_invent(&record);
        insert(program, (uint32_t)choose(program->count + 1), &record);
    } else if (what < 55) {
        seed_change(&program->records[index]);
    } else if (what < 75) { /* the same again, a little different */
        record = program->records[index];
        seed_change(&record);
        insert(program, choose(2) == 0 ? index + 1 : program->count, &record);
    } else if (what < 82) {
        insert(program, (uint32_t)choose(program->count + 1),
               &other->records[choose(other->count)]);
    } else if (what < 90) {
        splice(program, other);
    } else if (what < 95) {
        program->records[index].thread = any_thread();
    } else if (program->count > 1) {
        program_remove(program, index);
    }
}

void program_mutate(struct fuzz_program *program, const struct fuzz_program *other)
{
    for (uint64_t times = 1 + choose(2) * choose(4); times > 0; times--)
        change_once(program, other);
}
