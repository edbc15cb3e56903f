/* Backups by component: what is selected and what joins, the volumes that are needed, stamps, outcomes and
 * the list of components. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

enum {
    SYSTEM,
    SQL,
    ACME
};

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

/* ---- writers ---- */

/* "path\name": a component that is selectable if `selectable`, with files below `root`. */
struct declared {
    const char *path;
    const char *name;
    bool selectable;
    const char *root;
};

struct writer {
    PB(Writer) message;
    PB(Component) components[FAKE_COMPONENTS];
    PB(Component) * list[FAKE_COMPONENTS];
    PB(FileDescriptor) files[FAKE_COMPONENTS];
    PB(FileDescriptor) * file_lists[FAKE_COMPONENTS][1];
    char *roots[FAKE_COMPONENTS][2];
};

static void declare(struct world *world, unsigned index, struct writer *writer, const struct declared *rows,
                    size_t count)
{
    shadowpipe__v1__writer__init(&writer->message);
    writer->message.components = writer->list;
    writer->message.n_components = count;
    for (size_t i = 0; i < count; i++) {
        PB(Component) *component = writer->list[i] = &writer->components[i];
        shadowpipe__v1__component__init(component);
        component->type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_FILE_GROUP);
        component->logical_path = text(rows[i].path);
        component->name = text(rows[i].name);
        component->selectable = rows[i].selectable;
        shadowpipe__v1__file_descriptor__init(&writer->files[i]);
        writer->files[i].path = text(rows[i].root);
        writer->files[i].filespec = text("*");
        writer->files[i].recursive = true;
        writer->file_lists[i][0] = &writer->files[i];
        component->files = writer->file_lists[i];
        writer->roots[i][0] = text(rows[i].root);
        component->roots = writer->roots[i];
        component->n_roots = component->n_files = rows[i].root[0] != '\0';
    }
    world->machine.declared[index] = &writer->message;
}

/* The example of Microsoft's "Working with Selectability for Backup". */
static const struct declared my_writer[] = {
    {"", "Executables", false, "C:\\exe"},
    {"Executables", "ConfigFiles", false, "C:\\exe"},
    {"", "LicenseInfo", true, "C:\\licence"},
    {"", "Security", true, "C:\\security"},
    {"Security", "UserInfo", false, "C:\\security"},
    {"Security", "Certificates", false, "C:\\security"},
    {"", "writerData", true, ""},
    {"writerData", "Set1", false, "C:\\set1"},
    {"writerData\\Set1", "Jan", false, "C:\\set1"},
    {"writerData\\Set1", "Dec", false, "C:\\set1"},
    {"writerData", "Set2", false, "C:\\set2"},
    {"writerData\\Set2", "Jan", false, "C:\\set2"},
    {"writerData\\Set2", "Dec", false, "C:\\set2"},
    {"writerData\\QueryLogs", "Query", false, "C:\\logs"},
    {"writerData", "Usage", true, "C:\\usage"},
    {"writerData\\Usage", "Jan", false, "C:\\usage"},
    {"writerData\\Usage", "Dec", false, "C:\\usage"},
};

static const struct declared databases[] = {
    {"SERVER", "one", true, "C:\\db"},
    {"SERVER", "two", true, "D:\\db"},
};

/* ---- requests ---- */

static char *const volume_c[] = {(char *)(uintptr_t) "C:"};

struct wish {
    PB(CreateSnapshot) message;
    PB(ComponentSelection) components[4];
    PB(ComponentSelection) * list[4];
};

static void wish_init(struct wish *wish)
{
    shadowpipe__v1__create_snapshot__init(&wish->message);
    wish->message.volumes = (char **)(uintptr_t)volume_c;
    wish->message.n_volumes = 1;
    wish->message.components = wish->list;
}

static PB(ComponentSelection) *
    wish_add(struct wish *wish, const char *writer, const char *path, const char *name)
{
    size_t at = wish->message.n_components++;
    PB(ComponentSelection) *component = wish->list[at] = &wish->components[at];
    shadowpipe__v1__component_selection__init(component);
    component->writer = text(writer);
    component->logical_path = text(path);
    component->name = text(name);
    return component;
}

static void wish_one(struct wish *wish, const char *writer, const char *path, const char *name)
{
    wish_init(wish);
    wish_add(wish, writer, path, name);
}

static uint32_t create(struct world *world, struct peer *client, struct wish *wish)
{
    uint32_t id = client_create(world, client, &wish->message);
    world_run(world);
    return id;
}

static const PB(Status) * refused(struct world *world, struct wish *wish)
{
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    return client_status(client, create(world, client, wish));
}

static const struct fake_document *document(const struct world *world)
{
    return &world->requesters[world->requesters_count - 1].document;
}

/* "path\name path\name …" of what was added. */
static const char *added(const struct world *world)
{
    static char list[1024];
    size_t length = 0;
    list[0] = '\0';
    for (size_t i = 0; i < document(world)->count; i++) {
        const struct fake_component *component = &document(world)->components[i];
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s%s%s", length > 0 ? " " : "",
                                   component->path, component->path[0] != '\0' ? "\\" : "", component->name);
    }
    return list;
}

static const PB(ComponentsReply) * list_components(struct world *world, struct peer *client,
                                                   const PB(SnapshotReply) * snapshot,
                                                   const PB(SelectedComponent) * found[FAKE_COMPONENTS])
{
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    list.lease_id = snapshot->lease_id;
    list.token = snapshot->token;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_COMPONENTS, list_components, &list);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    size_t count = 0;
    for (size_t i = 0; i < client->frames_count; i++) {
        if (client->frames[i]->id == id && client->frames[i]->body_case == PB_BODY(SELECTED_COMPONENT))
            found[count++] = client->frames[i]->selected_component;
    }
    const PB(Envelope) * final = client_final(client, id);
    assert_non_null(final);
    assert_int_equal(final->body_case, PB_BODY(COMPONENTS_REPLY));
    assert_int_equal(final->components_reply->count, count);
    return final->components_reply;
}

/* ---- the rules of selectability ---- */

static const char *selection_of(const char *path, const char *name)
{
    struct world *world = world_new();
    static struct writer writer;
    static char result[1024];
    struct wish wish;
    declare(world, ACME, &writer, my_writer, sizeof my_writer / sizeof my_writer[0]);
    wish_one(&wish, "Acme Writer", path, name);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    (void)client_snapshot_reply(client, create(world, client, &wish));
    (void)snprintf(result, sizeof result, "%s", added(world));
    world_end(world);
    return result;
}

static void test_what_joins(void **state)
{
    (void)state;
    /* Those without a selectable one above them take part with their writer. */
    assert_string_equal(selection_of("", "LicenseInfo"), "Executables Executables\\ConfigFiles LicenseInfo");
    assert_string_equal(selection_of("", "Security"), "Executables Executables\\ConfigFiles Security");
    assert_string_equal(selection_of("", "writerData"), "Executables Executables\\ConfigFiles writerData");
    assert_string_equal(selection_of("WRITERDATA", "usage"),
                        "Executables Executables\\ConfigFiles writerData\\Usage");
    assert_string_equal(selection_of("", "Executables"), "Executables Executables\\ConfigFiles");
}

static void test_parts_are_listed(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer writer;
    struct wish wish;
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    declare(world, ACME, &writer, my_writer, sizeof my_writer / sizeof my_writer[0]);
    wish_one(&wish, writer_classes[ACME], "", "Security");
    wish_add(&wish, "{11111111-2222-3333-4444-555555555555}", "writerData", "Usage");
    wish_add(&wish, writer_instances[ACME], "writerData\\Usage", "Jan"); /* a part, and nothing of its own */
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->components, 8);
    (void)list_components(world, client, snapshot, found);
    static const struct {
        const char *name;
        bool implied, is_stored;
    } expected[] = {{"Executables", true, true}, {"ConfigFiles", true, true},   {"Security", false, true},
                    {"UserInfo", true, false},   {"Certificates", true, false}, {"Usage", false, true},
                    {"Jan", false, false},       {"Dec", true, false}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_string_equal(found[i]->component->name, expected[i].name);
        assert_int_equal(found[i]->implied, expected[i].implied);
        assert_int_equal(found[i]->state != NULL, expected[i].is_stored);
        assert_string_equal(found[i]->instance_id, writer_instances[ACME]);
        assert_string_equal(found[i]->writer_name, "Acme Writer");
    }
    assert_string_equal(found[5]->state->backup_stamp, "stamp of Usage");
    world_end(world);
}

static void test_refused_selections(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer acme, sql;
    struct wish wish;
    declare(world, ACME, &acme, my_writer, sizeof my_writer / sizeof my_writer[0]);
    declare(world, SQL, &sql, databases, 2);
    wish_one(&wish, "No Writer", "", "x");
    assert_string_equal(refused(world, &wish)->reason, "WRITER_MISSING");
    wish_one(&wish, "Acme Writer", "", "Nothing");
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "UNKNOWN_COMPONENT");
    assert_string_equal(status->field, "create_snapshot.components");
    wish_one(&wish, "Acme Writer", "", "Security");
    wish.components[0].type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE);
    assert_string_equal(refused(world, &wish)->reason, "UNKNOWN_COMPONENT");
    wish_one(&wish, "Acme Writer", "Security", "UserInfo");
    status = refused(world, &wish);
    assert_string_equal(status->reason, "COMPONENT_NOT_SELECTABLE");
    assert_non_null(strstr(status->message, "it is a part of \"Security\""));
    wish_one(&wish, "Acme Writer", "", "writerData");
    wish_add(&wish, "Acme Writer", "writerData", "Usage")->previous_stamp = text("5");
    status = refused(world, &wish);
    assert_string_equal(status->reason, "COMPONENT_NOT_SELECTABLE");
    assert_non_null(strstr(status->message, "no stamp"));
    wish_one(&wish, "Acme Writer", "", "Security");
    wish_add(&wish, writer_classes[ACME], "", "security");
    assert_string_equal(refused(world, &wish)->reason, "DUPLICATE_COMPONENT");
    wish_one(&wish, "Acme Writer", "", "");
    assert_string_equal(refused(world, &wish)->reason, "EMPTY_NAME");
    wish_one(&wish, "", "", "x");
    assert_string_equal(refused(world, &wish)->reason, "EMPTY_NAME");
    wish_one(&wish, "Acme Writer", "", "Security");
    wish.message.context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    assert_string_equal(refused(world, &wish)->reason, "NO_WRITERS");
    wish.message.context = 0;
    char *excluded[] = {text("Acme Writer")};
    wish.message.writers_excluded = excluded;
    wish.message.n_writers_excluded = 1;
    assert_string_equal(refused(world, &wish)->reason, "WRITER_CONTRADICTION");
    wish_init(&wish);
    wish.message.add_needed_volumes = true;
    assert_string_equal(refused(world, &wish)->reason, "COMPONENTS_NEEDED");
    /* Nothing was begun for any of them. */
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
    world_end(world);
}

/* Two writers of one name with the same component. */
static void test_ambiguous(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer one, other;
    struct wish wish;
    world->all_one_name = true;
    declare(world, SQL, &one, databases, 1);
    declare(world, ACME, &other, databases, 1);
    wish_one(&wish, "Acme Writer", "SERVER", "one");
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "AMBIGUOUS_COMPONENT");
    assert_non_null(strstr(status->advice, "instance id"));
    wish.components[0].writer = text(writer_instances[SQL]);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    (void)client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(document(world)->components[0].writer, SQL);
    world_end(world);
}

/* ---- dependencies ---- */

static PB(Dependency) depends(unsigned writer, const char *path, const char *name)
{
    PB(Dependency) dependency = SHADOWPIPE__V1__DEPENDENCY__INIT;
    dependency.writer_id = text(writer_classes[writer]);
    dependency.logical_path = text(path);
    dependency.name = text(name);
    return dependency;
}

static void test_dependencies(void **state)
{
    (void)state;
    static const struct declared farm[] = {{"", "farm", true, "C:\\farm"}};
    struct world *world = world_new();
    static struct writer system, sql, acme;
    struct wish wish;
    declare(world, SYSTEM, &system, my_writer, sizeof my_writer / sizeof my_writer[0]);
    declare(world, SQL, &sql, databases, 1);
    declare(world, ACME, &acme, farm, 1);
    PB(Dependency) first = depends(SQL, "server", "ONE"), second = depends(SYSTEM, "Security", "UserInfo");
    PB(Dependency) back = depends(ACME, "", "farm"), remote = depends(SQL, "\\\\other\\SERVER", "far");
    PB(Dependency) * of_farm[] = {&first, &remote}, *of_database[] = {&second, &back};
    acme.components[0].dependencies = of_farm;
    acme.components[0].n_dependencies = 2;
    sql.components[0].dependencies = of_database;
    sql.components[0].n_dependencies = 2;
    wish_one(&wish, "Acme Writer", "", "farm");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_string_equal(added(world), "Executables Executables\\ConfigFiles Security SERVER\\one farm");
    assert_int_equal(snapshot->n_warnings, 1);
    assert_non_null(strstr(snapshot->warnings[0], "another machine"));

    second.name = text("Nobody");
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "DEPENDENCY_MISSING");
    assert_non_null(strstr(status->message, "\"SERVER\\one\" depends on \"Security\\Nobody\""));
    world_end(world);
}

/* A dependency pulls in the one above a component that was named for itself. */
static void test_dependency_on_what_is_above(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer acme, sql;
    struct wish wish;
    declare(world, ACME, &acme, my_writer, sizeof my_writer / sizeof my_writer[0]);
    declare(world, SQL, &sql, databases, 1);
    PB(Dependency) whole = depends(ACME, "", "writerData");
    PB(Dependency) * list[] = {&whole};
    sql.components[0].dependencies = list;
    sql.components[0].n_dependencies = 1;
    wish_one(&wish, "Acme Writer", "writerData", "Usage");
    wish_add(&wish, "SqlServerWriter", "SERVER", "one");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    (void)client_snapshot_reply(client, create(world, client, &wish));
    assert_string_equal(added(world), "SERVER\\one Executables Executables\\ConfigFiles writerData");
    wish.components[0].options = text("x");
    assert_string_equal(refused(world, &wish)->reason, "COMPONENT_NOT_SELECTABLE");
    world_end(world);
}

/* ---- volumes ---- */

static void test_needed_volumes(void **state)
{
    (void)state;
    static const struct declared spread[] = {{"", "here", true, "C:\\here"},
                                             {"", "there", true, "C:\\mnt\\data\\there"},
                                             {"", "deep", true, "C:\\mnt\\data\\deep\\x"},
                                             {"", "away", true, "\\\\server\\share\\x"}};
    struct world *world = world_new();
    static struct writer acme;
    struct wish wish;
    declare(world, ACME, &acme, spread, 4);
    wish_one(&wish, "Acme Writer", "", "here");
    wish_add(&wish, "Acme Writer", "", "there");
    wish_add(&wish, "Acme Writer", "", "deep");
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "VOLUMES_MISSING");
    assert_int_equal(status->code, PB_CODE(FAILED_PRECONDITION));
    assert_string_equal(status->volume, "D:\\");
    assert_non_null(strstr(status->message, "D:\\, C:\\mnt\\data\\deep\\"));
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);

    wish.message.add_needed_volumes = true;
    wish_add(&wish, "Acme Writer", "", "away");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->n_volumes, 3);
    assert_int_equal(snapshot->n_uncovered, 1); /* the mounted one is covered after all */
    assert_string_equal(snapshot->uncovered[0]->path, "\\\\server\\share\\x");
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    (void)list_components(world, client, snapshot, found);
    assert_string_equal(found[1]->files[0]->path, "C:\\mnt\\data\\there");
    assert_string_equal(found[1]->files[0]->shadow_path, "\\\\?\\GLOBALROOT\\Device\\Copy02\\there");
    assert_string_equal(found[2]->files[0]->shadow_path, "\\\\?\\GLOBALROOT\\Device\\Copy03\\x");
    assert_string_equal(found[3]->files[0]->shadow_path, "");
    world_end(world);
}

/* VSS's own word for it, after the fact. */
static void test_inconsistent_snapshot(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql;
    declare(world, SQL, &sql, databases, 2);
    world_writer_fails(world, SQL, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F0u);
    struct wish wish;
    wish_init(&wish); /* not by component: all of the writer counts */
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "WRITER_FAILED");
    assert_string_equal(status->hresult_name, "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT");
    assert_string_equal(status->volume, "D:\\");
    assert_non_null(strstr(status->message, "not in the snapshot set, D:\\"));
    world_clear_rules(world);
    world_writer_fails(world, SQL, PB_METHOD(DO_SNAPSHOT_SET), 11, 0x800423F0u);
    status = refused(world, &wish);
    assert_string_equal(status->volume, "D:\\");
    /* That the metadata cannot be read again hides nothing. */
    world_rule(world, PB_METHOD(GET_WRITER_METADATA), WRITERS + 1, ACT_FAIL, 0x80042302u);
    status = refused(world, &wish);
    assert_string_equal(status->reason, "WRITER_FAILED");
    assert_string_equal(status->volume, "");
    world_clear_rules(world);
    world_writer_fails(world, SQL, PB_METHOD(DO_SNAPSHOT_SET), 11, 0x800423F0u);
    wish_one(&wish, "SqlServerWriter", "SERVER", "one"); /* that one is whole */
    status = refused(world, &wish);
    assert_string_equal(status->reason, "WRITER_FAILED");
    assert_string_equal(status->volume, "");
    world_end(world);
}

/* ---- the sequence ---- */

static void test_sequence(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql;
    struct wish wish;
    declare(world, SQL, &sql, databases, 1);
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    wish.components[0].previous_stamp = text("yesterday");
    wish.components[0].options = text("thorough");
    wish.message.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_INCREMENTAL);
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(snapshot->n_documents, 2); /* its writer's, and the components' */
    assert_string_equal(document(world)->components[0].previous_stamp, "yesterday");
    assert_string_equal(document(world)->components[0].options, "thorough");
    uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(client, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_true(document(world)->components[0].succeeded);
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup SetContext SetBackupState GatherWriterMetadata "
        "GetWriterMetadataCount GetWriterMetadata*4 IsVolumeSupported AddComponent SetPreviousBackupStamp "
        "SetBackupOptions CountSnapshots QueryDiffAreas StartSnapshotSet AddToSnapshotSet PrepareForBackup "
        "GatherWriterStatus "
        "GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus DoSnapshotSet GatherWriterStatus "
        "GetWriterStatusCount GetWriterStatusEx*3 GetWriterComponentsCount GetWriterComponents "
        "FreeWriterStatus FreeWriterMetadata GetSnapshotProperties SaveAsXML SetBackupSucceeded "
        "BackupComplete GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "Release");
    world_end(world);
}

/* Each of these calls fails once: the job fails with its name, and VSS gets what it is owed. */
static void test_failing_calls(void **state)
{
    (void)state;
    static const struct {
        PB(Call__MethodCase) method;
        const char *name;
        bool is_about_component;
        bool is_created;
    } rows[] = {{PB_METHOD(ADD_COMPONENT), "AddComponent", true, false},
                {PB_METHOD(SET_PREVIOUS_BACKUP_STAMP), "SetPreviousBackupStamp", true, false},
                {PB_METHOD(SET_BACKUP_OPTIONS), "SetBackupOptions", true, false},
                {PB_METHOD(GET_WRITER_COMPONENTS_COUNT), "GetWriterComponentsCount", false, true},
                {PB_METHOD(GET_WRITER_COMPONENTS), "GetWriterComponents", false, true},
                {PB_METHOD(SAVE_AS_XML), "SaveAsXML", false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        static struct writer sql;
        struct wish wish;
        declare(world, SQL, &sql, databases, 1);
        wish_one(&wish, "SqlServerWriter", "SERVER", "one");
        wish.components[0].previous_stamp = wish.components[0].options = text("x");
        world_rule(world, rows[i].method, 1, ACT_FAIL, 0x8004230Du);
        const PB(Status) *status = refused(world, &wish);
        assert_string_equal(status->reason, "VSS_FAILED");
        assert_string_equal(status->method, rows[i].name);
        assert_int_equal(strstr(status->message, "component \"one\"") != NULL, rows[i].is_about_component);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), rows[i].is_created);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* The document that was promised is not kept. */
static void test_no_documents(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql;
    struct wish wish;
    declare(world, SQL, &sql, databases, 1);
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    world->machine.has_no_documents = true;
    assert_string_equal(refused(world, &wish)->reason, "NO_MEMORY");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- failures of components ---- */

static void test_partial_failure(void **state)
{
    (void)state;
    static const struct declared both[] = {{"", "one", true, "C:\\1"}, {"", "two", true, "C:\\2"}};
    struct world *world = world_new();
    static struct writer acme;
    struct wish wish;
    declare(world, ACME, &acme, both, 2);
    wish_one(&wish, "Acme Writer", "", "one");
    wish_add(&wish, "Acme Writer", "", "two");
    world->machine.failing = "two";
    world->machine.failure = 0x800423F4u;
    world_writer_fails(world, ACME, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x80042336u);
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "WRITER_FAILED");
    assert_string_equal(status->hresult_name, "VSS_E_WRITERERROR_PARTIAL_FAILURE");
    assert_non_null(strstr(status->message,
                           "component \"two\" failed (VSS_E_WRITERERROR_NONRETRYABLE: the log is full)"));
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);

    /* Tolerated: the others of its components are good. */
    char *tolerated[] = {text("Acme Writer")};
    wish.message.writers_tolerated = tolerated;
    wish.message.n_writers_tolerated = 1;
    world_clear_rules(world);
    world_writer_fails(world, ACME, PB_METHOD(DO_SNAPSHOT_SET), 11, 0x80042336u);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
    assert_true(snapshot->n_warnings > 0);
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    (void)list_components(world, client, snapshot, found);
    assert_int_equal(found[0]->state->failure_hresult, 0);
    assert_int_equal(found[1]->state->failure_hresult, 0x800423F4u);
    uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    const PB(FinishReply) *reply = client_finish_reply(client, finish);
    assert_true(document(world)->components[0].succeeded);
    assert_false(document(world)->components[1].succeeded);
    assert_int_equal(reply->n_warnings, 1);
    assert_non_null(strstr(reply->warnings[0], "\"two\" had failed"));
    world_end(world);
}

/* A writer of which nothing is selected does not decide. */
static void test_uninvolved_writer(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql;
    struct wish wish;
    declare(world, SQL, &sql, databases, 1);
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    world_writer_fails(world, ACME, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F2u);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(snapshot->n_warnings, 1);
    assert_non_null(strstr(snapshot->warnings[0], "uninvolved writer Acme Writer"));
    world_end(world);
}

/* ---- without the writers that failed ---- */

static char *const acme_writer[] = {(char *)(uintptr_t) "Acme Writer"};

static const struct declared notes[] = {{"", "notes", true, "C:\\notes"}};

static void tolerate_acme(struct wish *wish)
{
    wish->message.writers_tolerated = (char **)(uintptr_t)acme_writer;
    wish->message.n_writers_tolerated = 1;
    wish->message.retry_without_failed = true;
}

/* What was selected of it is not covered, and told so. */
static void test_left_out(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql, other;
    struct wish wish;
    declare(world, SQL, &sql, databases, 1);
    declare(world, ACME, &other, notes, 1);
    /* The database depends on the notes. */
    PB(Dependency) dependency = SHADOWPIPE__V1__DEPENDENCY__INIT;
    PB(Dependency) * dependencies[] = {&dependency};
    dependency.writer_id = text(writer_classes[ACME]);
    dependency.name = text("notes");
    sql.components[0].dependencies = dependencies;
    sql.components[0].n_dependencies = 1;
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    wish_add(&wish, writer_classes[ACME], "", "notes");
    tolerate_acme(&wish);
    world_writer_fails(world, ACME, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->attempts, 2);
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
    assert_string_equal(added(world), "SERVER\\one");
    assert_int_equal(snapshot->components, 1);
    const PB(Uncovered) *last = snapshot->uncovered[snapshot->n_uncovered - 1]; /* behind what is mounted */
    assert_string_equal(last->path, "Acme Writer: notes");
    assert_non_null(strstr(last->reason, "VSS_E_WRITERERROR_NONRETRYABLE"));
    bool warns_of_dependency = false;
    for (size_t i = 0; i < snapshot->n_warnings; i++)
        warns_of_dependency |= strstr(snapshot->warnings[i], "depends on \"notes\", whose writer") != NULL;
    assert_true(warns_of_dependency);
    world_end(world);
}

/* Without it there would be nothing to back up: its failure is what counts. */
static void test_nothing_left(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer other;
    struct wish wish;
    declare(world, ACME, &other, notes, 1);
    wish_one(&wish, "Acme Writer", "", "notes");
    tolerate_acme(&wish);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x800423F4u);
    world_writer_fails(world, ACME, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(Status) *status = client_status(client, create(world, client, &wish));
    assert_int_equal(status->hresult, 0x800423F4u);
    assert_int_equal(status->attempts, 1);
    assert_string_equal(status->writers[0]->name, "Acme Writer");
    /* It is tolerated, so that the rest of the volumes is had. */
    world_clear_rules(world);
    world_writer_fails(world, ACME, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_int_equal(snapshot->attempts, 1);
    assert_non_null(strstr(snapshot->warnings[0], "tolerated writer Acme Writer"));
    world_end(world);
}

/* Another instance of its class is well, but does not have what was selected. */
static void test_other_instance_left(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->all_one_name = true;
    static struct writer sql, other;
    struct wish wish;
    declare(world, SQL, &sql, databases, 1);
    declare(world, ACME, &other, notes, 1);
    wish_one(&wish, "Acme Writer", "", "notes");
    tolerate_acme(&wish);
    wish.message.writers_tolerated = (char *[]){text(writer_instances[ACME])};
    world_writer_fails(world, ACME, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(Status) *status = client_status(client, create(world, client, &wish));
    assert_string_equal(status->reason, "WRITER_FAILED");
    assert_int_equal(status->attempts, 2);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);
    world_end(world);
}

/* ---- the end ---- */

struct ending {
    struct world *world;
    struct peer *client;
    const PB(SnapshotReply) * snapshot;
    PB(FinishBackup) finish;
    PB(ComponentOutcome) outcomes[3];
    PB(ComponentOutcome) * list[3];
};

static void small_output(struct broker_config *config)
{
    config->output_soft_limit_bytes = 64;
}

static void begin_with(struct ending *ending, PB(BackupType) type,
                       void (*change)(struct broker_config *config))
{
    static struct writer acme;
    struct wish wish;
    ending->world = world_new_with(change);
    declare(ending->world, ACME, &acme, my_writer, sizeof my_writer / sizeof my_writer[0]);
    wish_one(&wish, "Acme Writer", "", "Security");
    wish.message.backup_type = type;
    ending->client = client_connect(ending->world, NULL, ALL_RIGHTS);
    ending->snapshot = client_snapshot_reply(ending->client, create(ending->world, ending->client, &wish));
    shadowpipe__v1__finish_backup__init(&ending->finish);
    ending->finish.lease_id = ending->snapshot->lease_id;
    ending->finish.outcome = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    ending->finish.components = ending->list;
}

static void begin(struct ending *ending, PB(BackupType) type)
{
    begin_with(ending, type, NULL);
}

static void end_with(struct ending *ending, const char *path, const char *name, bool ok)
{
    size_t at = ending->finish.n_components++;
    PB(ComponentOutcome) *outcome = ending->list[at] = &ending->outcomes[at];
    shadowpipe__v1__component_outcome__init(outcome);
    outcome->writer_instance_id = text(writer_instances[ACME]);
    outcome->logical_path = text(path);
    outcome->name = text(name);
    outcome->ok = ok;
}

static const PB(Envelope) * end(struct ending *ending)
{
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &ending->finish);
    uint32_t id = client_send(ending->world, ending->client, &envelope);
    world_run(ending->world);
    ending->finish.n_components = 0;
    return client_final(ending->client, id);
}

static bool succeeded(const struct ending *ending, size_t component)
{
    assert_true(document(ending->world)->components[component].has_outcome);
    return document(ending->world)->components[component].succeeded;
}

static void test_outcomes(void **state)
{
    (void)state;
    struct ending ending;
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL));
    /* Clashes are refused, and the lease goes on. */
    end_with(&ending, "", "Nothing", true);
    assert_string_equal(end(&ending)->status->reason, "UNKNOWN_COMPONENT");
    end_with(&ending, "", "LicenseInfo", true); /* it is there, and was not selected */
    assert_string_equal(end(&ending)->status->reason, "UNKNOWN_COMPONENT");
    end_with(&ending, "Security", "UserInfo", true);
    assert_string_equal(end(&ending)->status->reason, "COMPONENT_NOT_SELECTABLE");
    end_with(&ending, "", "Security", true);
    end_with(&ending, "", "Security", false);
    assert_string_equal(end(&ending)->status->reason, "DUPLICATE_COMPONENT");
    assert_int_equal(world_calls(ending.world, PB_METHOD(SET_BACKUP_SUCCEEDED)), 0);
    end_with(&ending, "Executables", "ConfigFiles", false);
    assert_int_equal(end(&ending)->finish_reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_true(succeeded(&ending, 0));
    assert_false(succeeded(&ending, 1));
    assert_true(succeeded(&ending, 2));
    assert_int_equal(world_alive(ending.world), 0);
    world_end(ending.world);
}

/* Only an explicit success lets writers truncate their logs. */
static void test_truncating_backups(void **state)
{
    (void)state;
    struct ending ending;
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL));
    ending.finish.outcome = PB_VALUE(OUTCOME, OUTCOME_FAILED);
    assert_int_equal(end(&ending)->finish_reply->completion, PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    assert_int_equal(world_calls(ending.world, PB_METHOD(BACKUP_COMPLETE)), 0);
    assert_int_equal(world_calls(ending.world, PB_METHOD(ABORT_BACKUP)), 1);
    world_end(ending.world);
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_DIFFERENTIAL));
    peer_close(ending.world, ending.client);
    world_run(ending.world);
    assert_int_equal(world_calls(ending.world, PB_METHOD(BACKUP_COMPLETE)), 0);
    assert_int_equal(world_calls(ending.world, PB_METHOD(ABORT_BACKUP)), 1);
    world_end(ending.world);
    /* Where SetBackupSucceeded fails there is no BackupComplete either. */
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL));
    world_rule(ending.world, PB_METHOD(SET_BACKUP_SUCCEEDED), 2, ACT_FAIL, 0x80042308u);
    assert_string_equal(end(&ending)->status->method, "SetBackupSucceeded");
    assert_int_equal(world_calls(ending.world, PB_METHOD(BACKUP_COMPLETE)), 0);
    assert_int_equal(world_calls(ending.world, PB_METHOD(ABORT_BACKUP)), 1);
    world_end(ending.world);
}

static void test_copy_that_failed(void **state)
{
    (void)state;
    struct ending ending;
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY));
    /* BackupComplete waits for the outcome. */
    world_advance(ending.world, (uint64_t)ending.world->config.complete_within_ms + 1000);
    assert_int_equal(world_calls(ending.world, PB_METHOD(BACKUP_COMPLETE)), 0);
    ending.finish.outcome = PB_VALUE(OUTCOME, OUTCOME_FAILED);
    end_with(&ending, "", "Security", true);
    assert_int_equal(end(&ending)->finish_reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_false(succeeded(&ending, 0));
    assert_true(succeeded(&ending, 2));
    world_end(ending.world);
    begin(&ending, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY));
    peer_close(ending.world, ending.client);
    world_run(ending.world);
    assert_false(succeeded(&ending, 2));
    assert_int_equal(world_calls(ending.world, PB_METHOD(BACKUP_COMPLETE)), 1);
    world_end(ending.world);
}

/* ---- the list ---- */

/* In one piece, and in as many as there are components and files. */
static void check_files(bool parts)
{
    struct world *world = world_new();
    world->machine.parts = parts;
    static struct writer acme;
    struct wish wish;
    PB(FileDescriptor) excluded = SHADOWPIPE__V1__FILE_DESCRIPTOR__INIT;
    PB(FileDescriptor) elsewhere = SHADOWPIPE__V1__FILE_DESCRIPTOR__INIT;
    PB(FileDescriptor) * excludes[] = {&excluded, &elsewhere};
    declare(world, ACME, &acme, my_writer, sizeof my_writer / sizeof my_writer[0]);
    acme.files[2].path = text("%data%\\licence\\");
    acme.files[2].expanded_path = text("c:\\licence\\");
    acme.files[2].alternate_location = text("C:\\spare");
    acme.files[2].backup_type_mask = 3;
    excluded.path = text("C:\\licence\\temporary");
    excluded.filespec = text("*.tmp");
    elsewhere.path = text("C:\\elsewhere");
    acme.message.exclude_files = excludes;
    acme.message.n_exclude_files = 2;
    acme.components[3].database_files = acme.components[3].log_files = acme.file_lists[3];
    acme.components[3].n_database_files = acme.components[3].n_log_files = 1;
    wish_one(&wish, "Acme Writer", "", "LicenseInfo");
    wish_add(&wish, "Acme Writer", "", "Security");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    (void)list_components(world, client, snapshot, found);
    const PB(SelectedComponent) *licence = found[2];
    assert_int_equal(licence->n_files, 2);
    assert_string_equal(licence->left_out, "");
    assert_string_equal(licence->files[0]->path, "c:\\licence");
    assert_string_equal(licence->files[0]->alternate_path, "C:\\spare");
    assert_string_equal(licence->files[0]->shadow_path, "\\\\?\\GLOBALROOT\\Device\\Copy01\\spare");
    assert_string_equal(licence->files[0]->filespec, "*");
    assert_true(licence->files[0]->recursive);
    assert_int_equal(licence->files[0]->backup_type_mask, 3);
    assert_int_equal(licence->files[0]->role, PB_VALUE(FILE_ROLE, FILE_ROLE_FILE_GROUP));
    assert_int_equal(licence->files[1]->role, PB_VALUE(FILE_ROLE, FILE_ROLE_EXCLUDED));
    assert_string_equal(licence->files[1]->filespec, "*.tmp");
    assert_int_equal(licence->component->n_files, 0);
    assert_int_equal(found[3]->n_files, 3);
    assert_int_equal(found[3]->files[1]->role, PB_VALUE(FILE_ROLE, FILE_ROLE_DATABASE));
    assert_int_equal(found[3]->files[2]->role, PB_VALUE(FILE_ROLE, FILE_ROLE_LOG));
    world_end(world);
}

static void test_files(void **state)
{
    (void)state;
    check_files(false);
    check_files(true);
}

/* The components of many writers, in parts, for what one of them depends on. */
static void test_dependencies_in_parts(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer acme, sql;
    struct wish wish;
    world->machine.parts = true;
    declare(world, ACME, &acme, my_writer, sizeof my_writer / sizeof my_writer[0]);
    declare(world, SQL, &sql, databases, 1);
    PB(Dependency) last = depends(ACME, "writerData\\Usage", "Dec");
    PB(Dependency) * list[] = {&last};
    sql.components[0].dependencies = list;
    sql.components[0].n_dependencies = 1;
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    assert_string_equal(added(world), "SERVER\\one Executables Executables\\ConfigFiles writerData\\Usage");
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    (void)list_components(world, client, snapshot, found);
    for (uint32_t i = 0; i < snapshot->components; i++) {
        assert_string_equal(found[i]->left_out, "");
        assert_int_equal(found[i]->n_files, 1);
    }
    world_end(world);
}

static void test_files_left_out(void **state)
{
    (void)state;
    struct world *world = world_new();
    static struct writer sql;
    struct wish wish;
    world->machine.leaves_out_files = true;
    declare(world, SQL, &sql, databases, 1);
    wish_one(&wish, "SqlServerWriter", "SERVER", "one");
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, create(world, client, &wish));
    const PB(SelectedComponent) * found[FAKE_COMPONENTS];
    (void)list_components(world, client, snapshot, found);
    assert_int_equal(found[0]->n_files, 0);
    assert_non_null(strstr(found[0]->left_out, "the files"));
    world_end(world);
}

static const PB(Envelope) * list_of(struct world *world, struct peer *client, const char *lease_id)
{
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    list.lease_id = text(lease_id);
    PB(Envelope) envelope = ENVELOPE_OF(LIST_COMPONENTS, list_components, &list);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id);
}

static void test_who_may_list(void **state)
{
    (void)state;
    struct ending ending;
    begin(&ending, 0);
    struct peer *other = client_connect(ending.world, NULL, USER_RIGHTS);
    assert_string_equal(list_of(ending.world, other, ending.snapshot->lease_id)->status->reason,
                        "LEASE_NOT_YOURS");
    assert_string_equal(list_of(ending.world, other, "x")->status->reason, "UNKNOWN_LEASE");
    uint32_t plain = client_snapshot(ending.world, other, "C:");
    world_run(ending.world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(other, plain);
    assert_int_equal(snapshot->components, 0);
    assert_int_equal(list_of(ending.world, other, snapshot->lease_id)->components_reply->count, 0);
    world_end(ending.world);
}

static size_t components_seen(const struct peer *peer, uint32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < peer->frames_count; i++)
        count += peer->frames[i]->id == id && peer->frames[i]->body_case == PB_BODY(SELECTED_COMPONENT);
    return count;
}

/* By a client that then does not read. */
static uint32_t begin_list(struct ending *ending, struct peer *reader, uint32_t timeout_ms)
{
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    list.lease_id = ending->snapshot->lease_id;
    list.token = ending->snapshot->token;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_COMPONENTS, list_components, &list);
    envelope.timeout_ms = timeout_ms;
    reader->does_not_read = true;
    uint32_t id = client_send(ending->world, reader, &envelope);
    world_run(ending->world);
    assert_null(client_final(reader, id));
    assert_int_equal(components_seen(reader, id), 1);
    return id;
}

static const PB(Envelope) * read_on(struct ending *ending, struct peer *reader, uint32_t id)
{
    for (int i = 0; i < 20; i++) {
        peer_drain(ending->world, reader);
        world_run(ending->world);
    }
    reader->does_not_read = false;
    peer_drain(ending->world, reader);
    world_run(ending->world);
    return client_final(reader, id);
}

/* The list goes out as the client reads it; or ends, with the lease, the time or the client. */
static void test_slow_readers(void **state)
{
    (void)state;
    struct ending ending;
    begin_with(&ending, 0, small_output);
    struct peer *reader = client_connect(ending.world, "S-1-5-21-9", USER_RIGHTS);
    struct peer *canceller = client_connect(ending.world, "S-1-5-21-9", USER_RIGHTS);
    uint32_t id = begin_list(&ending, reader, 0);
    assert_int_equal(read_on(&ending, reader, id)->components_reply->count, ending.snapshot->components);
    assert_int_equal(components_seen(reader, id), ending.snapshot->components);

    id = begin_list(&ending, reader, 0);
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.connection_id = reader->id;
    cancel.id = id;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &cancel);
    client_send(ending.world, canceller, &envelope);
    world_run(ending.world);
    assert_int_equal(read_on(&ending, reader, id)->status->code, PB_CODE(CANCELLED));

    id = begin_list(&ending, reader, 1000);
    world_advance(ending.world, 2000);
    assert_int_equal(read_on(&ending, reader, id)->status->code, PB_CODE(DEADLINE_EXCEEDED));

    (void)begin_list(&ending, canceller, 0);
    peer_close(ending.world, canceller);
    world_run(ending.world);

    id = begin_list(&ending, reader, 0);
    assert_non_null(end(&ending));
    const PB(Status) *status = read_on(&ending, reader, id)->status;
    assert_string_equal(status->reason, "UNKNOWN_LEASE");
    assert_non_null(strstr(status->message, "being listed"));
    world_end(ending.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_joins),
        cmocka_unit_test(test_parts_are_listed),
        cmocka_unit_test(test_refused_selections),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_dependency_on_what_is_above),
        cmocka_unit_test(test_needed_volumes),
        cmocka_unit_test(test_inconsistent_snapshot),
        cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_no_documents),
        cmocka_unit_test(test_partial_failure),
        cmocka_unit_test(test_uninvolved_writer),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_other_instance_left),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_truncating_backups),
        cmocka_unit_test(test_copy_that_failed),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_dependencies_in_parts),
        cmocka_unit_test(test_files_left_out),
        cmocka_unit_test(test_who_may_list),
        cmocka_unit_test(test_slow_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
