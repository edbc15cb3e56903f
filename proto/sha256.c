#include "proto/sha256.h"

#include <string.h>

#include <windows.h>
#include <bcrypt.h>

bool sha256(const void *data, size_t size, uint8_t hash[SHA256_BYTES])
{
    BCRYPT_ALG_HANDLE algorithm = NULL;
    BCRYPT_HASH_HANDLE state = NULL;
    bool ok = size <= ULONG_MAX &&
              BCRYPT_SUCCESS(BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0)) &&
              BCRYPT_SUCCESS(BCryptCreateHash(algorithm, &state, NULL, 0, NULL, 0, 0)) &&
              BCRYPT_SUCCESS(BCryptHashData(state, (BYTE *)(UINT_PTR)data, (ULONG)size, 0)) &&
              BCRYPT_SUCCESS(BCryptFinishHash(state, hash, SHA256_BYTES, 0));
    if (state)
        BCryptDestroyHash(state);
    if (algorithm)
        BCryptCloseAlgorithmProvider(algorithm, 0);
    if (!ok)
        memset(hash, 0, SHA256_BYTES);
    return ok;
}
