#include "proto/writers.h"

#include <stdbool.h>
#include <stddef.h>

/* Sorted by what people ask about most. */
static const struct known_writer {
    const char *class_id;
    const char *name;
    const char *service;
} known_writers[] = {
    {"e8132975-6f93-4464-a53e-1050253ae220", "System Writer", "CryptSvc"},
    {"a65faa63-5ea8-4ebc-9dbd-a0c4db26912a", "SqlServerWriter", "SQLWriter"},
    {"66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", "Microsoft Hyper-V VSS Writer", "vmms"},
    {"76fe1ac4-15f7-4bcd-987e-8e1acb462fb7", "Microsoft Exchange Writer", "MSExchangeIS"},
    {"b2014c9e-8711-4c5c-a5a9-3cf384484757", "NTDS", "NTDS"},
    {"afbab4a2-367d-4d15-a586-71dbb18f8485", "Registry Writer", "VSS"},
    {"542da469-d3e1-473c-9f4f-7847f01fc64f", "COM+ REGDB Writer", "VSS"},
    {"be000cbe-11fe-4426-9c58-531aa6355fc4", "ASR Writer", "VSS"},
    {"4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f", "Shadow Copy Optimization Writer", "VSS"},
    {"75dfb225-e2e4-4d39-9ac9-ffaff65ddf06", "VSS Metadata Store Writer", "VSS"},
    {"a6ad56c2-b509-4e6c-bb19-49d8f43532f0", "WMI Writer", "Winmgmt"},
    {"d61d61c8-d73a-4eee-8cdd-f6f9786b7124", "Task Scheduler Writer", "Schedule"},
    {"0bada1de-01a9-4625-8278-69e735f39dd2", "Performance Counters Writer", ""},
    {"cd3f2362-8bef-46c7-9181-d62844cdc0b2", "MSSearch Service Writer", "WSearch"},
    {"4969d978-be47-48b0-b100-f328f07ac1e0", "BITS Writer", "BITS"},
    {"2a40fd15-dfca-4aa8-a654-1f8c654603f6", "IIS Config Writer", "AppHostSvc"},
    {"59b1f0cf-90ef-465f-9609-6ca8b2938366", "IIS Metabase Writer", "IISADMIN"},
    {"be9ac81e-3619-421f-920f-4c6fea9e93ad", "Dhcp Jet Writer", "DHCPServer"},
    {"2707761b-2324-473d-88eb-eb007a359533", "DFS Replication service writer", "DFSR"},
    {"d76f5a28-3092-4589-ba48-2958fb88ce29", "FRS Writer", "NtFrs"},
    {"6f5b15b5-da24-4d88-b737-63063e3a1f86", "Certificate Authority", "CertSvc"},
    {"41e12264-35d8-479b-8e5c-9b23d1dad37e", "Cluster Database", "ClusSvc"},
    {"7e47b561-971a-46e6-96b9-696eeaa53b2a", "MSMQ Writer (MSMQ)", "MSMQ"},
    {"5382579c-98df-47a7-ac6c-98a6d7106e09", "TermServLicensing", "TermServLicensing"},
};

enum {
    KNOWN_COUNT = sizeof known_writers / sizeof *known_writers
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal(const char *one, const char *other)
{
    while (*one != '\0' && lower(*one) == lower(*other)) {
        one++;
        other++;
    }
    return lower(*one) == lower(*other);
}

static const struct known_writer *find(const char *class_id)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (equal(known_writers[i].class_id, class_id))
            return &known_writers[i];
    }
    return NULL;
}

const char *writer_known_class(const char *name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (equal(known_writers[i].name, name))
            return known_writers[i].class_id;
    }
    return NULL;
}

const char *writer_known_name(const char *class_id)
{
    const struct known_writer *writer = find(class_id);
    return writer != NULL ? writer->name : "";
}

const char *writer_known_service(const char *class_id)
{
    const struct known_writer *writer = find(class_id);
    return writer != NULL ? writer->service : "";
}
