/* A set's volumes, and the steps about them: whether VSS supports them, and adding them to the set.
 *
 * Members may bring further volumes while these steps run, until PrepareForBackup. Volumes stand in their
 * order of arrival, so those that were added come first, then those that were asked about. */
#ifndef SHADOWPIPE_BROKER_SET_VOLUMES_H
#define SHADOWPIPE_BROKER_SET_VOLUMES_H

#include "service/broker/set.h"

/* NULL: it does not have it. */
struct set_volume *set_find_volume(const struct set *set, const char *guid_path);

size_t count_support(void *subject);
void fill_support(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_support(void *subject, size_t index, const PB(CallReply) * reply);
bool on_support_known(void *subject);

size_t count_additions(void *subject);
void fill_addition(void *subject, size_t index, ProtobufCMessage *parameters);
bool on_added(void *subject, size_t index, const PB(CallReply) * reply);
bool on_all_added(void *subject);

/* For the sequence: back to the question when volumes have come while others were added. */
const struct step *set_next_step(void *subject, const struct step *step);
/* Nobody wants it any more; it was not added. */
void set_drop_volume(struct set *set, size_t index);

#endif
