#include "client/cli/call_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CALL_DESCRIPTOR (&shadowpipe__v1__call__descriptor)

enum {
    GUID_LENGTH = 36
};

/* ---- names ---- */

/* Equal but for capitals and underscores, over the whole of `name` and `length` bytes of `typed`. */
static bool same_name(const char *name, const char *typed, size_t length)
{
    const char *end = typed + length;
    for (;;) {
        while (*name == '_')
            name++;
        while (typed < end && *typed == '_')
            typed++;
        if (!*name || typed == end)
            return !*name && typed == end;
        if (!equal_ignoring_case((char[]){*name, 0}, (char[]){*typed, 0}))
            return false;
        name++;
        typed++;
    }
}

/* Some of the oneof are between the service and its requesters only. */
static bool is_method(const ProtobufCFieldDescriptor *field)
{
    return field->id != PB_METHOD(CREATE_OBJECT) && field->id != PB_METHOD(RELEASE_OBJECT) &&
           field->id != PB_METHOD(COUNT_SNAPSHOTS) && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
           field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static const ProtobufCFieldDescriptor *find_method(const char *typed)
{
    for (unsigned i = 0; i < CALL_DESCRIPTOR->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &CALL_DESCRIPTOR->fields[i];
        if (is_method(field) && same_name(field->name, typed, strlen(typed)))
            return field;
    }
    return NULL;
}

static const ProtobufCMessageDescriptor *message_of(const ProtobufCFieldDescriptor *field)
{
    return field->descriptor;
}

/* As VSS spells it: the message has the method's name, but where a request has it already. */
static void add_method_name(struct text *text, const ProtobufCFieldDescriptor *field)
{
    static const char suffix[] = "Call";
    const char *name = message_of(field)->short_name;
    size_t length = strlen(name);
    size_t tail = sizeof suffix - 1;
    if (length > tail && strcmp(name + length - tail, suffix) == 0)
        length -= tail;
    text_add_bytes(text, name, length);
}

/* ---- values ---- */

static bool refuse(struct text *problem, const char *word, const char *wanted)
{
    text_format(problem, "\"%s\": write %s.", word, wanted);
    return false;
}

/* Decimal or 0x…; a negative one becomes the number with the same bits. */
static bool read_number(const char *text, unsigned bits, uint64_t *number)
{
    bool negative = *text == '-';
    uint64_t most = bits == 32 ? UINT32_MAX : UINT64_MAX;
    unsigned base = 10;
    text += negative ? 1 : 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    *number = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        const char *digits = "0123456789abcdef";
        char lower[2] = {*text >= 'A' && *text <= 'F' ? (char)(*text + 32) : *text, 0};
        const char *digit = strchr(digits, lower[0]);
        if (!digit || (unsigned)(digit - digits) >= base)
            return false;
        uint64_t value = (uint64_t)(digit - digits);
        if (*number > (most - value) / base)
            return false;
        *number = *number * base + value;
    }
    if (!negative)
        return true;
    if (*number > most / 2 + 1)
        return false;
    *number = (0 - *number) & most;
    return true;
}

static bool read_bool(const char *text, protobuf_c_boolean *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (equal_ignoring_case(text, yes[i]) || equal_ignoring_case(text, no[i])) {
            *value = equal_ignoring_case(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* By its whole name, by the end of it (FILE_GROUP), or by its number. */
static bool read_enum(const ProtobufCEnumDescriptor *descriptor, const char *text, int *value)
{
    uint64_t number;
    for (unsigned i = 0; i < descriptor->n_values; i++) {
        const char *name = descriptor->values[i].name;
        for (const char *at = name; *at; at++) {
            if ((at == name || at[-1] == '_') && same_name(at, text, strlen(text))) {
                *value = descriptor->values[i].value;
                return true;
            }
        }
    }
    if (!read_number(text, 32, &number) || !protobuf_c_enum_descriptor_get_value(descriptor, (int)number))
        return false;
    *value = (int)number;
    return true;
}

/* VSS shows GUIDs in braces, messages have them without. */
static char *copy_string(const char *text)
{
    size_t length = strlen(text);
    bool braces = length == GUID_LENGTH + 2 && text[0] == '{' && text[length - 1] == '}' &&
                  strspn(text + 1, "0123456789abcdefABCDEF-") == GUID_LENGTH;
    char *copy = strdup(braces ? text + 1 : text);
    if (copy && braces)
        copy[GUID_LENGTH] = 0;
    return copy;
}

static bool store(const ProtobufCFieldDescriptor *field, void *place, const char *word, const char *text,
                  struct text *problem)
{
    uint64_t number;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: {
        char *copy = copy_string(text);
        if (copy)
            *(char **)place = copy;
        else
            text_add(problem, "There is not enough memory.");
        return copy != NULL;
    }
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(text, place) || refuse(problem, word, "true or false");
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(field->descriptor, text, place) ||
               refuse(problem, word, "one of the values that \"help call METHOD\" shows");
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        if (!read_number(text, 32, &number))
            return refuse(problem, word, "a number of 32 bits, decimal or as 0x...");
        *(uint32_t *)place = (uint32_t)number;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        if (!read_number(text, 64, place))
            return refuse(problem, word, "a number of 64 bits, decimal or as 0x...");
        return true;
    default:
        return refuse(problem, word, "no value: this one cannot be given here");
    }
}

/* ---- fields ---- */

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *message, const char *name,
                                                  size_t length)
{
    for (unsigned i = 0; i < message->n_fields; i++) {
        if (same_name(message->fields[i].name, name, length))
            return &message->fields[i];
    }
    return NULL;
}

static ProtobufCMessage *make_message(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = malloc(descriptor->sizeof_message);
    if (message)
        descriptor->message_init(message);
    return message;
}

static ProtobufCMessage *enter(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                               struct text *problem)
{
    ProtobufCMessage **place = (ProtobufCMessage **)((char *)message + field->offset);
    if (!*place)
        *place = make_message(message_of(field));
    if (!*place)
        text_add(problem, "There is not enough memory.");
    return *place;
}

/* Elements here are strings: `ids`. */
static void *append(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t *count = (size_t *)((char *)message + field->quantifier_offset);
    char ***items = (char ***)((char *)message + field->offset);
    char **more = realloc(*items, (*count + 1) * sizeof *more);
    if (!more)
        return NULL;
    *items = more;
    more[*count] = NULL;
    return &more[(*count)++];
}

static bool store_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const char *word,
                        const char *value, struct text *problem)
{
    void *place = (char *)message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (field->type != PROTOBUF_C_TYPE_STRING)
            return refuse(problem, word, "no value: this one cannot be given here");
        place = append(message, field);
        if (!place) {
            text_add(problem, "There is not enough memory.");
            return false;
        }
    } else if (field->type == PROTOBUF_C_TYPE_STRING && *(char **)place != protobuf_c_empty_string) {
        free(*(char **)place);
        *(char **)place = (char *)protobuf_c_empty_string;
    }
    return store(field, place, word, value, problem);
}

static bool set_parameter(ProtobufCMessage *message, const char *word, struct text *problem)
{
    const char *equals = strchr(word, '=');
    const char *name = word;
    if (!equals)
        return refuse(problem, word, "KEY=VALUE");
    for (;;) {
        size_t length = strcspn(name, ".=");
        const ProtobufCFieldDescriptor *field = find_field(message->descriptor, name, length);
        if (!field) {
            text_format(problem, "\"%s\": %s has no parameter \"%.*s\".", word,
                        message->descriptor->short_name, (int)length, name);
            return false;
        }
        bool is_message = field->type == PROTOBUF_C_TYPE_MESSAGE;
        if (is_message != (name[length] == '.'))
            return refuse(problem, word, is_message ? "which part of it, behind a dot" : "no dot behind it");
        if (!is_message)
            return store_field(message, field, word, equals + 1, problem);
        message = enter(message, field, problem);
        if (!message)
            return false;
        name += length + 1;
    }
}

bool call_text_parse(char *const *words, size_t count, PB(Call) * call, struct text *problem)
{
    static const char wait[] = "wait_ms=";
    const ProtobufCFieldDescriptor *method = count > 0 ? find_method(words[0]) : NULL;
    if (!method) {
        text_format(problem, "There is no method \"%s\"; \"help call\" lists them.",
                    count > 0 ? words[0] : "");
        return false;
    }
    ProtobufCMessage *message = make_message(message_of(method));
    if (!message) {
        text_add(problem, "There is not enough memory.");
        return false;
    }
    *(ProtobufCMessage **)((char *)call + method->offset) = message;
    call->method_case = (PB(Call__MethodCase))method->id;
    for (size_t i = 1; i < count; i++) {
        bool ok = starts_ignoring_case(words[i], wait) ? set_parameter(&call->base, words[i], problem)
                                                       : set_parameter(message, words[i], problem);
        if (!ok)
            return false;
    }
    return true;
}

void call_text_free(PB(Call) * call)
{
    const ProtobufCFieldDescriptor *method =
        protobuf_c_message_descriptor_get_field(CALL_DESCRIPTOR, (unsigned)call->method_case);
    if (method) {
        ProtobufCMessage **place = (ProtobufCMessage **)((char *)call + method->offset);
        protobuf_c_message_free_unpacked(*place, NULL);
        *place = NULL;
    }
    call->method_case = PB_METHOD(_NOT_SET);
}

/* ---- what there is ---- */

void call_text_method(const PB(Call) * call, struct text *name)
{
    const ProtobufCFieldDescriptor *method =
        protobuf_c_message_descriptor_get_field(CALL_DESCRIPTOR, (unsigned)call->method_case);
    if (method)
        add_method_name(name, method);
}

static const char *kind_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return "TEXT";
    case PROTOBUF_C_TYPE_BOOL:
        return "BOOL";
    case PROTOBUF_C_TYPE_ENUM:
        return "";
    default:
        return "NUMBER";
    }
}

static void list_field(struct text *text, const char *prefix, const ProtobufCFieldDescriptor *field)
{
    const ProtobufCEnumDescriptor *values = field->descriptor;
    text_format(text, " [%s%s=%s", prefix, field->name, kind_of(field));
    for (unsigned i = 0; field->type == PROTOBUF_C_TYPE_ENUM && i < values->n_values; i++)
        text_format(text, "%s%s", i ? "|" : "", values->values[i].name);
    text_add(text, field->label == PROTOBUF_C_LABEL_REPEATED ? " ...]" : "]");
}

static void list_method(struct text *text, const ProtobufCFieldDescriptor *method)
{
    const ProtobufCMessageDescriptor *message = message_of(method);
    text_add(text, "  call ");
    add_method_name(text, method);
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            list_field(text, "", field);
            continue;
        }
        struct text prefix = {0};
        text_format(&prefix, "%s.", field->name);
        const ProtobufCMessageDescriptor *inner = message_of(field);
        for (unsigned n = 0; n < inner->n_fields; n++)
            list_field(text, text_string(&prefix), &inner->fields[n]);
        text_free(&prefix);
    }
    text_add(text, "\n");
}

bool call_text_list(const char *method, struct text *text)
{
    const ProtobufCFieldDescriptor *one = method ? find_method(method) : NULL;
    if (method && !one)
        return false;
    for (unsigned i = 0; i < CALL_DESCRIPTOR->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &CALL_DESCRIPTOR->fields[i];
        if (is_method(field) && (!one || one == field))
            list_method(text, field);
    }
    return true;
}
