#include "service/broker/quota.h"

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/record.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

struct usage {
    uint32_t leases;
    uint32_t leases_of_owner;
    uint32_t records;
};

static void add_jobs(struct usage *usage, const struct list *jobs, const struct owner *owner)
{
    LIST_EACH(const struct job, job, jobs, link)
    {
        if (job->wish->dry_run || !job_is_wanted(job))
            continue;
        usage->leases++;
        usage->leases_of_owner += job->owner == owner;
        usage->records += job_is_persistent(job->wish) && (job->set == NULL || job->set->record == NULL);
    }
}

/* `owner` may be NULL. */
static struct usage count(const struct broker *broker, const struct owner *owner)
{
    struct usage usage = {.records = (uint32_t)list_count(&broker->records)};
    LIST_EACH(const struct lease, lease, &broker->leases, link)
    {
        usage.leases++;
        usage.leases_of_owner += lease->owner == owner;
    }
    add_jobs(&usage, &broker->resolving, owner);
    add_jobs(&usage, &broker->queue, owner);
    LIST_EACH(const struct set, set, &broker->sets, link)
    add_jobs(&usage, &set->members, owner);
    LIST_EACH(const struct session, session, &broker->sessions, link)
    usage.records += session_makes_record(session);
    uint32_t attaching, attaching_of_owner;
    attach_count(broker, owner, &attaching, &attaching_of_owner);
    usage.leases += attaching;
    usage.leases_of_owner += attaching_of_owner;
    return usage;
}

PB(Status) * quota_lease(const struct connection *connection)
{
    struct broker *broker = connection->broker;
    const struct broker_config *config = &broker->config;
    const struct usage usage = count(broker, connection->owner);
    if (usage.leases >= config->max_leases)
        return error_over_limit(
            broker, "max_leases", config->max_leases, "leases",
            "Finish backups that are done (shadowpipe leases, finish), or raise MaxLeases.");
    if (usage.leases_of_owner >= config->max_leases_per_owner)
        return error_over_limit(
            broker, "max_leases_per_owner", config->max_leases_per_owner, "leases of one owner",
            "Finish backups that are done (shadowpipe leases, finish), or raise MaxLeasesPerOwner.");
    return NULL;
}

PB(Status) * quota_record(struct broker *broker)
{
    const struct broker_config *config = &broker->config;
    if (count(broker, NULL).records < config->max_records)
        return NULL;
    return error_over_limit(broker, "max_records", config->max_records, "persistent snapshot sets",
                            "Delete old snapshots (shadowpipe list, delete), or raise MaxRecords.");
}
