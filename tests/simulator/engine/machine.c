#include "machine.h"
#include "copies.h"
#include "hook.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <vss.h>
#include <wchar.h>

#define RECORD_CHARS  4096
#define HOOK_LIMIT_MS 5000

static void object_path(wchar_t *path, unsigned number, const wchar_t *ending)
{
    wchar_t name[60];
    swprintf(name, ARRAYSIZE(name), L"objects\\%u.%ls", number, ending);
    store_path(path, name);
}

static HANDLE open_alone(const wchar_t *path, DWORD disposition)
{
    return CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, disposition, 0, NULL);
}

HRESULT machine_join(struct machine_object *object)
{
    wchar_t path[STORE_PATH_CHARS], text[100];
    object->lock = INVALID_HANDLE_VALUE;
    store_lock();
    object->number = store_next_number(L"objects");
    HRESULT hr = object->number ? S_OK : VSS_E_UNEXPECTED;
    if (SUCCEEDED(hr)) {
        object_path(path, object->number, L"lock");
        object->lock = open_alone(path, CREATE_ALWAYS);
        if (object->lock == INVALID_HANDLE_VALUE)
            hr = HRESULT_FROM_WIN32(GetLastError());
    }
    if (SUCCEEDED(hr)) {
        object_path(path, object->number, L"txt");
        swprintf(text, ARRAYSIZE(text), L"pid=%lu\nsince=%llu\n", GetCurrentProcessId(), store_now_ms());
        hr = store_write(path, text);
    }
    if (FAILED(hr))
        machine_leave(object);
    store_unlock();
    return hr;
}

void machine_note_writers(const struct machine_object *object, const wchar_t *writers, const wchar_t *hooks)
{
    wchar_t path[STORE_PATH_CHARS], text[RECORD_CHARS];
    object_path(path, object->number, L"txt");
    if (swprintf(text, ARRAYSIZE(text), L"pid=%lu\nsince=%llu\nwriters=%ls\nhooks=%ls\n",
                 GetCurrentProcessId(), store_now_ms(), writers, hooks) < 0 ||
        FAILED(store_write(path, text)))
        store_log(object->number, L"store", L"the object's record cannot be kept");
}

void machine_leave(struct machine_object *object)
{
    wchar_t path[STORE_PATH_CHARS];
    if (object->lock == INVALID_HANDLE_VALUE)
        return;
    store_lock();
    CloseHandle(object->lock);
    object->lock = INVALID_HANDLE_VALUE;
    object_path(path, object->number, L"txt");
    DeleteFileW(path);
    object_path(path, object->number, L"lock");
    DeleteFileW(path);
    store_unlock();
}

static void write_creator(unsigned object, const wchar_t *state)
{
    wchar_t path[STORE_PATH_CHARS], text[100];
    store_path(path, L"creator.txt");
    swprintf(text, ARRAYSIZE(text), L"pid=%lu\nobject=%u\nstate=%ls\nsince=%llu\n", GetCurrentProcessId(),
             object, state, store_now_ms());
    if (FAILED(store_write(path, text)))
        store_log(object, L"store", L"the creator's record cannot be kept");
    store_log(object, L"creator", L"%ls", state);
}

/* The object that the record names as creating a set; 0 if none. */
static unsigned open_creator(void)
{
    wchar_t path[STORE_PATH_CHARS], state[20];
    store_path(path, L"creator.txt");
    wchar_t *text = store_read(path);
    unsigned object = 0;
    if (text && record_get(text, L"state", state, ARRAYSIZE(state)) && wcscmp(state, L"open") == 0)
        object = (unsigned)record_number(text, L"object");
    free(text);
    return object;
}

HRESULT creator_begin(const struct scenario *scenario, const struct machine_object *object, HANDLE *lock)
{
    wchar_t path[STORE_PATH_CHARS];
    HRESULT hr = VSS_E_SNAPSHOT_SET_IN_PROGRESS;
    machine_sweep(scenario);
    store_lock();
    store_path(path, L"creator.lock");
    *lock = open_alone(path, OPEN_ALWAYS);
    if (*lock != INVALID_HANDLE_VALUE) {
        if (open_creator() == 0) {
            write_creator(object->number, L"open");
            hr = S_OK;
        } else {
            CloseHandle(*lock);
            *lock = INVALID_HANDLE_VALUE;
        }
    }
    store_unlock();
    return hr;
}

void creator_end(const struct machine_object *object, HANDLE *lock)
{
    if (*lock == INVALID_HANDLE_VALUE)
        return;
    store_lock();
    write_creator(object->number, L"closed");
    CloseHandle(*lock);
    *lock = INVALID_HANDLE_VALUE;
    store_unlock();
}

static void tell_writers(unsigned number, const wchar_t *event, wchar_t *writers)
{
    wchar_t *rest = NULL;
    for (wchar_t *name = wcstok_s(writers, L";", &rest); name; name = wcstok_s(NULL, L";", &rest))
        store_log(number, L"writer", L"%ls\t%ls\thr=0x00000000\tstate=1", event, name);
}

static void tell_hooks(unsigned number, wchar_t *hooks)
{
    wchar_t *rest = NULL;
    for (wchar_t *name = wcstok_s(hooks, L";", &rest); name; name = wcstok_s(NULL, L";", &rest))
        if (FAILED(hook_ask(name, HOOK_ABORT, HOOK_LIMIT_MS, NULL)))
            store_log(number, L"writer", L"no answer from the hook %ls", name);
}

/* Called with the store locked, and gives it up while it asks hooks: a program that hangs must not stop the
 * whole machine. The set stays open until they have answered, so that no other begins before. */
static void run_down(unsigned number, const wchar_t *text, unsigned long release_delay_ms)
{
    wchar_t writers[RECORD_CHARS], hooks[RECORD_CHARS], path[STORE_PATH_CHARS];
    store_log(number, L"object", L"run down");
    if (open_creator() == number) {
        record_get(text, L"writers", writers, ARRAYSIZE(writers));
        tell_writers(number, L"Abort", writers);
        record_get(text, L"hooks", hooks, ARRAYSIZE(hooks));
        store_unlock();
        tell_hooks(number, hooks);
        store_lock();
        write_creator(number, L"closed");
    }
    record_get(text, L"writers", writers, ARRAYSIZE(writers));
    tell_writers(number, L"BackupShutdown", writers);
    copies_release(number, release_delay_ms);
    object_path(path, number, L"txt");
    DeleteFileW(path);
}

/* Gives a dead object's record the time at which its death was noticed, or runs it down when that is long
 * enough ago. */
static void bury(const struct scenario *scenario, unsigned number, const wchar_t *text)
{
    unsigned long rundown_ms = scenario_number(scenario, L"machine", L"rundown_ms", 0);
    wchar_t path[STORE_PATH_CHARS], marked[RECORD_CHARS];
    unsigned long long noticed = record_number(text, L"noticed");
    if (!noticed && rundown_ms) {
        object_path(path, number, L"txt");
        swprintf(marked, ARRAYSIZE(marked), L"noticed=%llu\n%ls", store_now_ms(), text);
        if (FAILED(store_write(path, marked)))
            store_log(number, L"store", L"the object's record cannot be kept");
        store_log(number, L"object", L"found dead");
    } else if (store_now_ms() - noticed >= rundown_ms) {
        run_down(number, text, scenario_number(scenario, L"machine", L"release_delay_ms", 0));
    }
}

/* While its lock is held here, the object lives for everybody else: nobody buries it a second time. */
static void look_at(const struct scenario *scenario, unsigned number)
{
    wchar_t path[STORE_PATH_CHARS];
    store_lock();
    object_path(path, number, L"txt");
    wchar_t *text = store_read(path);
    object_path(path, number, L"lock");
    HANDLE lock = text ? open_alone(path, OPEN_ALWAYS) : INVALID_HANDLE_VALUE;
    if (lock != INVALID_HANDLE_VALUE) {
        bury(scenario, number, text);
        CloseHandle(lock);
        object_path(path, number, L"txt");
        if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES) {
            object_path(path, number, L"lock");
            DeleteFileW(path);
        }
    }
    free(text);
    store_unlock();
}

void machine_sweep(const struct scenario *scenario)
{
    size_t count;
    unsigned *numbers = store_list(L"objects\\*.txt", &count);
    for (size_t i = 0; i < count; i++)
        look_at(scenario, numbers[i]);
    free(numbers);
    copies_sweep();
}
