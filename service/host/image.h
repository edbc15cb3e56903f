/* The program files under processes that outlive the service.
 *
 * After a hand-over requesters that hold snapshots, and clients that read them, still run from the program's
 * folder. Windows neither overwrites nor deletes the file of a running program, so an installer would have to
 * restart the machine; but such a file can be renamed. It gets another name, and a copy that nobody runs
 * takes its place. What was set aside is removed once nobody runs it any more, whenever the service starts or
 * ends. The service under the manager does this; a console program leaves its files alone. */
#ifndef SHADOWPIPE_HOST_IMAGE_H
#define SHADOWPIPE_HOST_IMAGE_H

#include <windows.h>

/* Of shadowpiped.exe, and of shadowpipe.exe beside it. Failures are logged. */
void image_set_aside(void);
void image_sweep(void);

/* The same for one file. */
void image_set_file_aside(const wchar_t *path);
void image_sweep_file(const wchar_t *path);

#endif
