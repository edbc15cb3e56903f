/* Turning a list of arguments into a Windows command line. */
#ifndef SHADOWPIPE_CLIENT_CLI_QUOTE_H
#define SHADOWPIPE_CLIENT_CLI_QUOTE_H

#include "client/cli/text.h"

/* The rules that the C runtime and CommandLineToArgvW undo. */
void quote_argument(struct text *line, const char *argument);

/* For cmd.exe as the program: it does not know backslash as an escape, so quotes inside stay as they are. */
void quote_for_shell(struct text *line, const char *argument);

/* For a batch file, behind cmd /c. False: the argument has a character that cmd.exe would act on even between
 * quotes (a quote, a percent sign, a line break), and so cannot be passed safely. */
bool quote_for_batch(struct text *line, const char *argument);

#endif
