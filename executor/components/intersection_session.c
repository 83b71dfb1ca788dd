/*
 * One run of an intersection with one partner: agreement, keys, our ids in
 * random order, lists in blocks.  Used by intersection_psi.c and
 * intersection_cached.c.
 */
#include "executor/components/intersection_session.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define IDS_GRAIN 256  /* ids per piece of parallel work: 15 ms */
#define LIST_SHARE 999 /* of progress, of each list */

/*
 * What must be equal on both sides for the result to mean anything.  The
 * parts lie apart so that psi_block_decode() can say which one differs.
 */
static void
digest_settings(unsigned char out[PSI_SETTINGS], const struct psi_conf *c)
{
	unsigned char flags[6] = { c->sync_ids, c->cardinality_only,
		c->sync_cardinality, c->left_join, c->host_owns_ids,
		c->new_ids };
	unsigned char sum[32];
	crypto_generichash_state st;

	memset(out, 0, PSI_SETTINGS);
	crypto_generichash_init(&st, NULL, 0, sizeof(sum));
	crypto_generichash_update(&st, flags, sizeof(flags));
	crypto_generichash_update(
	    &st, (const unsigned char *)c->salt, strlen(c->salt));
	crypto_generichash_final(&st, sum, sizeof(sum));
	memcpy(out, sum, PSI_SETTINGS_CACHE);
	if (c->cache_id[0] != '\0') {
		crypto_generichash(sum, sizeof(sum),
		    (const unsigned char *)c->cache_id, strlen(c->cache_id),
		    NULL, 0);
		memcpy(out + PSI_SETTINGS_CACHE, sum,
		    PSI_SETTINGS_MATCH - PSI_SETTINGS_CACHE);
	}
	out[PSI_SETTINGS_MATCH] = c->by_match;
}

int
session_init(struct session *s, struct task *t, const struct psi_conf *conf,
    const char *role, size_t index)
{
	const struct task_party *p = task_member(t, role, index);

	memset(s, 0, sizeof(*s));
	if (p == NULL)
		return err_set(ERR_INVALID, "there is no %s", role);
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "no random numbers");
	s->task = t;
	s->conf = conf;
	s->partner = *p;
	s->index = index;
	s->host = task_is(t, "host") ? task_index(t) : index;
	digest_settings(s->settings, conf);
	return 0;
}

int
session_start(struct session *s, const struct psi_input *in)
{
	uint64_t i;

	s->in = in;
	s->n = in->ids.n;
	if ((s->key = ecdh_new(s->conf->salt)) == NULL ||
	    (s->order = mem_array(s->n + 1, sizeof(*s->order))) == NULL)
		return err_code();
	for (i = 0; i < s->n; i++)
		s->order[i] = (uint32_t)i;
	rng_shuffle_secret(s->order, s->n);
	return 0;
}

void
session_fini(struct session *s)
{
	ecdh_free(s->key);
	free(s->order);
}

/* --- lists on their way ------------------------------------------------------- */

static void
tag_of(const struct session *s, uint64_t block, char tag[48])
{
	snprintf(tag, 48, "%zu.%llu", s->host, (unsigned long long)block);
}

int
session_send_block(struct session *s, const char *name, enum psi_kind kind,
    uint64_t total, uint64_t number, const void *items)
{
	struct psi_block b = { .kind = kind,
		.total = total,
		.number = (uint32_t)number,
		.count = psi_block_count(total, number),
		.items = items };
	struct buf out = BUF_INIT;
	char tag[48];
	int r;

	tag_of(s, number, tag);
	psi_block_encode(&out, &b, s->settings);
	r = task_remote(s->task, name, tag, &s->partner, 1, out.data, out.len);
	buf_fini(&out);
	return r;
}

/*
 * How far we are over all partners.  A quarter is left for the rows, which
 * are written afterwards.
 */
static void
progress(struct session *s, uint64_t done, uint64_t total)
{
	size_t partners = task_is(s->task, "host")
			      ? 1
			      : task_role_size(s->task, s->partner.role);
	uint64_t lists = (partners == 1 ? 0 : s->index) * PSI_LISTS + s->lists;
	uint64_t part =
	    s->lists < PSI_LISTS && total > 0 ? done * LIST_SHARE / total : 0;

	task_progress(s->task, lists * LIST_SHARE + part,
	    partners * PSI_LISTS * LIST_SHARE / 3 * 4, "matching");
}

static void
end_list(struct session *s, const char *name, const char *way, uint64_t n)
{
	if (s->lists < PSI_LISTS)
		s->lists++;
	task_log(s->task, TASK_INFO, "%s: %llu items %s %s %s", name,
	    (unsigned long long)n, way, s->partner.role, s->partner.party_id);
}

int
session_send(struct session *s, const char *name, enum psi_kind kind,
    const void *items, uint64_t total)
{
	const unsigned char *p = items;
	uint64_t i, blocks = psi_blocks(total);
	int r;

	for (i = 0; i < blocks; i++)
		if ((r = session_send_block(s, name, kind, total, i,
			 p + i * PSI_BLOCK_ITEMS * psi_item_size(kind))) != 0)
			return r;
		else
			progress(s, i + 1, blocks);
	end_list(s, name, "sent to", total);
	return 0;
}

static int
receive_block(struct session *s, const char *name, enum psi_kind kind,
    uint64_t number, uint64_t *total, session_block_fn fn, void *ctx)
{
	struct object o = { 0 };
	struct psi_block b;
	char tag[48];
	int r;

	tag_of(s, number, tag);
	if ((r = task_get_max(s->task, name, tag, s->partner.role, s->index,
		 PSI_BLOCK_BYTES, &o)) != 0)
		return r;
	r = psi_block_decode(
	    o.data, o.size, kind, (uint32_t)number, *total, s->settings, &b);
	if (r == 0) {
		*total = b.total;
		r = fn(s, ctx, number * PSI_BLOCK_ITEMS, &b);
	}
	object_free(&o);
	return r;
}

int
session_receive(struct session *s, const char *name, enum psi_kind kind,
    session_block_fn fn, void *ctx)
{
	uint64_t i, total = 0;
	int r = 0;

	for (i = 0; r == 0 && (i == 0 || i < psi_blocks(total)); i++)
		if ((r = receive_block(s, name, kind, i, &total, fn, ctx)) == 0)
			progress(s, i + 1, psi_blocks(total));
	if (r != 0)
		return err_wrap("%s from %s %s", name, s->partner.role,
		    s->partner.party_id);
	end_list(s, name, "received from", total);
	return 0;
}

/* --- our own ids ---------------------------------------------------------------- */

struct blinding {
	struct session *s;
	uint32_t *place;       /* of an id in our list */
	unsigned char *points; /* by place */
};

static int
blind_row(struct blinding *b, const struct row *row)
{
	const struct psi_ids *ids = &b->s->in->ids;
	uint32_t id = psi_ids_of_row(ids, row->number);
	struct span text = psi_ids_text(ids, row);

	/* Rows that share an id: the first one does the work. */
	if (psi_ids_first_row(ids, id) != row->number)
		return 0;
	return ecdh_blind_id(b->s->key, text.data, text.len,
	    b->points + (size_t)b->place[id] * ECDH_POINT);
}

static int
blind_some(void *ctx, size_t first, size_t end, unsigned worker)
{
	struct blinding *b = ctx;
	struct table_cursor *cur;
	struct row row;
	int r, got;

	(void)worker;
	if ((r = table_scan(b->s->in->table, first, end, &cur)) != 0)
		return r;
	while ((got = cursor_next(cur, &row)) == 1)
		if ((r = blind_row(b, &row)) != 0)
			break;
	cursor_free(cur);
	return r != 0 ? r : got;
}

int
session_blind_own(struct session *s, unsigned char **points)
{
	struct blinding b = { .s = s };
	uint64_t i;
	int r;

	b.place = mem_array(s->n + 1, sizeof(*b.place));
	b.points = mem_array(s->n + 1, ECDH_POINT);
	if (b.place == NULL || b.points == NULL) {
		r = err_code();
		goto out;
	}
	for (i = 0; i < s->n; i++)
		b.place[s->order[i]] = (uint32_t)i;
	r = parallel_for(
	    s->in->pool, s->in->ids.rows, IDS_GRAIN, blind_some, &b);
	if (r == 0) {
		*points = b.points;
		b.points = NULL;
	}
out:
	free(b.place);
	free(b.points);
	return r;
}

/* --- the partner's ids ------------------------------------------------------------ */

struct mapping {
	const struct ecdh *key;
	session_map_fn *fn;
	const unsigned char *points;
	unsigned char *out;
	size_t size;
};

static int
map_some(void *ctx, size_t first, size_t end, unsigned worker)
{
	struct mapping *m = ctx;
	size_t i;
	int r;

	(void)worker;
	for (i = first; i < end; i++)
		if ((r = m->fn(m->key, m->points + i * ECDH_POINT,
			 m->out + i * m->size)) != 0)
			return r;
	return 0;
}

int
session_map(struct session *s, const struct ecdh *key, session_map_fn *fn,
    const unsigned char *points, size_t n, unsigned char *out, size_t size)
{
	struct mapping m = { key, fn, points, out, size };

	return parallel_for(s->in->pool, n, IDS_GRAIN, map_some, &m);
}
