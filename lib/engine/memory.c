/*
 * Tables in this process: for tests, and the second engine that keeps the
 * interface honest.  Tables live until they are destroyed.
 */
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/engine.h"
#include "lib/engine/row.h"

struct kept {
	struct span id; /* inside data */
	uint64_t number;
	size_t len;
	char data[];
};

struct memory {
	struct memory *next;
	char *name;
	char *marker; /* NULL until sealed */
	char *schema;
	struct kept **rows;
	size_t n;
	void *by_id; /* tsearch(3) tree of entries */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *tables;

static struct memory **
find_name(const char *name)
{
	struct memory **p;

	for (p = &tables; *p != NULL; p = &(*p)->next)
		if (str_eq((*p)->name, name))
			break;
	return p;
}

static int
compare(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	size_t n = x->id.len < y->id.len ? x->id.len : y->id.len;
	int c = memcmp(x->id.data, y->id.data, n);

	if (c != 0 || x->id.len == y->id.len)
		return c;
	return x->id.len < y->id.len ? -1 : 1;
}

static void
keep(void *p)
{
	(void)p; /* entries are freed by row, the tree by tdestroy() */
}

static void
memory_free(struct memory *m)
{
	size_t i;

	tdestroy(m->by_id, keep);
	for (i = 0; i < m->n; i++)
		free(m->rows[i]);
	free(m->rows);
	free(m->name);
	free(m->marker);
	free(m->schema);
	free(m);
}

static int
memory_create(const char *name, void **out)
{
	struct memory *m = NULL, **place;

	pthread_mutex_lock(&lock);
	place = find_name(name);
	if (*place == NULL) {
		m = xcalloc(1, sizeof(*m));
		m->name = xstrdup(name);
		*place = m;
	}
	pthread_mutex_unlock(&lock);
	*out = m;
	return m != NULL ? 0 : err_set(ERR_EXISTS, "table %s", name);
}

static int
memory_write(
    void *ctx, const struct storage_batch *batch, uint64_t *old, uint64_t *new)
{
	struct memory *m = ctx;
	struct kept *e, **found;
	size_t i;

	m->rows = xrealloc(m->rows, (m->n + batch->n) * sizeof(m->rows[0]));
	for (i = 0; i < batch->n; i++) {
		const struct batch_row *row = &batch->rows[i];

		e = xmalloc(sizeof(*e) + row->len);
		memcpy(e->data, row->data, row->len);
		e->len = row->len;
		e->number = row->number;
		e->id = row_encoded_id(e->data, e->len);
		m->rows[m->n++] = e;
		found = tsearch(e, &m->by_id, compare);
		if (found == NULL)
			return err_set(ERR_NOMEM, "table %s", m->name);
		if (*found != e) {
			*old = (*found)->number;
			*new = e->number;
			return ERR_EXISTS;
		}
	}
	return 0;
}

static int
memory_seal(void *ctx, const char *marker, const char *schema, uint64_t *old,
    uint64_t *new)
{
	struct memory *m = ctx;

	(void)old;
	(void)new;
	pthread_mutex_lock(&lock);
	m->marker = xstrdup(marker);
	m->schema = xstrdup(schema);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int
memory_destroy(const char *name)
{
	struct memory **place, *m;

	pthread_mutex_lock(&lock);
	place = find_name(name);
	m = *place;
	if (m != NULL)
		*place = m->next;
	pthread_mutex_unlock(&lock);
	if (m != NULL)
		memory_free(m);
	return 0;
}

static void
memory_discard(void *ctx)
{
	struct memory *m = ctx;

	(void)memory_destroy(m->name);
}

static int
memory_open(
    const char *name, void **out, struct buf *marker, struct buf *schema)
{
	struct memory *m;
	int r = 0;

	pthread_mutex_lock(&lock);
	m = *find_name(name);
	if (m == NULL) {
		r = err_set(ERR_NOT_FOUND, "no table %s", name);
	} else if (m->marker == NULL) {
		r = err_set(ERR_CONFLICT, "table %s was not sealed", name);
	} else {
		buf_puts(marker, m->marker);
		buf_puts(schema, m->schema);
		*out = m;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static void
memory_close(void *ctx)
{
	(void)ctx;
}

/* A sealed table does not change: the table itself serves as cursor. */
static int
memory_cursor(void *ctx, void **out)
{
	*out = ctx;
	return 0;
}

static int
memory_read(void *ctx, uint64_t number, struct span *out)
{
	const struct memory *m = ctx;

	if (number >= m->n)
		return err_set(ERR_FORMAT, "row %llu is missing",
		    (unsigned long long)number + 1);
	*out = (struct span){ m->rows[number]->data, m->rows[number]->len };
	return 0;
}

static int
memory_find(void *ctx, const void *id, size_t id_len, uint64_t *number,
    struct span *out)
{
	const struct memory *m = ctx;
	struct kept probe = { .id = { id, id_len } };
	struct kept *const *found = tfind(&probe, &m->by_id, compare);

	if (found == NULL)
		return err_set(ERR_NOT_FOUND, "no row has this id");
	*number = (*found)->number;
	*out = (struct span){ (*found)->data, (*found)->len };
	return 0;
}

const struct storage_ops storage_memory = {
	.name = "memory",
	.create = memory_create,
	.write = memory_write,
	.seal = memory_seal,
	.discard = memory_discard,
	.open = memory_open,
	.close = memory_close,
	.cursor = memory_cursor,
	.read = memory_read,
	.find = memory_find,
	.cursor_close = memory_close,
	.destroy = memory_destroy,
};
