/* A list of every file below a directory with its SHA-256: lines of "<hex> <size> <path relative to the
 * directory>", in UTF-8, the paths with backslashes. Directories and links are not listed. */
#pragma once
#include <stdio.h>
#include <windows.h>

/* locked (INVALID_HANDLE_VALUE: none) is an open handle of the file locked_path, which nobody can open a
 * second time. The file appears at out_path when it is complete. FALSE, and words on stderr, if anything
 * could not be read. */
BOOL manifest_write(const wchar_t *out_path, const wchar_t *tree, const wchar_t *locked_path, HANDLE locked);

/* 0: the directory has the listed files and no other; 1: not, and each difference is a line to out; 2: no
 * manifest. */
int manifest_verify(const wchar_t *manifest_path, const wchar_t *directory, FILE *out);
