/*
 * Both sides become entries with one key; sorted, those of one object stand
 * beside each other.  Called by "sluice egress compare".
 */
#include "lib/audit/compare.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/sign/digest.h"

#define LINE_MAX_BYTES (256u << 10)
#define MAILBOX "/v1/mailbox/"
#define PATH_PARTS 6 /* size job component version role party */

struct entry {
	const char *key; /* what identifies an object */
	bool is_row;
	int status; /* of a request */
	int64_t bytes;
	bool has_digest;
	uint8_t sha256[DIGEST_SIZE];
};

struct compare {
	struct arena *arena;
	const char *from, *to, *job_id;
	struct entry *entries;
	size_t n, cap;
	struct compare_result result;
	size_t cap_differences;
};

struct compare *
compare_new(const char *from, const char *to, const char *job_id)
{
	struct compare *c = xcalloc(1, sizeof(*c));

	c->arena = arena_new();
	c->from = arena_strdup(c->arena, from);
	c->to = arena_strdup(c->arena, to);
	if (job_id != NULL)
		c->job_id = arena_strdup(c->arena, job_id);
	return c;
}

void
compare_free(struct compare *c)
{
	if (c == NULL)
		return;
	free(c->entries);
	free(c->result.differences);
	arena_free(c->arena);
	free(c);
}

static struct entry *
add(struct compare *c)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 256 : 2 * c->cap;
		c->entries = xrealloc(c->entries, c->cap * sizeof(*c->entries));
	}
	memset(&c->entries[c->n], 0, sizeof(*c->entries));
	return &c->entries[c->n++];
}

static const char *
key_of(struct compare *c, const struct compare_row *r)
{
	return arena_printf(c->arena,
	    "job %s component %s version %lld: %s '%s' of %s %s to %s %s",
	    r->job_id, r->component, (long long)r->version, r->name, r->tag,
	    r->role, r->party_id, r->to_role, r->to_party);
}

static bool
is_asked_for(const struct compare *c, const struct compare_row *r)
{
	return str_eq(r->party_id, c->from) && str_eq(r->to_party, c->to) &&
	       (c->job_id == NULL || str_eq(r->job_id, c->job_id));
}

void
compare_add_row(struct compare *c, const struct compare_row *r)
{
	struct entry *e;

	/* No transfer's name has a parenthesis: such a row went another way. */
	if (!is_asked_for(c, r) || r->name[0] == '(')
		return;
	e = add(c);
	e->key = key_of(c, r);
	e->is_row = true;
	e->bytes = r->bytes;
	e->has_digest = true;
	memcpy(e->sha256, r->sha256, sizeof(e->sha256));
	c->result.rows++;
	c->result.bytes += r->bytes;
}

/* --- lines of the log ----------------------------------------------------- */

static const char *
decoded(struct arena *a, const char *s, size_t len)
{
	struct buf b = BUF_INIT;
	const char *text;

	str_percent_decode(&b, s, len);
	text = arena_strdup(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

/* One parameter of a query; "" when it is not there. */
static const char *
parameter(struct arena *a, const char *query, const char *name)
{
	size_t len = strlen(name);

	while (*query != '\0') {
		size_t n = strcspn(query, "&");

		if (n > len && query[len] == '=' &&
		    strncmp(query, name, len) == 0)
			return decoded(a, query + len + 1, n - len - 1);
		query += n + (query[n] == '&');
	}
	return "";
}

/* Path and query of a mailbox request as the row it should be. */
static bool
read_uri(struct arena *a, const char *uri, struct compare_row *r)
{
	const char *parts[PATH_PARTS], *at = uri + strlen(MAILBOX), *query;
	const char *n_parts;
	int64_t part;

	for (size_t i = 0; i < PATH_PARTS; i++) {
		size_t n = strcspn(at, "/?");

		if (n == 0 || (at[n] == '/') != (i < PATH_PARTS - 1))
			return false;
		parts[i] = decoded(a, at, n);
		at += n + (at[n] != '\0');
	}
	query = at;
	r->job_id = parts[1];
	r->component = parts[2];
	if (str_to_int64(parts[3], 0, INT32_MAX, &r->version) != 0)
		return false;
	r->to_role = parts[4];
	r->to_party = parts[5];
	r->name = parameter(a, query, "name");
	r->tag = parameter(a, query, "tag");
	r->role = parameter(a, query, "from");
	n_parts = parameter(a, query, "parts");
	if (*n_parts == '\0' || str_eq(n_parts, "1"))
		return true;
	if (str_to_int64(parameter(a, query, "part"), 0, INT32_MAX, &part) != 0)
		return false;
	r->tag = arena_printf(
	    a, "%s [%lld/%s]", r->tag, (long long)part + 1, n_parts);
	return true;
}

/* Whose certificate nginx had verified: "CN=9999" somewhere in the subject. */
static bool
is_from(const struct compare *c, const char *dn)
{
	const char *cn = strstr(dn, "CN=");
	size_t len = strlen(c->from);

	return cn != NULL && strncmp(cn + 3, c->from, len) == 0 &&
	       strspn(cn + 3 + len, "0123456789") == 0;
}

static void
add_request(struct compare *c, struct json_object *o, const char *uri)
{
	struct compare_row r = { .party_id = c->from };
	struct entry *e;
	int64_t bytes = 0;

	(void)str_to_int64(json_get_str(o, "bytes", "0"), 0, INT64_MAX, &bytes);
	if (strncmp(uri, MAILBOX, strlen(MAILBOX)) != 0) {
		c->result.other_requests++;
		c->result.other_bytes += bytes;
		return;
	}
	if (!read_uri(c->arena, uri, &r)) {
		c->result.unreadable++;
		return;
	}
	if (!is_asked_for(c, &r))
		return;
	e = add(c);
	e->key = key_of(c, &r);
	e->status = (int)json_get_int(o, "status", 0);
	e->bytes = bytes;
	e->has_digest =
	    digest_parse(json_get_str(o, "digest", ""), e->sha256) == 0;
	/* The row says it by its sender: the header must say the same. */
	if (!str_eq(json_get_str(o, "party", ""), c->from))
		e->has_digest = false;
	c->result.requests++;
}

void
compare_add_line(struct compare *c, const char *line, size_t len)
{
	struct json_object *o = NULL;
	const char *uri;

	if (len == 0)
		return;
	if (json_parse(line, len, LINE_MAX_BYTES, &o) == 0 &&
	    (uri = json_get_str(o, "uri", NULL)) != NULL) {
		c->result.lines++;
		if (is_from(c, json_get_str(o, "dn", "")))
			add_request(c, o, uri);
	} else
		c->result.unreadable++;
	err_clear();
	json_object_put(o);
}

/* --- side by side --------------------------------------------------------- */

static void difference(struct compare *c, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
difference(struct compare *c, const char *key, const char *fmt, ...)
{
	struct compare_result *r = &c->result;
	struct buf b = BUF_INIT;
	va_list ap;

	buf_printf(&b, "%s: ", key);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (r->n == c->cap_differences) {
		c->cap_differences =
		    c->cap_differences == 0 ? 16 : 2 * c->cap_differences;
		r->differences = xrealloc(r->differences,
		    c->cap_differences * sizeof(*r->differences));
	}
	r->differences[r->n++] = arena_strdup(c->arena, buf_str(&b));
	buf_fini(&b);
}

/* Rows first, then requests. */
static int
order(const void *one, const void *other)
{
	const struct entry *a = one, *b = other;
	int r = strcmp(a->key, b->key);

	return r != 0 ? r : (int)b->is_row - (int)a->is_row;
}

static bool
is_same(const struct entry *row, const struct entry *req)
{
	return req->bytes == row->bytes && req->has_digest &&
	       memcmp(req->sha256, row->sha256, sizeof(row->sha256)) == 0;
}

/* A request that fits no row of its object; told about the first of these. */
static void
tell_other(struct compare *c, const struct entry *row, const struct entry *req)
{
	if (req->bytes != row->bytes)
		difference(c, row->key,
		    "the ledger says %lld bytes, %lld arrived",
		    (long long)row->bytes, (long long)req->bytes);
	else
		difference(c, row->key,
		    "other content arrived than the ledger's digest says, or "
		    "under another signer's name");
}

static void
count_repeat(struct compare *c, int status, bool was_kept)
{
	if (status == 200 && was_kept)
		c->result.repeats_lost++;
	else if (status == 429)
		c->result.repeats_full++;
	else if (status == 404)
		c->result.repeats_early++;
	else if (status != 200)
		c->result.repeats_trouble++;
}

/*
 * One content of an object: so many rows with it, and the requests.  What left
 * has arrived, then, whether it was taken or not.
 */
static void
judge_content(struct compare *c, const struct entry *row, size_t rows,
    const struct entry *requests, size_t n)
{
	size_t arrived = 0, kept = 0, i;

	for (i = 0; i < n; i++) {
		if (!is_same(row, &requests[i]))
			continue;
		count_repeat(c, requests[i].status, kept >= rows);
		kept += requests[i].status == 200;
		arrived++;
	}
	if (arrived == 0)
		difference(c, row->key, "is in the ledger and did not arrive");
	else if (arrived < rows)
		difference(c, row->key,
		    "arrived %zu times, and stands in the ledger %zu times",
		    arrived, rows);
	else if (kept < rows)
		c->result.not_taken += (int64_t)(rows - kept);
}

/* A row's place among those of its object with the same content; *n of them. */
static size_t
place_among(const struct entry *rows, size_t n_rows, size_t i, size_t *n)
{
	size_t place = 0, j;

	for (*n = 0, j = 0; j < n_rows; j++)
		if (is_same(&rows[i], &rows[j])) {
			place += j < i;
			++*n;
		}
	return place;
}

/* The entries of one object: a task that was begun anew sends it anew. */
static void
judge(struct compare *c, const struct entry *e, size_t n)
{
	size_t rows = 0, like, i, j;

	while (rows < n && e[rows].is_row)
		rows++;
	if (rows == 0) {
		difference(c, e->key,
		    "arrived (status %d, %lld bytes) and is not in the ledger",
		    e->status, (long long)e->bytes);
		return;
	}
	for (i = rows; i < n; i++) {
		for (j = 0; j < rows && !is_same(&e[j], &e[i]); j++)
			;
		if (j == rows) {
			tell_other(c, e, &e[i]);
			return;
		}
	}
	for (i = 0; i < rows; i++)
		if (place_among(e, rows, i, &like) == 0)
			judge_content(c, &e[i], like, &e[rows], n - rows);
}

void
compare_finish(struct compare *c, struct compare_result *out)
{
	size_t i, j;

	if (c->n > 0)
		qsort(c->entries, c->n, sizeof(*c->entries), order);
	for (i = 0; i < c->n; i = j) {
		for (j = i + 1;
		     j < c->n && str_eq(c->entries[i].key, c->entries[j].key);
		     j++)
			;
		judge(c, &c->entries[i], j - i);
	}
	*out = c->result;
}
