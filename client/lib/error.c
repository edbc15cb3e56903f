#include "client/lib/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "proto/status.h"

enum {
    ERROR_BYTES_MAX = 1024 * 1024,
    ERROR_TEXT_BYTES = 1024
};

struct error_block {
    struct sp_error error; /* first: sp_error_free gets a pointer to it */
    struct arena arena;
};

static struct sp_error no_memory = {
    .code = SP_RESOURCE_EXHAUSTED,
    .reason = "NO_MEMORY",
    .message = "There is not enough memory.",
    .advice = "",
    .hresult_name = "",
    .method = "",
    .missing_prerequisite = "",
    .phase = "",
    .volume = "",
    .provider = "",
    .limit_name = "",
    .field = "",
    .retry = SP_RETRY_SOON,
};

const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

struct sp_error *error_no_memory(void)
{
    return &no_memory;
}

static struct error_block *block_create(void)
{
    struct error_block *block = calloc(1, sizeof *block);
    if (block) {
        block->error = no_memory; /* every string is set */
        arena_init(&block->arena, ERROR_BYTES_MAX);
    }
    return block;
}

static struct sp_error *block_abandon(struct error_block *block)
{
    arena_free(&block->arena);
    free(block);
    return &no_memory;
}

void sp_error_free(struct sp_error *error)
{
    if (!error || error == &no_memory)
        return;
    struct error_block *block = (struct error_block *)error;
    arena_free(&block->arena);
    free(block);
}

void error_give(struct sp_error **error, struct sp_error *made)
{
    if (error)
        *error = made;
    else
        sp_error_free(made);
}

struct sp_error *error_create(enum sp_code code, const char *reason, const char *advice, const char *format,
                              ...)
{
    char message[ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    struct error_block *block = block_create();
    if (!block)
        return &no_memory;
    struct sp_error *error = &block->error;
    error->code = code;
    error->retry = code == SP_UNAVAILABLE || code == SP_DEADLINE_EXCEEDED ? SP_RETRY_SOON : SP_RETRY_NO;
    error->reason = arena_strdup(&block->arena, reason);
    error->message = arena_strdup(&block->arena, message);
    error->advice = arena_strdup(&block->arena, advice);
    if (!error->reason || !error->message || !error->advice)
        return block_abandon(block);
    return error;
}

/* The system's words for a Win32 error, without the line end they come with. */
static void win32_text(uint32_t win32, char *text, size_t size)
{
    wchar_t wide[256];
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    DWORD length = FormatMessageW(flags, NULL, win32, 0, wide, ARRAYSIZE(wide), NULL);
    while (length > 0 && (wide[length - 1] == L'\r' || wide[length - 1] == L'\n' || wide[length - 1] == L' '))
        wide[--length] = 0;
    if (length == 0 || WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)size, NULL, NULL) <= 0)
        (void)snprintf(text, size, "unknown error");
}

struct sp_error *error_from_win32(uint32_t win32, const char *function, const char *doing)
{
    char text[512];
    win32_text(win32, text, sizeof text);
    enum sp_code code = win32 == ERROR_ACCESS_DENIED ? SP_PERMISSION_DENIED : SP_INTERNAL;
    struct sp_error *error = error_create(code, "WIN32", "", "Cannot %s: %s failed with error %lu (%s).",
                                          doing, function, (unsigned long)win32, text);
    if (error == &no_memory)
        return error;
    struct error_block *block = (struct error_block *)error;
    error->win32 = win32;
    error->method = arena_strdup(&block->arena, function);
    return error->method ? error : block_abandon(block);
}

static bool copy_text(struct arena *arena, const char *from, const char **to)
{
    const char *copy = arena_strdup(arena, text_or_empty(from));
    *to = copy ? copy : "";
    return copy != NULL;
}

bool writer_convert(struct arena *arena, const PB(WriterStatus) * status, struct sp_writer *writer)
{
    uint32_t state = status->state > 0 ? (uint32_t)status->state - 1 : 0;
    writer->state = state;
    writer->state_name = writer_state_name(state);
    writer->hresult = status->hresult;
    writer->app_hresult = status->app_hresult;
    writer->failed = status->failed;
    writer->tolerated = status->tolerated;
    writer->took_part = status->took_part;
    writer->components_count = status->components;
    return copy_text(arena, status->writer_id, &writer->writer_id) &&
           copy_text(arena, status->instance_id, &writer->instance_id) &&
           copy_text(arena, status->name, &writer->name) &&
           copy_text(arena, status->hresult_name, &writer->hresult_name) &&
           copy_text(arena, status->app_message, &writer->app_message) &&
           copy_text(arena, status->host_service, &writer->host_service) &&
           copy_text(arena, status->advice, &writer->advice);
}

static bool writers_convert(struct arena *arena, const PB(Status) * status, struct sp_error *error)
{
    if (status->n_writers == 0)
        return true;
    struct sp_writer *writers = arena_alloc(arena, status->n_writers * sizeof *writers);
    if (!writers)
        return false;
    for (size_t i = 0; i < status->n_writers; i++) {
        if (!writer_convert(arena, status->writers[i], &writers[i]))
            return false;
    }
    error->writers = writers;
    error->writers_count = status->n_writers;
    return true;
}

struct sp_error *error_from_status(const PB(Status) * status)
{
    struct error_block *block = block_create();
    if (!block)
        return &no_memory;
    struct sp_error *error = &block->error;
    struct arena *arena = &block->arena;
    error->code = status->code > 0 ? (enum sp_code)status->code : SP_UNKNOWN;
    error->hresult = status->hresult;
    error->retry = (enum sp_retry)status->retry;
    error->retry_after_ms = status->retry_after_ms;
    error->attempts = status->attempts;
    bool copied = copy_text(arena, status->reason, &error->reason) &&
                  copy_text(arena, status->message, &error->message) &&
                  copy_text(arena, status->advice, &error->advice) &&
                  copy_text(arena, status->hresult_name, &error->hresult_name) &&
                  copy_text(arena, status->method, &error->method) &&
                  copy_text(arena, status->missing_prerequisite, &error->missing_prerequisite) &&
                  copy_text(arena, status->volume, &error->volume) &&
                  copy_text(arena, status->provider, &error->provider) &&
                  copy_text(arena, status->limit_name, &error->limit_name) &&
                  copy_text(arena, status->field, &error->field) && writers_convert(arena, status, error);
    error->phase = phase_name(status->phase);
    return copied ? error : block_abandon(block);
}

/* Only for the errors that end a connection, which have no writers. */
struct sp_error *error_copy(const struct sp_error *error)
{
    struct error_block *block = block_create();
    if (!block || error == &no_memory) {
        free(block);
        return &no_memory;
    }
    struct arena *arena = &block->arena;
    struct sp_error *copy = &block->error;
    *copy = *error;
    copy->writers = NULL;
    copy->writers_count = 0;
    bool copied = copy_text(arena, error->reason, &copy->reason) &&
                  copy_text(arena, error->message, &copy->message) &&
                  copy_text(arena, error->advice, &copy->advice) &&
                  copy_text(arena, error->hresult_name, &copy->hresult_name) &&
                  copy_text(arena, error->method, &copy->method) &&
                  copy_text(arena, error->missing_prerequisite, &copy->missing_prerequisite) &&
                  copy_text(arena, error->volume, &copy->volume) &&
                  copy_text(arena, error->provider, &copy->provider) &&
                  copy_text(arena, error->limit_name, &copy->limit_name) &&
                  copy_text(arena, error->field, &copy->field);
    return copied ? copy : block_abandon(block);
}

static const char *name_without_prefix(const ProtobufCEnumDescriptor *descriptor, int value,
                                       const char *prefix)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);
    if (value == 0 || !found)
        return "";
    size_t length = strlen(prefix);
    return strncmp(found->name, prefix, length) == 0 ? found->name + length : found->name;
}

const char *phase_name(PB(Phase) phase)
{
    return name_without_prefix(&shadowpipe__v1__phase__descriptor, (int)phase, "PHASE_");
}

PB(Phase) phase_by_name(const char *name)
{
    char full[64];
    (void)snprintf(full, sizeof full, "PHASE_%s", name);
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&shadowpipe__v1__phase__descriptor, full);
    return value ? (PB(Phase))value->value : PB_PHASE(UNSPECIFIED);
}

const char *waiting_for_name(PB(WaitingFor) waiting_for)
{
    if (waiting_for == PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING))
        return "";
    return name_without_prefix(&shadowpipe__v1__waiting_for__descriptor, (int)waiting_for, "WAITING_FOR_");
}
