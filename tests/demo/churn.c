/* churn: a busy program whose two files must always agree, and which takes part in VSS as a writer.
 *
 * churn DIR [--hook NAME] [--lock FILE] [--seconds N] [--manifest OUT --tree DIR]
 *     Rewrites DIR\ledger-a.bin and DIR\ledger-b.bin without a pause. They must carry the same generation
 *     and contents, and do so only between two rounds: whoever just copies them gets a pair that disagrees.
 *     --hook: is the writer for which the simulator's scenario says "hook=NAME" (tests/simulator/hook.h).
 *     --lock: holds FILE open without sharing.
 *     --manifest: at each freeze, lists the SHA-256 of every file below the tree.
 *     Prints "ready" when it runs; ends after N seconds, at the event HOOK_STOP, or at the end of its input.
 *
 * churn --check DIR
 *     Does the pair agree? 0 yes, 1 no.
 *
 * churn --verify OUT DIR
 *     Are the files of the manifest in DIR, and no others? 0 yes, 1 no: each difference is a line.
 *
 * Whatever goes wrong otherwise ends with 2. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>
#include <vss.h>

#include "tests/demo/ledger.h"
#include "tests/demo/manifest.h"
#include "tests/simulator/hook.h"

#define IDLE_STEP_MS 50

struct churn {
    const wchar_t *directory, *hook, *lock, *manifest, *tree;
    DWORD seconds;
    HANDLE stop, request, answer, turn, mapping, locked;
    struct hook_block *block;
    CRITICAL_SECTION busy; /* held while a generation is written, and from freeze to thaw */
    volatile LONG
        freeze_wanted; /* critical sections are not fair: the writing thread stands back while it is set */
    BOOL frozen, thawed_late;
    ULONGLONG frozen_at;
};

static int complain(const wchar_t *what, const wchar_t *name)
{
    DWORD error = GetLastError();
    fwprintf(stderr, L"churn: %ls %ls: error %lu\n", what, name, error);
    return 2;
}

static const wchar_t *object_name(wchar_t *buffer, size_t chars, const wchar_t *format, const wchar_t *name)
{
    const wchar_t *percent = wcschr(format, L'%');
    swprintf(buffer, chars, L"%.*ls%.60ls%ls", (int)(percent - format), format, name, percent + 3);
    return buffer;
}

/* Everybody may use them: the engine may run under another account. */
static BOOL open_hook(struct churn *churn)
{
    wchar_t name[120];
    const size_t chars = ARRAYSIZE(name);
    SECURITY_DESCRIPTOR descriptor;
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE);
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    churn->stop = CreateEventW(&attributes, TRUE, FALSE, object_name(name, chars, HOOK_STOP, churn->hook));
    churn->request =
        CreateEventW(&attributes, FALSE, FALSE, object_name(name, chars, HOOK_REQUEST, churn->hook));
    churn->answer =
        CreateEventW(&attributes, FALSE, FALSE, object_name(name, chars, HOOK_ANSWER, churn->hook));
    churn->turn = CreateMutexW(&attributes, FALSE, object_name(name, chars, HOOK_TURN, churn->hook));
    churn->mapping =
        CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, sizeof *churn->block,
                           object_name(name, chars, HOOK_MAPPING, churn->hook));
    if (!churn->stop || !churn->request || !churn->answer || !churn->turn || !churn->mapping)
        return FALSE;
    churn->block = MapViewOfFile(churn->mapping, FILE_MAP_WRITE, 0, 0, sizeof *churn->block);
    if (!churn->block)
        return FALSE;
    ResetEvent(churn->stop);
    *churn->block =
        (struct hook_block){.size = sizeof *churn->block, .participant_pid = GetCurrentProcessId()};
    return TRUE;
}

static void thaw(struct churn *churn)
{
    if (!churn->frozen)
        return;
    churn->frozen = FALSE;
    InterlockedExchange(&churn->freeze_wanted, 0);
    LeaveCriticalSection(&churn->busy);
}

static HRESULT freeze(struct churn *churn)
{
    if (!churn->frozen) {
        InterlockedExchange(&churn->freeze_wanted, 1);
        EnterCriticalSection(&churn->busy);
        churn->frozen = TRUE;
    }
    churn->frozen_at = GetTickCount64();
    churn->thawed_late = FALSE;
    if (churn->manifest && !manifest_write(churn->manifest, churn->tree, churn->lock, churn->locked))
        return VSS_E_WRITERERROR_NONRETRYABLE;
    return S_OK;
}

static HRESULT handle(struct churn *churn, enum hook_phase phase)
{
    switch (phase) {
    case HOOK_FREEZE:
        return freeze(churn);
    case HOOK_THAW: {
        BOOL late = churn->thawed_late;
        churn->thawed_late = FALSE;
        thaw(churn);
        return late ? VSS_E_WRITERERROR_TIMEOUT : S_OK;
    }
    case HOOK_ABORT:
        churn->thawed_late = FALSE;
        thaw(churn);
        return S_OK;
    case HOOK_PREPARE_SNAPSHOT:
    case HOOK_POST_SNAPSHOT:
    default:
        return S_OK;
    }
}

static void thaw_if_forgotten(struct churn *churn)
{
    if (churn->frozen && GetTickCount64() - churn->frozen_at > churn->block->freeze_limit_ms) {
        churn->thawed_late = TRUE;
        thaw(churn);
    }
}

/* The main thread: serves the hook until it is time to go. */
static void serve(struct churn *churn)
{
    ULONGLONG end = churn->seconds ? GetTickCount64() + 1000ULL * churn->seconds : MAXULONGLONG;
    HANDLE handles[2] = {churn->stop, churn->request};
    while (GetTickCount64() < end) {
        DWORD woken = WaitForMultipleObjects(churn->hook ? 2 : 1, handles, FALSE, IDLE_STEP_MS);
        if (woken == WAIT_OBJECT_0)
            break;
        if (woken == WAIT_OBJECT_0 + 1) {
            LONG sequence = churn->block->sequence;
            churn->block->result = handle(churn, (enum hook_phase)churn->block->phase);
            InterlockedExchange(&churn->block->answered, sequence);
            SetEvent(churn->answer);
        } else if (churn->hook) {
            thaw_if_forgotten(churn);
        }
    }
    thaw(churn);
}

static DWORD WINAPI write_forever(void *parameter)
{
    struct churn *churn = parameter;
    void *contents = ledger_prepare(1);
    BOOL ok = contents != NULL;
    BOOL stopped = FALSE;
    EnterCriticalSection(&churn->busy);
    for (unsigned long long generation = 1; ok && !stopped; generation++) {
        stopped = WaitForSingleObject(churn->stop, 0) == WAIT_OBJECT_0;
        BOOL rest = stopped || churn->freeze_wanted;
        ok = ledger_write_pair(churn->directory, &contents, generation, rest);
        if (!ok)
            complain(L"cannot write the ledgers in", churn->directory);
        if (rest) {
            LeaveCriticalSection(&churn->busy);
            while (churn->freeze_wanted)
                Sleep(1);
            EnterCriticalSection(&churn->busy);
        }
    }
    LeaveCriticalSection(&churn->busy);
    free(contents);
    SetEvent(churn->stop);
    return 0;
}

static DWORD WINAPI watch_input(void *parameter)
{
    struct churn *churn = parameter;
    char buffer[256];
    DWORD n;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), buffer, sizeof buffer, &n, NULL) && n > 0)
        ;
    SetEvent(churn->stop);
    return 0;
}

static int run(struct churn *churn)
{
    InitializeCriticalSection(&churn->busy);
    if (churn->hook ? !open_hook(churn) : !(churn->stop = CreateEventW(NULL, TRUE, FALSE, NULL)))
        return complain(L"cannot create the hook", churn->hook ? churn->hook : L"");
    churn->locked = INVALID_HANDLE_VALUE;
    if (churn->lock) {
        churn->locked = CreateFileW(churn->lock, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, 0, NULL);
        if (churn->locked == INVALID_HANDLE_VALUE)
            return complain(L"cannot lock", churn->lock);
    }
    void *contents = ledger_prepare(0);
    if (!contents || !ledger_write_pair(churn->directory, &contents, 0, TRUE))
        return complain(L"cannot write the ledgers in", churn->directory);
    free(contents);
    HANDLE writer = CreateThread(NULL, 0, write_forever, churn, 0, NULL);
    HANDLE input = CreateThread(NULL, 0, watch_input, churn, 0, NULL);
    if (!writer || !input)
        return complain(L"cannot start", L"a thread");
    puts("ready");
    if (fflush(stdout) != 0)
        return complain(L"cannot write to", L"standard output");
    serve(churn);
    SetEvent(churn->stop);
    WaitForSingleObject(writer, INFINITE);
    return 0;
}

static int usage(void)
{
    fputs("usage: churn DIR [--hook NAME] [--lock FILE] [--seconds N] [--manifest OUT --tree DIR]\n"
          "       churn --check DIR\n"
          "       churn --verify MANIFEST DIR\n",
          stderr);
    return 2;
}

static BOOL parse(struct churn *churn, int argc, wchar_t **argv)
{
    if (argc < 2 || argv[1][0] == L'-')
        return FALSE;
    churn->directory = argv[1];
    for (int i = 2; i < argc; i += 2) {
        if (i + 1 == argc)
            return FALSE;
        if (wcscmp(argv[i], L"--hook") == 0)
            churn->hook = argv[i + 1];
        else if (wcscmp(argv[i], L"--lock") == 0)
            churn->lock = argv[i + 1];
        else if (wcscmp(argv[i], L"--seconds") == 0)
            churn->seconds = wcstoul(argv[i + 1], NULL, 10);
        else if (wcscmp(argv[i], L"--manifest") == 0)
            churn->manifest = argv[i + 1];
        else if (wcscmp(argv[i], L"--tree") == 0)
            churn->tree = argv[i + 1];
        else
            return FALSE;
    }
    return (churn->manifest == NULL) == (churn->tree == NULL) &&
           (!churn->hook || wcslen(churn->hook) <= HOOK_NAME_MAX);
}

int wmain(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv)
{
    static struct churn churn;
    if (argc == 3 && wcscmp(argv[1], L"--check") == 0)
        return ledger_check_pair(argv[2], stdout) ? 0 : 1;
    if (argc == 4 && wcscmp(argv[1], L"--verify") == 0)
        return manifest_verify(argv[2], argv[3], stdout);
    if (!parse(&churn, argc, argv))
        return usage();
    return run(&churn);
}
