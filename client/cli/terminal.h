/* Standard input, output and error, the live progress line, and interrupts.
 *
 * Text is UTF-8: a console gets it as UTF-16, anything else as it is. One process has one terminal, so this
 * module keeps its state itself. */
#ifndef SHADOWPIPE_CLIENT_CLI_TERMINAL_H
#define SHADOWPIPE_CLIENT_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include <windows.h>

#include "client/cli/text.h"
#include "proto/wire.h"

struct sp_cancel;

/* Standard output. False: it could not be written. */
bool terminal_print(const struct text *text);
/* Standard error; clears the progress line first. */
void terminal_complain(const char *string);
/* The same unless quiet. */
void terminal_note(const char *format, ...) TEXT_PRINTF(1, 2);
void terminal_set_quiet(bool quiet);

/* A console gets one line that changes, anything else a line for each new phase or queue position. */
void terminal_progress(const PB(Progress) * progress);
/* Lets the time in the line go on while nothing comes. */
void terminal_tick(void);
void terminal_clear_progress(void);

/* Ctrl-C and the like: the first time they cancel `cancel` and set the event that terminal_interrupted gives.
 * Until terminal_leave_interrupts_to_child a second one ends the process. */
bool terminal_catch_interrupts(struct sp_cancel *cancel);
HANDLE terminal_interrupted(void);
void terminal_leave_interrupts_to_child(void);
void terminal_take_interrupts_back(void);
/* After one that was dealt with: the next one cancels `cancel`, and ends nothing. */
void terminal_await_next_interrupt(struct sp_cancel *cancel);
/* The process has cleaned up: an end of the session that waits for that may go on. */
void terminal_done(void);

bool terminal_has_console_input(void);
/* Shows the question and reads a line; true if that begins with 'y'. */
bool terminal_ask(const char *question);
bool terminal_has_console_output(void);
/* On a console: the text in place of the one before. False: it could not be written. */
bool terminal_show_page(const struct text *text);
/* An event that is set when a line, or the end, of standard input comes. NULL: no thread for it. */
HANDLE terminal_wait_for_line(void);

#endif
