/* The store: the directory that is "the machine" to the simulator. Whatever has to be known by more than one
 * process lives in files below it: the creator record, object and copy records, counters, the event log. Its
 * place is the environment variable SHADOWSIM_STORE, else %ProgramData%\ShadowpipeSimulator, read once a
 * process. store_lock() is one short-held mutex for the whole store; it is recursive within a thread and
 * survives the death of its holder. Records are UTF-8 text, one key=value a line. */
#pragma once
#include <windows.h>

#define STORE_PATH_CHARS 600

/* S_OK once the store's directories exist; what Windows said otherwise. Cheap after the first success. */
HRESULT store_open(void);
const wchar_t *store_root(void);
/* The library is unloaded: gives up the log and the mutex, which nothing may need any more. */
void store_close(void);

/* Writes "<store>\<name>" to path, which has room for STORE_PATH_CHARS. */
void store_path(wchar_t *path, const wchar_t *name);

void store_lock(void);
void store_unlock(void);

/* The next number, from 1, of the counter with this name. 0 if it cannot be kept. */
unsigned store_next_number(const wchar_t *counter);

/* The numbers by which the files of a pattern below the store begin, in order; to be freed by free(). A list,
 * because files must not come and go while a search for them is open. */
unsigned *store_list(const wchar_t *pattern, size_t *count);

/* The identity of this boot of the simulated machine: writer instance ids are made from it. */
GUID store_boot_id(void);

/* Appends "<unix ms> TAB <pid> TAB <object> TAB <event> TAB <detail>" to events.log. Object 0 is none in
 * particular. */
void store_log(unsigned object, const wchar_t *event, const wchar_t *format, ...);

/* Whole text of a small file, to be freed by free(); NULL if there is none. */
wchar_t *store_read(const wchar_t *path);
/* Replaces the file in one step, so that no reader ever sees half of it. */
HRESULT store_write(const wchar_t *path, const wchar_t *text);

/* Copies the value of "key=" in text to value and returns TRUE; an empty value and FALSE if the key is
 * absent. */
BOOL record_get(const wchar_t *text, const wchar_t *key, wchar_t *value, size_t chars);
unsigned long long record_number(const wchar_t *text, const wchar_t *key);

unsigned long long store_now_ms(void);
