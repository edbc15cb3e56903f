/* The writers of the simulated machine: what they say about themselves, and what the scenario does to them.
 * A list is made when a session gathers metadata; it never changes and is shared by reference, so that a
 * metadata object outlives FreeWriterMetadata and the session itself. How writers fare in a session is in
 * session.h. */
#pragma once
#include <windows.h>
#include <vss.h>
#include <vswriter.h>
#include "scenario.h"

enum writer_event {
    WRITER_NONE,
    WRITER_IDENTIFY,
    WRITER_PREPARE_BACKUP,
    WRITER_PREPARE_SNAPSHOT,
    WRITER_FREEZE,
    WRITER_THAW,
    WRITER_POST_SNAPSHOT,
    WRITER_BACKUP_COMPLETE,
    WRITER_ABORT,
    WRITER_BACKUP_SHUTDOWN,
    WRITER_EVENTS
};

/* As docs/simulator.md and events.log spell it. */
const wchar_t *writer_event_name(enum writer_event event);

struct writer_files {
    const wchar_t *path, *spec;
    BOOL recursive;
    DWORD backup_mask;
};

struct writer_dependency {
    GUID writer;
    const wchar_t *path, *name;
};

struct writer_component {
    VSS_COMPONENT_TYPE type;
    const wchar_t *path, *name, *caption; /* path and caption may be NULL */
    BOOL selectable, notify;
    unsigned file_count;
    struct writer_files files[3];
    unsigned dependency_count;
    struct writer_dependency dependency;
};

enum writer_hang {
    HANG_CANCEL,  /* until the operation is cancelled */
    HANG_TIMEOUT, /* until the writer's time-out, which fails it */
    HANG_FOREVER
};

struct writer {
    const wchar_t *name;
    GUID class_id, instance_id;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    VSS_RESTOREMETHOD_ENUM restore;
    VSS_APPLICATION_LEVEL level;
    DWORD schema;
    unsigned exclude_count;
    struct writer_files excludes[2];
    unsigned component_count;
    struct writer_component components[2];
    /* from the scenario */
    enum writer_event fail_at, hang_at;
    HRESULT failure, application_failure;
    const wchar_t *application_message;
    enum writer_hang hang;
    DWORD timeout_ms;
    const wchar_t *hook; /* NULL: none */
};

struct writer_list {
    LONG references;
    struct scenario *scenario;
    unsigned count;
    struct writer writers[];
};

/* Every writer that is installed, in the order in which Freeze reaches them: front end, back end, system. */
HRESULT writer_list_make(struct scenario *scenario, struct writer_list **list);
struct writer_list *writer_list_hold(struct writer_list *list);
void writer_list_drop(struct writer_list *list);

const struct writer_component *writer_find_component(const struct writer *writer, VSS_COMPONENT_TYPE type,
                                                     const wchar_t *path, const wchar_t *name);
/* NULL and "" are the same logical path. */
BOOL writer_same_path(const wchar_t *a, const wchar_t *b);
