#include <stdio.h>

#include "proto/status.h"
#include "service/requester/session.h"
#include "service/requester/text.h"

static void *remember(struct reply *reply, void *memory)
{
    if (memory == NULL) {
        reply->no_memory = true;
    }
    return memory;
}

void *reply_alloc(struct reply *reply, size_t size)
{
    return remember(reply, arena_alloc(reply->arena, size));
}

void *reply_message(struct reply *reply, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = reply_alloc(reply, descriptor->sizeof_message);
    if (message != NULL) {
        protobuf_c_message_init(descriptor, message);
    }
    return message;
}

char *reply_text(struct reply *reply, const wchar_t *wide)
{
    return remember(reply, text_from_wide(reply->arena, wide));
}

char *reply_guid(struct reply *reply, const GUID *guid)
{
    return remember(reply, text_guid(reply->arena, guid));
}

wchar_t *reply_wide(struct reply *reply, const char *text)
{
    return remember(reply, text_to_wide(reply->arena, text));
}

wchar_t *reply_wide_or_null(struct reply *reply, const char *text)
{
    return text[0] == '\0' ? NULL : reply_wide(reply, text);
}

void reply_drop_result(struct reply *reply, const char *limit_name, const char *why)
{
    const PB(CallReply) codes = reply->message;
    arena_reset(reply->arena);
    shadowpipe__v1__call_reply__init(&reply->message);
    reply->message.hresult = codes.hresult;
    reply->message.async_hresult = codes.async_hresult;
    reply->message.wait_hresult = codes.wait_hresult;
    reply->message.session_phase = codes.session_phase;
    reply->message.elapsed_ms = codes.elapsed_ms;
    reply->message.status = status_make(reply->arena, PB_CODE(RESOURCE_EXHAUSTED), "RESOURCE_EXHAUSTED",
                                        "the result was lost: %s", why);
    if (reply->message.status != NULL) {
        reply->message.status->limit_name = arena_strdup(reply->arena, limit_name);
    }
    reply->no_memory = false;
}

static PB(Writer) * described_writer(const PB(CallReply) * message)
{
    if (message->out_case == PB_OUT(GET_WRITER_METADATA)) {
        return message->get_writer_metadata->writer;
    }
    return message->out_case == PB_OUT(GET_WRITER_METADATA_EX) ? message->get_writer_metadata_ex->writer
                                                               : NULL;
}

bool reply_leave_out(struct reply *reply)
{
    static char roots[] = "the components' directories";
    static char components[] = "the components and files";
    PB(Writer) *writer = described_writer(&reply->message);
    size_t count = 0;
    if (writer == NULL) {
        return false;
    }
    for (size_t i = 0; i < writer->n_components; i++) {
        count += writer->components[i]->n_roots;
        writer->components[i]->n_roots = 0;
    }
    if (count > 0) {
        writer->left_out = roots;
        return true;
    }
    count = writer->n_components + writer->n_include_files + writer->n_exclude_files;
    if (writer->restore_method != NULL) {
        count += writer->restore_method->n_alternate_locations;
        writer->restore_method->n_alternate_locations = 0;
    }
    writer->n_components = writer->n_include_files = writer->n_exclude_files = 0;
    writer->left_out = components;
    return count > 0;
}

HRESULT reply_refuse(struct reply *reply, const char *field, const char *what)
{
    reply->message.status = status_make(reply->arena, PB_CODE(INVALID_ARGUMENT), "INVALID_ARGUMENT",
                                        "%s is %s; the method was not called", field, what);
    if (reply->message.status == NULL) {
        reply->no_memory = true;
    } else {
        reply->message.status->field = remember(reply, arena_strdup(reply->arena, field));
    }
    return E_INVALIDARG;
}

bool reply_parse_guid(struct reply *reply, const char *field, const char *text, GUID *guid)
{
    if (!text_to_guid(text, guid)) {
        reply_refuse(reply, field, "not a GUID (36 characters without braces)");
        return false;
    }
    return true;
}
