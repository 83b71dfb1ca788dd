/*
 * Signatures of a history: members' under contracts, and sites' under what
 * people decided.  Read by history.c, judged for history_check().
 */
#include <search.h>
#include <string.h>
#include <time.h>

#include "lib/audit/history_private.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sign/contract_sign.h"

/* Clocks of a site's programs and of its database may differ by so much. */
#define CLOCKS_S 60
/* Members of a site's local jobs, such as uploads. */
#define LOCAL_PARTY "0"

/* --- reading -------------------------------------------------------------- */

static const char *
text_of(struct history *h, struct json_object *o, const char *key)
{
	return arena_strdup(h->arena, json_get_str(o, key, ""));
}

static const char *
hex_of(struct history *h, struct json_object *o, const char *key)
{
	const char *hex = json_get_str(o, key, NULL);

	return hex != NULL ? arena_strdup(h->arena, hex) : NULL;
}

int
history_take_signature(struct history *h, struct json_object *o)
{
	struct history_signature *s = arena_alloc(h->arena, sizeof(*s));

	*s = (struct history_signature){ .job_id = text_of(h, o, "job"),
		.revision = json_get_int(o, "revision", -1),
		.role = text_of(h, o, "role"),
		.party = text_of(h, o, "party"),
		.key_id = text_of(h, o, "key_id"),
		.at_s = json_get_int(o, "at", -1),
		.hash = hex_of(h, o, "hash"),
		.text = hex_of(h, o, "text"),
		.signature = text_of(h, o, "signature") };
	if (*s->job_id == '\0' || s->revision < 0 || s->at_s < 0)
		return err_set(ERR_FORMAT, "job, revision or at are missing");
	if (str_eq(json_get_str(o, "kind", ""), "decision")) {
		s->rule = json_get_int(o, "rule", -1);
		s->subject = text_of(h, o, "subject");
		s->decision = text_of(h, o, "decision");
		s->by = text_of(h, o, "by");
		s->note = text_of(h, o, "note");
	}
	*h->last_signature = s;
	h->last_signature = &s->next;
	return 0;
}

void
history_take_decided(struct history *h, const struct audit_record *rec)
{
	struct history_job *j = history_job_of(h, rec->subject);
	struct history_decided *d = arena_alloc(h->arena, sizeof(*d));

	*d = (struct history_decided){ .subject = arena_strdup(h->arena,
					   rec->detail != NULL ? rec->detail
							       : ""),
		.outcome = arena_strdup(h->arena, rec->outcome),
		.seq = rec->seq,
		.next = j->decided };
	j->decided = d;
}

/* --- judging -------------------------------------------------------------- */

static const struct history_contract *
contract_by_records(const struct history *h, const struct history_signature *s)
{
	const struct history_job *j = history_job(h, s->job_id);
	const struct history_contract *c = j != NULL ? j->contracts : NULL;

	while (c != NULL && c->revision != s->revision)
		c = c->next;
	return c;
}

/*
 * The hash that was to be signed, by the records and by the job's row, if
 * these are of one mind; NULL: it is unknown, or wrong and told.
 */
static const char *
hash_signed(struct history *h, struct history_kind *b,
    const struct history_signature *s)
{
	const struct history_contract *c = contract_by_records(h, s);

	if (s->hash != NULL && !str_eq(s->hash, s->text)) {
		history_note_of(h, b, 0, s,
		    "the contract's text was changed: its SHA-256 is "
		    "%.16s..., its row says %.16s...",
		    s->text != NULL ? s->text : "?", s->hash);
		return NULL;
	}
	if (s->hash != NULL && c != NULL && !str_eq(s->hash, c->hash)) {
		history_note_of(h, b, c->seq, s,
		    "its row has contract %.16s..., record %lld says %.16s...",
		    s->hash, (long long)c->seq, c->hash);
		return NULL;
	}
	if (s->hash == NULL && c == NULL) {
		/* What was pruned cannot be asked. */
		if (history_is_whole(h))
			history_note_of(h, b, 0, s,
			    "it was signed, and no record says which contract "
			    "that was");
		return NULL;
	}
	return c != NULL ? c->hash : s->hash;
}

static int
verify_with(const struct history_key *k, const struct history_signature *s,
    const uint8_t hash[CONTRACT_SIGN_HASH_SIZE],
    const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	const struct decision_statement d = { .contract = { .job_id = s->job_id,
						  .revision = s->revision,
						  .role = s->role,
						  .party_id = s->party,
						  .signed_s = s->at_s,
						  .hash = hash },
		.rule = s->rule,
		.subject = s->subject,
		.decision = s->decision,
		.decided_by = s->by,
		.note = s->note };

	return s->decision == NULL
		   ? contract_verify(k->key, &d.contract, signature)
		   : decision_verify(k->key, &d, signature);
}

/* By the key that it names, of those that count for the member's site. */
static bool
is_signed(const struct history *h, const struct history_signature *s,
    const char *hash_hex)
{
	uint8_t hash[CONTRACT_SIGN_HASH_SIZE], signature[KEYS_SIGNATURE_SIZE];
	const struct history_key *k = NULL;
	char id[KEYS_ID_SIZE];
	const char *site = str_eq(s->party, LOCAL_PARTY) ? h->party : s->party;
	bool is_hex, good = false;

	is_hex = str_from_hex(hash_hex, hash, sizeof(hash)) == 0 &&
		 str_from_hex(s->signature, signature, sizeof(signature)) == 0;
	while (is_hex && !good && (k = history_next_key(h, site, k)) != NULL) {
		keys_id(k->key, id);
		good = str_eq(id, s->key_id) &&
		       verify_with(k, s, hash, signature) == 0;
	}
	err_clear();
	return good;
}

static void
check_contract(struct history *h, struct history_kind *b,
    const struct history_signature *s)
{
	const char *hash = hash_signed(h, b, s);

	if (hash == NULL)
		return;
	if (is_signed(h, s, hash))
		h->n_signed++;
	else
		history_note_of(h, b, 0, s,
		    "the signature is none of key %s of party %s over "
		    "contract %.16s...",
		    s->key_id, s->party, hash);
}

/* --- decisions ------------------------------------------------------------ */

/* Nothing is signed for a member before its decisions were. */
static bool
has_signed_contract(
    const struct history *h, const struct history_signature *decision)
{
	const struct history_signature *s;

	for (s = h->signatures; s != NULL; s = s->next)
		if (s->decision == NULL &&
		    str_eq(s->job_id, decision->job_id) &&
		    s->revision == decision->revision &&
		    str_eq(s->role, decision->role) &&
		    str_eq(s->party, decision->party))
			return true;
	return false;
}

/* Would a record of that time stand in the chain? */
static bool
is_past(const struct history *h, int64_t at_s)
{
	time_t t = (time_t)at_s + CLOCKS_S;
	char text[sizeof("YYYY-MM-DDTHH:MM:SS")];
	struct tm tm;

	return history_is_whole(h) && *h->last_at != '\0' &&
	       gmtime_r(&t, &tm) != NULL &&
	       strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) > 0 &&
	       strcmp(h->last_at, text) > 0;
}

/* Each decision by a record of its own. */
static bool
is_recorded(const struct history *h, const struct history_signature *s)
{
	const struct history_job *j = history_job(h, s->job_id);
	struct history_decided *d = j != NULL ? j->decided : NULL;

	while (d != NULL && (d->is_shown || !str_eq(d->subject, s->subject) ||
				!str_eq(d->outcome, s->decision)))
		d = d->next;
	if (d != NULL)
		d->is_shown = true;
	return d != NULL;
}

static void
check_decision(struct history *h, struct history_kind *b,
    const struct history_signature *s)
{
	const char *hash;

	if (!is_recorded(h, s) && is_past(h, s->at_s)) {
		history_note_of(h, b, 0, s,
		    "'%s' is %s by its row, of which no record "
		    "knows",
		    s->subject, s->decision);
		return;
	}
	if (*s->signature == '\0') {
		if (has_signed_contract(h, s))
			history_note_of(h, b, 0, s,
			    "the decision about '%s' is not signed, and the "
			    "contract is",
			    s->subject);
		return;
	}
	if ((hash = hash_signed(h, b, s)) == NULL)
		return;
	if (is_signed(h, s, hash))
		h->n_signed++;
	else
		history_note_of(h, b, 0, s,
		    "what stands there about '%s' (%s by %s: %s) is not what "
		    "key %s of party %s signed",
		    s->subject, s->decision, s->by, s->note, s->key_id,
		    s->party);
}

struct unshown {
	struct history *h;
	struct history_kind *b;
};

static void
look_unshown(const void *node, VISIT which, void *ctx)
{
	const struct history_job *j = *(const struct history_job *const *)node;
	struct unshown *u = ctx;
	const struct history_decided *d;

	if (which != postorder && which != leaf)
		return;
	for (d = j->decided; d != NULL; d = d->next) {
		if (d->is_shown)
			continue;
		history_note(u->h, u->b, d->seq,
		    "job %s: by record %lld '%s' was %s, and that decision "
		    "is missing",
		    j->job_id, (long long)d->seq, d->subject, d->outcome);
	}
}

void
history_check_signatures(struct history *h)
{
	struct history_kind contracts = { 0 }, decisions = { 0 },
			    missing = { 0 };
	struct unshown u = { h, &missing };
	const struct history_signature *s;

	for (s = h->signatures; s != NULL; s = s->next)
		if (s->decision == NULL)
			check_contract(h, &contracts, s);
		else
			check_decision(h, &decisions, s);
	twalk_r(h->jobs, look_unshown, &u);
	history_tell(
	    h, &contracts, "signatures under contracts that are wrong");
	history_tell(h, &decisions, "decisions that are wrong");
	history_tell(h, &missing, "decisions that are missing");
}
