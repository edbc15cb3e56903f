/* What the harness's VSS knows of components: what writers declare, and the Backup Components Document. */
#ifndef SHADOWPIPE_TESTS_FAKE_COMPONENTS_H
#define SHADOWPIPE_TESTS_FAKE_COMPONENTS_H

#include "tests/unit/vss_answers.h"

enum {
    FAKE_COMPONENTS = 32
};

struct fake_component {
    unsigned writer;
    char path[64];
    char name[64];
    char previous_stamp[64];
    char options[64];
    bool has_outcome;
    bool succeeded;
};

/* Of one requester. */
struct fake_document {
    struct fake_component components[FAKE_COMPONENTS];
    size_t count;
    unsigned saved; /* times */
};

/* What the world decides. */
struct fake_machine {
    const PB(Writer) * declared[WRITERS]; /* NULL: what vss_answers.c says */
    bool leaves_out_files;                /* they do not fit into a message */
    bool parts;                           /* a part has one component with one of its files */
    const char *failing;                  /* the component that fails */
    uint32_t failure;
    bool has_no_documents; /* their keeping fails, silently */
};

struct fake_answer {
    PB(GetWriterMetadataResult) metadata;
    PB(Writer) writer;
    PB(Component) components[FAKE_COMPONENTS];
    PB(Component) * component_list[FAKE_COMPONENTS];
    PB(GetWriterComponentsCountResult) count;
    PB(GetWriterComponentsResult) result;
    PB(BackupComponent) stored[FAKE_COMPONENTS];
    PB(BackupComponent) * stored_list[FAKE_COMPONENTS];
    PB(DocumentInfo) document;
    PB(SaveAsXMLResult) saved;
    char stamp[FAKE_COMPONENTS][64];
    PB(FileDescriptor) * one_file[1];
};

/* Changes what the call asks for, and puts its part of the answer into `reply`, which vss_answer has made.
 * `present`: writers by the metadata's index. */
void fake_components_answer(struct fake_answer *answer, const struct fake_machine *machine,
                            struct fake_document *document, const unsigned *present, const PB(Call) * call,
                            PB(CallReply) * reply);

#endif
