/* Well-known VSS writers: their class ids, their names, and the Windows services that host them. VSS does not
 * say which service that is, and a writer that does not run has nobody to ask. */
#ifndef SHADOWPIPE_PROTO_WRITERS_H
#define SHADOWPIPE_PROTO_WRITERS_H

/* The class id of a well-known writer's name; NULL for others. */
const char *writer_known_class(const char *name);
/* By class id without braces; "" for others. */
const char *writer_known_name(const char *class_id);
/* The Windows service to restart, or to start where the writer is missing; "" where unknown. */
const char *writer_known_service(const char *class_id);

#endif
