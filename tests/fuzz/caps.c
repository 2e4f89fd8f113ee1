/* libFuzzer target of capability tables, derivation trees and revocation: the input chooses operations of four processes on objects, their capabilities in
 * tables and on their way, and what is mapped through them, with revocations that go on meanwhile. The unit tests' model says what each answers,
 * and after each what trees, tables and badges must be; at the end nothing is left. */
#include "target.h"

#include <model.h>

static const uint8_t *input;
static size_t left;

static uint32_t next(uint32_t below)
{
    if (left == 0)
        return 0;
    left--;
    return *input++ % below;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    left = size;
    set_up();
    while (left > 0) {
        HOLDS(model_step(next));
        HOLDS(model_agrees());
    }
    HOLDS(model_leaks_nothing());
    tear_down();
    HOLDS(destroyed == objects && freed == objects && environment_allocated == 0);
    return 0;
}
