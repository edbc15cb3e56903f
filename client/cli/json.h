/* Any protobuf message as JSON, by the mapping of proto3: lowerCamelCase names, fields at their default left
 * out, enums by name, 64-bit integers as strings, bytes as base64. On one line. */
#ifndef SHADOWPIPE_CLIENT_CLI_JSON_H
#define SHADOWPIPE_CLIENT_CLI_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "client/cli/text.h"

/* {"name":value,…}. False: a message nested deeper than any of this protocol (the text is then of no use). */
bool json_add_message(struct text *text, const ProtobufCMessage *message);
/* "…" with escapes. */
void json_add_string(struct text *text, const char *string);

#endif
