/* Who may do what: one security descriptor from the configuration, and what follows from it.
 *
 * Its access mask has one bit for each right (RIGHT_BIT_… of broker.h), so AccessCheck gives a caller's
 * rights. The descriptors of the pipes are derived from it: who has any right there may open the client pipe.
 */
#ifndef SHADOWPIPE_HOST_ACCESS_H
#define SHADOWPIPE_HOST_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

enum {
    ACCESS_ALL_RIGHTS = 0x7e,
    /* FILE_GENERIC_READ | FILE_GENERIC_WRITE without FILE_CREATE_PIPE_INSTANCE, with which a client could add
     * instances of its own and receive other clients' connections. */
    ACCESS_PIPE_CLIENT = 0x12019b,
    ACCESS_SDDL_CHARS = 4096
};

/* SYSTEM and Administrators everything; Backup Operators READ, SNAPSHOT, TRUNCATE, RESTORE. */
#define ACCESS_DEFAULT_SDDL L"O:SYG:SYD:P(A;;0x7e;;;SY)(A;;0x7e;;;BA)(A;;0x2e;;;BO)"

struct access {
    PSECURITY_DESCRIPTOR rights;
    PSECURITY_DESCRIPTOR client_pipe;
    PSECURITY_DESCRIPTOR requester_pipe;
};

/* Whether `sddl` is a descriptor that may stand: sound, with a DACL of plain entries, and nothing granted to
 * Everyone, Anonymous or the network. `why` gets a sentence when not. */
bool access_valid_sddl(const wchar_t *sddl, char *why, size_t why_size);

/* Builds all three; `sddl` is a valid one. With `grant_self` the account of this process has all rights (a
 * console program serves the person who started it). A Win32 code. */
DWORD access_create(const wchar_t *sddl, bool grant_self, struct access *access);
void access_free(struct access *access);

/* The rights that the descriptor gives to an impersonation token. A Win32 code. */
DWORD access_rights_of(const struct access *access, HANDLE token, uint32_t *rights);

#endif
