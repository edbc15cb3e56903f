#include "tests/unit/vss_answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/sequence.h"

const char *const writer_names[WRITERS] = {"System Writer", "SqlServerWriter", "Acme Writer"};
const char *const writer_classes[WRITERS] = {"e8132975-6f93-4464-a53e-1050253ae220",
                                             "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a",
                                             "11111111-2222-3333-4444-555555555555"};
const char *const writer_instances[WRITERS] = {"aaaaaaaa-0000-0000-0000-000000000001",
                                               "aaaaaaaa-0000-0000-0000-000000000002",
                                               "aaaaaaaa-0000-0000-0000-000000000003"};

static void fill_identity(PB(WriterStatus) * status, unsigned writer)
{
    status->writer_id = (char *)(uintptr_t)writer_classes[writer];
    status->instance_id = (char *)(uintptr_t)writer_instances[writer];
    status->name = (char *)(uintptr_t)writer_names[writer];
}

static void answer_part(struct vss_answer *out, const PB(GetWriterMetadata) * part)
{
    out->writer.n_components = part->component < 2 ? 1 : 0;
    out->metadata.more = part->component < 2;
    out->metadata.next_component = part->component + 1;
    out->metadata.next_file = part->component;
    shadowpipe__v1__file_descriptor__init(&out->file);
    out->file.path = (char *)(uintptr_t) "C:\\Data";
    out->files[0] = &out->file;
    out->component.files = out->writer.include_files = out->files;
    out->component.n_files = part->with_files ? 1 : 0;
    out->writer.n_include_files = part->component == 2 && part->file == 1 ? 1 : 0;
}

static void answer_writers(struct vss_answer *out, const struct vss_view *view, const PB(Call) * call)
{
    unsigned writer;
    shadowpipe__v1__get_writer_metadata_count_result__init(&out->metadata_count);
    shadowpipe__v1__get_writer_status_count_result__init(&out->status_count);
    shadowpipe__v1__get_writer_metadata_result__init(&out->metadata);
    shadowpipe__v1__get_writer_status_result__init(&out->status_result);
    shadowpipe__v1__writer__init(&out->writer);
    shadowpipe__v1__writer_status__init(&out->status);
    shadowpipe__v1__component__init(&out->component);
    switch (call->method_case) {
    case PB_METHOD(GET_WRITER_METADATA_COUNT):
        out->metadata_count.count = view->present_count;
        out->reply.out_case = PB_OUT(GET_WRITER_METADATA_COUNT);
        out->reply.get_writer_metadata_count = &out->metadata_count;
        break;
    case PB_METHOD(GET_WRITER_METADATA):
        fill_identity(&out->status, view->present[call->get_writer_metadata->index]);
        if (view->all_one_name)
            out->status.name = (char *)(uintptr_t)writer_names[WRITERS - 1];
        out->components[0] = out->components[1] = &out->component;
        out->writer.status = &out->status;
        out->writer.components = out->components;
        out->writer.n_components = call->get_writer_metadata->with_components ? 2 : 0;
        out->status.components = 2;
        if (call->get_writer_metadata->part_bytes != 0) /* one component in each part, then the rest */
            answer_part(out, call->get_writer_metadata);
        out->metadata.writer = &out->writer;
        out->reply.out_case = PB_OUT(GET_WRITER_METADATA);
        out->reply.get_writer_metadata = &out->metadata;
        break;
    case PB_METHOD(GET_WRITER_STATUS_COUNT):
        out->status_count.count = view->present_count;
        out->reply.out_case = PB_OUT(GET_WRITER_STATUS_COUNT);
        out->reply.get_writer_status_count = &out->status_count;
        break;
    case PB_METHOD(GET_WRITER_STATUS_EX):
        writer = view->present[call->get_writer_status_ex->index];
        fill_identity(&out->status, writer);
        if (view->all_one_name)
            out->status.name = (char *)(uintptr_t)writer_names[WRITERS - 1];
        out->status.hresult = view->hresults[writer];
        out->status_result.state_value = view->states[writer];
        out->status_result.writer = &out->status;
        out->reply.out_case = PB_OUT(GET_WRITER_STATUS_EX);
        out->reply.get_writer_status_ex = &out->status_result;
        break;
    default:
        break;
    }
}

static void answer_set(struct vss_answer *out, const struct vss_view *view, const PB(Call) * call)
{
    shadowpipe__v1__start_snapshot_set_result__init(&out->started);
    shadowpipe__v1__add_to_snapshot_set_result__init(&out->added);
    shadowpipe__v1__get_snapshot_properties_result__init(&out->properties);
    shadowpipe__v1__snapshot__init(&out->snapshot);
    switch (call->method_case) {
    case PB_METHOD(START_SNAPSHOT_SET):
        (void)snprintf(out->text, sizeof out->text, "5e7%05u-0000-0000-0000-000000000000", view->object);
        out->started.set_id = out->text;
        out->reply.out_case = PB_OUT(START_SNAPSHOT_SET);
        out->reply.start_snapshot_set = &out->started;
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        (void)snprintf(out->text, sizeof out->text, "c0b%05u-0000-0000-0000-%012u", view->object,
                       view->added);
        out->added.snapshot_id = out->text;
        out->reply.out_case = PB_OUT(ADD_TO_SNAPSHOT_SET);
        out->reply.add_to_snapshot_set = &out->added;
        break;
    case PB_METHOD(GET_SNAPSHOT_PROPERTIES):
        out->snapshot.snapshot_id = call->get_snapshot_properties->snapshot_id;
        (void)snprintf(out->text, sizeof out->text, "\\\\?\\GLOBALROOT\\Device\\Copy%s",
                       out->snapshot.snapshot_id + strlen(out->snapshot.snapshot_id) - 2);
        out->snapshot.device = out->text;
        out->properties.snapshot = &out->snapshot;
        out->reply.out_case = PB_OUT(GET_SNAPSHOT_PROPERTIES);
        out->reply.get_snapshot_properties = &out->properties;
        break;
    default:
        break;
    }
}

/* All copies are of the first volume of the harness; its shadow storage is on the second. */
static void answer_room(struct vss_answer *out, const struct vss_view *view, const PB(Call) * call)
{
    static char first[] = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\";
    static char second[] = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000d}\\";
    if (call->method_case == PB_METHOD(COUNT_SNAPSHOTS) && view->counted > 0) {
        shadowpipe__v1__count_snapshots_result__init(&out->counts);
        shadowpipe__v1__snapshot_count__init(&out->count);
        out->count.volume_guid_path = first;
        out->count.snapshots = view->counted;
        out->count.client_accessible = view->client_accessible;
        out->count_list[0] = &out->count;
        out->counts.volumes = out->count_list;
        out->counts.n_volumes = 1;
        out->reply.out_case = PB_OUT(COUNT_SNAPSHOTS);
        out->reply.count_snapshots = &out->counts;
    }
    if (call->method_case == PB_METHOD(QUERY_DIFF_AREAS) && view->area_maximum > 0) {
        shadowpipe__v1__query_diff_areas_result__init(&out->areas);
        shadowpipe__v1__diff_area__init(&out->area);
        out->area.volume = first;
        out->area.diff_volume = second;
        out->area.maximum_bytes = view->area_maximum;
        out->area.used_bytes = out->area.allocated_bytes = view->area_used;
        out->area_list[0] = &out->area;
        out->areas.areas = out->area_list;
        out->areas.n_areas = 1;
        out->reply.out_case = PB_OUT(QUERY_DIFF_AREAS);
        out->reply.query_diff_areas = &out->areas;
    }
}

static void answer_questions(struct vss_answer *out, const struct vss_view *view, const PB(Call) * call)
{
    shadowpipe__v1__is_volume_supported_result__init(&out->supported);
    shadowpipe__v1__query_result__init(&out->query);
    shadowpipe__v1__provider__init(&out->provider);
    shadowpipe__v1__snapshot__init(&out->own);
    shadowpipe__v1__snapshot__init(&out->foreign);
    switch (call->method_case) {
    case PB_METHOD(IS_VOLUME_SUPPORTED):
        out->supported.supported = view->supports;
        out->reply.out_case = PB_OUT(IS_VOLUME_SUPPORTED);
        out->reply.is_volume_supported = &out->supported;
        break;
    case PB_METHOD(QUERY):
        out->provider.name = (char *)(uintptr_t) "Test provider";
        out->providers[0] = &out->provider;
        out->query.providers = out->providers;
        out->query.n_providers = 1;
        (void)snprintf(out->text, sizeof out->text, "c0b%05u-0000-0000-0000-000000000001", view->object);
        out->own.snapshot_id = out->text;
        out->foreign.snapshot_id = (char *)(uintptr_t) "f0000000-0000-0000-0000-000000000001";
        out->snapshots[0] = &out->foreign;
        out->snapshots[1] = &out->own;
        out->query.snapshots = out->snapshots;
        out->query.n_snapshots = call->query->object_type == 3 ? 2 : 0;
        out->reply.out_case = PB_OUT(QUERY);
        out->reply.query = &out->query;
        break;
    case PB_METHOD(IS_VOLUME_SNAPSHOTTED):
        out->reply.hresult = 0x80004001u;
        break;
    default:
        break;
    }
}

void vss_answer(struct vss_answer *answer, const struct vss_view *view, const PB(Call) * call)
{
    shadowpipe__v1__call_reply__init(&answer->reply);
    if (method_is_asynchronous(call->method_case))
        answer->reply.async_hresult = S_ASYNC_FINISHED;
    answer_writers(answer, view, call);
    answer_set(answer, view, call);
    answer_questions(answer, view, call);
    answer_room(answer, view, call);
}

unsigned vss_object_of_set(const char *set_id)
{
    return strncmp(set_id, "5e7", 3) == 0 ? (unsigned)strtoul(set_id + 3, NULL, 10) : 0;
}
