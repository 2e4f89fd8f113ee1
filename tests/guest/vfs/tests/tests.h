/* What the parts of the vfs's guest test share. */
#pragma once

#include <idl/svc.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/start.h>

/* A line of the test's output. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_failed(const char *file, int line, const char *what, long long value);
void run(const char *name, void (*test)(void));

#define CHECK(condition)                                     \
    do {                                                     \
        if (!(condition)) {                                  \
            check_failed(__FILE__, __LINE__, #condition, 0); \
        }                                                    \
    } while (0)
#define CHECK_STATUS(expected, expression)                                       \
    do {                                                                         \
        status_t status_ = (expression);                                         \
        if (status_ != (expected)) {                                             \
            check_failed(__FILE__, __LINE__, #expression, status_code(status_)); \
        }                                                                        \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(STATUS_OK, expression)
#define RUN(test) run(#test, test)

/* Byte @i of file @number of the disk (mkdisk). */
uint8_t byte_of(unsigned number, size_t i);
/* Read every file of the disk's list and compare; how many were right. @between is called before each, if not NULL. */
unsigned read_disk(void (*between)(unsigned number));
#define DISK_FILES 300

void run_basic_tests(void);
void run_session_tests(void);
void run_restart_tests(void);
void run_ahead_tests(void);
void run_kill_tests(void);
