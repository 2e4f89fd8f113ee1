/* $((…)): 64-bit integers that wrap round, by precedence climbing. */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define DEPTH_MAX 40u
#define NAME_MAX_BYTES 64u

struct evaluation {
    const struct expand_host *host;
    const char *at;
    const char *error;
    unsigned depth;
};

struct binary {
    const char *text;
    unsigned rank;
};

/* Longer ones first. */
static const struct binary binaries[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<<", 8}, {">>", 8},
    {"<=", 7}, {">=", 7}, {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},
    {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

static int64_t climb(struct evaluation *e, unsigned rank);

static void skip(struct evaluation *e)
{
    e->at += strspn(e->at, " \t\n");
}

static int64_t number_of(struct evaluation *e, const char *text)
{
    char *end;
    int64_t value = (int64_t)strtoull(text, &end, 0);
    if (end == text || *end) {
        e->error = "not a number";
    }
    return value;
}

static int64_t variable(struct evaluation *e, size_t bytes)
{
    char name[NAME_MAX_BYTES];
    if (bytes >= sizeof(name)) {
        e->error = "name too long";
        return 0;
    }
    memcpy(name, e->at, bytes);
    name[bytes] = '\0';
    e->at += bytes;
    const char *value = e->host->get(e->host->shell, name);
    if (!value || !*value) {
        return 0;
    }
    bool negative = *value == '-';
    int64_t magnitude = number_of(e, value + negative);
    return negative ? (int64_t)(0 - (uint64_t)magnitude) : magnitude;
}

static int64_t literal(struct evaluation *e)
{
    char *end;
    int64_t value = (int64_t)strtoull(e->at, &end, 0);
    e->at = end;
    return value;
}

static int64_t primary(struct evaluation *e)
{
    skip(e);
    if (++e->depth > DEPTH_MAX || e->error) {
        e->error = e->error ? e->error : "nested too deep";
        return 0;
    }
    int64_t value = 0;
    char c = *e->at;
    size_t bytes = name_bytes(e->at);
    if (bytes > 0) {
        value = variable(e, bytes);
    } else if (c >= '0' && c <= '9') {
        value = literal(e);
    } else if (c == '(') {
        e->at++;
        value = climb(e, 1);
        skip(e);
        if (*e->at == ')') {
            e->at++;
        } else {
            e->error = "')' is missing";
        }
    } else if (c && strchr("-+!~", c)) {
        e->at++;
        value = primary(e);
        value = c == '-'   ? (int64_t)(0 - (uint64_t)value)
                : c == '!' ? !value
                : c == '~' ? ~value
                           : value;
    } else {
        e->error = "a number is missing";
    }
    e->depth--;
    return value;
}

static int64_t divide(struct evaluation *e, char operator, int64_t left, int64_t right)
{
    if (right == 0) {
        e->error = e->error ? e->error : "division by zero";
        return 0;
    }
    if (right == -1) {
        return operator== '/' ? (int64_t)(0 - (uint64_t)left) : 0;
    }
    return operator== '/' ? left / right : left % right;
}

static int64_t apply(struct evaluation *e, const char *operator, int64_t left, int64_t right)
{
    uint64_t a = (uint64_t)left, b = (uint64_t)right;
    bool twice = operator[1] != '\0';
    switch (operator[0]) {
    case '|':
        return twice ? left || right : (int64_t)(a | b);
    case '&':
        return twice ? left && right : (int64_t)(a & b);
    case '^':
        return (int64_t)(a ^ b);
    case '=':
        return left == right;
    case '!':
        return left != right;
    case '<':
        return !twice               ? left < right
               : operator[1] == '=' ? left <= right
                                    : (int64_t)(a << (b & 63));
    case '>':
        return !twice ? left > right : operator[1] == '=' ? left >= right : left>> (b & 63);
    case '+':
        return (int64_t)(a + b);
    case '-':
        return (int64_t)(a - b);
    case '*':
        return (int64_t)(a * b);
    default:
        return divide(e, operator[0], left, right);
    }
}

static const struct binary *binary_at(const char *at)
{
    for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
        if (strncmp(at, binaries[i].text, strlen(binaries[i].text)) == 0) {
            return &binaries[i];
        }
    }
    return NULL;
}

static int64_t climb(struct evaluation *e, unsigned rank)
{
    int64_t left = primary(e);
    while (!e->error) {
        skip(e);
        const struct binary *binary = binary_at(e->at);
        if (!binary || binary->rank < rank) {
            break;
        }
        e->at += strlen(binary->text);
        int64_t right = climb(e, binary->rank + 1);
        left = apply(e, binary->text, left, right);
    }
    return left;
}

const char *arithmetic(const struct expand_host *host, const char *text, int64_t *value)
{
    struct evaluation e = {.host = host, .at = text};
    skip(&e);
    *value = *e.at ? climb(&e, 1) : 0;
    skip(&e);
    if (!e.error && *e.at) {
        e.error = "this is no expression";
    }
    return e.error;
}
