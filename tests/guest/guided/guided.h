#pragma once
/* The parts of the guided fuzzer. */
#include "../fuzz/fuzz.h"

/** Calls that there are. */
extern const uint32_t call_count;
/** How many seeds the call with index @call has, without that of FUZZ_JUNK_SEED. */
uint32_t program_seeds(uint32_t call);
/** Calls that end the caller: a program with one is soon over. */
bool program_is_end(uint32_t call);

/** Print @program as a line of the corpus, behind @label. */
void program_print(const char *label, const struct fuzz_program *program);
/** Read the line at @text, which ends before @end, into @program. Its calls that the interface does not have (any more) are left out.
 *  Returns the beginning of the next line. */
const char *program_parse(const char *text, const char *end, struct fuzz_program *program);

/** Choices: a random number below @bound, 1 or more. */
uint64_t choose(uint64_t bound);
void choose_begin(uint64_t seed);
/** A program of a few calls. */
void program_invent(struct fuzz_program *program);
/** Change @program, at one to four places; @other is another one to take calls from. */
void program_mutate(struct fuzz_program *program, const struct fuzz_program *other);
void program_remove(struct fuzz_program *program, uint32_t index);
