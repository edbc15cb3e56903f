#include "proto/decode.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"

/* The reason words; PROTOCOL.md describes them. */
static const char MALFORMED[] = "MALFORMED";
static const char UNKNOWN_FIELD[] = "UNKNOWN_FIELD";
static const char UNKNOWN_VALUE[] = "UNKNOWN_VALUE";
static const char BAD_STRING[] = "BAD_STRING";
static const char TOO_MANY[] = "TOO_MANY";
static const char TOO_LARGE[] = "TOO_LARGE";
static const char NO_MEMORY[] = "NO_MEMORY";

enum {
    MAX_VARINT_BYTES = 10
};

/* The part of the input that one message takes, and what it has had so far. */
struct level {
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field; /* the one being read: with those below, the path */
    const uint8_t *at;
    const uint8_t *end;
    uint32_t counts[DECODE_LIMIT_FIELDS]; /* occurrences by field index */
};

struct walk {
    enum decode_mode mode;
    struct decode_error *error;
    size_t depth; /* levels in use */
    struct level levels[DECODE_LIMIT_DEPTH];
};

/* ---- errors ---- */

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text);
    (void)snprintf(text + length, size - length, "%s", more);
}

static bool fail(struct walk *walk, const char *reason, const char *format, ...) PRINTF_LIKE(3, 4);

/* Always false. The message is "PATH what is wrong", or for the envelope as a whole just the latter. */
static bool fail(struct walk *walk, const char *reason, const char *format, ...)
{
    struct decode_error *error = walk->error;
    error->reason = reason;
    for (size_t i = 0; i < walk->depth; i++) {
        const ProtobufCFieldDescriptor *field = walk->levels[i].field;
        if (field == NULL)
            break;
        if (i > 0)
            append(error->field, sizeof error->field, ".");
        append(error->field, sizeof error->field, field->name);
    }
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *subject = error->field[0] != '\0' ? error->field : "the message";
    (void)snprintf(error->message, sizeof error->message, "%s %s", subject, what);
    return false;
}

static bool fail_unknown(struct walk *walk, uint32_t number)
{
    (void)fail(walk, UNKNOWN_FIELD, "has a field %u that this version does not know", number);
    char step[16];
    (void)snprintf(step, sizeof step, "%s#%u", walk->error->field[0] != '\0' ? "." : "", number);
    append(walk->error->field, sizeof walk->error->field, step);
    return false;
}

/* ---- scalars ---- */

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < MAX_VARINT_BYTES && *at < end; i++) {
        uint8_t byte = *(*at)++;
        if (i == MAX_VARINT_BYTES - 1 && byte > 1)
            return false;
        *value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The length of the UTF-8 sequence at `text`, 0 for none. NUL counts as none. */
static size_t utf8_sequence(const uint8_t *text, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = text[0];
    size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (length == 1)
        return first != 0;
    if (first < 0xc2 || first > 0xf4 || size < length)
        return 0;
    uint32_t point = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= least[length] && point <= 0x10ffff && !surrogate ? length : 0;
}

static bool check_string(struct walk *walk, const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = utf8_sequence(text + i, size - i);
        if (length == 0)
            return fail(walk, BAD_STRING, text[i] == 0 ? "has a NUL in it" : "is not valid UTF-8");
        i += length;
    }
    return true;
}

static bool check_number(struct walk *walk, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    if (field->type == PROTOBUF_C_TYPE_UINT32 && value > UINT32_MAX)
        return fail(walk, MALFORMED, "is larger than 32 bits");
    if (field->type != PROTOBUF_C_TYPE_ENUM || walk->mode == DECODE_LENIENT)
        return true;
    if (value > INT32_MAX || protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value) == NULL)
        return fail(walk, UNKNOWN_VALUE, "has a value %llu that this version does not know",
                    (unsigned long long)value);
    return true;
}

/* ---- fields ---- */

static bool is_varint(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return true;
    default:
        return false;
    }
}

static size_t fixed_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 4;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

/* One more element of a repeated field, or the only one of another. */
static bool count_element(struct walk *walk, struct level *level, const ProtobufCFieldDescriptor *field)
{
    uint32_t *count = &level->counts[field - level->message->fields];
    ++*count;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        uint32_t most =
            walk->mode == DECODE_STRICT ? limits_of(level->message, field)->elements : DECODE_LIMIT_REPEATED;
        return *count <= most || fail(walk, TOO_MANY, "has more than %u elements", most);
    }
    if (*count > 1)
        return fail(walk, MALFORMED, "is there twice"); /* merging is a trap: which one was meant? */
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return true;
    for (unsigned i = 0; i < level->message->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &level->message->fields[i];
        bool same_oneof = (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                          other->quantifier_offset == field->quantifier_offset;
        if (same_oneof && other != field && level->counts[i] > 0)
            return fail(walk, MALFORMED, "is there together with %s, and only one of them may be",
                        other->name);
    }
    return true;
}

static bool enter(struct walk *walk, const ProtobufCMessageDescriptor *message, const uint8_t *at,
                  size_t size)
{
    if (walk->depth == DECODE_LIMIT_DEPTH)
        return fail(walk, MALFORMED, "is nested too deep");
    assert(message->n_fields <= DECODE_LIMIT_FIELDS);
    struct level *level = &walk->levels[walk->depth++];
    level->message = message;
    level->field = NULL;
    level->at = at;
    level->end = size > 0 ? at + size : at; /* no arithmetic on the NULL of an empty payload */
    memset(level->counts, 0, sizeof level->counts[0] * message->n_fields);
    return true;
}

static bool check_packed(struct walk *walk, struct level *level, const ProtobufCFieldDescriptor *field,
                         const uint8_t *at, const uint8_t *end)
{
    size_t size = fixed_size(field->type);
    while (at < end) {
        uint64_t value = 0;
        if (size > 0 && (size_t)(end - at) < size)
            return fail(walk, MALFORMED, "ends in the middle of a number");
        if (size > 0)
            at += size;
        else if (!read_varint(&at, end, &value))
            return fail(walk, MALFORMED, "has a broken number");
        if (!count_element(walk, level, field) || !check_number(walk, field, value))
            return false;
    }
    return true;
}

static bool check_delimited(struct walk *walk, struct level *level, const ProtobufCFieldDescriptor *field,
                            const uint8_t *data, size_t size)
{
    bool is_numeric = is_varint(field->type) || fixed_size(field->type) > 0;
    if (is_numeric && field->label == PROTOBUF_C_LABEL_REPEATED)
        return check_packed(walk, level, field, data, data + size);
    if (is_numeric)
        return fail(walk, MALFORMED, "has the wrong wire type");
    if (!count_element(walk, level, field))
        return false;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return enter(walk, field->descriptor, data, size);
    if (walk->mode == DECODE_STRICT && size > limits_of(level->message, field)->bytes)
        return fail(walk, TOO_LARGE, "has %zu bytes, and %u are allowed", size,
                    limits_of(level->message, field)->bytes);
    return field->type != PROTOBUF_C_TYPE_STRING || check_string(walk, data, size);
}

/* Reads one field at the current level; a message's content becomes the current level. */
static bool check_field(struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    uint64_t tag, value = 0;
    level->field = NULL;
    if (!read_varint(&level->at, level->end, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return fail(walk, MALFORMED, "has a broken field number");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(level->message, (unsigned)(tag >> 3));
    if (field == NULL && walk->mode == DECODE_STRICT)
        return fail_unknown(walk, (uint32_t)(tag >> 3));
    level->field = field;

    unsigned wire_type = tag & 7;
    size_t size = wire_type == PROTOBUF_C_WIRE_TYPE_32BIT   ? 4
                  : wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8
                                                            : 0;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT || wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
        if (!read_varint(&level->at, level->end, &value))
            return fail(walk, MALFORMED, "has a broken number");
    } else if (size == 0) {
        return fail(walk, MALFORMED, "has a wire type %u that is not used", wire_type);
    }
    if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        size = value > (uint64_t)(level->end - level->at) ? SIZE_MAX : (size_t)value;
    if (size > (size_t)(level->end - level->at))
        return fail(walk, MALFORMED, "ends early");
    const uint8_t *data = level->at;
    level->at += size;
    if (field == NULL)
        return true;
    if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return check_delimited(walk, level, field, data, size);
    bool matches =
        wire_type == PROTOBUF_C_WIRE_TYPE_VARINT ? is_varint(field->type) : fixed_size(field->type) == size;
    if (!matches)
        return fail(walk, MALFORMED, "has the wrong wire type");
    return count_element(walk, level, field) && check_number(walk, field, value);
}

bool decode_check(const ProtobufCMessageDescriptor *message, const uint8_t *data, size_t size,
                  enum decode_mode mode, struct decode_error *error)
{
    struct walk walk;
    memset(error, 0, sizeof *error);
    walk.mode = mode;
    walk.error = error;
    walk.depth = 0;
    if (!enter(&walk, message, data, size))
        return false;
    while (walk.depth > 0) {
        const struct level *level = &walk.levels[walk.depth - 1];
        if (level->at == level->end)
            walk.depth--;
        else if (!check_field(&walk))
            return false;
    }
    return true;
}

/* ---- the envelope ---- */

/* The id of a request that cannot be read: as much of the envelope's top level as is sound. */
static uint32_t find_id(const uint8_t *at, size_t size)
{
    const uint8_t *end = size > 0 ? at + size : at;
    uint32_t id = 0;
    uint64_t tag, value;
    while (at < end && read_varint(&at, end, &tag)) {
        size_t skip = 0;
        switch (tag & 7) {
        case PROTOBUF_C_WIRE_TYPE_VARINT:
            if (!read_varint(&at, end, &value))
                return id;
            if (tag >> 3 == 1)
                id = value <= UINT32_MAX ? (uint32_t)value : 0;
            break;
        case PROTOBUF_C_WIRE_TYPE_64BIT:
            skip = 8;
            break;
        case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
            if (!read_varint(&at, end, &value) || value > (uint64_t)(end - at))
                return id;
            skip = (size_t)value;
            break;
        case PROTOBUF_C_WIRE_TYPE_32BIT:
            skip = 4;
            break;
        default:
            return id;
        }
        if (skip > (size_t)(end - at))
            return id;
        at += skip;
    }
    return id;
}

PB(Envelope) * decode_envelope(struct arena *arena, const uint8_t *payload, size_t size,
                               enum decode_mode mode, struct decode_error *error)
{
    if (!decode_check(&shadowpipe__v1__envelope__descriptor, payload, size, mode, error)) {
        error->id = find_id(payload, size);
        return NULL;
    }
    PB(Envelope) *envelope = shadowpipe__v1__envelope__unpack(&arena->allocator, size, payload);
    if (envelope != NULL)
        return envelope;
    error->id = find_id(payload, size);
    error->reason = arena->exhausted ? TOO_LARGE : NO_MEMORY;
    if (arena->exhausted)
        (void)snprintf(error->message, sizeof error->message,
                       "the message needs more than %zu bytes of memory", arena->cap_bytes);
    else
        (void)snprintf(error->message, sizeof error->message, "there is no memory for the message");
    return NULL;
}
