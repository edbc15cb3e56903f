#include "client/lib/result.h"

#include <stdlib.h>

#include "client/lib/error.h"

struct result *result_create(struct message *reply, struct sp_error **error)
{
    struct result *result = calloc(1, sizeof *result);
    if (!result) {
        message_free(reply);
        error_give(error, error_no_memory());
        return NULL;
    }
    arena_init(&result->arena, DECODE_LIMIT_REPLY_BYTES);
    result->reply = reply;
    return result;
}

void result_free(void *made)
{
    struct result *result = made;
    if (!result)
        return;
    message_free(result->reply);
    arena_free(&result->arena);
    free(result);
}

void *result_fail(struct result *result, struct sp_error **error)
{
    result_free(result);
    error_give(error, error_no_memory());
    return NULL;
}

void *result_array(struct result *result, size_t count, size_t size)
{
    return arena_alloc(&result->arena, (count ? count : 1) * size);
}

const struct sp_writer *result_writers(struct result *result, PB(WriterStatus) * *from, size_t count)
{
    struct sp_writer *writers = result_array(result, count, sizeof *writers);
    for (size_t i = 0; writers && i < count; i++) {
        if (!writer_convert(&result->arena, from[i], &writers[i]))
            return NULL;
    }
    return writers;
}
