/* What outlives a crash of the service: the store, the snapshots of persistent contexts, and who was given
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    SETS_PERCENT = 5, /* of failing operations, where there are faults */
    OBJECT_SNAPSHOT = 3
};

static struct stored_value *find_value(struct model *model, const char *key)
{
    for (struct stored_value *value = model->stored; value != NULL; value = value->next) {
        if (strcmp(value->key, key) == 0)
            return value;
    }
    return NULL;
}

static void value_free(struct stored_value *value)
{
    if (value != NULL)
        free(value->bytes);
    free(value);
}

static struct stored_value *record_of(struct model *model, const struct process *process)
{
    char key[64];
    (void)snprintf(key, sizeof key, "5e7%05u-0000-0000-0000-000000000000", (unsigned)process->id);
    return find_value(model, key);
}

/* ---- operations ---- */

static void ask(struct model *model, const char *key, const uint8_t *bytes, size_t size)
{
    struct stored_value *operation = calloc(1, sizeof *operation);
    struct stored_value **last = &model->operations;
    if (operation == NULL)
        abort();
    (void)snprintf(operation->key, sizeof operation->key, "%s", key);
    if (bytes != NULL) {
        operation->bytes = malloc(size);
        if (operation->bytes == NULL)
            abort();
        memcpy(operation->bytes, bytes, size);
        operation->size = size;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = operation;
    bool is_slow = model->fault_permille > 0 && !model->is_quiet && model_chance(model, 3);
    model_schedule(model, model_random(model, is_slow ? 20000 : 50), EVENT_STORED, 0, 0);
}

void store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    (void)lasting;
    ask(context, key, bytes, size);
}

void store_delete(void *context, const char *key)
{
    ask(context, key, NULL, 0);
}

static void remove_value(struct model *model, const char *key)
{
    struct stored_value **link = &model->stored;
    while (*link != NULL && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    struct stored_value *value = *link;
    if (value != NULL)
        *link = value->next;
    value_free(value);
}

/* Takes it. */
static void apply(struct model *model, struct stored_value *operation)
{
    remove_value(model, operation->key);
    if (operation->bytes == NULL) {
        value_free(operation);
        return;
    }
    operation->next = model->stored;
    model->stored = operation;
    if (strncmp(operation->key, "set-", 4) == 0 || strncmp(operation->key, "lease-", 6) == 0)
        return;
    PB(StoredSet) *stored = shadowpipe__v1__stored_set__unpack(NULL, operation->size, operation->bytes);
    REQUIRE(model, stored != NULL && stored->n_snapshots > 0, "nonsense is stored");
    operation->created = stored->created;
    shadowpipe__v1__stored_set__free_unpacked(stored, NULL);
}

static struct stored_value *take_operation(struct model *model)
{
    struct stored_value *operation = model->operations;
    if (operation != NULL)
        model->operations = operation->next;
    return operation;
}

bool store_has(struct model *model, const char *prefix, const char *id)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s%s", prefix, id);
    return find_value(model, key) != NULL;
}

uint32_t store_count_untold(struct model *model)
{
    uint32_t count = 0;
    for (const struct stored_value *value = model->stored; value != NULL; value = value->next)
        count += strncmp(value->key, "lease-", 6) == 0 && lease_find_seen(model, value->key + 6) == NULL;
    return count;
}

/* Of what the next service needs. Takes it. */
static void note_failure(struct model *model, struct stored_value *operation)
{
    if (model->failed_count < FAILED_KEYS)
        memcpy(model->failed_keys[model->failed_count++], operation->key, sizeof operation->key);
    value_free(operation);
}

bool store_has_failed(const struct model *model, const char *prefix, const char *id)
{
    char key[64];
    (void)snprintf(key, sizeof key, "%s%s", prefix, id);
    for (size_t i = 0; i < model->failed_count; i++) {
        if (strcmp(model->failed_keys[i], key) == 0)
            return true;
    }
    return false;
}

/* The first of those asked for, whichever event says so: they are done in order. */
void store_works(struct model *model)
{
    struct stored_value *operation = take_operation(model);
    if (operation == NULL)
        return;
    char key[sizeof operation->key];
    memcpy(key, operation->key, sizeof key);
    bool fails = model->fault_permille > 0 && !model->is_quiet && model_chance(model, SETS_PERCENT);
    model_say(model, "store: %s is %s%s", key, operation->bytes != NULL ? "put" : "deleted",
              fails ? ", which fails" : "");
    if (fails)
        note_failure(model, operation);
    else
        apply(model, operation);
    broker_stored(model->broker, key, fails ? "no room" : NULL);
}

void store_note_untold(struct model *model)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        struct stored_value *record = record_of(model, model->processes[i]);
        if (record != NULL && inside_awaits_store(model, model->processes[i]))
            record->is_unheard = true;
    }
}

/* The host does what was asked for before it ends. */
void store_drains(struct model *model)
{
    struct stored_value *operation;
    while ((operation = take_operation(model)) != NULL)
        apply(model, operation);
}

/* Some of what was asked for is done, and nobody hears of it. */
void store_crashes(struct model *model)
{
    bool is_done = true;
    struct stored_value *operation;
    while ((operation = take_operation(model)) != NULL) {
        is_done = is_done && model_chance(model, 50);
        operation->is_unheard = true;
        if (is_done)
            apply(model, operation);
        else
            value_free(operation);
    }
}

void store_is_read(struct model *model)
{
    for (const struct stored_value *value = model->stored; value != NULL; value = value->next)
        broker_add_stored(model->broker, value->key, value->bytes, value->size);
    broker_start(model->broker);
}

void store_free(struct model *model)
{
    struct stored_value *operation;
    while ((operation = take_operation(model)) != NULL)
        value_free(operation);
    while (model->stored != NULL)
        remove_value(model, model->stored->key);
}

/* ---- what must hold ---- */

void store_check_freeze(struct model *model, const struct process *process)
{
    REQUIRE(model, record_of(model, process) != NULL,
            "DoSnapshotSet of a persistent set, and nothing is stored");
}

void store_check_given(struct model *model, const struct process *process)
{
    const struct stored_value *record = record_of(model, process);
    REQUIRE(model, record != NULL && record->created,
            "a persistent set is given out, and a crash now would take it away");
}

/* Between two events: no crash leaves snapshots that nobody knows of, or that somebody was given. */
void store_check(struct model *model)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        const struct process *process = model->processes[i];
        if (process->object.copies == 0)
            continue;
        const struct stored_value *record = record_of(model, process);
        REQUIRE(model, record != NULL, "persistent snapshots of requester %llu have no record",
                (unsigned long long)process->id);
        REQUIRE(model, record->created || process->object.handed_out == 0,
                "the record of requester %llu's set forgets that somebody has it",
                (unsigned long long)process->id);
    }
}

bool copies_are_owed(struct model *model)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        const struct object *object = &model->processes[i]->object;
        const struct stored_value *record = record_of(model, model->processes[i]);
        bool may_be_given = record != NULL && record->is_unheard && record->created;
        bool is_ungiven = object->handed_out == 0 && !may_be_given;
        bool is_due = object->delete_ms != 0 && object->delete_ms <= model->told_wall_ms;
        if (object->copies != 0 && object->open_leases == 0 && (is_ungiven || is_due))
            return true;
    }
    return false;
}

/* ---- snapshots ---- */

/* By an id that vss_answer gave; *bit is that of the snapshot. */
static struct object *find_copy(struct model *model, const char *id, unsigned *bit)
{
    unsigned number = strncmp(id, "c0b", 3) == 0 ? (unsigned)strtoul(id + 3, NULL, 10) : 0;
    size_t length = strlen(id);
    *bit = length > 12 ? 1u << (strtoul(id + length - 12, NULL, 10) - 1) : 0;
    return number > 0 && number <= model->processes_count ? &model->processes[number - 1]->object : NULL;
}

void copies_check_delete(struct model *model, const PB(DeleteSnapshotsCall) * call)
{
    unsigned bit;
    const struct object *object = find_copy(model, call->object_id, &bit);
    REQUIRE(model, call->object_type == OBJECT_SNAPSHOT && object != NULL && object->is_persistent,
            "something is deleted that is nothing of ours: %s", call->object_id);
    REQUIRE(model, object->open_leases == 0 || object->has_lost, "a snapshot that is read is deleted");
    REQUIRE(model,
            object->handed_out == 0 || object->may_go ||
                (object->delete_ms != 0 && object->delete_ms <= model->latest_wall_ms),
            "a snapshot is deleted that somebody keeps");
}

uint32_t copies_delete(struct model *model, const PB(DeleteSnapshotsCall) * call)
{
    unsigned bit;
    struct object *object = find_copy(model, call->object_id, &bit);
    if ((object->copies & bit) == 0)
        return VSS_NOT_FOUND;
    object->copies &= ~bit;
    return 0;
}

void copies_query(struct model *model, struct vss_answer *answer)
{
    enum {
        MOST = PROCESSES
    };
    static PB(Snapshot) found[MOST];
    static PB(Snapshot) * list[MOST + 1];
    static char ids[MOST][40];
    size_t count = 0;
    list[count++] = &answer->foreign;
    for (size_t i = 0; i < model->processes_count; i++) {
        for (unsigned j = 0; j < VOLUMES; j++) {
            if ((model->processes[i]->object.copies & 1u << j) == 0 || count > MOST)
                continue;
            (void)snprintf(ids[count - 1], sizeof ids[0], "c0b%05u-0000-0000-0000-%012u", (unsigned)i + 1,
                           j + 1);
            shadowpipe__v1__snapshot__init(&found[count - 1]);
            found[count - 1].snapshot_id = ids[count - 1];
            list[count] = &found[count - 1];
            count++;
        }
    }
    REQUIRE(model, count <= MOST, "the model has no room for another snapshot");
    answer->query.snapshots = list;
    answer->query.n_snapshots = count;
}
