/* Chance, what is said about a run, and the queue of its events. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/model/model.h"

/* ---- chance ---- */

uint64_t model_random(struct model *model, uint64_t limit)
{
    model->random += 0x9E3779B97F4A7C15u;
    uint64_t value = model->random;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    value ^= value >> 31;
    return limit > 0 ? value % limit : value;
}

bool model_chance(struct model *model, unsigned percent)
{
    return model_random(model, 100) < percent;
}

uint64_t model_between(struct model *model, uint64_t least, uint64_t most)
{
    return least + model_random(model, most - least + 1);
}

void model_say(struct model *model, const char *format, ...)
{
    if (!model->is_verbose)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)printf("%10llu  ", (unsigned long long)model->now_ms);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void model_fail(struct model *model, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fflush(stdout);
    (void)fprintf(stderr, "seed %llu, at %llu ms, event %llu: ", (unsigned long long)model->seed,
                  (unsigned long long)model->now_ms, (unsigned long long)model->events_done);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

/* ---- events, by time, then by order of scheduling ---- */

static bool is_before(const struct event *one, const struct event *other)
{
    return one->when_ms != other->when_ms ? one->when_ms < other->when_ms : one->order < other->order;
}

void model_schedule(struct model *model, uint64_t delay_ms, enum event_kind kind, size_t index,
                    uint64_t detail)
{
    if (model->heap_size == model->heap_capacity) {
        model->heap_capacity = model->heap_capacity * 2 + 64;
        model->heap = realloc(model->heap, model->heap_capacity * sizeof *model->heap);
        if (model->heap == NULL)
            abort();
    }
    struct event event = {model->now_ms + delay_ms, ++model->last_order, kind, index, detail};
    size_t at = model->heap_size++;
    while (at > 0 && is_before(&event, &model->heap[(at - 1) / 2])) {
        model->heap[at] = model->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    model->heap[at] = event;
}

struct event model_take(struct model *model)
{
    struct event first = model->heap[0];
    struct event last = model->heap[--model->heap_size];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < model->heap_size && is_before(&model->heap[child + 1], &model->heap[child]))
            child++;
        if (child >= model->heap_size || !is_before(&model->heap[child], &last))
            break;
        model->heap[at] = model->heap[child];
        at = child;
    }
    model->heap[at] = last;
    return first;
}
