/* Makes a copy's files visible under a drive letter or a folder, for every process: under Wine by its mount
 * manager and by the host's links (DefineDosDevice gives a letter there that opens nothing), on Windows by
 * DefineDosDevice and a link of the file system. */
#pragma once
#include <windows.h>

/* E_INVALIDARG: the place is neither a free letter nor an empty folder. VSS_E_UNEXPECTED_PROVIDER_ERROR: it
 * does not work. exposed gets the place with a trailing backslash. */
HRESULT exposing_begin(const wchar_t *as, const wchar_t *directory, unsigned number,
                       wchar_t exposed[MAX_PATH]);
void exposing_end(const wchar_t *exposed, unsigned number);
