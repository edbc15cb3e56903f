/* The longer displays: snapshots, the service's state, and the lists of what there is. */
#include "client/cli/display.h"

#include <inttypes.h>
#include <string.h>

static const char *or_dash(const char *string)
{
    return string && *string ? string : "-";
}

/* The name of an enum value in lower case, without its prefix and with spaces. */
static void add_enum_words(struct text *text, const ProtobufCEnumDescriptor *descriptor, int value,
                           const char *prefix)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    const char *name = known ? known->name : "UNKNOWN";
    if (known && strncmp(name, prefix, strlen(prefix)) == 0)
        name += strlen(prefix);
    for (; *name; name++)
        text_add_char(text,
                      *name == '_' ? ' ' : (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name));
}

static void add_names(struct text *text, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_format(text, "%s%s", i ? ", " : "", names[i]);
}

static void add_consistency(struct text *text, const PB(SnapshotReply) * reply)
{
    switch (reply->consistency) {
    case PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION):
        text_add(text, "application-consistent");
        break;
    case PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL):
        text_add(text, "application-consistent in part: some writers failed or were left out");
        break;
    case PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH):
        text_add(text, "crash-consistent: no writers were asked");
        break;
    default:
        text_add(text, "consistency not known");
    }
}

void display_snapshot(struct text *text, const PB(SnapshotReply) * reply)
{
    text_format(text, "Snapshot set %s, ", or_dash(reply->set_id));
    display_time(text, reply->created_ms);
    text_add(text, ", ");
    add_consistency(text, reply);
    text_add(text, reply->simulated ? " (simulated VSS)\n" : "\n");
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Snapshot) *volume = reply->volumes[i];
        size_t start = text->size;
        text_add(text, "  ");
        if (volume->n_volume_names)
            add_names(text, volume->volume_names, volume->n_volume_names);
        else
            text_add(text, volume->volume_guid_path);
        text_pad(text, start, 10);
        text_format(text, "%s\n", volume->device_root);
    }
    for (size_t i = 0; i < reply->n_uncovered; i++)
        text_format(text, "  NOT in the snapshot: %s: %s\n", reply->uncovered[i]->path,
                    reply->uncovered[i]->reason);
    for (size_t i = 0; i < reply->n_writers; i++) {
        if (reply->writers[i]->failed)
            display_writer_failure(text, reply->writers[i]);
    }
    for (size_t i = 0; i < reply->n_warnings; i++)
        text_format(text, "  Warning: %s\n", reply->warnings[i]);
    if (reply->n_phases > 0) {
        text_add(text, "  Took");
        for (size_t i = 0; i < reply->n_phases; i++) {
            text_format(text, "%s ", i ? "," : "");
            add_enum_words(text, &shadowpipe__v1__phase__descriptor, (int)reply->phases[i]->phase, "PHASE_");
            text_add_char(text, ' ');
            display_duration(text, reply->phases[i]->duration_ms);
        }
        text_add(text, "\n");
    }
}

static void add_set(struct text *text, const PB(SetInfo) * set)
{
    text_format(text, "  %s ", *set->set_id ? set->set_id : "(no set id yet)");
    add_enum_words(text, &shadowpipe__v1__phase__descriptor, (int)set->phase, "PHASE_");
    text_add(text, ", ");
    display_duration(text, set->age_ms);
    text_add(text, ": ");
    add_names(text, set->volumes, set->n_volumes);
    text_add(text, "\n");
    for (size_t i = 0; i < set->n_members; i++) {
        const PB(MemberInfo) *member = set->members[i];
        text_format(text, "    %s, process %" PRIu32 "%s%s\n", or_dash(member->client_name),
                    member->process_id, *member->purpose ? ", for " : "", member->purpose);
    }
}

void display_status(struct text *text, const struct sp_server *server, const PB(ServiceStatus) * status)
{
    text_format(text, "Shadowpipe service %s%s\n", or_dash(status->server_version),
                status->stopping ? ", stopping" : "");
    text_add(text, "  running since  ");
    display_time(text, status->started_ms);
    text_format(text, "\n  VSS            %s%s%s\n", status->simulated ? "simulated" : "Windows",
                *status->vss_library ? ", " : "", status->vss_library);
    text_format(text, "  connections    %" PRIu32 ", requesters %" PRIu32 ", leases %" PRIu32 "\n",
                status->connections, status->requesters, status->leases);
    text_format(text, "  at its turn    %s", *status->gate_holder ? status->gate_holder : "nobody");
    if (*status->gate_holder) {
        text_add(text, ", ");
        text_add(text, display_phase(status->gate_phase));
    }
    text_format(text, "; %" PRIu32 " waiting\n", status->queue_length);
    text_format(text, "  you            %s%s%s\n", or_dash(server->caller_sid),
                server->caller_elevated ? ", elevated" : "",
                server->caller_filtered_admin ? ", an administrator who is not elevated" : "");
    if (!server->owner_checked)
        text_add(text, "  The pipe's owner could not be checked: Wine keeps none.\n");
    for (size_t i = 0; i < status->n_sets; i++)
        add_set(text, status->sets[i]);
}

/* ---- lists ---- */

void display_writer_head(struct text *text)
{
    size_t start = text->size;
    text_add(text, "STATE");
    text_pad(text, start, 12);
    text_add(text, "WRITER");
    text_pad(text, start, 54);
    text_add(text, "ID\n");
}

static void add_component(struct text *text, const PB(Component) * component)
{
    text_format(text, "    %s%s%s%s%s%s\n", component->logical_path, *component->logical_path ? "\\" : "",
                component->name, *component->caption ? " (" : "", component->caption,
                *component->caption ? ")" : "");
    for (size_t i = 0; i < component->n_roots; i++)
        text_format(text, "      %s\n", component->roots[i]);
}

void display_writer(struct text *text, const PB(Writer) * writer)
{
    const PB(WriterStatus) *status = writer->status;
    if (!status)
        return;
    size_t start = text->size;
    add_enum_words(text, &shadowpipe__v1__writer_state__descriptor, (int)status->state, "WRITER_STATE_");
    text_pad(text, start, 12);
    text_add(text, or_dash(status->name));
    text_pad(text, start, 54);
    text_format(text, "%s\n", status->writer_id);
    if (status->failed)
        display_writer_failure(text, status);
    for (size_t i = 0; i < writer->n_components; i++)
        add_component(text, writer->components[i]);
    if (*writer->left_out)
        text_format(text, "    too many to list: %s\n", writer->left_out);
}

void display_volumes(struct text *text, const PB(VolumesReply) * reply)
{
    static const size_t columns[] = {14, 24, 36, 48};
    size_t start = text->size;
    text_add(text, "VOLUME");
    text_pad(text, start, columns[0]);
    text_add(text, "SYSTEM");
    text_pad(text, start, columns[1]);
    text_add(text, "SIZE");
    text_pad(text, start, columns[2]);
    text_add(text, "FREE");
    text_pad(text, start, columns[3]);
    text_add(text, "SNAPSHOT\n");
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Volume) *volume = reply->volumes[i];
        start = text->size;
        if (volume->n_names)
            add_names(text, volume->names, volume->n_names);
        else
            text_add(text, volume->guid_path);
        text_pad(text, start, columns[0]);
        text_add(text, or_dash(volume->file_system));
        text_pad(text, start, columns[1]);
        display_size(text, volume->total_bytes);
        text_pad(text, start, columns[2]);
        display_size(text, volume->free_bytes);
        text_pad(text, start, columns[3]);
        if (volume->supported)
            text_add(text, "possible\n");
        else
            text_format(text, "not possible: %s\n",
                        *volume->reason ? volume->reason : or_dash(volume->hresult_name));
    }
}

void display_providers(struct text *text, const PB(ProvidersReply) * reply)
{
    size_t start = text->size;
    text_add(text, "TYPE");
    text_pad(text, start, 12);
    text_add(text, "VERSION");
    text_pad(text, start, 24);
    text_add(text, "PROVIDER");
    text_pad(text, start, 66);
    text_add(text, "ID\n");
    for (size_t i = 0; i < reply->n_providers; i++) {
        const PB(Provider) *provider = reply->providers[i];
        start = text->size;
        add_enum_words(text, &shadowpipe__v1__provider_type__descriptor, (int)provider->type,
                       "PROVIDER_TYPE_");
        text_pad(text, start, 12);
        text_add(text, or_dash(provider->version));
        text_pad(text, start, 24);
        text_add(text, or_dash(provider->name));
        text_pad(text, start, 66);
        text_format(text, "%s\n", provider->provider_id);
    }
}

/* ---- leases ---- */

static void add_lease(struct text *text, const PB(LeaseInfo) * lease)
{
    text_format(text, "%s\n  ", lease->lease_id);
    if (lease->n_volumes)
        add_names(text, lease->volumes, lease->n_volumes);
    else
        text_add_char(text, '-');
    text_format(text, " for %s", or_dash(lease->client_name));
    if (*lease->purpose)
        text_format(text, " (\"%s\")", lease->purpose);
    text_add(text, ", since ");
    display_time(text, lease->created_ms);
    text_add(text, lease->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED)
                       ? ",\n  detached until "
                       : ",\n  until its connection ends");
    if (lease->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED))
        display_time(text, lease->expires_ms);
    text_add(text, lease->persistent ? "; the snapshot stays\n" : "\n");
}

void display_leases(struct text *text, const PB(LeasesReply) * reply)
{
    for (size_t i = 0; i < reply->n_leases; i++)
        add_lease(text, reply->leases[i]);
    if (reply->n_leases == 0)
        text_add(text, "There are no leases.\n");
}

void display_finish(struct text *text, const PB(FinishReply) * reply)
{
    switch (reply->completion) {
    case PB_VALUE(COMPLETION, COMPLETION_COMPLETED):
        text_add(text, "The backup is complete, and the writers know it.\n");
        break;
    case PB_VALUE(COMPLETION, COMPLETION_ABORTED):
        text_add(text, "The backup is aborted.\n");
        break;
    case PB_VALUE(COMPLETION, COMPLETION_PENDING):
        text_add(text, "The lease has ended; others still read, and the backup is completed after them.\n");
        break;
    default:
        text_add(text, "The lease has ended.\n");
        break;
    }
}
