#include "tests/demo/ledger.h"

#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>

#define BLOCK_BYTES  4096
#define BLOCKS       384
#define LEDGER_BYTES (BLOCK_BYTES * BLOCKS + sizeof(uint64_t))
#define CHUNK_BYTES  (16 * BLOCK_BYTES)

static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    return value;
}

/* The contents follow from the generation alone, so the two files are equal. */
static void fill(uint64_t *ledger, uint64_t generation)
{
    const size_t words = BLOCK_BYTES / sizeof(uint64_t);
    uint64_t checksum = 0;
    for (size_t block = 0; block < BLOCKS; block++) {
        uint64_t *at = ledger + block * words;
        at[0] = generation;
        at[1] = block;
        for (size_t i = 2; i < words; i++)
            at[i] = mix(generation * 1000003 + block * words + i);
        for (size_t i = 0; i < words; i++)
            checksum = mix(checksum + at[i]);
    }
    ledger[BLOCKS * words] = checksum;
}

static HANDLE open_one(const wchar_t *directory, const wchar_t *name)
{
    wchar_t path[MAX_PATH + 20];
    if (swprintf(path, ARRAYSIZE(path), L"%ls\\%ls", directory, name) < 0) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return INVALID_HANDLE_VALUE;
    }
    return CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                       OPEN_ALWAYS, 0, NULL);
}

static BOOL write_piece(HANDLE file, const char *bytes, size_t at)
{
    size_t n = LEDGER_BYTES - at < CHUNK_BYTES ? LEDGER_BYTES - at : CHUNK_BYTES;
    DWORD written = 0;
    return WriteFile(file, bytes + at, (DWORD)n, &written, NULL) && written == n;
}

void *ledger_prepare(unsigned long long generation)
{
    uint64_t *ledger = malloc(LEDGER_BYTES);
    if (ledger)
        fill(ledger, generation);
    else
        SetLastError(ERROR_OUTOFMEMORY);
    return ledger;
}

BOOL ledger_write_pair(const wchar_t *directory, void **contents, unsigned long long generation, BOOL rest)
{
    HANDLE a = open_one(directory, L"ledger-a.bin"), b = open_one(directory, L"ledger-b.bin");
    BOOL ok = a != INVALID_HANDLE_VALUE && b != INVALID_HANDLE_VALUE;
    void *next = NULL;
    for (size_t at = 0; at < LEDGER_BYTES && ok; at += CHUNK_BYTES) {
        if (at + CHUNK_BYTES >= LEDGER_BYTES && !rest)
            ok = write_piece(a, next, 0) && write_piece(b, next, 0);
        ok = ok && write_piece(a, *contents, at) && write_piece(b, *contents, at);
        /* What takes time is done while the files are half written. */
        if (ok && at == 0) {
            next = ledger_prepare(generation + 1);
            ok = next != NULL;
            Sleep(1);
        }
    }
    if (a != INVALID_HANDLE_VALUE)
        CloseHandle(a);
    if (b != INVALID_HANDLE_VALUE)
        CloseHandle(b);
    if (next) {
        free(*contents);
        *contents = next;
    }
    return ok;
}

/* -1: not readable, or torn. */
static long long generation_of(const wchar_t *directory, const wchar_t *name, FILE *out)
{
    wchar_t path[MAX_PATH * 4];
    uint64_t *ledger = malloc(LEDGER_BYTES), *expected = malloc(LEDGER_BYTES);
    long long generation = -1;
    swprintf(path, ARRAYSIZE(path), L"%ls\\%ls", directory, name);
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, OPEN_EXISTING, 0, NULL);
    DWORD n = 0;
    if (file == INVALID_HANDLE_VALUE) {
        fprintf(out, "%ls: cannot be opened, error %lu\n", name, GetLastError());
    } else if (!ledger || !expected || !ReadFile(file, ledger, LEDGER_BYTES, &n, NULL) || n != LEDGER_BYTES) {
        fprintf(out, "%ls: %lu bytes instead of %u\n", name, n, (unsigned)LEDGER_BYTES);
    } else {
        fill(expected, ledger[0]);
        if (memcmp(ledger, expected, LEDGER_BYTES) == 0)
            generation = (long long)ledger[0];
        if (generation < 0)
            fprintf(out, "%ls: torn, parts of it are not of generation %llu\n", name,
                    (unsigned long long)ledger[0]);
        else
            fprintf(out, "%ls: whole, generation %lld\n", name, generation);
    }
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    free(ledger);
    free(expected);
    return generation;
}

BOOL ledger_check_pair(const wchar_t *directory, FILE *out)
{
    long long a = generation_of(directory, L"ledger-a.bin", out);
    long long b = generation_of(directory, L"ledger-b.bin", out);
    BOOL agree = a >= 0 && a == b;
    fputs(agree ? "the pair agrees\n" : "the pair DISAGREES\n", out);
    return agree;
}
