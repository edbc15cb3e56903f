/* `session`: a prompt, or a script, over the step calls of the protocol.
 *
 * What a person sets (context, options, volumes, writers) is kept here until a command needs it; at most one
 * VSS object of ours is then open, for a backup or for a restore, and stays so until `end restore`, `reset`
 * or the end. Questions about what exists take an object of their own, because the context of the other one
 * hides what is not its own. A command fills in its reply (text, and the members of a JSON object), or makes
 * an error. */
#ifndef SHADOWPIPE_CLIENT_CLI_SHELL_H
#define SHADOWPIPE_CLIENT_CLI_SHELL_H

#include "client/cli/alias.h"
#include "client/cli/command.h"
#include "client/cli/selection.h"

enum {
    VOLUMES_MAX = 64, /* VSS's limit of a set */
    GUID_TEXT_CHARS = 40,
    WRITERS_MAX = 4096 /* and the parts of their metadata */
};

/* VSS's own numbers, which steps pass on raw. */
enum {
    VSS_CONTEXT_BACKUP = 0,
    VSS_ATTRIBUTE_NO_WRITERS = 0x10,
    VSS_ATTRIBUTE_TRANSPORTABLE = 0x20,
    VSS_TYPE_FULL = 1,
    VSS_TYPE_COPY = 5,
    VSS_OBJECT_SET = 2,
    VSS_OBJECT_SNAPSHOT = 3,
    VSS_OBJECT_PROVIDER = 4,
    VSS_FILES_ALL = 2
};
#define VSS_CONTEXT_ALL 0xFFFFFFFFu

struct shell_volume {
    char *name;     /* as it was typed */
    char *path;     /* for VSS: the GUID path where it is known, with trailing backslash */
    char *alias;    /* NULL: none */
    char *provider; /* "" = VSS chooses */
    char snapshot_id[GUID_TEXT_CHARS];
    struct message *properties; /* of the snapshot; NULL: not known */
};

struct resync {
    char *snapshot_id;
    char *destination; /* "" = the original one */
};

enum shell_stage {
    STAGE_CLOSED,
    STAGE_OPEN, /* for a backup */
    STAGE_CREATED,
    STAGE_COMPLETED,
    STAGE_RESTORING, /* components are selected */
    STAGE_PRE_RESTORED,
    STAGE_POST_RESTORED
};

struct object {
    char id[GUID_TEXT_CHARS]; /* "" = none */
};

struct shell {
    struct session *session;
    /* How it goes on. */
    bool interactive;
    bool leaving;
    bool go_on_after_errors;
    bool verbose;
    void *log; /* HANDLE of --log; NULL: none */
    /* What is set. */
    struct aliases aliases;
    uint32_t context;
    uint32_t options;
    uint32_t backup_type;
    bool type_is_set;
    bool full_backup; /* begin backup */
    bool bootable;
    bool partial_files;
    uint32_t restore_type;
    char *metadata_file;
    struct strings verified;
    struct strings excluded;
    struct strings added; /* components */
    struct shell_volume volumes[VOLUMES_MAX];
    size_t volumes_count;
    struct resync resyncs[VOLUMES_MAX];
    size_t resyncs_count;
    char *document; /* loaded by `load metadata`; NULL: none */
    size_t document_size;
    /* The object, and what it is about. */
    struct object object;
    enum shell_stage stage;
    bool component_mode;
    bool state_is_set; /* SetBackupState was called by `call` */
    char set_id[GUID_TEXT_CHARS];
    struct message *writers[WRITERS_MAX]; /* replies of GetWriterMetadataEx, in parts only in lists; what
                                             `chosen` points into */
    size_t writers_count;
    struct message *components[WRITERS_MAX]; /* of GetWriterComponents, in a restore */
    size_t components_count;
    struct selection chosen;
    struct message *volumes_reply; /* of ListVolumes; NULL: not asked yet */
    /* Of the command that runs. */
    struct text text;
    struct text json; /* members without the braces: "\"setId\":\"…\"" */
};

/* ---- session_commands.c ---- */

/* Finds the command and runs it. False with *error. */
bool shell_run(struct shell *shell, char **words, size_t count, struct sp_error **error);
/* The help of those whose name begins with the words; false: none does. */
bool shell_help(char *const *words, size_t count, struct text *text);

typedef bool shell_handler(struct shell *shell, char **words, size_t count, struct sp_error **error);

/* Each gets what stands behind its name. */
shell_handler shell_set_context, shell_set_option, shell_set_type, shell_set_metadata, shell_set_verbose,
    shell_set_errors, shell_set_restore_type, shell_set_file_status;
shell_handler shell_writer_verify, shell_writer_exclude;
shell_handler shell_add, shell_add_volume, shell_add_component, shell_add_alias, shell_add_shadow;
shell_handler shell_begin_backup, shell_create, shell_end_backup, shell_reset;
shell_handler shell_load_metadata, shell_save_document, shell_save_variables;
shell_handler shell_list_writers, shell_list_shadows, shell_list_providers, shell_list_volumes;
shell_handler shell_delete, shell_import, shell_mask, shell_break, shell_expose, shell_unexpose, shell_revert,
    shell_resync;
shell_handler shell_begin_restore, shell_select, shell_pre_restore, shell_post_restore, shell_end_restore,
    shell_simulate_restore;
shell_handler shell_exec, shell_call, shell_show_help, shell_exit;

/* ---- session_object.c ---- */

/* The document, if it is not NULL, goes in first. */
bool object_open(struct shell *shell, struct object *object, PB(SessionMode) mode, bool with_document,
                 struct sp_error **error);
/* One of `mode` for questions: initialised, and with the context that sees all. */
bool object_open_all(struct shell *shell, struct object *object, struct sp_error **error);
/* Closes; the service aborts or completes what is open. False: it did not close well. */
bool object_close(struct shell *shell, struct object *object, struct sp_error **error);

/* One call; `call` lacks only its session. NULL: it could not be made, or (unless `raw`) VSS refused it. */
struct message *object_call(struct shell *shell, const struct object *object, PB(Call) * call,
                            struct sp_error **error);
struct message *object_call_raw(struct shell *shell, const struct object *object, PB(Call) * call,
                                struct sp_error **error);
/* The failure that the reply tells of; NULL: it succeeded. */
struct sp_error *call_failure(const PB(Call) * call, const PB(CallReply) * reply);
/* The same where the reply holds nothing. */
bool object_do(struct shell *shell, const struct object *object, PB(Call) * call, struct sp_error **error);

/* Another request of the connection, with progress and Ctrl-C as for calls. */
struct message *shell_request(struct shell *shell, const PB(Envelope) * request,
                              PB(Envelope__BodyCase) expected, struct sp_error **error);

/* ---- session_manage.c ---- */

/* The object for something about a copy or set: ours if it is ours, for which no other rights are needed;
 * else `other`, opened so that it sees all, and closed by the caller in any case. */
const struct object *object_for(struct shell *shell, const char *id, struct object *other,
                                struct sp_error **error);

/* ---- session_documents.c ---- */

/* Sends the loaded document; `id` gets what names it. */
bool shell_put_document(struct shell *shell, char id[GUID_TEXT_CHARS], struct sp_error **error);
/* SaveAsXML, and the document into the file of `set metadata`, the aliases into one beside it. */
bool shell_save_metadata(struct shell *shell, struct sp_error **error);

/* ---- session_writers.c ---- */

bool object_count_writers(struct shell *shell, const struct object *object, uint32_t *count,
                          struct sp_error **error);
/* GetWriterMetadataEx of each, into shell->writers. */
bool shell_read_writers(struct shell *shell, const struct object *object, bool with_files,
                        struct sp_error **error);
void shell_forget_writers(struct shell *shell);
/* The messages in shell->writers. */
size_t shell_writers(const struct shell *shell, PB(Writer) * *writers);
/* DisableWriterInstances and DisableWriterClasses for the writers that are left out as a whole. */
bool shell_disable_writers(struct shell *shell, struct sp_error **error);
/* Fills shell->chosen in a backup by components. */
bool shell_choose(struct shell *shell, struct sp_error **error);
/* `writer verify`: all are in `shell->chosen`, or, without components, answer. */
bool shell_verify(struct shell *shell, struct sp_error **error);
/* Asks for the writers' status and shows it; one that counts and failed is an error. */
bool shell_check_writers(struct shell *shell, const char *after, struct sp_error **error);

/* ---- session_volumes.c ---- */

/* "C:", a mounted folder, a GUID path. NULL without *error: there is none of this name. */
const PB(Volume) * shell_find_volume(struct shell *shell, const char *name, struct sp_error **error);
/* The volume that holds the path; NULL: none, or not known. */
const PB(Volume) * shell_volume_of_path(const struct shell *shell, const char *path);
/* All copies that there are, of an object of shell_open_all. */
struct message *shell_query(struct shell *shell, const struct object *object, uint32_t type,
                            struct sp_error **error);
void shell_add_snapshot_text(struct shell *shell, const PB(Snapshot) * snapshot);
/* GetSnapshotProperties of what was created, with the names of the volumes. */
bool shell_read_properties(struct shell *shell, struct sp_error **error);

/* ---- session_exec.c ---- */

/* A variable of the system, for aliases. */
bool shell_variable(const char *name, struct text *value);

/* ---- what they share (session_state.c) ---- */

void shell_clear_settings(struct shell *shell);
/* Lets the object go, and all that is known of it. False with *error: it ended badly. */
bool shell_close(struct shell *shell, struct sp_error **error);
bool shell_wrong(struct sp_error **error, const char *advice, const char *format, ...) TEXT_PRINTF(3, 4);
bool shell_no_memory(struct sp_error **error);
bool shell_too_many(struct sp_error **error); /* writers, than WRITERS_MAX */
/* Equal but for capitals and a backslash at the end. */
bool shell_same_path(const char *a, const char *b);

struct word_value {
    const char *word;
    uint32_t value;
};
#define FIND_WORD(words, word) find_word(words, sizeof(words) / sizeof *(words), word)
const struct word_value *find_word(const struct word_value *words, size_t count, const char *word);
/* Adds "name":"value" to the reply. */
void shell_json(struct shell *shell, const char *name, const char *value);
void shell_json_message(struct shell *shell, const char *name, const ProtobufCMessage *message);
/* Begins the next member: adds the comma and "name":. */
void shell_json_name(struct shell *shell, const char *name);
bool shell_set_alias(struct shell *shell, const char *name, const char *value, struct sp_error **error);
/* What stands behind "--" on the command line becomes aliases, which are this script's only. */
bool shell_set_parameters(struct shell *shell, struct sp_error **error);
bool shell_is_parameter(const char *name);
/* What an id is shown with: " %NAME%", or nothing. */
void shell_add_alias_of(const struct shell *shell, const char *value, struct text *text);

#endif
