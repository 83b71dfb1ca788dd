/*
 * Objects on their way: taking them from the executor so that it cannot
 * change them afterwards, their digest, their parts.
 */
#include "supervisor/shepherd/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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

/* A thread that computes digests; its parcel outlives it. */
struct hasher {
	struct parcel *parcel;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_bool is_stopped;
	uint32_t n_done; /* parts that need not be waited for */
	int event_fd;
};

static void
hasher_end(struct hasher *h)
{
	if (h == NULL)
		return;
	atomic_store(&h->is_stopped, true);
	(void)pthread_join(h->thread, NULL);
	(void)pthread_mutex_destroy(&h->lock);
	(void)pthread_cond_destroy(&h->changed);
	free(h);
}

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
	hasher_end(p->hasher);
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

static int
hash_part(struct parcel *p, uint32_t i)
{
	uint64_t offset, len;
	int r;

	parcel_part(p, i, &offset, &len);
	if (p->data != NULL)
		r = digest_memory(p->data, p->size, p->sha256[i]);
	else
		r = hash_range(p->fd, offset, len, p->sha256[i]);
	if (r == 0)
		atomic_store(&p->is_hashed[i], true);
	return r;
}

static void *
hash_parts(void *ctx)
{
	struct hasher *h = ctx;
	struct parcel *p = h->parcel;
	uint32_t i;

	for (i = 0; i < p->parts && !atomic_load(&h->is_stopped); i++) {
		int r = hash_part(p, i);

		pthread_mutex_lock(&h->lock);
		h->n_done = r == 0 ? i + 1 : p->parts;
		pthread_cond_broadcast(&h->changed);
		pthread_mutex_unlock(&h->lock);
		(void)eventfd_write(h->event_fd, 1);
		if (r != 0)
			break;
	}
	return NULL;
}

void
parcel_hash_ahead(struct parcel *p, int event_fd)
{
	struct hasher *h;

	if (p->fd < 0 || p->parts == 1 || p->hasher != NULL)
		return;
	h = xcalloc(1, sizeof(*h));
	h->parcel = p;
	h->event_fd = event_fd;
	if (pthread_mutex_init(&h->lock, NULL) != 0 ||
	    pthread_cond_init(&h->changed, NULL) != 0 ||
	    pthread_create(&h->thread, NULL, hash_parts, h) != 0) {
		free(h);
		return;
	}
	p->hasher = h;
}

bool
parcel_is_ready(const struct parcel *p, uint32_t i)
{
	struct hasher *h = p->hasher;
	bool is_ready;

	if (h == NULL)
		return true;
	pthread_mutex_lock(&h->lock);
	is_ready = h->n_done > i;
	pthread_mutex_unlock(&h->lock);
	return is_ready;
}

int
parcel_digest(struct parcel *p, uint32_t i, const unsigned char **out)
{
	struct hasher *h = p->hasher;

	*out = p->sha256[i];
	if (h != NULL) {
		pthread_mutex_lock(&h->lock);
		while (h->n_done <= i)
			pthread_cond_wait(&h->changed, &h->lock);
		pthread_mutex_unlock(&h->lock);
	}
	/* What the thread could not do is tried again here, for its error. */
	return atomic_load(&p->is_hashed[i]) ? 0 : hash_part(p, i);
}
