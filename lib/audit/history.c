/*
 * Reading a history.  Called by "sluice verify", for files and for a live
 * database alike.
 */
#include "lib/audit/history.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/audit/history_private.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define LINE_MAX_BYTES (1u << 20)

static int
compare_jobs(const void *a, const void *b)
{
	const struct history_job *one = a, *other = b;

	return strcmp(one->job_id, other->job_id);
}

struct history *
history_new(void)
{
	struct history *h = xcalloc(1, sizeof(*h));

	h->arena = arena_new();
	h->last_signature = &h->signatures;
	return h;
}

static void
leave_to_arena(void *job)
{
	(void)job;
}

void
history_free(struct history *h)
{
	if (h == NULL)
		return;
	tdestroy(h->jobs, leave_to_arena);
	chain_fini(&h->chain);
	free(h->hashes);
	free(h->findings);
	arena_free(h->arena);
	free(h);
}

void
history_find(struct history *h, int64_t seq, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (h->n_findings == h->cap_findings) {
		h->cap_findings =
		    h->cap_findings == 0 ? 16 : 2 * h->cap_findings;
		h->findings = xrealloc(
		    h->findings, h->cap_findings * sizeof(*h->findings));
	}
	h->findings[h->n_findings++] = (struct history_finding){ seq,
		arena_strdup(h->arena, buf_str(&b)) };
	buf_fini(&b);
}

static void
note(struct history *h, struct history_kind *k, int64_t seq,
    const struct history_signature *about, const char *fmt, va_list ap)
{
	struct buf b = BUF_INIT;

	if (k->n++ > 0 && seq >= k->seq)
		return;
	if (about != NULL)
		buf_printf(&b, "job %s, revision %lld, %s %s: ", about->job_id,
		    (long long)about->revision, about->role, about->party);
	buf_vprintf(&b, fmt, ap);
	k->seq = seq;
	k->text = arena_strdup(h->arena, buf_str(&b));
	buf_fini(&b);
}

void
history_note(struct history *h, struct history_kind *k, int64_t seq,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(h, k, seq, NULL, fmt, ap);
	va_end(ap);
}

void
history_note_of(struct history *h, struct history_kind *k, int64_t seq,
    const struct history_signature *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(h, k, seq, s, fmt, ap);
	va_end(ap);
}

void
history_tell(struct history *h, const struct history_kind *k, const char *what)
{
	if (k->n == 1)
		history_find(h, k->seq, "%s", k->text);
	else if (k->n > 1)
		history_find(h, k->seq, "%s (the first of %lld %s)", k->text,
		    (long long)k->n, what);
}

bool
history_is_whole(const struct history *h)
{
	return h->first == 0 && h->altered == 0;
}

struct history_job *
history_job(const struct history *h, const char *job_id)
{
	struct history_job key = { .job_id = job_id };
	struct history_job **node;

	node = tfind(&key, &h->jobs, compare_jobs);
	return node != NULL ? *node : NULL;
}

/* --- keys ----------------------------------------------------------------- */

static int
add_key(struct history *h, const char *party, const char *text, bool trusted)
{
	struct history_key *k = arena_alloc(h->arena, sizeof(*k));
	int r;

	if ((r = keys_public_parse(text, k->key)) != 0)
		return r;
	k->party = arena_strdup(h->arena, party);
	k->trusted = trusted;
	k->next = h->keys;
	h->keys = k;
	return 0;
}

int
history_trust(struct history *h, const char *party, const char *key)
{
	return add_key(h, party, key, true);
}

const struct history_key *
history_next_key(const struct history *h, const char *party,
    const struct history_key *before)
{
	const struct history_key *k;
	bool only_trusted = false;

	for (k = h->keys; k != NULL; k = k->next)
		only_trusted |= k->trusted && str_eq(k->party, party);
	for (k = before != NULL ? before->next : h->keys; k != NULL;
	     k = k->next)
		if (str_eq(k->party, party) && (k->trusted || !only_trusted))
			return k;
	return NULL;
}

bool
history_signed(const struct history *h, const struct audit_head *head,
    enum head_kind kind, const char *signer, const uint8_t *signature)
{
	const struct history_key *k = NULL;

	while ((k = history_next_key(h, signer, k)) != NULL)
		if (audit_head_verify(head, kind, k->key, signature) == 0)
			return true;
	err_clear();
	return false;
}

/* --- records -------------------------------------------------------------- */

struct history_job *
history_job_of(struct history *h, const char *job_id)
{
	struct history_job *j = history_job(h, job_id);

	if (j != NULL)
		return j;
	j = arena_alloc(h->arena, sizeof(*j));
	memset(j, 0, sizeof(*j));
	j->job_id = arena_strdup(h->arena, job_id);
	(void)tsearch(j, &h->jobs, compare_jobs);
	return j;
}

/* Numbers of the newest run take the place of older ones'. */
static void
take_flow(struct history *h, struct history_job *j,
    const struct audit_record *rec, struct json_object *o, bool out)
{
	const char *peer = json_get_str(o, "party", "");
	struct history_flow *f;

	for (f = j->flows; f != NULL && !str_eq(f->peer, peer); f = f->next)
		;
	if (f == NULL) {
		f = arena_alloc(h->arena, sizeof(*f));
		memset(f, 0, sizeof(*f));
		f->peer = arena_strdup(h->arena, peer);
		f->next = j->flows;
		j->flows = f;
	}
	f->run = json_get_int(o, "run", 0);
	if (out) {
		f->has_out = true;
		f->out_objects = json_get_int(o, "objects", 0);
		f->out_bytes = json_get_int(o, "bytes", 0);
		f->out_seq = rec->seq;
	} else {
		f->has_in = true;
		f->in_objects = json_get_int(o, "objects", 0);
		f->in_bytes = json_get_int(o, "bytes", 0);
		f->in_seq = rec->seq;
	}
}

static void
take_contract(struct history *h, struct history_job *j,
    const struct audit_record *rec, int64_t revision)
{
	struct history_contract *c;

	for (c = j->contracts; c != NULL; c = c->next)
		if (c->revision == revision)
			return;
	c = arena_alloc(h->arena, sizeof(*c));
	*c = (struct history_contract){ revision, j->contract, rec->seq,
		j->contracts };
	j->contracts = c;
}

static void
take_job(struct history *h, struct history_job *j,
    const struct audit_record *rec, struct json_object *o)
{
	const char *contract = json_get_str(o, "contract", NULL);

	if (contract != NULL) {
		j->contract = arena_strdup(h->arena, contract);
		j->seq = rec->seq;
		take_contract(h, j, rec, json_get_int(o, "revision", 0));
	}
	j->run = json_get_int(o, "run", j->run);
	if (str_eq(rec->action, "job start"))
		j->started = true;
	if (str_eq(rec->action, "job end")) {
		j->end = arena_strdup(h->arena, rec->outcome);
		j->end_seq = rec->seq;
	}
	if (str_eq(rec->action, "job again")) {
		j->end = NULL;
		j->started = false;
	}
}

/* What two sites both know of, gathered for history_compare(). */
static void
take_facts(struct history *h, const struct audit_record *rec)
{
	bool out = str_eq(rec->action, "egress");
	bool in = str_eq(rec->action, "ingress");
	struct json_object *o = NULL;

	if (str_eq(rec->action, "approval"))
		history_take_decided(h, rec);
	if (rec->detail == NULL ||
	    (!out && !in && strncmp(rec->action, "job ", 4) != 0))
		return;
	if (json_parse_text(rec->detail, &o) == 0 && json_is_object(o)) {
		if (out || in)
			take_flow(
			    h, history_job_of(h, rec->subject), rec, o, out);
		else
			take_job(h, history_job_of(h, rec->subject), rec, o);
	}
	err_clear();
	json_object_put(o);
}

/* A record as somebody finds it in "sluice audit". */
static void
says(const struct audit_record *rec, char out[HISTORY_SAYS])
{
	(void)snprintf(out, HISTORY_SAYS, "%.19s, %.100s%s%.150s", rec->at,
	    rec->action, str_eq(rec->subject, "") ? "" : ", ", rec->subject);
}

/* Of a record that is missing there is nothing to tell. */
static void
blame(struct history *h, const struct audit_record *rec)
{
	if (h->chain.fault_seq == rec->seq)
		says(rec, h->fault_says);
	else if (h->chain.fault_seq == h->chain.seq)
		memcpy(h->fault_says, h->last_says, HISTORY_SAYS);
}

static void
take_record(struct history *h, struct json_object *o)
{
	struct audit_record rec;

	if (h->chain.fault != NULL)
		return;
	if (audit_record_parse(o, &rec) != 0)
		chain_fault(
		    &h->chain, h->chain.seq + 1, "was altered: %s", err_text());
	else if (chain_add(&h->chain, &rec)) {
		if (h->n_hashes == h->cap_hashes) {
			h->cap_hashes =
			    h->cap_hashes == 0 ? 1024 : 2 * h->cap_hashes;
			h->hashes = xrealloc(
			    h->hashes, h->cap_hashes * sizeof(*h->hashes));
		}
		memcpy(h->hashes[h->n_hashes++], rec.hash, DIGEST_SIZE);
		(void)snprintf(h->last_at, sizeof(h->last_at), "%s", rec.at);
		says(&rec, h->last_says);
		take_facts(h, &rec);
	} else
		blame(h, &rec);
	err_clear();
}

/* --- other lines ---------------------------------------------------------- */

static int
take_hex(struct json_object *o, const char *key, uint8_t *out, size_t size)
{
	if (str_from_hex(json_get_str(o, key, ""), out, size) != 0)
		return err_set(
		    ERR_FORMAT, "%s is not %zu hex digits", key, 2 * size);
	return 0;
}

/* The chain goes on behind it, if the site signed it. */
static int
take_checkpoint(struct history *h, struct json_object *o)
{
	struct audit_head head = { .job_id = HISTORY_CHECKPOINT_JOB,
		.party_id = h->party,
		.peer_id = h->party,
		.seq = json_get_int(o, "seq", 0) };
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	int r;

	if (head.seq < 1 || head.seq > AUDIT_SEQ_MAX)
		return err_set(ERR_FORMAT, "seq is no number from 1");
	if ((r = take_hex(o, "hash", head.hash, DIGEST_SIZE)) != 0 ||
	    (r = take_hex(o, "signature", signature, sizeof(signature))) != 0)
		return r;
	if (!history_signed(h, &head, HEAD_OWN, h->party, signature))
		history_find(h, head.seq,
		    "records up to %lld were removed without a checkpoint "
		    "that the site signed",
		    (long long)head.seq);
	h->first = h->chain.seq = head.seq;
	memcpy(h->chain.hash, head.hash, DIGEST_SIZE);
	return 0;
}

/* What is no text is no key. */
static const char *
text_at(struct json_object *list, size_t i)
{
	struct json_object *o = json_object_array_get_idx(list, i);

	return json_is_string(o) ? json_object_get_string(o) : "";
}

static int
take_keys(struct history *h, struct json_object *o)
{
	struct json_object *list = json_get(o, "keys");
	const char *party = json_get_str(o, "party", "");
	int r = 0;

	if (!str_is_party_id(party) || !json_is_array(list))
		return err_set(ERR_FORMAT, "party or keys are missing");
	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++)
		r = add_key(h, party, text_at(list, i), false);
	return r;
}

static int
take_site(struct history *h, struct json_object *o)
{
	struct json_object *checkpoint = json_get(o, "checkpoint");
	int r;

	if (!str_eq(json_get_str(o, "form", ""), HISTORY_FORM))
		return err_set(ERR_FORMAT, "form is not " HISTORY_FORM);
	if ((r = take_keys(h, o)) != 0)
		return r;
	h->party = arena_strdup(h->arena, json_get_str(o, "party", ""));
	h->unchained = json_get_int(o, "unchained", 0);
	h->unchained_id = json_get_int(o, "unchained_id", 0);
	return checkpoint != NULL ? take_checkpoint(h, checkpoint) : 0;
}

static int
take_head(struct history *h, struct json_object *o)
{
	struct history_head *e = arena_alloc(h->arena, sizeof(*e));
	int r;

	memset(e, 0, sizeof(*e));
	e->head = (struct audit_head){
		.job_id = arena_strdup(h->arena, json_get_str(o, "job", "")),
		.party_id =
		    arena_strdup(h->arena, json_get_str(o, "party", "")),
		.peer_id = arena_strdup(h->arena, json_get_str(o, "peer", "")),
		.seq = json_get_int(o, "seq", 0),
	};
	e->has_seen = json_is_string(json_get(o, "seen"));
	if ((r = take_hex(o, "hash", e->head.hash, DIGEST_SIZE)) != 0 ||
	    (r = take_hex(
		 o, "signature", e->signature, sizeof(e->signature))) != 0 ||
	    (e->has_seen &&
		(r = take_hex(o, "seen", e->seen, sizeof(e->seen))) != 0))
		return r;
	e->next = h->heads;
	h->heads = e;
	return 0;
}

static int
take_line(struct history *h, struct json_object *o)
{
	const char *kind = json_get_str(o, "kind", NULL);

	if (h->party == NULL && !str_eq(kind, "site"))
		return err_set(ERR_FORMAT,
		    "no export of an audit chain: it begins with a line of "
		    "kind \"site\"");
	if (kind == NULL)
		take_record(h, o);
	else if (str_eq(kind, "missing"))
		chain_fault(&h->chain, json_get_int(o, "seq", 0),
		    "is missing: only its link is left");
	else if (str_eq(kind, "site") && h->party == NULL)
		return take_site(h, o);
	else if (str_eq(kind, "partner"))
		return take_keys(h, o);
	else if (str_eq(kind, "head"))
		return take_head(h, o);
	else if (str_eq(kind, "contract") || str_eq(kind, "decision"))
		return history_take_signature(h, o);
	else
		return err_set(
		    ERR_FORMAT, "a line of unknown kind %.20s", kind);
	return 0;
}

int
history_line(struct history *h, const char *line, size_t len)
{
	struct json_object *o = NULL;
	int r = json_parse(line, len, LINE_MAX_BYTES, &o);

	h->n_lines++;
	if (r == 0 && json_is_object(o))
		r = take_line(h, o);
	else if (h->party != NULL) {
		/* Inside a chain that is a record somebody broke. */
		chain_fault(&h->chain, h->chain.seq + 1,
		    "was altered, or another line was: line %lld is no JSON",
		    (long long)h->n_lines);
		r = 0;
	} else
		r = err_set(ERR_FORMAT, "no line of an audit export");
	json_object_put(o);
	return r;
}

/* --- what was found ------------------------------------------------------- */

const char *
history_party(const struct history *h)
{
	return h->party;
}

int64_t
history_records(const struct history *h)
{
	return h->chain.n;
}

int64_t
history_last(const struct history *h)
{
	return h->chain.seq;
}

const char *
history_last_at(const struct history *h)
{
	return h->last_at;
}

int64_t
history_heads(const struct history *h)
{
	return h->n_heads;
}

int64_t
history_kept(const struct history *h)
{
	return h->n_kept;
}

int64_t
history_altered(const struct history *h)
{
	return h->altered;
}

int64_t
history_signatures(const struct history *h)
{
	return h->n_signed;
}

int64_t
history_jobs_compared(const struct history *h)
{
	return h->n_compared;
}

const struct history_finding *
history_findings(const struct history *h, size_t *n)
{
	*n = h->n_findings;
	return h->findings;
}
