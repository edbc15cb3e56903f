/* The pair of files that must always agree: DIR\ledger-a.bin and DIR\ledger-b.bin. Each is a row of blocks,
 * each of which carries the generation and its own number, and a checksum over all of them at the end. A copy
 * of one file made while it is written has blocks of two generations; copies of both made one after the other
 * have different ones. */
#pragma once
#include <stdio.h>
#include <windows.h>

/* The contents of one generation, to be prepared ahead of its writing; free() it. NULL: out of memory. */
void *ledger_prepare(unsigned long long generation);

/* Rewrites both in place with *contents, piece by piece in turn, and replaces *contents by the generation
 * after it. With rest, both are whole at the end. Without, the next generation is begun before this one ends,
 * so that the files are never whole and nobody copies them right by luck. FALSE: GetLastError() says why. */
BOOL ledger_write_pair(const wchar_t *directory, void **contents, unsigned long long generation, BOOL rest);

/* TRUE if both are whole and of one generation. Says to out what it found. */
BOOL ledger_check_pair(const wchar_t *directory, FILE *out);
