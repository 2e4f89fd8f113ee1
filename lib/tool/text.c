#include <tool/text.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 64u
#define FIRST_ITEMS 8u

/** Room for @more bytes and a NUL. */
static bool text_reserve(struct text *text, size_t more)
{
    size_t need, capacity = text->capacity ? text->capacity : FIRST_BYTES;
    if (text->failed || __builtin_add_overflow(text->used, more, &need) || need >= SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    if (need < text->capacity) {
        return true;
    }
    while (capacity <= need) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *data, size_t bytes)
{
    if (text_reserve(text, bytes)) {
        if (bytes > 0) {
            memcpy(text->data + text->used, data, bytes);
        }
        text->used += bytes;
        text->data[text->used] = '\0';
    }
}

void text_char(struct text *text, char c)
{
    text_add(text, &c, 1);
}

void text_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (bytes < 0 || !text_reserve(text, (size_t)bytes)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->used, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    text->used += (size_t)bytes;
}

const char *text_get(const struct text *text)
{
    return text->data ? text->data : "";
}

char *text_take(struct text *text)
{
    text_add(text, "", 0);
    char *data = text->failed ? NULL : text->data;
    if (!data) {
        free(text->data);
    }
    *text = (struct text){.data = NULL};
    return data;
}

void text_clear(struct text *text)
{
    text->used = 0;
    if (text->data) {
        text->data[0] = '\0';
    }
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){.data = NULL};
}

void strings_take(struct strings *list, char *string)
{
    if (string && !list->failed && list->count + 1 >= list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : FIRST_ITEMS;
        char **items = reallocarray(list->items, capacity, sizeof(*items));
        if (items) {
            list->items = items;
            list->capacity = capacity;
        } else {
            list->failed = true;
        }
    }
    if (!string || list->failed) {
        list->failed = true;
        free(string);
        return;
    }
    list->items[list->count++] = string;
    list->items[list->count] = NULL;
}

void strings_add(struct strings *list, const char *string)
{
    strings_take(list, strdup(string));
}

void strings_free(struct strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct strings){.items = NULL};
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list, size_t from)
{
    if (list->count > from) {
        qsort(list->items + from, list->count - from, sizeof(*list->items), by_bytes);
    }
}
