/* The steps of a set that selects components or keeps documents; and, for every set, what a writer lacks that
 * calls the snapshot inconsistent. The tables are in set_steps.c. */
#ifndef SHADOWPIPE_BROKER_SET_COMPONENTS_H
#define SHADOWPIPE_BROKER_SET_COMPONENTS_H

#include "service/broker/set.h"

/* Who the writers are is known. False: the set ends, or begins again. */
bool set_gathered(struct set *set);

/* ---- metadata: of the named writers; of the others, for dependencies; of those that take part, with files
 * ---- */
size_t count_named(void *subject);
void fill_named(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_named(void *subject, size_t index, const PB(CallReply) * reply);
bool after_named(void *subject);
size_t count_others(void *subject);
void fill_others(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_others(void *subject, size_t index, const PB(CallReply) * reply);
bool after_others(void *subject);
size_t count_files(void *subject);
void fill_files(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_files(void *subject, size_t index, const PB(CallReply) * reply);

/* ---- into the Backup Components Document, and what writers made of it ---- */
size_t count_explicit(void *subject);
void fill_component(void *subject, size_t index, ProtobufCMessage *parameters);
size_t count_stamped(void *subject);
void fill_stamp(void *subject, size_t index, ProtobufCMessage *parameters);
size_t count_optioned(void *subject);
void fill_options(void *subject, size_t index, ProtobufCMessage *parameters);
void fill_succeeded(void *subject, size_t index, ProtobufCMessage *parameters);
size_t if_stored_wanted(void *subject);
bool on_stored_count(void *subject, size_t index, const PB(CallReply) * reply);
size_t count_stored(void *subject);
void fill_stored(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_stored(void *subject, size_t index, const PB(CallReply) * reply);

/* ---- writers that lack volumes ---- */
size_t count_inconsistent(void *subject);
void fill_inconsistent(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_inconsistent(void *subject, size_t index, const PB(CallReply) * reply);

/* ---- documents ---- */
size_t if_documents(void *subject);
bool on_saved(void *subject, size_t index, const PB(CallReply) * reply);
size_t if_saves_again(void *subject);
bool on_saved_again(void *subject, size_t index, const PB(CallReply) * reply);
/* What came with a writer's metadata. False: no memory; the set has ended. */
bool set_keep_document(struct set *set, const PB(DocumentInfo) * info);

/* ---- for what is told ---- */
bool set_writer_takes_part(const struct set *set, const PB(WriterStatus) * writer);
bool part_has_failed(const struct chosen_part *part);
/* The components that failed, or the volumes that are missing, behind the message about their writer. */
void set_explain_failure(const struct set *set, PB(Status) * status);
/* The component that a call was about. */
void set_name_component(const struct set *set, PB(Call__MethodCase) method, size_t index,
                        PB(Status) * status);

#endif
