/* A plan in words and in JSON: for people, for --json, and for the program that copies the files. */
#ifndef SHADOWPIPE_CLIENT_CLI_RESTORE_REPORT_H
#define SHADOWPIPE_CLIENT_CLI_RESTORE_REPORT_H

#include "client/cli/restore_plan.h"

/* Every component with what it needs, and what is in the way. */
void restore_report(struct text *text, const struct restore_plan *plan);
/* The problems alone, a line each. */
void restore_report_problems(struct text *text, const struct restore_plan *plan);
/* The notes that were not shown yet. */
void restore_report_notes(struct text *text, struct restore_plan *plan);
/* The components as a JSON array, with their problems and notes. */
void restore_report_json(struct text *json, const struct restore_plan *plan);
/* What docs/restore.md describes; of the components that are not left out. */
void restore_manifest(struct text *json, const struct restore_plan *plan, const char *document,
                      bool simulated);

#endif
