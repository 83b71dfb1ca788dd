/*
 * Reading and writing of secret files.  Called by keys.c and vault.c.
 */
#include "lib/sign/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

#define BASE64_LEN 44
#define LINE_MAX_LEN 128 /* prefix, blank, base64, newline */

/* The file must be ours (or root's) and nobody else's to read; root may read
 * those of a site's programs. */
static int
check_file(int fd, size_t len)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "stat");
	if (!S_ISREG(st.st_mode))
		return err_set(ERR_DENIED, "not a regular file");
	if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
		return err_set(
		    ERR_DENIED, "belongs to user %u", (unsigned)st.st_uid);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(ERR_DENIED,
		    "mode %04o lets others in, 0600 is needed",
		    (unsigned)(st.st_mode & 07777));
	if (st.st_size != (off_t)len)
		return err_set(ERR_FORMAT, "not a secret key file");
	return 0;
}

static size_t
line_len(const char *prefix)
{
	return strlen(prefix) + 1 + BASE64_LEN + 1;
}

static int
parse(const char *line, const char *prefix, uint8_t out[SECRET_FILE_BYTES])
{
	size_t at = strlen(prefix), n = 0;

	if (memcmp(line, prefix, at) != 0 || line[at] != ' ' ||
	    line[at + 1 + BASE64_LEN] != '\n' ||
	    sodium_base642bin(out, SECRET_FILE_BYTES, line + at + 1, BASE64_LEN,
		NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != SECRET_FILE_BYTES)
		return err_set(ERR_FORMAT, "not a secret key file");
	return 0;
}

int
secret_file_load(
    const char *path, const char *prefix, uint8_t out[SECRET_FILE_BYTES])
{
	char line[LINE_MAX_LEN];
	int fd, r;

	if (line_len(prefix) > sizeof(line))
		return err_set(ERR_INTERNAL, "prefix of a secret file");
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open %s", path);
	if ((r = check_file(fd, line_len(prefix))) == 0 &&
	    (r = fd_read_exact(fd, line, line_len(prefix))) == 0)
		r = parse(line, prefix, out);
	sodium_memzero(line, sizeof(line));
	fd_close(&fd);
	return r == 0 ? 0 : err_wrap("%s", path);
}

int
secret_file_save(const char *path, const char *prefix,
    const uint8_t secret[SECRET_FILE_BYTES])
{
	char line[LINE_MAX_LEN];
	size_t at = strlen(prefix);
	int fd, r;

	if (line_len(prefix) > sizeof(line))
		return err_set(ERR_INTERNAL, "prefix of a secret file");
	/* O_EXCL: what others depend on is never overwritten. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set_errno(
		    errno == EEXIST ? ERR_EXISTS : ERR_IO, "create %s", path);
	memcpy(line, prefix, at);
	line[at++] = ' ';
	sodium_bin2base64(line + at, sizeof(line) - at, secret,
	    SECRET_FILE_BYTES, sodium_base64_VARIANT_ORIGINAL);
	line[at + BASE64_LEN] = '\n';
	r = fd_write_all(fd, line, line_len(prefix));
	if (r == 0 && fsync(fd) != 0)
		r = err_set_errno(ERR_IO, "sync %s", path);
	sodium_memzero(line, sizeof(line));
	fd_close(&fd);
	if (r != 0)
		(void)unlink(path);
	return r;
}
