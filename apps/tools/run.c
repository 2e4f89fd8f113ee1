/* Tools that run others, and small ones around time: xargs, env, timeout, sleep, true, false, yes. */
#include "tools.h"

#include <os/clock.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "spawn.h"

#define ARGUMENTS_BYTES (512u << 10)

/* --- xargs ------------------------------------------------------------------------------------------------- */

struct batch {
    char **command;
    size_t words;
    struct strings arguments;
    size_t bytes;
    uint64_t most;
    int result;
};

static void run_batch(struct batch *batch)
{
    char **argv = must_have(calloc(batch->words + batch->arguments.count + 1, sizeof(*argv)));
    memcpy(argv, batch->command, batch->words * sizeof(*argv));
    if (batch->arguments.count > 0) {
        memcpy(argv + batch->words, batch->arguments.items, batch->arguments.count * sizeof(*argv));
    }
    int status = run_program(argv, environ, DEADLINE_NEVER);
    batch->result = status == 0 ? batch->result : status >= 126 ? status : 123;
    free(argv);
    strings_free(&batch->arguments);
    batch->bytes = 0;
}

static void add_argument(struct batch *batch, struct text *argument)
{
    if (batch->bytes + argument->used > ARGUMENTS_BYTES || batch->arguments.count >= batch->most) {
        run_batch(batch);
    }
    batch->bytes += argument->used + 1 + sizeof(char *);
    strings_take(&batch->arguments, text_take(argument));
    must_have(batch->arguments.items);
}

/** The next argument of the input; false: no more. Quotes and backslashes protect blanks, unless @zero. */
static bool read_argument(struct input *input, bool zero, struct text *argument)
{
    char c, quote = 0;
    bool begun = false;
    while (input_read(input, &c, 1) == 1) {
        if (zero ? c == '\0' : !quote && strchr(" \t\n", c) != NULL && c) {
            if (begun) {
                return true;
            }
            continue;
        }
        begun = true;
        if (!zero && (c == quote || (!quote && (c == '"' || c == '\'')))) {
            quote = quote ? 0 : c;
        } else if (zero || c != '\\' || quote || input_read(input, &c, 1) == 1) {
            text_char(argument, c);
        }
    }
    return begun;
}

int xargs_main(int argc, char **argv)
{
    static char *echo[] = {"echo"};
    struct batch batch = {.command = echo, .words = 1, .most = UINT64_MAX};
    struct input input;
    struct text argument = {.data = NULL};
    bool zero = false, skip_empty = false, any = false;
    int c;
    while ((c = getopt(argc, argv, "+0rn:")) != -1) {
        zero = zero || c == '0';
        skip_empty = skip_empty || c == 'r';
        if (c == '?' || (c == 'n' && (!parse_number(optarg, &batch.most) || batch.most == 0))) {
            return usage("[-0r] [-n count] [command [argument …]]");
        }
    }
    if (optind < argc) {
        batch.command = argv + optind;
        batch.words = (size_t)(argc - optind);
    }
    if (!input_open(&input, "-")) {
        return EXIT_FAILURE;
    }
    while (read_argument(&input, zero, &argument)) {
        any = true;
        add_argument(&batch, &argument);
    }
    if (batch.arguments.count > 0 || (!any && !skip_empty)) {
        run_batch(&batch);
    }
    return input_close(&input) ? batch.result : EXIT_FAILURE;
}

/* --- env and timeout --------------------------------------------------------------------------------------- */

int env_main(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "+iu:")) != -1) {
        if (c == 'i') {
            clearenv();
        } else if (c == 'u') {
            unsetenv(optarg);
        } else {
            return usage("[-i] [-u name] [name=value …] [command [argument …]]");
        }
    }
    for (; optind < argc && strchr(argv[optind], '='); optind++) {
        if (putenv(argv[optind]) != 0) {
            return complain("%s: no memory", argv[optind]);
        }
    }
    if (optind < argc) {
        return run_program(argv + optind, environ, DEADLINE_NEVER);
    }
    for (char **entry = environ; entry && *entry; entry++) {
        out_format("%s\n", *entry);
    }
    return EXIT_SUCCESS;
}

/** Seconds with a fraction, and s, m, h or d behind them. */
static bool parse_duration(const char *text, uint64_t *ns)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    char *end;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : units;
    if (end == text || !unit || (*end && end[1]) || !(value >= 0)) {
        return false;
    }
    value *= seconds[unit - units] * (double)NS_PER_S;
    *ns = value < 1.8e19 ? (uint64_t)value : UINT64_MAX;
    return true;
}

int timeout_main(int argc, char **argv)
{
    uint64_t ns;
    if (argc < 3 || !parse_duration(argv[1], &ns)) {
        return usage("seconds command [argument …]");
    }
    return run_program(argv + 2, environ, clock_deadline(ns));
}

int sleep_main(int argc, char **argv)
{
    uint64_t total = 0, ns;
    for (int i = 1; i < argc; i++) {
        if (!parse_duration(argv[i], &ns)) {
            return usage("seconds …");
        }
        total = total + ns < total ? UINT64_MAX : total + ns;
    }
    if (argc < 2) {
        return usage("seconds …");
    }
    clock_sleep(total);
    return EXIT_SUCCESS;
}

int true_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return EXIT_SUCCESS;
}

int false_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return EXIT_FAILURE;
}

int yes_main(int argc, char **argv)
{
    for (;;) {
        out_format("%s\n", argc > 1 ? argv[1] : "y");
    }
}

int echo_main(int argc, char **argv)
{
    bool newline = argc < 2 || strcmp(argv[1], "-n") != 0;
    for (int i = newline ? 1 : 2; i < argc; i++) {
        out_string(argv[i]);
        out_string(i + 1 < argc ? " " : "");
    }
    out_string(newline ? "\n" : "");
    return EXIT_SUCCESS;
}
