/*
 * Caches of intersections as tables.  A cache comes back from the site's own
 * disk, but may be damaged: every count and length is checked.
 */
#include "executor/components/intersection_store.h"

#include <endian.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_wire.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define KIND "intersection"
#define METHOD "ecdh"
#define DIGEST 32

static const char *
partner_role(const struct task *t)
{
	return task_is(t, "guest") ? "host" : "guest";
}

struct psi_cache *
psi_store_new(struct task *t)
{
	struct psi_cache *c = xcalloc(1, sizeof(*c));
	size_t i;

	c->n_peers = task_is(t, "guest") ? task_role_size(t, "host") : 1;
	c->peers = xcalloc(c->n_peers + 1, sizeof(*c->peers));
	for (i = 0; i < c->n_peers; i++)
		c->peers[i].party_id =
		    xstrdup(task_member(t, partner_role(t), i) != NULL
				? task_member(t, partner_role(t), i)->party_id
				: "");
	return c;
}

void
psi_cache_free(struct psi_cache *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n_peers; i++) {
		free(c->peers[i].party_id);
		free(c->peers[i].tokens);
	}
	sodium_memzero(c->key, sizeof(c->key));
	free(c->peers);
	free(c->order);
	free(c);
}

const char *
psi_cache_id(const struct psi_cache *c, size_t host)
{
	return c->peers[host < c->n_peers ? host : 0].cache_id;
}

/* --- writing ------------------------------------------------------------------- */

static int
put(struct table_writer *w, const char *id, const void *data, size_t len)
{
	struct row row = { .kind = ROW_TEXT,
		.id = { id, strlen(id) },
		.text = { data, len } };

	return table_append(w, &row);
}

/* A list in blocks "PREFIX.0", "PREFIX.1", … */
static int
put_list(struct table_writer *w, const char *prefix, const void *items,
    size_t size, uint64_t n)
{
	const unsigned char *p = items;
	uint64_t i;
	char id[64];
	int r = 0;

	for (i = 0; i < psi_blocks(n) && n > 0 && r == 0; i++) {
		(void)snprintf(id, sizeof(id), "%s.%" PRIu64, prefix, i);
		r = put(w, id, p + i * PSI_BLOCK_ITEMS * size,
		    psi_block_count(n, i) * size);
	}
	return r;
}

static int
write_host(struct table_writer *w, const struct psi_cache *c)
{
	uint64_t i, n = c->peers[0].count;
	uint32_t *le;
	int r;

	if ((le = mem_array(n + 1, sizeof(*le))) == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		le[i] = htole32(c->order[i]);
	if ((r = put(w, "key", c->key, sizeof(c->key))) == 0)
		r = put_list(w, "o", le, sizeof(*le), n);
	free(le);
	return r;
}

static int
write_guest(struct table_writer *w, const struct psi_cache *c)
{
	char prefix[32];
	size_t i;
	int r;

	/* A table needs a row, also when nobody has an id. */
	r = put(w, "guest", "", 0);
	for (i = 0; i < c->n_peers && r == 0; i++) {
		(void)snprintf(prefix, sizeof(prefix), "t.%zu", i);
		r = put_list(w, prefix, c->peers[i].tokens, ECDH_TOKEN,
		    c->peers[i].count);
	}
	return r;
}

static struct json_object *
meta_of(struct task *t, const struct psi_conf *conf, const struct psi_cache *c)
{
	struct json_object *o = json_object_new_object();
	struct json_object *peers = json_object_new_array(), *p;
	struct json_object *method = json_object_new_object();
	char hex[2 * DIGEST + 1] = "";
	size_t i;

	for (i = 0; i < c->n_peers; i++) {
		p = json_object_new_object();
		json_add_str(p, "party_id", c->peers[i].party_id);
		json_add_str(p, "cache_id", c->peers[i].cache_id);
		json_add_int(p, "count", (int64_t)c->peers[i].count);
		json_object_array_add(peers, p);
	}
	json_add_str(method, "intersect_method", METHOD);
	json_add_bool(method, "use_match_id", conf->by_match);
	if (task_is(t, "host"))
		str_to_hex(c->ids_digest, DIGEST, hex);
	json_add_str(o, "kind", KIND);
	json_add_str(o, "role", task_role(t));
	json_add_str(o, "salt", conf->salt);
	json_add_bool(o, "by_match", conf->by_match);
	json_add_str(o, "ids", hex);
	json_add(o, "intersect_meta", method);
	json_add(o, "peers", peers);
	return o;
}

int
psi_store_write(
    struct task *t, const struct psi_conf *conf, const struct psi_cache *c)
{
	struct json_object *meta = meta_of(t, conf, c);
	struct table_writer *w = NULL;
	int r;

	if ((r = task_metric_meta(t, "train", "intersection_cache_meta",
		 "intersection_cache_meta", "INTERSECTION",
		 json_get(meta, "intersect_meta"))) == 0 &&
	    (r = task_cache_create(t, &w)) == 0) {
		r = task_is(t, "guest") ? write_guest(w, c) : write_host(w, c);
		if (r == 0)
			r = task_cache_finish(t, w, meta);
		else
			table_writer_free(w);
	}
	json_object_put(meta);
	return r;
}

/* --- reading -------------------------------------------------------------------- */

static int
damaged(void)
{
	return err_set(ERR_FORMAT, "the cache is damaged; make a new one");
}

static int
get(struct table_cursor *cur, const char *id, void *out, size_t len)
{
	struct row row;

	if (cursor_get(cur, id, strlen(id), &row) != 0 || row.text.len != len)
		return damaged();
	if (len > 0)
		memcpy(out, row.text.data, len);
	return 0;
}

static int
get_list(struct table_cursor *cur, const char *prefix, void *items, size_t size,
    uint64_t n)
{
	unsigned char *p = items;
	uint64_t i;
	char id[64];
	int r = 0;

	for (i = 0; i < psi_blocks(n) && n > 0 && r == 0; i++) {
		(void)snprintf(id, sizeof(id), "%s.%" PRIu64, prefix, i);
		r = get(cur, id, p + i * PSI_BLOCK_ITEMS * size,
		    psi_block_count(n, i) * size);
	}
	return r;
}

static int
read_host(struct table_cursor *cur, struct psi_cache *c)
{
	uint64_t i, n = c->peers[0].count;
	int r;

	if ((c->order = mem_array(n + 1, sizeof(*c->order))) == NULL)
		return err_code();
	if ((r = get(cur, "key", c->key, sizeof(c->key))) != 0 ||
	    (r = get_list(cur, "o", c->order, sizeof(*c->order), n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if ((c->order[i] = le32toh(c->order[i])) >= n)
			return damaged();
	return 0;
}

/* places[i]: where host i of this task stands among the cache's peers. */
static int
read_guest(struct table_cursor *cur, struct psi_cache *c, const size_t *places)
{
	struct psi_peer *p;
	char prefix[32];
	size_t i;
	int r = 0;

	for (i = 0; i < c->n_peers && r == 0; i++) {
		p = &c->peers[i];
		(void)snprintf(prefix, sizeof(prefix), "t.%zu", places[i]);
		if ((p->tokens = mem_array(p->count + 1, ECDH_TOKEN)) == NULL)
			return err_code();
		r = get_list(cur, prefix, p->tokens, ECDH_TOKEN, p->count);
	}
	return r;
}

/* The entry of a partner; *place is where it stands. */
static int
read_peer(struct json_object *peers, struct psi_peer *p, size_t *place)
{
	size_t i,
	    n = json_is_array(peers) ? json_object_array_length(peers) : 0;
	struct json_object *o = NULL;
	const char *id;
	int64_t count;

	for (i = 0; i < n; i++) {
		o = json_object_array_get_idx(peers, i);
		if (str_eq(json_get_str(o, "party_id", ""), p->party_id))
			break;
	}
	if (i == n)
		return err_set(ERR_CONFLICT,
		    "the cache was made without party %s; make a new one with "
		    "all of them",
		    p->party_id);
	id = json_get_str(o, "cache_id", "");
	count = json_get_int(o, "count", -1);
	if (strlen(id) != sizeof(p->cache_id) - 1 || count < 0 ||
	    count > PSI_LIST_MAX)
		return damaged();
	memcpy(p->cache_id, id, sizeof(p->cache_id));
	p->count = (uint64_t)count;
	*place = i;
	return 0;
}

static int
check_meta(
    struct task *t, struct json_object *meta, const struct psi_conf *conf)
{
	if (!str_eq(json_get_str(meta, "kind", ""), KIND) ||
	    !str_eq(json_get_str(meta, "role", ""), task_role(t)))
		return err_set(ERR_CONFLICT,
		    "the cache is not one of Intersection in the role %s",
		    task_role(t));
	if (!str_eq(json_get_str(meta, "salt", ""), conf->salt))
		return err_set(
		    ERR_CONFLICT, "the cache was made with another salt");
	if (json_get_bool(meta, "by_match", false) != conf->by_match)
		return err_set(ERR_CONFLICT,
		    "the cache was made %s match ids, these rows have %s",
		    conf->by_match ? "without" : "with",
		    conf->by_match ? "some" : "none");
	return 0;
}

/* A host answers for the ids it had; others would be matched to nobody. */
static int
check_ids(const struct psi_input *in, struct json_object *meta,
    const struct psi_cache *c)
{
	unsigned char digest[DIGEST];
	char hex[2 * DIGEST + 1];
	int r;

	if ((r = psi_ids_digest(&in->ids, in->table, digest)) != 0)
		return r;
	str_to_hex(digest, DIGEST, hex);
	return in->ids.n == c->peers[0].count &&
		       str_eq(hex, json_get_str(meta, "ids", ""))
		   ? 0
		   : err_set(ERR_CONFLICT,
			 "the rows are not those that the cache was made from; "
			 "make a new one with run_cache");
}

static int
read_cache(struct task *t, const struct psi_input *in, struct table *table,
    struct json_object *meta, struct psi_cache *c)
{
	size_t *places = xcalloc(c->n_peers + 1, sizeof(*places));
	struct table_cursor *cur = NULL;
	size_t i;
	int r = 0;

	for (i = 0; i < c->n_peers && r == 0; i++)
		r = read_peer(
		    json_get(meta, "peers"), &c->peers[i], &places[i]);
	if (r == 0 && (r = table_scan(table, 0, 0, &cur)) == 0)
		r = task_is(t, "guest") ? read_guest(cur, c, places)
					: read_host(cur, c);
	if (r == 0 && task_is(t, "host"))
		r = check_ids(in, meta, c);
	cursor_free(cur);
	free(places);
	return r;
}

int
psi_cache_open(struct task *t, const struct psi_input *in,
    const struct psi_conf *conf, struct psi_cache **out)
{
	const struct task_input *input = task_input(t, "cache");
	struct json_object *meta = NULL;
	struct table *table = NULL;
	struct psi_cache *c;
	int r;

	*out = NULL;
	if (input == NULL)
		return 0;
	c = psi_store_new(t);
	if ((r = task_open_table(t, input, &table)) == 0 &&
	    (r = json_parse_text(table_stat(table)->schema_json, &meta)) == 0 &&
	    (r = check_meta(t, meta, conf)) == 0)
		r = read_cache(t, in, table, meta, c);
	json_object_put(meta);
	table_close(table);
	if (r != 0)
		psi_cache_free(c);
	else
		*out = c;
	return r;
}
