#include "client/cli/json.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

enum {
    DEPTH_MAX = 16
};

/* A message that is being written: which field and which element of it comes next. */
struct level {
    const ProtobufCMessage *message;
    unsigned field;
    size_t element;
    bool has_fields;
};

void json_add_string(struct text *text, const char *string)
{
    text_add_char(text, '"');
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        switch (c) {
        case '"':
            text_add(text, "\\\"");
            break;
        case '\\':
            text_add(text, "\\\\");
            break;
        case '\n':
            text_add(text, "\\n");
            break;
        case '\r':
            text_add(text, "\\r");
            break;
        case '\t':
            text_add(text, "\\t");
            break;
        default:
            if (c < 0x20 || c == 0x7f)
                text_format(text, "\\u%04x", (unsigned)c);
            else
                text_add_char(text, (char)c);
        }
    }
    text_add_char(text, '"');
}

static void add_base64(struct text *text, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text_add_char(text, '"');
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            bits |= data[i + 2];
        text_add_char(text, digits[bits >> 18]);
        text_add_char(text, digits[bits >> 12 & 63]);
        text_add_char(text, left > 1 ? digits[bits >> 6 & 63] : '=');
        text_add_char(text, left > 2 ? digits[bits & 63] : '=');
    }
    text_add_char(text, '"');
}

/* "set_id" becomes "setId": an underscore goes, and the letter behind it becomes a capital. */
static void add_name(struct text *text, const char *name)
{
    text_add_char(text, '"');
    for (; *name; name++) {
        bool capital = *name == '_' && name[1];
        if (capital)
            name++;
        text_add_char(text, capital && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name);
    }
    text_add(text, "\":");
}

static void add_enum(struct text *text, const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    if (known)
        json_add_string(text, known->name);
    else
        text_format(text, "%d", value);
}

static size_t element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    default:
        return 4;
    }
}

/* Writes a value that is not a message. */
static void add_scalar(struct text *text, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        text_format(text, "%" PRId32, *(const int32_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        text_format(text, "%" PRIu32, *(const uint32_t *)value);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        text_format(text, "\"%" PRId64 "\"", *(const int64_t *)value);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        text_format(text, "\"%" PRIu64 "\"", *(const uint64_t *)value);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        text_format(text, "%.9g", (double)*(const float *)value);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        text_format(text, "%.17g", *(const double *)value);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        text_add(text, *(const protobuf_c_boolean *)value ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        add_enum(text, field->descriptor, *(const int *)value);
        break;
    case PROTOBUF_C_TYPE_STRING: {
        const char *string = *(char *const *)value;
        json_add_string(text, string ? string : "");
        break;
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = value;
        add_base64(text, bytes->data, bytes->len);
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        break; /* goes through the levels */
    }
}

/* Is the field of a proto3 message at its default, and so left out? */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *value)
{
    static const uint8_t zeros[sizeof(ProtobufCBinaryData)] = {0};
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *string = *(char *const *)value;
        return !string || !*string;
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return ((const ProtobufCBinaryData *)value)->len == 0;
    return memcmp(value, zeros, element_size(field->type)) == 0;
}

/* The field's values: how many there are, and where the first is. */
static size_t field_values(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                           const void **first)
{
    const char *base = (const char *)message;
    *first = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *first = *(void *const *)(base + field->offset);
        return *(const size_t *)(base + field->quantifier_offset);
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(base + field->quantifier_offset) == field->id ? 1 : 0;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)*first ? 1 : 0;
    return is_default(field, *first) ? 0 : 1;
}

/* Writes what comes next of the level. Gives the message to go down into, or NULL. */
static const ProtobufCMessage *add_next(struct text *text, struct level *level)
{
    const ProtobufCFieldDescriptor *field = &level->message->descriptor->fields[level->field];
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    const void *first;
    size_t count = field_values(level->message, field, &first);
    if (level->element == count) {
        if (repeated && count > 0)
            text_add_char(text, ']');
        level->field++;
        level->element = 0;
        return NULL;
    }
    if (level->element > 0) {
        text_add_char(text, ',');
    } else {
        if (level->has_fields)
            text_add_char(text, ',');
        level->has_fields = true;
        add_name(text, field->name);
        if (repeated)
            text_add_char(text, '[');
    }
    const char *value = (const char *)first + level->element++ * element_size(field->type);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(const ProtobufCMessage *const *)value;
    add_scalar(text, field, value);
    return NULL;
}

bool json_add_message(struct text *text, const ProtobufCMessage *message)
{
    struct level levels[DEPTH_MAX] = {{.message = message}};
    size_t depth = 1;
    text_add_char(text, '{');
    while (depth > 0) {
        struct level *level = &levels[depth - 1];
        if (level->field == level->message->descriptor->n_fields) {
            text_add_char(text, '}');
            depth--;
            continue;
        }
        const ProtobufCMessage *inner = add_next(text, level);
        if (!inner)
            continue;
        if (depth == DEPTH_MAX)
            return false;
        levels[depth++] = (struct level){.message = inner};
        text_add_char(text, '{');
    }
    return true;
}
