/*
 * Both halves of the intersection protocol.  Memory: 36 bytes per own id
 * while it is blinded, then 4, and up to 24 per id of the partner (guest) or
 * one block of them (host).  Called by intersection.c.
 */
#include "executor/components/intersection_psi.h"

#include <endian.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_tokens.h"
#include "executor/components/intersection_wire.h"
#include "executor/math/ecdh.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define IDS_GRAIN 256 /* ids per piece of parallel work: 15 ms */

_Static_assert(PSI_NO_MATCH == TOKEN_NONE, "one value for no place");

/* One run of the protocol with one partner. */
struct session {
	struct task *task;
	struct table *table;
	struct parallel *pool;
	const struct psi_conf *conf;
	struct task_party partner;
	size_t index; /* of the partner in its role */
	size_t host;  /* number of the host: tags */
	struct ecdh *key;
	unsigned char settings[PSI_SETTINGS];
	uint64_t rows;
	uint32_t *order; /* place in our list -> row */
};

/* What must be equal on both sides for the result to mean anything. */
static void
digest_settings(unsigned char out[PSI_SETTINGS], const struct psi_conf *c)
{
	crypto_generichash_state st;
	unsigned char flags[3] = { c->sync_ids, c->cardinality_only,
		c->sync_cardinality };

	crypto_generichash_init(&st, NULL, 0, PSI_SETTINGS);
	crypto_generichash_update(&st, flags, sizeof(flags));
	crypto_generichash_update(
	    &st, (const unsigned char *)c->salt, strlen(c->salt));
	crypto_generichash_final(&st, out, PSI_SETTINGS);
}

static int
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

/* A secret exponent and a random order for our rows. */
static int
session_start(struct session *s, struct table *table, struct parallel *pool)
{
	uint64_t i;

	s->table = table;
	s->pool = pool;
	s->rows = table_count(table);
	if (s->rows > PSI_LIST_MAX)
		return err_set(ERR_LIMIT, "%llu rows are too many, at most %u",
		    (unsigned long long)s->rows, PSI_LIST_MAX);
	if ((s->key = ecdh_new(s->conf->salt)) == NULL ||
	    (s->order = mem_array(s->rows + 1, sizeof(*s->order))) == NULL)
		return err_code();
	for (i = 0; i < s->rows; i++)
		s->order[i] = (uint32_t)i;
	rng_shuffle_secret(s->order, s->rows);
	return 0;
}

static void
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

/* Send one block; items are those of this block. */
static int
send_block(struct session *s, const char *name, enum psi_kind kind,
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

static int
send_list(struct session *s, const char *name, enum psi_kind kind,
    const void *items, uint64_t total)
{
	const unsigned char *p = items;
	uint64_t i, blocks = psi_blocks(total);
	int r;

	for (i = 0; i < blocks; i++)
		if ((r = send_block(s, name, kind, total, i,
			 p + i * PSI_BLOCK_ITEMS * psi_item_size(kind))) != 0)
			return r;
	return 0;
}

/* Called with each block of a list; first is its first item's place. */
typedef int (*block_fn)(
    struct session *, void *ctx, uint64_t first, const struct psi_block *);

static int
receive_block(struct session *s, const char *name, enum psi_kind kind,
    uint64_t number, uint64_t *total, block_fn fn, void *ctx)
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

static int
receive_list(struct session *s, const char *name, enum psi_kind kind,
    block_fn fn, void *ctx)
{
	uint64_t i, total = 0;
	int r = 0;

	for (i = 0; r == 0 && (i == 0 || i < psi_blocks(total)); i++)
		r = receive_block(s, name, kind, i, &total, fn, ctx);
	return r == 0 ? 0
		      : err_wrap("%s from %s %s", name, s->partner.role,
			    s->partner.party_id);
}

/* --- our own ids ---------------------------------------------------------------- */

struct blinding {
	struct session *s;
	uint32_t *place;       /* of a row in our list */
	unsigned char *points; /* by place */
};

static int
blind_row(struct blinding *b, const struct row *row)
{
	if (row->flags & ROW_MATCH_ID)
		return err_set(ERR_UNSUPPORTED,
		    "row %llu has a match id; "
		    "intersection by match id is not available, upload the "
		    "data with unique ids and without with_match_id",
		    (unsigned long long)row->number + 1);
	return ecdh_blind_id(b->s->key, row->id.data, row->id.len,
	    b->points + (size_t)b->place[row->number] * ECDH_POINT);
}

static int
blind_some(void *ctx, size_t first, size_t end, unsigned worker)
{
	struct blinding *b = ctx;
	struct table_cursor *cur;
	struct row row;
	int r, got;

	(void)worker;
	if ((r = table_scan(b->s->table, first, end, &cur)) != 0)
		return r;
	while ((got = cursor_next(cur, &row)) == 1)
		if ((r = blind_row(b, &row)) != 0)
			break;
	cursor_free(cur);
	return r != 0 ? r : got;
}

/* Blind our ids and send them in random order. */
static int
send_own(struct session *s, const char *name)
{
	struct blinding b = { .s = s };
	uint64_t i;
	int r;

	b.place = mem_array(s->rows + 1, sizeof(*b.place));
	b.points = mem_array(s->rows + 1, ECDH_POINT);
	if (b.place == NULL || b.points == NULL) {
		r = err_code();
		goto out;
	}
	for (i = 0; i < s->rows; i++)
		b.place[s->order[i]] = (uint32_t)i;
	if ((r = parallel_for(s->pool, s->rows, IDS_GRAIN, blind_some, &b)) ==
	    0)
		r = send_list(s, name, PSI_POINTS, b.points, s->rows);
out:
	free(b.place);
	free(b.points);
	return r;
}

/* --- the partner's ids ------------------------------------------------------------ */

struct tokening {
	const struct ecdh *key;
	const unsigned char *points;
	unsigned char *tokens;
};

static int
token_some(void *ctx, size_t first, size_t end, unsigned worker)
{
	struct tokening *t = ctx;
	size_t i;
	int r;

	(void)worker;
	for (i = first; i < end; i++)
		if ((r = ecdh_token(t->key, t->points + i * ECDH_POINT,
			 t->tokens + i * ECDH_TOKEN)) != 0)
			return r;
	return 0;
}

static int
tokens_of_block(
    struct session *s, const struct psi_block *b, unsigned char *tokens)
{
	struct tokening t = {
		.key = s->key, .points = b->items, .tokens = tokens
	};

	return parallel_for(s->pool, b->count, IDS_GRAIN, token_some, &t);
}

/* Guest: the host's list becomes tokens that can be looked up. */
static int
keep_tokens(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct token_list **list = ctx;
	int r;

	if (*list == NULL && (r = token_list_new(b->total, list)) != 0)
		return r;
	return tokens_of_block(s, b, token_list_at(*list, first));
}

/* Host: the answer to one block of the guest's list. */
static int
answer_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	unsigned char *tokens;
	int r;

	(void)ctx;
	if ((tokens = mem_array((size_t)b->count + 1, ECDH_TOKEN)) == NULL)
		return err_code();
	if ((r = tokens_of_block(s, b, tokens)) == 0)
		r = send_block(s, "doubly_encrypted_id", PSI_TOKENS, b->total,
		    first / PSI_BLOCK_ITEMS, tokens);
	free(tokens);
	return r;
}

/* Host, cardinality only: all answers, for an order without meaning. */
struct answers {
	unsigned char *tokens;
	uint64_t n;
};

static int
keep_answers(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct answers *a = ctx;

	if (a->tokens == NULL) {
		a->tokens = mem_array(b->total + 1, ECDH_TOKEN);
		a->n = b->total;
	}
	if (a->tokens == NULL)
		return err_code();
	return tokens_of_block(s, b, a->tokens + first * ECDH_TOKEN);
}

static void
shuffle_answers(struct answers *a)
{
	unsigned char t[ECDH_TOKEN], *x, *y;
	uint64_t i;

	for (i = a->n; i > 1; i--) {
		x = a->tokens + (i - 1) * ECDH_TOKEN;
		y = a->tokens +
		    (uint64_t)randombytes_uniform((uint32_t)i) * ECDH_TOKEN;
		memcpy(t, x, sizeof(t));
		memcpy(x, y, sizeof(t));
		memcpy(y, t, sizeof(t));
	}
}

static int
answer_shuffled(struct session *s)
{
	struct answers a = { 0 };
	int r;

	if ((r = receive_list(s, "id_ciphertext_exchange_g2h", PSI_POINTS,
		 keep_answers, &a)) == 0) {
		shuffle_answers(&a);
		r = send_list(
		    s, "doubly_encrypted_id", PSI_TOKENS, a.tokens, a.n);
	}
	free(a.tokens);
	return r;
}

/* --- guest ---------------------------------------------------------------------- */

struct join {
	struct token_list *host;
	uint32_t *match; /* by row */
	uint64_t common;
};

static int
join_block(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct join *j = ctx;
	uint32_t i, place;

	if (b->total != s->rows)
		return err_set(ERR_FORMAT, "%llu answers to %llu ids",
		    (unsigned long long)b->total, (unsigned long long)s->rows);
	for (i = 0; i < b->count; i++) {
		place =
		    token_list_find(j->host, b->items + (size_t)i * ECDH_TOKEN);
		j->common += place != TOKEN_NONE;
		/* Shuffled answers say nothing about our rows. */
		if (!s->conf->cardinality_only)
			j->match[s->order[first + i]] = place;
	}
	return 0;
}

static int
guest_steps(struct session *s, struct join *j)
{
	int r;

	if ((r = send_own(s, "id_ciphertext_exchange_g2h")) != 0 ||
	    (r = receive_list(s, "id_ciphertext_exchange_h2g", PSI_POINTS,
		 keep_tokens, &j->host)) != 0)
		return r;
	if ((r = token_list_index(j->host)) != 0)
		return err_wrap(
		    "list of %s %s", s->partner.role, s->partner.party_id);
	return receive_list(
	    s, "doubly_encrypted_id", PSI_TOKENS, join_block, j);
}

int
psi_guest(struct task *t, struct table *table, struct parallel *pool,
    const struct psi_conf *conf, size_t host, uint32_t *match, uint64_t *common)
{
	struct session s;
	struct join j = { .match = match };
	uint64_t i;
	int r;

	*common = 0;
	for (i = 0; i < table_count(table); i++)
		match[i] = PSI_NO_MATCH;
	if ((r = session_init(&s, t, conf, "host", host)) == 0 &&
	    (r = session_start(&s, table, pool)) == 0 &&
	    (r = guest_steps(&s, &j)) == 0)
		*common = j.common;
	token_list_free(j.host);
	session_fini(&s);
	return r;
}

int
psi_guest_tell(struct task *t, const struct psi_conf *conf, size_t host,
    const uint32_t *places, uint64_t n)
{
	struct session s;
	uint32_t *le;
	uint64_t i;
	int r;

	if ((r = session_init(&s, t, conf, "host", host)) != 0)
		return r;
	if ((le = mem_array(n + 1, sizeof(*le))) == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		le[i] = htole32(places[i]);
	r = send_list(&s, "intersect_ids", PSI_INDEXES, le, n);
	free(le);
	return r;
}

int
psi_guest_tell_count(
    struct task *t, const struct psi_conf *conf, size_t host, uint64_t n)
{
	struct session s;
	uint64_t le = htole64(n);
	int r;

	if ((r = session_init(&s, t, conf, "host", host)) != 0)
		return r;
	return send_list(&s, "cardinality", PSI_COUNT, &le, 1);
}

/* --- host ----------------------------------------------------------------------- */

struct told {
	uint32_t *rows;
	uint64_t n;
};

static int
take_places(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	struct told *told = ctx;
	uint32_t i, place;

	if (b->total > s->rows)
		return err_set(ERR_FORMAT, "%llu ids in common with our %llu",
		    (unsigned long long)b->total, (unsigned long long)s->rows);
	if (told->rows == NULL) {
		told->rows = mem_array(b->total + 1, sizeof(*told->rows));
		told->n = b->total;
	}
	if (told->rows == NULL)
		return err_code();
	for (i = 0; i < b->count; i++) {
		memcpy(&place, b->items + (size_t)i * sizeof(place),
		    sizeof(place));
		if ((place = le32toh(place)) >= s->rows)
			return err_set(ERR_FORMAT,
			    "place %u in a list of "
			    "%llu",
			    place, (unsigned long long)s->rows);
		told->rows[first + i] = s->order[place];
	}
	return 0;
}

static int
take_count(
    struct session *s, void *ctx, uint64_t first, const struct psi_block *b)
{
	uint64_t n;

	(void)first;
	if (b->total != 1)
		return err_set(ERR_FORMAT, "%llu numbers where one is due",
		    (unsigned long long)b->total);
	memcpy(&n, b->items, sizeof(n));
	if ((n = le64toh(n)) > s->rows)
		return err_set(ERR_FORMAT, "%llu ids in common with our %llu",
		    (unsigned long long)n, (unsigned long long)s->rows);
	*(uint64_t *)ctx = n;
	return 0;
}

static int
host_steps(struct session *s, struct told *told, bool *known)
{
	const struct psi_conf *c = s->conf;
	int r;

	if ((r = send_own(s, "id_ciphertext_exchange_h2g")) != 0)
		return r;
	r = c->cardinality_only ? answer_shuffled(s)
				: receive_list(s, "id_ciphertext_exchange_g2h",
				      PSI_POINTS, answer_block, NULL);
	if (r != 0)
		return r;
	*known = c->cardinality_only ? c->sync_cardinality : c->sync_ids;
	if (!*known)
		return 0;
	return c->cardinality_only ? receive_list(s, "cardinality", PSI_COUNT,
					 take_count, &told->n)
				   : receive_list(s, "intersect_ids",
					 PSI_INDEXES, take_places, told);
}

int
psi_host(struct task *t, struct table *table, struct parallel *pool,
    const struct psi_conf *conf, uint32_t **rows, uint64_t *common, bool *known)
{
	struct session s;
	struct told told = { 0 };
	int r;

	*rows = NULL;
	*common = 0;
	*known = false;
	if ((r = session_init(&s, t, conf, "guest", 0)) == 0 &&
	    (r = session_start(&s, table, pool)) == 0 &&
	    (r = host_steps(&s, &told, known)) == 0) {
		*rows = told.rows;
		*common = told.n;
		told.rows = NULL;
	}
	free(told.rows);
	session_fini(&s);
	return r;
}
