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
    WRITER_PRE_RESTORE,
    WRITER_POST_RESTORE,
    WRITER_EVENTS
};

/* As docs/simulator.md and events.log spell it. */
const wchar_t *writer_event_name(enum writer_event event);

struct writer_files {
    const wchar_t *path, *spec;
    BOOL recursive;
    DWORD backup_mask;
    const wchar_t *alternate; /* NULL: none */
};

struct writer_dependency {
    GUID writer;
    const wchar_t *path, *name;
};

struct writer_component {
    VSS_COMPONENT_TYPE type;
    const wchar_t *path, *name, *caption; /* path and caption may be NULL */
    BOOL selectable, selectable_for_restore, notify, restore_metadata;
    DWORD flags;
    unsigned file_count, log_count, dependency_count;
    const struct writer_files *files, *logs; /* of a database: its data files and its logs */
    const struct writer_dependency *dependencies;
    /* from the scenario */
    enum writer_event fail_at;
    HRESULT failure, application_failure;
    const wchar_t *application_message;
    const wchar_t *partial; /* a file of which only parts changed, as a partial file in the document */
};

enum writer_hang {
    HANG_CANCEL,  /* until the operation is cancelled */
    HANG_TIMEOUT, /* until the writer's time-out, which fails it */
    HANG_FILE,    /* as long as its file exists, or until the operation is cancelled */
    HANG_FOREVER
};

struct writer {
    const wchar_t *name, *instance_name; /* the second may be NULL */
    GUID class_id, instance_id;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    VSS_RESTOREMETHOD_ENUM restore;
    VSS_WRITERRESTORE_ENUM writer_restore;
    const wchar_t *service, *procedure; /* of the restore method; may be NULL */
    BOOL reboot;
    VSS_APPLICATION_LEVEL level;
    DWORD schema, version_major, version_minor;
    unsigned exclude_count, snapshot_exclude_count, mapping_count, component_count;
    const struct writer_files *excludes, *snapshot_excludes;
    const struct writer_files *mappings; /* to alternate locations */
    const struct writer_component *components;
    /* from the scenario */
    enum writer_event fail_at, hang_at;
    HRESULT failure, application_failure;
    const wchar_t *application_message;
    enum writer_hang hang;
    const wchar_t *hang_file;
    DWORD timeout_ms;
    const wchar_t *hook;               /* NULL: none */
    const wchar_t *metadata, *stamp;   /* what it notes in the document of a backup; NULL: nothing */
    VSS_RESTORE_TARGET restore_target; /* what it wants at PreRestore */
};

struct writer_list {
    LONG references;
    struct scenario *scenario;
    struct writer_memory *memory; /* what the writers point to, and did not come with the program */
    unsigned count;
    struct writer writers[];
};

/* Every writer that is installed, in the order in which Freeze reaches them: front end, back end, system. */
HRESULT writer_list_make(struct scenario *scenario, struct writer_list **list);
/* Room for so many writers, and none in it; NULL: out of memory. */
struct writer_list *writer_list_create(struct scenario *scenario, unsigned room);
/* Zeroed memory, and copies of texts (NULL of NULL), that live as long as the list. NULL: out of memory. */
void *writer_list_allocate(struct writer_list *list, size_t size);
const wchar_t *writer_list_text(struct writer_list *list, const wchar_t *text);
struct writer_list *writer_list_hold(struct writer_list *list);
void writer_list_drop(struct writer_list *list);

const struct writer_component *writer_find_component(const struct writer *writer, VSS_COMPONENT_TYPE type,
                                                     const wchar_t *path, const wchar_t *name);
/* NULL and "" are the same logical path. */
BOOL writer_same_path(const wchar_t *a, const wchar_t *b);
