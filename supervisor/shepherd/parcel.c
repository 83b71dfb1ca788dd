/*
 * Objects on their way: taking them from the executor so that it cannot
 * change them afterwards, their digest, their parts.
 */
#include "supervisor/shepherd/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/mailbox/mailbox.h"

/* A request carries this much; a lost one costs no more than that again. */
#define PART_SIZE (16ull << 20)
#define COPY_STEP (256u << 10)
/* The copy of a file is in this process's memory, which nothing limits. */
#define COPY_MAX (1ull << 30)
#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int
copy_file(int in, uint64_t size, int out)
{
	char *p = xmalloc(COPY_STEP);
	uint64_t at = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && at < size) {
		n = pread(in, p, size - at < COPY_STEP ? size - at : COPY_STEP,
		    (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = err_set(ERR_FORMAT, "object shorter than said");
			break;
		}
		r = fd_write_all(out, p, (size_t)n);
		at += (uint64_t)n;
	}
	free(p);
	return r;
}

/*
 * The digest in the ledger has to be that of the bytes that leave: a file
 * that the executor could still write is copied.
 */
static int
take_file(int *fd, uint64_t size, int *out)
{
	struct stat st;
	int copy, r;

	*out = -1;
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (uint64_t)st.st_size < size)
		return err_set(ERR_FORMAT,
		    "the descriptor of an object is no "
		    "file of %llu bytes",
		    (unsigned long long)size);
	if (fcntl(*fd, F_ADD_SEALS, ALL_SEALS) == 0 ||
	    (errno == EPERM &&
		(fcntl(*fd, F_GET_SEALS) & ALL_SEALS) == ALL_SEALS)) {
		*out = *fd;
		*fd = -1;
		return 0;
	}
	if (size > COPY_MAX)
		return err_set(ERR_LIMIT,
		    "an object of %llu bytes must be in memory that can be "
		    "sealed",
		    (unsigned long long)size);
	if ((copy = memfd_create("object", MFD_CLOEXEC)) < 0)
		return err_set_errno(ERR_IO, "memfd_create");
	if ((r = copy_file(*fd, size, copy)) != 0) {
		fd_close(&copy);
		return r;
	}
	fd_close(fd);
	*out = copy;
	return 0;
}

int
parcel_new(const Sluice__Executor__Remote *m, int *fd, struct parcel **out)
{
	struct parcel *p = xcalloc(1, sizeof(*p));
	int r = 0;

	*out = NULL;
	p->refs = 1;
	p->fd = -1;
	p->name = xstrdup(m->name);
	p->tag = xstrdup(m->tag);
	p->part_size = PART_SIZE;
	if (fd == NULL) {
		p->size = m->content.len;
		p->data = xmalloc(p->size + 1);
		if (p->size > 0)
			memcpy(p->data, m->content.data, p->size);
	} else {
		p->size = m->size;
		r = take_file(fd, p->size, &p->fd);
	}
	/* Whole pages: the receiver maps the parts side by side. */
	while (p->size > p->part_size * MAILBOX_MAX_PARTS)
		p->part_size *= 2;
	p->parts =
	    p->size == 0
		? 1
		: (uint32_t)((p->size + p->part_size - 1) / p->part_size);
	p->sha256 = xcalloc(p->parts, sizeof(*p->sha256));
	p->is_hashed = xcalloc(p->parts, sizeof(*p->is_hashed));
	if (r != 0) {
		parcel_drop(p);
		return r;
	}
	*out = p;
	return 0;
}

void
parcel_drop(struct parcel *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	fd_close(&p->fd);
	free(p->data);
	free(p->sha256);
	free(p->is_hashed);
	free(p->name);
	free(p->tag);
	free(p);
}

void
parcel_part(const struct parcel *p, uint32_t i, uint64_t *offset, uint64_t *len)
{
	*offset = (uint64_t)i * p->part_size;
	*len =
	    p->size - *offset < p->part_size ? p->size - *offset : p->part_size;
}

static int
hash_range(int fd, uint64_t offset, uint64_t len, unsigned char *out)
{
	struct digest *d;
	int r;

	if ((r = digest_begin(&d)) != 0)
		return r;
	if ((r = digest_add_fd(d, fd, offset, len)) != 0) {
		digest_free(d);
		return r;
	}
	return digest_end(d, out);
}

int
parcel_digest(struct parcel *p, uint32_t i, const unsigned char **out)
{
	uint64_t offset, len;
	int r = 0;

	*out = p->sha256[i];
	if (p->is_hashed[i])
		return 0;
	parcel_part(p, i, &offset, &len);
	if (p->data != NULL)
		r = digest_memory(p->data, p->size, p->sha256[i]);
	else
		r = hash_range(p->fd, offset, len, p->sha256[i]);
	p->is_hashed[i] = r == 0;
	return r;
}
