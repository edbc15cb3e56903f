/* model_test --seeds N [--from N] [--minutes M] [--first-failure]: that many runs, or until the time is over,
 * each with its own seed. model_test --seed N [--verbose]: that one again, in this process.
 *
 * The runs happen in a child, so that a failed assertion of the broker ends one seed and not the whole test.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/model.h"

enum {
    FAILURES_MAX = 10
};

struct options {
    uint64_t first, seeds, minutes;
    bool is_single, is_verbose, until_first;
};

/* What the child tells. */
struct tally {
    volatile uint64_t next_seed;
    volatile uint64_t events;
};

/* ---- allocations ---- */

long model_allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
    void *block = __real_malloc(size);
    model_allocations += block != NULL;
    return block;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *block = __real_calloc(count, size);
    model_allocations += block != NULL;
    return block;
}

void *__wrap_realloc(void *block, size_t size)
{
    void *moved = __real_realloc(block, size);
    model_allocations += block == NULL && moved != NULL;
    return moved;
}

void __wrap_free(void *block)
{
    model_allocations -= block != NULL;
    __real_free(block);
}

/* ---- runs ---- */

static bool is_time_over(const struct options *options, time_t began)
{
    return options->minutes != 0 && time(NULL) - began >= (time_t)options->minutes * 60;
}

static void run_seeds(const struct options *options, struct tally *tally, uint64_t end, time_t began)
{
    while (tally->next_seed < end && !is_time_over(options, began)) {
        uint64_t events = model_run(tally->next_seed, false);
        tally->events += events;
        tally->next_seed++;
    }
}

/* False: a seed failed, and the tally has moved behind it. */
static bool run_child(const struct options *options, struct tally *tally, uint64_t end, time_t began)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        run_seeds(options, tally, end, began);
        exit(0); /* with the sanitizer's look for leaks */
    }
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    (void)printf("seed %" PRIu64 " failed (%s %d); again: model_test --seed %" PRIu64 " --verbose\n",
                 tally->next_seed, WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), tally->next_seed);
    (void)fflush(stdout);
    tally->next_seed++;
    return false;
}

static int run_all(const struct options *options)
{
    time_t began = time(NULL);
    unsigned failures = 0;
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    uint64_t end = options->first + options->seeds;
    tally->next_seed = options->first;
    while (tally->next_seed < end && !is_time_over(options, began) && failures < FAILURES_MAX) {
        failures += !run_child(options, tally, end, began);
        if (failures > 0 && options->until_first)
            break;
    }
    (void)printf("model: %" PRIu64 " seeds, %" PRIu64 " events, %u failures, %ld s\n",
                 tally->next_seed - options->first, tally->events, failures, (long)(time(NULL) - began));
    return failures > 0;
}

static bool take_number(const char *text, uint64_t *number)
{
    char *end = NULL;
    *number = text != NULL ? strtoull(text, &end, 10) : 0;
    return end != NULL && end != text && *end == '\0';
}

static bool read_options(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        uint64_t *number = NULL;
        if (strcmp(name, "--verbose") == 0)
            options->is_verbose = true;
        else if (strcmp(name, "--first-failure") == 0)
            options->until_first = true;
        else if (strcmp(name, "--seeds") == 0)
            number = &options->seeds;
        else if (strcmp(name, "--minutes") == 0)
            number = &options->minutes;
        else if (strcmp(name, "--seed") == 0 || strcmp(name, "--from") == 0)
            number = &options->first;
        else
            return false;
        options->is_single |= strcmp(name, "--seed") == 0;
        if (number != NULL && !take_number(value, number))
            return false;
        i += number != NULL;
    }
    return true;
}

int main(int count, char **arguments)
{
    struct options options = {.first = 1, .seeds = 2000};
    if (!read_options(count, arguments, &options)) {
        (void)fprintf(stderr, "usage: model_test [--seeds N] [--from N] [--minutes M] [--first-failure]\n"
                              "       model_test --seed N [--verbose]\n");
        return 2;
    }
    if (!options.is_single)
        return run_all(&options);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a failed assertion is to be the last line */
    (void)printf("seed %" PRIu64 ": %" PRIu64 " events, no failure\n", options.first,
                 model_run(options.first, options.is_verbose));
    return 0;
}
