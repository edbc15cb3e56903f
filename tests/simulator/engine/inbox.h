/* The ten writers that every Windows has, with the class ids that Microsoft documents and plausible contents.
 */
#pragma once
#include "writers.h"

#define INBOX_COUNT 10
extern const struct writer inbox_writers[INBOX_COUNT];
