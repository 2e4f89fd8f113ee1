#pragma once
/* Statuses in words. */
#include <veridian/abi.h>

/** What went wrong, for a person: "not found", "no space", … */
const char *status_words(status_t status);
