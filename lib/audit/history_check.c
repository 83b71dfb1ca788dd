/*
 * Judging histories: chains against signed heads, and what two sites say
 * about the same jobs.  Called through history.h.
 */
#include <search.h>
#include <string.h>

#include "lib/audit/history_private.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/* --- heads ---------------------------------------------------------------- */

/* The newest head below seq that is right: what is wrong stands behind it. */
static int64_t
right_before(
    const struct history *h, const struct history_head *heads, int64_t seq)
{
	int64_t best = h->first;

	for (; heads != NULL; heads = heads->next) {
		int64_t at = heads->head.seq;

		if (str_eq(heads->head.party_id, h->party) && at < seq &&
		    at > best && at <= h->chain.seq &&
		    memcmp(h->hashes[at - h->first - 1], heads->head.hash,
			DIGEST_SIZE) == 0)
			best = at;
	}
	return best;
}

/* What is wrong about heads, by kind. */
struct bad_heads {
	struct history_kind cut, anew, forged, unseen;
};

static void
tell_heads(struct history *h, const struct bad_heads *b)
{
	history_tell(h, &b->cut, "heads that it signed behind its end");
	history_tell(h, &b->anew, "heads that are not this chain's");
	history_tell(h, &b->forged, "heads that are not signed");
	history_tell(h, &b->unseen, "heads that are not countersigned");
}

static void
set_altered(struct history *h, int64_t seq)
{
	if (h->altered == 0 || seq < h->altered)
		h->altered = seq;
}

/* A head of h's chain that its site signed: does the chain still have it? */
static void
hold_against(struct history *h, const struct history_head *heads,
    const struct audit_head *head, struct bad_heads *b)
{
	int64_t right;

	if (head->seq <= h->first) /* what was removed, a checkpoint stands for
				    */
		return;
	if (head->seq > h->chain.seq) {
		if (h->chain.fault != NULL)
			return;
		history_note(h, &b->cut, h->chain.seq + 1,
		    "record %lld is missing: the chain ends at %lld, "
		    "and after job %s the site signed for party %s "
		    "that it had %lld records",
		    (long long)h->chain.seq + 1, (long long)h->chain.seq,
		    head->job_id, head->peer_id, (long long)head->seq);
		set_altered(h, h->chain.seq + 1);
		return;
	}
	if (memcmp(h->hashes[head->seq - h->first - 1], head->hash,
		DIGEST_SIZE) == 0) {
		h->n_heads++;
		return;
	}
	right = right_before(h, heads, head->seq);
	history_note(h, &b->anew, right + 1,
	    "records %lld to %lld were written anew: after job %s the site "
	    "signed another head at %lld for party %s",
	    (long long)right + 1, (long long)head->seq, head->job_id,
	    (long long)head->seq, head->peer_id);
	set_altered(h, right + 1);
}

/*
 * Is the head signed by its site, and countersigned by who was told?  By the
 * keys that h, who keeps it, knows.
 */
static bool
check_signed(
    struct history *h, const struct history_head *e, struct bad_heads *b)
{
	if (!history_signed(
		h, &e->head, HEAD_OWN, e->head.party_id, e->signature)) {
		history_note(h, &b->forged, 0,
		    "the head at %lld after job %s, kept by party %s, "
		    "is not signed by a known key of party %s",
		    (long long)e->head.seq, e->head.job_id, h->party,
		    e->head.party_id);
		return false;
	}
	if (e->has_seen &&
	    !history_signed(h, &e->head, HEAD_SEEN, e->head.peer_id, e->seen))
		history_note(h, &b->unseen, 0,
		    "the head at %lld of party %s after job %s has no good "
		    "countersignature of party %s",
		    (long long)e->head.seq, e->head.party_id, e->head.job_id,
		    e->head.peer_id);
	return true;
}

/* The heads that h keeps: of its own chain, and of others'. */
static void
check_heads(struct history *h)
{
	struct bad_heads b = { 0 };
	const struct history_head *e;

	for (e = h->heads; e != NULL; e = e->next) {
		if (!check_signed(h, e, &b))
			continue;
		if (str_eq(e->head.party_id, h->party))
			hold_against(h, h->heads, &e->head, &b);
		else
			h->n_kept++;
	}
	tell_heads(h, &b);
}

/* Heads of h's chain that somebody else keeps, who was told of bad ones. */
static void
check_heads_at(struct history *h, const struct history *holder)
{
	struct bad_heads b = { 0 };
	const struct history_head *e;

	for (e = holder->heads; e != NULL; e = e->next)
		if (str_eq(e->head.party_id, h->party) &&
		    history_signed(holder, &e->head, HEAD_OWN, e->head.party_id,
			e->signature))
			hold_against(h, holder->heads, &e->head, &b);
	tell_heads(h, &b);
}

/* Behind a fault the chain proves nothing. */
static void
find_fault(struct history *h)
{
	bool known = *h->fault_says != '\0';
	const char *what = known ? h->fault_says : h->last_says;

	history_find(h, h->chain.fault_seq,
	    "%s%s%s%s; the records behind it are not checked", h->chain.fault,
	    *what == '\0' ? ""
	    : known	  ? " ("
			  : " (the last one in order: ",
	    what, *what == '\0' ? "" : ")");
}

void
history_check(struct history *h)
{
	if (h->party == NULL) {
		history_find(h, 0, "there is nothing in it");
		return;
	}
	if (h->chain.fault != NULL) {
		find_fault(h);
		set_altered(h, h->chain.fault_seq);
	}
	if (h->unchained > 0)
		history_find(h, 0,
		    "%lld rows were not chained within the seconds that this "
		    "takes; the first is audit row %lld",
		    (long long)h->unchained, (long long)h->unchained_id);
	check_heads(h);
	history_check_signatures(h);
}

/* --- two sites ------------------------------------------------------------ */

struct both {
	struct history *one, *other;
};

static void
compare_flow(struct history *out, const struct history_job *j,
    const struct history_flow *f, const struct history *in,
    const struct history_flow *g)
{
	int64_t objects = g != NULL && g->has_in ? g->in_objects : 0;
	int64_t bytes = g != NULL && g->has_in ? g->in_bytes : 0;

	if (f->out_objects == objects && f->out_bytes == bytes)
		return;
	history_find(out, f->out_seq,
	    "job %s: by record %lld %lld objects of %lld bytes left for party "
	    "%s, by record %lld of the other chain %lld of %lld bytes came",
	    j->job_id, (long long)f->out_seq, (long long)f->out_objects,
	    (long long)f->out_bytes, in->party,
	    g != NULL ? (long long)g->in_seq : 0, (long long)objects,
	    (long long)bytes);
}

static const struct history_flow *
flow_with(const struct history_job *j, const char *peer)
{
	const struct history_flow *f = j->flows;

	while (f != NULL && !str_eq(f->peer, peer))
		f = f->next;
	return f;
}

/* What left one for the other, of a job that both ended well. */
static void
compare_flows(struct history *out, const struct history_job *a,
    struct history *in, const struct history_job *b)
{
	const struct history_flow *f = flow_with(a, in->party);
	const struct history_flow *g = flow_with(b, out->party);

	if (f != NULL && f->has_out)
		compare_flow(out, a, f, in, g);
	else if (g != NULL && g->has_in)
		history_find(in, g->in_seq,
		    "job %s: by record %lld %lld bytes came from party %s, "
		    "whose chain says nothing of them",
		    a->job_id, (long long)g->in_seq, (long long)g->in_bytes,
		    out->party);
}

static void
compare_job(struct history *one, const struct history_job *a,
    struct history *other, const struct history_job *b)
{
	one->n_compared++;
	if (a->contract != NULL && b->contract != NULL && a->run == b->run &&
	    !str_eq(a->contract, b->contract))
		history_find(one, a->seq,
		    "job %s: record %lld has contract %.16s..., record %lld "
		    "of the other chain has %.16s...",
		    a->job_id, (long long)a->seq, a->contract,
		    (long long)b->seq, b->contract);
	if (a->end == NULL || b->end == NULL || a->run != b->run)
		return; /* one of them is not that far yet */
	if (str_eq(a->end, "success") != str_eq(b->end, "success"))
		history_find(one, a->end_seq,
		    "job %s: it ended with %s by record %lld, with %s by "
		    "record %lld of the other chain",
		    a->job_id, a->end, (long long)a->end_seq, b->end,
		    (long long)b->end_seq);
	else if (str_eq(a->end, "success")) {
		if (a->started != b->started)
			history_find(one, a->end_seq,
			    "job %s ended well and its start is missing from "
			    "the chain of party %s",
			    a->job_id, a->started ? other->party : one->party);
		compare_flows(one, a, other, b);
		compare_flows(other, b, one, a);
	}
}

static const struct history_job *
job_at(const void *node)
{
	return *(const struct history_job *const *)node;
}

/* A job with objects between the two that one of them says nothing of. */
static void
look_for(const struct both *both, const struct history_job *a)
{
	struct history *other = both->other;

	if (flow_with(a, other->party) != NULL && history_is_whole(other))
		history_find(other, 0,
		    "job %s: party %s has exchanged objects with this site, "
		    "whose chain knows no such job",
		    a->job_id, both->one->party);
}

static void
compare_one(const void *node, VISIT which, void *ctx)
{
	struct both *both = ctx;
	const struct history_job *a, *b;

	if (which != postorder && which != leaf)
		return;
	a = job_at(node);
	if ((b = history_job(both->other, a->job_id)) != NULL)
		compare_job(both->one, a, both->other, b);
	else
		look_for(both, a);
}

static void
miss_one(const void *node, VISIT which, void *ctx)
{
	const struct both *both = ctx;

	if ((which == postorder || which == leaf) &&
	    history_job(both->other, job_at(node)->job_id) == NULL)
		look_for(both, job_at(node));
}

void
history_compare(struct history *one, struct history *other)
{
	struct both there = { one, other }, back = { other, one };

	if (one->party == NULL || other->party == NULL)
		return;
	check_heads_at(one, other);
	check_heads_at(other, one);
	twalk_r(one->jobs, compare_one, &there);
	twalk_r(other->jobs, miss_one, &back);
}
