/* What a restore plans: which components, what is in the way, and where the files go. */
#include <string.h>

#include "client/cli/restore_report.h"
#include "tests/unit/cmocka_all.h"

#define LEDGER   "11111111-2222-3333-4444-555555555555"
#define INSTANCE "aaaaaaaa-2222-3333-4444-555555555555"
#define SQL      "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"

enum {
    IF_NOT_THERE = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_IF_NOT_THERE),
    IF_CAN_REPLACE = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_IF_CAN_REPLACE),
    TO_ALTERNATE = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_TO_ALTERNATE_LOCATION),
    STOP_RESTORE_START = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_STOP_RESTORE_START),
    STOP_START = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_STOP_START),
    AT_REBOOT = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_AT_REBOOT),
    AT_REBOOT_IF = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_AT_REBOOT_IF_CANNOT_REPLACE),
    CUSTOM = PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_CUSTOM)
};

/* ---- a world of two writers: the Ledger with Books, Books\Old, Books\New and Journal; SQL with db ---- */

static PB(FileDescriptor) books_file, old_file, new_file, journal_file, log_file, db_file, mapping;
static PB(FileDescriptor) * files[6] = {&books_file,   &old_file, &new_file,
                                        &journal_file, &log_file, &db_file};
static PB(FileDescriptor) * mappings[1] = {&mapping};
static PB(Component) books, old, new, journal, db;
static PB(Component) * ledger_components[] = {&books, &old, &new, &journal};
static PB(Component) * sql_components[] = {&db};
static PB(Dependency) on_db;
static PB(Dependency) * dependencies[] = {&on_db};
static PB(RestoreMethod) method, sql_method;
static PB(WriterStatus) ledger_status, sql_status, twin_status;
static PB(Writer) ledger, sql, twin;
static const PB(Writer) * running[3];
static const PB(Writer) * stored[1];
static PB(BackupComponent) saved_books, saved_journal, saved_db;
static PB(BackupComponent) * saved_of_ledger[] = {&saved_books, &saved_journal};
static PB(BackupComponent) * saved_of_sql[] = {&saved_db};
static PB(GetWriterComponentsResult) of_ledger, of_sql;
static const PB(GetWriterComponentsResult) * document[2];
static struct restore_wishes wishes;
static struct restore_plan plan;
static struct text problem;

static void file(PB(FileDescriptor) * to, const char *path, const char *filespec, bool recursive)
{
    shadowpipe__v1__file_descriptor__init(to);
    to->path = (char *)path;
    to->filespec = (char *)filespec;
    to->recursive = recursive;
}

static void component(PB(Component) * to, const char *path, const char *name, PB(FileDescriptor) * *first)
{
    shadowpipe__v1__component__init(to);
    to->type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_FILE_GROUP);
    to->logical_path = (char *)path;
    to->name = (char *)name;
    to->files = first;
    to->n_files = 1;
}

static void saved(PB(BackupComponent) * to, const char *path, const char *name)
{
    shadowpipe__v1__backup_component__init(to);
    to->type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_FILE_GROUP);
    to->logical_path = (char *)path;
    to->name = (char *)name;
    to->backup_succeeded = true;
}

static void writer(PB(Writer) * to, PB(WriterStatus) * status, const char *id, const char *instance,
                   const char *name)
{
    shadowpipe__v1__writer__init(to);
    shadowpipe__v1__writer_status__init(status);
    status->writer_id = (char *)id;
    status->instance_id = (char *)instance;
    status->name = (char *)name;
    to->status = status;
}

static void expand(const char *path, struct text *expanded)
{
    if (starts_ignoring_case(path, "%data%"))
        text_format(expanded, "D:\\data%s", path + strlen("%data%"));
    else
        text_add(expanded, path);
}

static void fill_components(void)
{
    file(&books_file, "%data%\\Ledger\\", "*.bok", true);
    file(&old_file, "D:\\old", "*", false);
    file(&new_file, "D:\\new", "*", false);
    file(&journal_file, "D:\\journal", "main.db", false);
    file(&log_file, "D:\\log", "*.log", false);
    file(&db_file, "E:\\", "db.mdf", false);
    file(&mapping, "D:\\Data\\ledger", "*.BOK", true);
    mapping.alternate_location = (char *)"F:\\spare\\";
    component(&books, "Accounts", "Books", &files[0]);
    component(&old, "Accounts\\Books", "Old", &files[1]);
    component(&new, "Accounts\\Books", "New", &files[2]);
    component(&journal, "", "Journal", &files[3]);
    journal.log_files = &files[4];
    journal.n_log_files = 1;
    new.selectable_for_restore = true;
    component(&db, "srv", "db", &files[5]);
    saved(&saved_books, "Accounts", "Books");
    saved(&saved_journal, "", "Journal");
    saved(&saved_db, "srv", "db");
}

static int world(void **state)
{
    (void)state;
    fill_components();
    writer(&ledger, &ledger_status, LEDGER, INSTANCE, "Ledger");
    writer(&sql, &sql_status, SQL, "bbbbbbbb-2222-3333-4444-555555555555", "SqlServerWriter");
    shadowpipe__v1__restore_method__init(&method);
    shadowpipe__v1__restore_method__init(&sql_method);
    method.method = sql_method.method = (PB(RestoreMethodType))IF_CAN_REPLACE;
    method.service = (char *)"LedgerSvc";
    ledger.restore_method = &method;
    ledger.components = ledger_components;
    ledger.n_components = 4;
    sql.restore_method = &sql_method;
    sql.components = sql_components;
    sql.n_components = 1;
    shadowpipe__v1__get_writer_components_result__init(&of_ledger);
    shadowpipe__v1__get_writer_components_result__init(&of_sql);
    of_ledger.writer_id = (char *)LEDGER;
    of_ledger.components = saved_of_ledger;
    of_ledger.n_components = 2;
    of_sql.writer_id = (char *)SQL;
    of_sql.components = saved_of_sql;
    of_sql.n_components = 1;
    document[0] = &of_ledger;
    document[1] = &of_sql;
    running[0] = &ledger;
    running[1] = &sql;
    wishes = (struct restore_wishes){.expand = expand};
    plan = (struct restore_plan){.wishes = &wishes,
                                 .document = document,
                                 .document_count = 2,
                                 .running = running,
                                 .running_count = 2,
                                 .stored = stored};
    arena_init(&plan.arena, DECODE_LIMIT_REPLY_BYTES);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    restore_plan_free(&plan);
    text_free(&problem);
    return 0;
}

static void choose(void)
{
    if (!restore_plan_choose(&plan, &problem))
        fail_msg("%s", text_string(&problem));
    restore_plan_check(&plan);
    assert_false(plan.no_memory);
}

static void choose_one(const char *const *selector)
{
    wishes.components = selector;
    wishes.components_count = 1;
    choose();
}

static void refuse(const char *words)
{
    assert_false(restore_plan_choose(&plan, &problem));
    if (!strstr(text_string(&problem), words))
        fail_msg("\"%s\" lacks \"%s\"", text_string(&problem), words);
}

static void has_problem(const struct restore_item *item, const char *words)
{
    for (size_t i = 0; i < item->problems_count; i++) {
        if (strstr(item->problems[i], words))
            return;
    }
    fail_msg("%s has no problem \"%s\" (of %zu; the first: %s)", item->saved->name, words,
             item->problems_count, item->problems_count ? item->problems[0] : "none");
}

static void has_note(const struct restore_item *item, const char *words)
{
    for (size_t i = 0; i < item->notes_count; i++) {
        if (strstr(item->notes[i], words))
            return;
    }
    fail_msg("%s has no note \"%s\"", item->saved->name, words);
}

/* ---- choosing ---- */

static void all_are_chosen_with_what_is_below(void **state)
{
    (void)state;
    choose();
    assert_int_equal(plan.count, 3);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    assert_int_equal(plan.items[0].files_count, 3);
    assert_string_equal(plan.items[0].files[0].path, "D:\\data\\Ledger");
    assert_string_equal(plan.items[0].files[2].component->name, "New");
    assert_int_equal(plan.items[1].files_count, 2);
    assert_int_equal(plan.items[1].files[1].role, PB_VALUE(FILE_ROLE, FILE_ROLE_LOG));
    assert_string_equal(plan.items[2].files[0].path, "E:\\");
}

static void a_component_of_its_own_has_its_files_itself(void **state)
{
    PB(BackupComponent) saved_old;
    PB(BackupComponent) * both[] = {&saved_books, &saved_old};
    (void)state;
    saved(&saved_old, "Accounts\\Books", "Old");
    of_ledger.components = both;
    choose();
    assert_int_equal(plan.items[0].files_count, 2);
    assert_int_equal(plan.items[1].files_count, 1);
    assert_string_equal(plan.items[1].files[0].path, "D:\\old");
}

static void writers_and_components_narrow(void **state)
{
    static const char *const writers[] = {"{" SQL "}"};
    static const char *const components[] = {"ledger:\\accounts\\books", INSTANCE ":Journal"};
    (void)state;
    wishes.writers = writers;
    wishes.writers_count = 1;
    wishes.components = components;
    wishes.components_count = 2;
    choose();
    assert_int_equal(plan.count, 3);
    assert_ptr_equal(plan.items[0].saved, &saved_db);
    assert_ptr_equal(plan.items[1].saved, &saved_books);
    assert_ptr_equal(plan.items[2].saved, &saved_journal);
}

static void a_part_can_be_restored_alone(void **state)
{
    static const char *const twice[] = {"Ledger:Accounts\\Books\\New", "Ledger:Accounts\\Books\\New"};
    (void)state;
    wishes.components_count = 2;
    wishes.components = twice;
    choose();
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.items[0].below_count, 1);
    assert_ptr_equal(plan.items[0].below[0], &new);
    assert_int_equal(plan.items[0].files_count, 1);
    assert_string_equal(plan.items[0].files[0].path, "D:\\new");
}

static void the_whole_includes_its_parts(void **state)
{
    static const char *const orders[2][2] = {{"Ledger:Accounts\\Books\\New", "Ledger:Accounts\\Books"},
                                             {"Ledger:Accounts\\Books", "Ledger:Accounts\\Books\\New"}};
    for (size_t i = 0; i < 2; i++) {
        wishes.components = orders[i];
        wishes.components_count = 2;
        choose();
        assert_int_equal(plan.count, 1);
        assert_int_equal(plan.items[0].below_count, 0);
        forget(state);
        world(state);
    }
}

static void what_is_not_there_is_said(void **state)
{
    static const char *const nobody[] = {"Nobody"};
    static const char *const parts[] = {"Ledger:Accounts\\Books\\Old"};
    static const char *const colons[] = {"Ledger:Nothing:Journal"};
    static const char *const plain[] = {"Journal"};
    static const char *const *const wrong[] = {parts, colons, plain};
    wishes.writers = nobody;
    wishes.writers_count = 1;
    refuse("\"Nobody\"");
    for (size_t i = 0; i < 3; i++) {
        forget(state);
        world(state);
        wishes.components = wrong[i];
        wishes.components_count = 1;
        refuse(wrong[i][0]);
    }
    forget(state);
    world(state);
    plan.document_count = 0;
    refuse("no components");
}

static void dependencies_join(void **state)
{
    static const char *const selector[] = {"Ledger:Journal"};
    static const char *const accept[] = {"Ledger"};
    shadowpipe__v1__dependency__init(&on_db);
    on_db.writer_id = (char *)SQL;
    on_db.logical_path = (char *)"srv\\db"; /* a part of db */
    on_db.name = (char *)"table";
    journal.dependencies = dependencies;
    journal.n_dependencies = 1;
    choose_one(selector);
    assert_int_equal(plan.count, 2);
    assert_true(plan.items[1].joined);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    for (size_t i = 0; i < 2; i++) {
        forget(state);
        world(state);
        journal.dependencies = dependencies;
        journal.n_dependencies = 1;
        plan.document_count = 1;
        wishes.accepted = accept;
        wishes.accepted_count = i;
        choose_one(selector);
        assert_int_equal(restore_plan_blocked(&plan), 1 - i);
        if (i == 0)
            has_problem(&plan.items[0], "srv\\db\\table");
    }
}

/* ---- who runs ---- */

static void a_missing_writer_is_named_with_its_service(void **state)
{
    (void)state;
    plan.running_count = 1;
    choose();
    has_problem(&plan.items[2], "start the service SQLWriter");
    assert_string_equal(plan.items[2].writer_name, "SqlServerWriter");
    assert_int_equal(restore_plan_blocked(&plan), 1);
}

static void an_unknown_missing_writer_is_named_by_its_id(void **state)
{
    (void)state;
    plan.running_count = 0;
    choose();
    has_problem(&plan.items[0], "start the application");
    assert_string_equal(plan.items[0].writer_name, LEDGER);
}

static void a_missing_writer_can_be_skipped(void **state)
{
    (void)state;
    plan.running_count = 1;
    wishes.skip_missing = true;
    choose();
    assert_int_equal(restore_plan_blocked(&plan), 0);
    assert_int_equal(restore_plan_skipped(&plan), 1);
    assert_true(plan.items[2].skipped);
}

static void a_writer_that_wants_no_part_need_not_run(void **state)
{
    (void)state;
    plan.running_count = 1;
    stored[0] = &sql;
    plan.stored_count = 1;
    sql_method.writer_restore = PB_VALUE(WRITER_RESTORE, WRITER_RESTORE_NEVER);
    choose();
    assert_true(plan.items[2].untold);
    assert_int_equal(restore_plan_blocked(&plan), 0);
}

static void among_several_instances_the_right_one_is_chosen(void **state)
{
    (void)state;
    writer(&twin, &twin_status, LEDGER, "cccccccc-2222-3333-4444-555555555555", "Ledger");
    running[2] = &ledger;
    running[0] = &twin;
    plan.running_count = 3;
    choose();
    assert_ptr_equal(plan.items[0].running, &ledger); /* it declares Books */
    assert_true(plan.items[0].by_instance);
    assert_string_equal(restore_component_ref(&plan.items[0]).instance_id, INSTANCE);
    assert_false(plan.items[2].by_instance);
    assert_string_equal(restore_component_ref(&plan.items[2]).instance_id, "");
}

static void stored_metadata_comes_before_todays(void **state)
{
    PB(Writer) today = SHADOWPIPE__V1__WRITER__INIT;
    (void)state;
    today.status = &ledger_status;
    running[0] = &today;
    choose();
    has_problem(&plan.items[0], "--metadata");
    forget(state);
    world(state);
    running[0] = &today;
    stored[0] = &ledger;
    plan.stored_count = 1;
    choose();
    assert_int_equal(restore_plan_blocked(&plan), 0);
    has_note(&plan.items[0], "does not declare it today");
    forget(state);
    world(state);
    stored[0] = &today;
    plan.stored_count = 1;
    choose();
    has_problem(&plan.items[0], "which files it has is not known");
    forget(state);
    world(state);
    running[0] = &today;
    today.left_out = (char *)"the components";
    choose();
    has_problem(&plan.items[0], "too large");
}

/* ---- methods ---- */

static void methods_that_want_more_need_consent(void **state)
{
    static const struct {
        int method;
        const char *words;
    } rows[] = {{STOP_RESTORE_START, "LedgerSvc"}, {AT_REBOOT, "reboot"}, {CUSTOM, "see the book"}};
    static const char *const accept[] = {"Ledger"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t accepted = 0; accepted < 2; accepted++) {
            forget(state);
            world(state);
            method.method = (PB(RestoreMethodType))rows[i].method;
            method.user_procedure = (char *)"the book";
            wishes.accepted = accept;
            wishes.accepted_count = accepted;
            choose();
            assert_int_equal(restore_plan_blocked(&plan), accepted ? 0 : 2);
            assert_int_equal(plan.items[0].at_reboot, rows[i].method == AT_REBOOT);
            if (!accepted)
                has_problem(&plan.items[0], rows[i].words);
        }
    }
}

static void what_follows_a_restore_is_noted(void **state)
{
    (void)state;
    method.method = (PB(RestoreMethodType))STOP_START;
    method.reboot_required = true;
    saved_books.backup_succeeded = false;
    choose();
    has_note(&plan.items[0], "stop and start the service LedgerSvc");
    has_note(&plan.items[0], "restarted");
    has_note(&plan.items[0], "does not say that its backup succeeded");
    assert_int_equal(restore_plan_blocked(&plan), 0);
}

static void what_a_writer_does_not_support_is_refused(void **state)
{
    static const char *const words[] = {"--to", "--roll-forward", "--restore-name", "--authoritative"};
    static const uint32_t bits[] = {SCHEMA_NEW_TARGET, SCHEMA_ROLL_FORWARD, SCHEMA_RENAME,
                                    SCHEMA_AUTHORITATIVE};
    for (size_t i = 0; i < 4; i++) {
        for (int supported = 0; supported < 2; supported++) {
            forget(state);
            world(state);
            wishes.to = i == 0 ? "X:\\" : NULL;
            wishes.roll_forward = i == 1;
            wishes.restore_name = i == 2 ? "other" : NULL;
            wishes.authoritative = i == 3;
            ledger.backup_schema = supported ? bits[i] : ~bits[i];
            sql.backup_schema = bits[i];
            choose();
            assert_int_equal(restore_plan_blocked(&plan), supported ? 0 : 2);
            if (!supported)
                has_problem(&plan.items[0], words[i]);
        }
    }
}

static void points_to_roll_to(void **state)
{
    (void)state;
    assert_int_equal(restore_roll_type("none"), ROLL_NONE);
    assert_int_equal(restore_roll_type("ALL"), ROLL_ALL);
    assert_int_equal(restore_roll_type("2026-11-29"), ROLL_TO_POINT);
}

/* ---- where it goes ---- */

/* A disk with one file that is in the way below `busy`, and one that cannot be looked at. */
static const char *busy;
static const char *broken;
static bool busy_is_locked;

static bool look(const char *directory, const char *filespec, bool recursive, bool locked, bool *in_way,
                 struct text *found)
{
    (void)filespec;
    (void)recursive;
    if (broken && strcmp(directory, broken) == 0) {
        text_add(found, "no access");
        return false;
    }
    *in_way = busy && strcmp(directory, busy) == 0 && (!locked || busy_is_locked);
    if (*in_way)
        text_format(found, "%s\\a.file", directory);
    return true;
}

static const struct restore_disk disk = {.look = look};

static void direct(const char *busy_directory, bool is_locked)
{
    busy = busy_directory;
    busy_is_locked = is_locked;
    restore_plan_direct(&plan, &disk);
    assert_false(plan.no_memory);
}

static void files_go_where_they_were(void **state)
{
    (void)state;
    choose();
    direct("D:\\data\\Ledger", false);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    assert_string_equal(plan.items[0].files[0].target, "D:\\data\\Ledger");
    assert_string_equal(plan.items[0].files[0].alternate ? "" : "none", "none");
}

static void new_targets_are_below_the_directory(void **state)
{
    (void)state;
    wishes.to = "X:\\back\\";
    ledger.backup_schema = sql.backup_schema = SCHEMA_NEW_TARGET;
    file(&journal_file, "\\\\server\\share\\journal", "*", false);
    file(&log_file, "\\\\?\\Volume{x}\\log", "*", false);
    choose();
    direct(NULL, false);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    assert_string_equal(plan.items[0].files[0].target, "X:\\back\\D\\data\\Ledger");
    assert_string_equal(plan.items[1].files[0].target, "X:\\back\\server\\share\\journal");
    assert_string_equal(plan.items[1].files[1].target, "X:\\back\\Volume{x}\\log");
    assert_string_equal(plan.items[2].files[0].target, "X:\\back\\E");
    assert_true(plan.items[0].files[0].is_new_target);
    saved_books.restore_target = TARGET_ORIGINAL_LOCATION;
    direct(NULL, false);
    assert_string_equal(plan.items[0].files[0].target, "D:\\data\\Ledger");
    assert_false(plan.items[0].files[0].is_new_target);
    has_note(&plan.items[0], "where it was");
}

/* Only Books without parts has an alternate location for all that it has. */
static void with_alternate(void)
{
    ledger_components[1] = ledger_components[2] = &journal;
    method.alternate_locations = mappings;
    method.n_alternate_locations = 1;
}

static int restore_components(void **state)
{
    ledger_components[1] = &old;
    ledger_components[2] = &new;
    broken = NULL;
    return forget(state);
}

static void files_in_the_way_divert_or_stop(void **state)
{
    static const struct {
        int method;
        bool locked;
        bool alternate;
        const char *busy;
        const char *target; /* NULL: stopped */
    } rows[] = {
        {IF_NOT_THERE, false, false, "D:\\data\\Ledger", NULL},
        {IF_NOT_THERE, false, false, "D:\\elsewhere", "D:\\data\\Ledger"},
        {IF_NOT_THERE, false, true, "D:\\data\\Ledger", "F:\\spare"},
        {IF_CAN_REPLACE, true, false, "D:\\data\\Ledger", NULL},
        {IF_CAN_REPLACE, false, true, "D:\\data\\Ledger", "D:\\data\\Ledger"},
        {IF_CAN_REPLACE, true, true, "D:\\data\\Ledger", "F:\\spare"},
        {AT_REBOOT_IF, true, true, "D:\\data\\Ledger", "D:\\data\\Ledger"},
        {TO_ALTERNATE, false, true, "", "F:\\spare"},
    };
    static const char *const selector[] = {"Ledger:Accounts\\Books"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        restore_components(state);
        world(state);
        ledger_components[1] = ledger_components[2] = &journal;
        if (rows[i].alternate)
            with_alternate();
        method.method = (PB(RestoreMethodType))rows[i].method;
        choose_one(selector);
        direct(rows[i].busy, rows[i].locked);
        const struct restore_item *item = &plan.items[0];
        if (rows[i].target) {
            assert_int_equal(item->problems_count, 0);
            assert_string_equal(item->files[0].target, rows[i].target);
            assert_int_equal(item->files[0].is_mapped, strcmp(rows[i].target, "F:\\spare") == 0);
        } else {
            has_problem(item, "D:\\data\\Ledger\\a.file");
        }
        assert_int_equal(item->at_reboot, rows[i].method == AT_REBOOT_IF);
    }
}

static void in_a_rehearsal_files_in_the_way_are_notes(void **state)
{
    (void)state;
    plan.rehearsal = true;
    choose();
    direct("D:\\old", true);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    has_note(&plan.items[0], "D:\\old\\a.file");
}

static void a_disk_that_cannot_be_read_stops(void **state)
{
    (void)state;
    choose();
    broken = "D:\\new";
    direct(NULL, false);
    has_problem(&plan.items[0], "no access");
}

static void writers_decide_at_pre_restore(void **state)
{
    static const char *const selector[] = {"Ledger:Accounts\\Books"};
    with_alternate();
    choose_one(selector);
    saved_books.restore_target = TARGET_ALTERNATE;
    direct(NULL, false);
    assert_int_equal(restore_plan_blocked(&plan), 0);
    assert_string_equal(plan.items[0].files[0].target, "F:\\spare");
    restore_components(state);
    world(state);
    choose();
    saved_books.restore_target = TARGET_ALTERNATE;
    saved_journal.restore_target = TARGET_DIRECTED;
    direct(NULL, false);
    has_problem(&plan.items[0], "alternate locations");
    has_note(&plan.items[1], "one by one");
}

static void an_alternate_location_is_needed_for_all(void **state)
{
    (void)state;
    method.method = (PB(RestoreMethodType))TO_ALTERNATE;
    method.alternate_locations = mappings;
    method.n_alternate_locations = 1;
    choose();
    has_problem(&plan.items[0], "D:\\old");
}

/* ---- what is told ---- */

static void the_manifest_says_all(void **state)
{
    static const char *const selector[] = {"Ledger:Journal"};
    struct text json = {0};
    (void)state;
    saved_journal.backup_stamp = (char *)"s\"1";
    saved_journal.restore_target = TARGET_ORIGINAL;
    method.reboot_required = true;
    choose_one(selector);
    direct(NULL, false);
    restore_manifest(&json, &plan, "C:\\b.xml", true);
    assert_string_equal(
        text_string(&json),
        "{\"version\":1,\"document\":\"C:\\\\b.xml\",\"simulated\":true,\"components\":[{\"writer\":"
        "\"Ledger\","
        "\"writerId\":\"" LEDGER "\",\"type\":\"FILE_GROUP\",\"logicalPath\":\"\",\"name\":\"Journal\","
        "\"restoreMethod\":\"IF_CAN_REPLACE\",\"service\":\"LedgerSvc\",\"userProcedure\":\"\","
        "\"rebootRequired\":true,\"atReboot\":false,\"restoreTarget\":\"ORIGINAL\",\"backupSucceeded\":true,"
        "\"backupStamp\":\"s\\\"1\",\"previousBackupStamp\":\"\",\"backupMetadata\":\"\",\"backupOptions\":"
        "\"\","
        "\"restoreMetadata\":\"\",\"restoreOptions\":\"\",\"restoreName\":\"\",\"files\":[{\"path\":\"D:"
        "\\\\journal\","
        "\"filespec\":\"main.db\",\"recursive\":false,\"role\":\"FILE_GROUP\",\"targetPath\":\"D:"
        "\\\\journal\","
        "\"alternatePath\":\"\",\"componentLogicalPath\":\"\",\"componentName\":\"Journal\"},{\"path\":\"D:"
        "\\\\log\","
        "\"filespec\":\"*.log\",\"recursive\":false,\"role\":\"LOG\",\"targetPath\":\"D:\\\\log\","
        "\"alternatePath\":\"\",\"componentLogicalPath\":\"\",\"componentName\":\"Journal\"}],"
        "\"directedTargets\":[],\"partialFiles\":[],\"differencedFiles\":[]}]}\n");
    text_free(&json);
}

static void reports_name_problems_and_notes(void **state)
{
    struct text text = {0};
    (void)state;
    plan.running_count = 1;
    method.reboot_required = true;
    choose();
    restore_report(&text, &plan);
    assert_non_null(strstr(text_string(&text), "SqlServerWriter: srv\\db: cannot be restored\n"));
    assert_non_null(strstr(text_string(&text),
                           "    restore method IF_CAN_REPLACE, service LedgerSvc, reboot required\n"));
    text_clear(&text);
    restore_report_problems(&text, &plan);
    assert_string_equal(
        text_string(&text),
        "  - SqlServerWriter: srv\\db: its writer does not run: start the service SQLWriter\n");
    text_clear(&text);
    restore_report_notes(&text, &plan);
    assert_non_null(strstr(text_string(&text), "Ledger: Journal: when it is restored"));
    text_clear(&text);
    restore_report_notes(&text, &plan);
    assert_int_equal(text.size, 0);
    text_clear(&text);
    restore_report_json(&text, &plan);
    assert_non_null(strstr(text_string(&text), "\"possible\":false,\"leftOut\":false,\"writerRuns\":false"));
    text_free(&text);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    arena_free(&plan.arena);
    arena_init(&plan.arena, 2048);
    while (!plan.arena.exhausted)
        (void)arena_alloc(&plan.arena, 256);
    (void)restore_plan_choose(&plan, &problem);
    assert_true(plan.no_memory);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world, restore_components)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_chosen_with_what_is_below),
        TEST(a_component_of_its_own_has_its_files_itself),
        TEST(writers_and_components_narrow),
        TEST(a_part_can_be_restored_alone),
        TEST(the_whole_includes_its_parts),
        TEST(what_is_not_there_is_said),
        TEST(dependencies_join),
        TEST(a_missing_writer_is_named_with_its_service),
        TEST(an_unknown_missing_writer_is_named_by_its_id),
        TEST(a_missing_writer_can_be_skipped),
        TEST(a_writer_that_wants_no_part_need_not_run),
        TEST(among_several_instances_the_right_one_is_chosen),
        TEST(stored_metadata_comes_before_todays),
        TEST(methods_that_want_more_need_consent),
        TEST(what_follows_a_restore_is_noted),
        TEST(what_a_writer_does_not_support_is_refused),
        TEST(points_to_roll_to),
        TEST(files_go_where_they_were),
        TEST(new_targets_are_below_the_directory),
        TEST(files_in_the_way_divert_or_stop),
        TEST(in_a_rehearsal_files_in_the_way_are_notes),
        TEST(a_disk_that_cannot_be_read_stops),
        TEST(writers_decide_at_pre_restore),
        TEST(an_alternate_location_is_needed_for_all),
        TEST(the_manifest_says_all),
        TEST(reports_name_problems_and_notes),
        TEST(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
