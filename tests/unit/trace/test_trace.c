/* What trace and prof write of given events: a client that calls a server, whoever ran meanwhile, samples of both. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscall_numbers.h>

#include "model.h"

#define CLIENT 11u
#define SERVER 22u
#define LABEL_UNKNOWN 0xfffffu

static struct model model;
static char *text;
static size_t text_bytes;

static void event(uint64_t time_ns, uint32_t cpu, uint64_t thread, uint32_t kind,
                  const uint64_t words[5])
{
    struct trace_event e = {.time_ns = time_ns, .thread = thread, .kind = kind, .cpu = cpu};
    memcpy(e.words, words, sizeof(e.words));
    model_add(&model, &e);
}

#define WORDS(...) ((const uint64_t[5]){__VA_ARGS__})

static void begin(void)
{
    model_init(&model);
    model_name(&model, 1, "cli\"ent\\\n", 0x1000);
    model_name(&model, 2, "ser ver;", 0x2000);
    model_belongs(&model, CLIENT, 1);
    model_belongs(&model, SERVER, 2);
}

static void finish(bool (*write)(struct model *, FILE *))
{
    FILE *out = open_memstream(&text, &text_bytes);
    model_finish(&model);
    CHECK(write(&model, out));
    fclose(out);
}

static void end(void)
{
    free(text);
    text = NULL;
    model_free(&model);
}

static bool says(const char *what)
{
    return strstr(text, what) != NULL;
}

/* CPU 1's ring is read before CPU 0's: time is what orders. */
static void call_and_reply(void)
{
    event(4000, 1, SERVER, TRACE_SWITCH, WORDS(0));
    event(4100, 1, SERVER, TRACE_RETURN, WORDS(0, 0, LABEL_UNKNOWN, CLIENT));
    event(4500, 1, SERVER, TRACE_CALL, WORDS(SYS_CAP_CLOSE, 5, 0, CLIENT));
    event(4600, 1, SERVER, TRACE_RETURN, WORDS((uint64_t)-2, 5, 0, CLIENT));
    event(5000, 1, SERVER, TRACE_CALL, WORDS(SYS_ENDPOINT_REPLY_RECEIVE, 7, 0, CLIENT));
    event(5200, 1, CLIENT, TRACE_SWITCH, WORDS(SERVER));
    event(5500, 1, CLIENT, TRACE_RETURN, WORDS(0, 0, 0, 0));
    event(1000, 0, CLIENT, TRACE_SWITCH, WORDS(0));
    event(3000, 0, CLIENT, TRACE_CALL, WORDS(SYS_ENDPOINT_CALL, 7, LABEL_UNKNOWN, 0));
    event(3900, 0, 0, TRACE_SWITCH, WORDS(CLIENT));
}

/* CPU 0 has not told yet that the server left it. */
static void test_json_a_thread_runs_on_one_cpu(void)
{
    begin();
    event(1000, 0, SERVER, TRACE_SWITCH, WORDS(0));
    event(2000, 1, SERVER, TRACE_SWITCH, WORDS(0));
    event(2500, 0, 0, TRACE_SWITCH, WORDS(SERVER));
    event(3000, 1, 0, TRACE_SWITCH, WORDS(SERVER));
    finish(json_write);
    CHECK(says("\"tid\":0,\"ts\":0.000,\"dur\":1.000,\"args\":{\"thread\":22}}"));
    CHECK(says("\"tid\":1,\"ts\":1.000,\"dur\":1.000,\"args\":{\"thread\":22}}"));
    end();
}

/* The reply was saved, and comes from another thread of the server. */
static void test_json_saved_reply_is_answered_by_who_wakes(void)
{
    begin();
    event(1000, 0, CLIENT, TRACE_CALL, WORDS(SYS_ENDPOINT_CALL, 7, LABEL_UNKNOWN, 0));
    event(2000, 1, 33, TRACE_CALL, WORDS(SYS_ENDPOINT_REPLY, 9, 0, 0));
    event(2100, 1, 33, TRACE_WAKE, WORDS(CLIENT));
    event(2200, 1, 33, TRACE_RETURN, WORDS(0));
    event(2300, 0, CLIENT, TRACE_RETURN, WORDS(0));
    finish(json_write);
    CHECK(says("{\"ph\":\"s\",\"name\":\"answer\",\"pid\":0,\"tid\":33,\"ts\":1.100,"));
    CHECK(says("{\"ph\":\"f\",\"name\":\"answer\",\"pid\":1,\"tid\":11,\"ts\":1.100,"));
    end();
}

static void test_json_calls_are_slices_with_arrows(void)
{
    begin();
    call_and_reply();
    finish(json_write);
    CHECK(says("{\"ph\":\"X\",\"name\":\"endpoint.call request 0xfffff\",\"pid\":1,\"tid\":11,"
               "\"ts\":2.000,\"dur\":2.500,\"cat\":\"call\",\"args\":{\"status\":\"OK\"}}"));
    CHECK(says("\"name\":\"cap.close\",\"pid\":2,\"tid\":22,\"ts\":3.500,\"dur\":0.100,"
               "\"cat\":\"call\",\"args\":{\"status\":\"BAD_HANDLE\"}}"));
    CHECK(says("{\"ph\":\"s\",\"name\":\"call\",\"pid\":1,\"tid\":11,\"ts\":2.000,"));
    CHECK(says("{\"ph\":\"f\",\"name\":\"call\",\"pid\":2,\"tid\":22,\"ts\":3.100,"));
    CHECK(says("{\"ph\":\"s\",\"name\":\"answer\",\"pid\":2,\"tid\":22,\"ts\":3.999,"));
    CHECK(says("{\"ph\":\"f\",\"name\":\"answer\",\"pid\":1,\"tid\":11,\"ts\":4.000,"));
    CHECK(says("\"name\":\"request 0xfffff for cli\\\"ent\\\\\\u000a\",\"pid\":2,\"tid\":22,"
               "\"ts\":3.100,\"dur\":0.900,\"cat\":\"serve\"}"));
    /* It waits still, to the end of the trace. */
    CHECK(says("\"name\":\"endpoint.reply_receive\",\"pid\":2,\"tid\":22,\"ts\":4.000,"
               "\"dur\":0.500,\"cat\":\"call\",\"args\":{\"status\":\"goes on\"}}"));
    end();
}

static void test_json_cpus_show_who_runs(void)
{
    begin();
    call_and_reply();
    finish(json_write);
    CHECK(says("\"name\":\"cli\\\"ent\\\\\\u000a\",\"pid\":9000000000,\"tid\":0,\"ts\":0.000,"
               "\"dur\":2.900,\"args\":{\"thread\":11}}"));
    CHECK(says("\"name\":\"ser ver;\",\"pid\":9000000000,\"tid\":1,\"ts\":3.000,\"dur\":1.200,"
               "\"args\":{\"thread\":22}}"));
    CHECK(says("{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":9000000000,\"tid\":1,\"args\":{"
               "\"name\":\"CPU 1\"}}"));
    CHECK(says("\"otherData\":{\"events\":10,\"lost\":0}}"));
    end();
}

/* What began before the trace, what was lost on the way, whom nobody knows: each is shown as far as it can be. */
static void test_json_of_parts(void)
{
    begin();
    event(10, 0, 99, TRACE_RETURN, WORDS(0));
    event(20, 0, 99, TRACE_CALL, WORDS(5000, 0, 0, 98));
    event(30, 0, 99, TRACE_CALL, WORDS(3, 0, 0, 0, 1));
    event(40, 0, 99, TRACE_END, WORDS(9, 1));
    event(50, 5000, 99, TRACE_CALL, WORDS(1));
    event(60, 0, 0, 0x80000000u, WORDS(1));
    model.lost = 77;
    finish(json_write);
    CHECK(says("\"name\":\"call 5000\"") && says("\"status\":\"not told\""));
    CHECK(says("\"name\":\"foreign call 3\"") && says("\"status\":\"ended\""));
    CHECK(says("\"lost\":77}}"));
    end();
    begin();
    finish(json_write);
    CHECK(says("\"traceEvents\":[\n{\"ph\":\"M\""));
    end();
}

static void test_model_learns_who_begins(void)
{
    uint64_t words[5] = {0};
    memcpy(words, "newborn", 8);
    words[4] = 3;
    begin();
    event(1, 0, CLIENT, TRACE_PROCESS, words);
    event(2, 0, CLIENT, TRACE_BEGIN, WORDS(33, 3, 0x5000));
    model_finish(&model);
    CHECK(strcmp(model_thread(&model, 33)->process->name, "newborn") == 0);
    CHECK(model_process(&model, 3)->start == 0x5000);
    end();
}

/* Two samples of one stack are one line; CPUs do not mix; the return address is signed. */
static void test_stacks_are_collapsed(void)
{
    begin();
    for (uint64_t t = 0; t < 2; t++) {
        event(10 + t, 0, CLIENT, TRACE_SAMPLE, WORDS(2, 5, 1 + t, 1 + SYS_CAP_CLOSE));
        event(10 + t, 1, SERVER, TRACE_SAMPLE, WORDS(0, 1, 4, 0));
        event(10 + t, 0, CLIENT, TRACE_STACK,
              WORDS(0xffffffff80001000, 0xffffffff80002000, 0x1010, 0xabcd000000001020, 0xff0));
        event(10 + t, 1, SERVER, TRACE_STACK, WORDS(0x2004));
        event(10 + t, 0, CLIENT, TRACE_STACK, WORDS(0x1030, 0x1040));
    }
    event(20, 0, CLIENT, TRACE_SAMPLE, WORDS(0, 3, 1, 0)); /* its addresses are lost */
    finish(stacks_write);
    CHECK(strcmp(text, "cli\"ent\\\n;u:40;u:30;u:-10;u:20;u:10;s:cap.close;k:ffffffff80002000;"
                       "k:ffffffff80001000 3\nser_ver_;u:4 8\n") == 0);
    end();
}

int main(void)
{
    static const struct test tests[] = {TEST(test_json_calls_are_slices_with_arrows),
                                        TEST(test_json_cpus_show_who_runs),
                                        TEST(test_json_a_thread_runs_on_one_cpu),
                                        TEST(test_json_saved_reply_is_answered_by_who_wakes),
                                        TEST(test_json_of_parts),
                                        TEST(test_model_learns_who_begins),
                                        TEST(test_stacks_are_collapsed),
                                        {0}};
    return run_tests(tests);
}
