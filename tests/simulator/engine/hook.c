#include "hook.h"

#include <stdio.h>
#include <vss.h>

struct link {
    HANDLE mapping, request, answer, turn, process;
    struct hook_block *block;
};

static void link_close(struct link *link)
{
    if (link->block)
        UnmapViewOfFile(link->block);
    HANDLE handles[] = {link->mapping, link->request, link->answer, link->turn, link->process};
    for (size_t i = 0; i < ARRAYSIZE(handles); i++)
        if (handles[i])
            CloseHandle(handles[i]);
}

static const wchar_t *object_name(wchar_t *buffer, size_t chars, const wchar_t *format, const wchar_t *name)
{
    const wchar_t *percent = wcschr(format, L'%');
    swprintf(buffer, chars, L"%.*ls%.60ls%ls", (int)(percent - format), format, name, percent + 3);
    return buffer;
}

static BOOL link_open(struct link *link, const wchar_t *name)
{
    wchar_t buffer[120];
    const size_t chars = ARRAYSIZE(buffer);
    *link = (struct link){0};
    link->mapping = OpenFileMappingW(FILE_MAP_WRITE, FALSE, object_name(buffer, chars, HOOK_MAPPING, name));
    link->request = OpenEventW(EVENT_MODIFY_STATE, FALSE, object_name(buffer, chars, HOOK_REQUEST, name));
    link->answer = OpenEventW(SYNCHRONIZE, FALSE, object_name(buffer, chars, HOOK_ANSWER, name));
    link->turn =
        OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, object_name(buffer, chars, HOOK_TURN, name));
    if (link->mapping)
        link->block = MapViewOfFile(link->mapping, FILE_MAP_WRITE, 0, 0, sizeof *link->block);
    if (link->block && link->block->size == sizeof *link->block)
        link->process = OpenProcess(SYNCHRONIZE, FALSE, link->block->participant_pid);
    if (link->request && link->answer && link->turn && link->process)
        return TRUE;
    link_close(link);
    return FALSE;
}

BOOL hook_is_there(const wchar_t *name)
{
    struct link link;
    if (!link_open(&link, name))
        return FALSE;
    BOOL alive = WaitForSingleObject(link.process, 0) == WAIT_TIMEOUT;
    link_close(&link);
    return alive;
}

/* The answer to an earlier request, given up by its asker, may still come in: hence the sequence number. */
static HRESULT wait_for_answer(struct link *link, LONG sequence, DWORD limit_ms, HANDLE cancel)
{
    HANDLE handles[3] = {link->answer, link->process, cancel};
    ULONGLONG end = GetTickCount64() + limit_ms;
    for (;;) {
        ULONGLONG now = GetTickCount64();
        DWORD left = now < end ? (DWORD)(end - now) : 0;
        switch (WaitForMultipleObjects(cancel ? 3 : 2, handles, FALSE, left)) {
        case WAIT_OBJECT_0:
            if (InterlockedCompareExchange(&link->block->answered, 0, 0) == sequence)
                return link->block->result;
            break;
        case WAIT_OBJECT_0 + 2:
            return VSS_S_ASYNC_CANCELLED;
        case WAIT_TIMEOUT:
            return VSS_E_WRITERERROR_TIMEOUT;
        default:
            return VSS_E_WRITER_NOT_RESPONDING;
        }
    }
}

HRESULT hook_ask(const wchar_t *name, enum hook_phase phase, DWORD limit_ms, HANDLE cancel)
{
    struct link link;
    if (!link_open(&link, name))
        return VSS_E_WRITER_NOT_RESPONDING;
    HRESULT hr = VSS_E_WRITERERROR_TIMEOUT;
    DWORD turn = WaitForSingleObject(link.turn, limit_ms);
    if (turn == WAIT_OBJECT_0 || turn == WAIT_ABANDONED) {
        link.block->freeze_limit_ms = limit_ms;
        link.block->phase = (LONG)phase;
        LONG sequence = InterlockedIncrement(&link.block->sequence);
        SetEvent(link.request);
        hr = wait_for_answer(&link, sequence, limit_ms, cancel);
        ReleaseMutex(link.turn);
    }
    link_close(&link);
    return hr;
}
