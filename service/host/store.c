#include "service/host/store.h"

#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/host/log.h"
#include "service/host/text.h"
#include "service/host/win32_api.h"

/* One write or deletion. */
struct operation {
    struct helper_job job;
    struct loop_operation refused;
    struct store *store;
    HKEY registry_key;
    char key[STORE_KEY_CHARS];
    bool deletes;
    bool lasting;
    DWORD error;
    const char *failure; /* where there is no Win32 code */
    DWORD size;
    uint8_t bytes[];
};

void store_place(const struct service_config *config, wchar_t path[STORE_PATH_CHARS])
{
    const wchar_t *pipe = config->pipe_name + wcslen(CONFIG_PIPE_PREFIX);
    bool is_default = _wcsicmp(pipe, CONFIG_DEFAULT_PIPE) == 0;
    /* Snapshots of a simulator are not those of Windows. */
    const wchar_t *kind = config->vss_library[0] != L'\0' ? L"SetsOfVssLibrary" : L"Sets";
    int length = swprintf(path, STORE_PATH_CHARS, L"SOFTWARE\\Shadowpipe\\%ls", kind);
    if (!is_default) {
        swprintf(path + length, STORE_PATH_CHARS - (size_t)length, L"\\%ls", pipe);
        for (wchar_t *c = path + length + 1; *c != L'\0'; c++) {
            if (*c == L'\\') {
                *c = L'/'; /* which no pipe's name has */
            }
        }
    }
}

/* ---- the key ---- */

static DWORD cannot(struct store *store, DWORD error, const char *what)
{
    char words[128];
    text_of_error(error, words, sizeof words);
    snprintf(store->failure, sizeof store->failure, "%s: %s (%lu)", what, words, error);
    store_close(store);
    return error;
}

static DWORD open_key(struct store *store, HKEY root, const wchar_t *path, PSECURITY_DESCRIPTOR descriptor)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof security, .lpSecurityDescriptor = descriptor};
    DWORD access = KEY_QUERY_VALUE | KEY_SET_VALUE | (descriptor != NULL ? WRITE_DAC : 0);
    DWORD error = (DWORD)RegCreateKeyExW(root, path, 0, NULL, 0, access,
                                         descriptor != NULL ? &security : NULL, &store->key, NULL);
    if (error != ERROR_SUCCESS) {
        store->key = NULL;
        return cannot(store, error, "the registry key could not be opened");
    }
    if (descriptor == NULL) {
        return ERROR_SUCCESS;
    }
    /* Also one that was there before. */
    error = (DWORD)RegSetKeySecurity(
        store->key, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, descriptor);
    return error == ERROR_SUCCESS ? error : cannot(store, error, "the registry key could not be protected");
}

DWORD store_open(struct store *store, HKEY root, const wchar_t *path, const wchar_t *sddl)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    store->failure[0] = '\0';
    if (sddl != NULL &&
        !ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &descriptor, NULL)) {
        return cannot(store, GetLastError(), "the security descriptor could not be built");
    }
    DWORD error = open_key(store, root, path, descriptor);
    LocalFree(descriptor);
    return error;
}

void store_read(struct store *store,
                void (*found)(void *context, const char *key, const uint8_t *bytes, size_t size),
                void *context)
{
    uint8_t *bytes = store->key != NULL ? malloc(STORE_VALUE_BYTES) : NULL;
    if (store->key != NULL && bytes == NULL) {
        log_write(BROKER_LOG_ERROR, "The stored snapshot sets could not be read: no memory");
    }
    DWORD error = ERROR_SUCCESS;
    for (DWORD i = 0; bytes != NULL && error != ERROR_NO_MORE_ITEMS; i++) {
        wchar_t name[STORE_KEY_CHARS];
        char key[3 * STORE_KEY_CHARS];
        DWORD chars = ARRAYSIZE(name);
        DWORD size = STORE_VALUE_BYTES;
        DWORD type = REG_NONE;
        error = (DWORD)RegEnumValueW(store->key, i, name, &chars, NULL, &type, bytes, &size);
        if (error == ERROR_SUCCESS && type == REG_BINARY && text_to_utf8(name, key, sizeof key)) {
            found(context, key, bytes, size);
        } else if (error != ERROR_NO_MORE_ITEMS) {
            log_error(BROKER_LOG_WARNING, error, "value %lu of the stored snapshot sets is nothing of ours",
                      i);
        }
        if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA) {
            break; /* there is no telling which the next would be */
        }
    }
    free(bytes);
}

/* ---- operations ---- */

static DWORD write_value(const struct operation *operation, const wchar_t *name)
{
    if (operation->deletes) {
        DWORD error = (DWORD)RegDeleteValueW(operation->registry_key, name);
        return error == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : error;
    }
    DWORD error = (DWORD)RegSetValueExW(operation->registry_key, name, 0, REG_BINARY, operation->bytes,
                                        operation->size);
    /* A power failure right after DoSnapshotSet must find it. */
    return error == ERROR_SUCCESS && operation->lasting ? (DWORD)win32.flush_key(operation->registry_key)
                                                        : error;
}

static void work(struct helper_job *job)
{
    struct operation *operation = LOOP_OWNER(job, struct operation, job);
    wchar_t name[STORE_KEY_CHARS];
    size_t i = 0;
    do {
        name[i] = (wchar_t)(unsigned char)operation->key[i]; /* an id: ASCII */
    } while (operation->key[i++] != '\0');
    operation->error = write_value(operation, name);
}

static void answer(struct operation *operation)
{
    struct store *store = operation->store;
    char words[256];
    const char *failure = operation->failure;
    if (failure == NULL && operation->error != ERROR_SUCCESS) {
        text_of_error(operation->error, words, sizeof words);
        failure = words;
    }
    store->operations--;
    store->done(store->context, operation->key, failure);
    free(operation);
}

static void work_done(struct helper_job *job)
{
    answer(LOOP_OWNER(job, struct operation, job));
}

static void refused(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    answer(LOOP_OWNER(operation, struct operation, refused));
}

static void submit(struct store *store, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    struct operation *operation = calloc(1, sizeof *operation + size);
    if (operation == NULL) {
        win32.fail_fast("no memory to record a snapshot set");
        return;
    }
    operation->store = store;
    operation->registry_key = store->key;
    snprintf(operation->key, sizeof operation->key, "%s", key);
    operation->deletes = bytes == NULL;
    operation->lasting = lasting;
    operation->size = (DWORD)size;
    if (size > 0) {
        memcpy(operation->bytes, bytes, size);
    }
    operation->job.work = work;
    operation->job.done = work_done;
    store->operations++;
    if (store->key == NULL) {
        operation->failure = store->failure;
    } else if (!helper_submit(store->helper, &operation->job)) {
        operation->failure = "the service is too busy";
    }
    if (operation->failure != NULL) {
        loop_prepare(&operation->refused, refused);
        loop_defer(store->loop, &operation->refused, ERROR_SUCCESS);
    }
}

void store_put(struct store *store, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    submit(store, key, bytes, size, lasting);
}

void store_delete(struct store *store, const char *key)
{
    submit(store, key, NULL, 0, false);
}

void store_close(struct store *store)
{
    if (store->key != NULL) {
        RegCloseKey(store->key);
    }
    store->key = NULL;
}
