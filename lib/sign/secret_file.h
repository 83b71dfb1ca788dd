/*
 * Files with one secret of 32 bytes: a line "PREFIX BASE64(secret)", mode
 * 0600.  What they are for is their prefix's matter.
 */
#ifndef LIB_SIGN_SECRET_FILE_H
#define LIB_SIGN_SECRET_FILE_H

#include <stdint.h>

#define SECRET_FILE_BYTES 32

/*
 * Wipe out after use.  Errors: ERR_NOT_FOUND, ERR_IO, ERR_FORMAT, and
 * ERR_DENIED when group or others may read the file or it belongs to someone
 * else (root's files are taken).
 */
int secret_file_load(
    const char *path, const char *prefix, uint8_t out[SECRET_FILE_BYTES]);
/* Never overwrites: ERR_EXISTS when the file is there already. */
int secret_file_save(const char *path, const char *prefix,
    const uint8_t secret[SECRET_FILE_BYTES]);

#endif
