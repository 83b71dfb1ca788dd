/*
 * Signatures under contracts between rows and the wire.  Called by
 * supervisors, by fcgi-app for partners, and by contract_check.c.
 */
#include "lib/party/signatures.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/json/decode.h"
#include "lib/model/job_spec.h"
#include "lib/sign/contract_sign.h"
#include "lib/sign/digest.h"

/* --- as JSON ---------------------------------------------------------------- */

struct json_object *
signature_json(const struct db_signature *s)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "role", s->role);
	json_add_str(o, "party_id", s->party_id);
	json_add_str(o, "key_id", s->key_id);
	json_add_int(o, "signed_at", s->signed_s);
	json_add_str(o, "signature", s->signature);
	return o;
}

struct json_object *
signatures_json(const struct db_signature *rows, size_t n)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(list, signature_json(&rows[i]));
	return list;
}

struct wire {
	const char *role;
	char party_id[JSON_PARTY_SIZE];
	const char *key_id;
	int64_t signed_at;
	const char *signature;
};

static const struct json_field fields[] = {
	JSON_STR(struct wire, role, 1, JOB_ROLE_MAX, JSON_REQUIRED),
	JSON_PARTY(struct wire, party_id, JSON_REQUIRED),
	JSON_STR(struct wire, key_id, KEYS_ID_SIZE - 1, KEYS_ID_SIZE - 1,
	    JSON_REQUIRED),
	JSON_INT(struct wire, signed_at, 0, INT64_C(1) << 40, JSON_REQUIRED),
	JSON_STR(struct wire, signature, 2 * KEYS_SIGNATURE_SIZE,
	    2 * KEYS_SIGNATURE_SIZE, JSON_REQUIRED),
};

int
signature_read(struct json_object *o, struct arena *a, struct db_signature *out)
{
	struct faults faults = FAULTS_INIT;
	struct wire w = { .role = NULL };
	uint8_t bytes[KEYS_SIGNATURE_SIZE];
	int r = 0;

	if (!json_is_object(o))
		return err_set(ERR_INVALID, "a signature must be an object");
	if (json_decode(o, JSON_FIELDS(fields), JSON_FAULT_UNKNOWN, NULL,
		&faults, &w) != 0)
		r = faults_err(&faults, "signature");
	faults_fini(&faults);
	if (r != 0)
		return r;
	if (str_from_hex(w.signature, bytes, sizeof(bytes)) != 0 ||
	    !str_is_name(w.role, JOB_ROLE_MAX) || !str_is_name(w.key_id, 16))
		return err_set(ERR_INVALID, "a signature is malformed");
	*out = (struct db_signature){ .role = arena_strdup(a, w.role),
		.party_id = arena_strdup(a, w.party_id),
		.key_id = arena_strdup(a, w.key_id),
		.signed_s = w.signed_at,
		.signature = arena_strdup(a, w.signature) };
	return 0;
}

int
signatures_read(struct json_object *o, struct arena *a,
    struct db_signature **rows, size_t *n)
{
	size_t i, count;
	int r;

	*rows = NULL;
	*n = 0;
	if (o == NULL)
		return 0;
	if (!json_is_array(o) ||
	    (count = json_object_array_length(o)) > SIGNATURES_MAX)
		return err_set(ERR_INVALID,
		    "signatures must be a list of at most %d", SIGNATURES_MAX);
	*rows = arena_alloc(a, (count + 1) * sizeof(**rows));
	for (i = 0; i < count; i++)
		if ((r = signature_read(
			 json_object_array_get_idx(o, i), a, &(*rows)[i])) != 0)
			return r;
	*n = count;
	return 0;
}

const struct db_signature *
signatures_find(const struct db_signature *rows, size_t n, const char *role,
    const char *party_id)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].role, role) &&
		    str_eq(rows[i].party_id, party_id))
			return &rows[i];
	return NULL;
}

/* --- making ------------------------------------------------------------------- */

static int
check_hash(const struct db_job *job)
{
	uint8_t hash[DIGEST_SIZE];
	char have[2 * DIGEST_SIZE + 1], want[2 * DIGEST_SIZE + 1];
	int r;

	if ((r = digest_memory(job->contract, strlen(job->contract), hash)) !=
	    0)
		return r;
	if (memcmp(hash, job->contract_hash, sizeof(hash)) == 0)
		return 0;
	str_to_hex(hash, sizeof(hash), have);
	str_to_hex(job->contract_hash, sizeof(hash), want);
	return err_set(ERR_INVALID,
	    "the contract was changed: its text has the SHA-256 %s, its row "
	    "says %s",
	    have, want);
}

int
signature_make(struct db *db, struct arena *a, const struct keys *keys,
    const struct db_job *job, const char *role, const char *party_id)
{
	struct contract_statement statement = { .job_id = job->job_id,
		.revision = job->revision,
		.role = role,
		.party_id = party_id,
		.signed_s = clock_wall_ms() / 1000,
		.hash = job->contract_hash };
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	char *hex = arena_alloc(a, 2 * sizeof(signature) + 1);
	char key_id[KEYS_ID_SIZE];
	int r;

	if ((r = check_hash(job)) != 0)
		return r;
	contract_sign(keys, &statement, signature);
	str_to_hex(signature, sizeof(signature), hex);
	keys_id(keys_public(keys), key_id);
	return db_signature_put(db, job->job_id, job->revision,
	    &(struct db_signature){ .role = role,
		.party_id = party_id,
		.key_id = key_id,
		.signed_s = statement.signed_s,
		.signature = hex });
}

/* --- verifying ------------------------------------------------------------------ */

/* Did the key count when it signed?  What was revoked proves nothing. */
static int
check_key(const struct db_partner_key *k, const char *key_id, int64_t signed_s)
{
	if (k->revoked_ms != 0)
		return err_set(ERR_AUTH, "key %.16s of party %.10s is revoked",
		    key_id, k->party_id);
	if (k->valid_until_ms != 0 && signed_s * 1000 > k->valid_until_ms)
		return err_set(ERR_AUTH,
		    "key %.16s of party %.10s had ended when it signed", key_id,
		    k->party_id);
	return 0;
}

/* Among all keys that the party has and had. */
static int
find_key(struct db *db, struct arena *a, const char *party_id, bool is_partners,
    const char *key_id, int64_t signed_s, uint8_t key[KEYS_PUBLIC_SIZE])
{
	struct db_partner_key *rows;
	char id[KEYS_ID_SIZE];
	size_t i, n;
	int r;

	if ((r = db_partner_key_list(db, a, party_id, false, &rows, &n)) != 0)
		return r;
	if (is_partners && (n == 0 || !rows->is_partners))
		return err_set(ERR_AUTH,
		    "party %.10s is no partner of this site, so its signature "
		    "cannot be checked",
		    party_id);
	for (i = 0; i < n; i++) {
		if (!str_eq(rows[i].kind, DB_KEY_SIGN) ||
		    keys_public_parse(rows[i].material, key) != 0)
			continue;
		keys_id(key, id);
		if (strcmp(id, key_id) == 0)
			return check_key(&rows[i], key_id, signed_s);
	}
	err_clear();
	return err_set(
	    ERR_AUTH, "party %.10s has no key %.16s here", party_id, key_id);
}

int
signature_key(struct db *db, const char *party_id, const char *key_id,
    int64_t signed_s, uint8_t key[KEYS_PUBLIC_SIZE])
{
	struct arena *a = arena_new();
	int r = find_key(db, a, party_id, true, key_id, signed_s, key);

	arena_free(a);
	return r;
}

static int
own_key_of(struct db *db, const struct db_party *m,
    const struct db_signature *s, const uint8_t *own_key,
    uint8_t key[KEYS_PUBLIC_SIZE])
{
	struct arena *a;
	char id[KEYS_ID_SIZE];
	int r;

	if (own_key == NULL)
		return err_set(ERR_AUTH, "it is this site's own");
	keys_id(own_key, id);
	memcpy(key, own_key, KEYS_PUBLIC_SIZE);
	if (strcmp(id, s->key_id) == 0)
		return 0;
	/* It has got another key since. */
	a = arena_new();
	r = find_key(db, a, m->party_id, false, s->key_id, s->signed_s, key);
	arena_free(a);
	return r;
}

static int
key_of(struct db *db, const struct db_party *m, const struct db_signature *s,
    const uint8_t *own_key, uint8_t key[KEYS_PUBLIC_SIZE])
{
	return m->is_local ? own_key_of(db, m, s, own_key, key)
			   : signature_key(
				 db, s->party_id, s->key_id, s->signed_s, key);
}

int
signature_verify(struct db *db, const struct db_job *job,
    const struct db_party *m, const struct db_signature *s,
    const uint8_t *own_key)
{
	const struct contract_statement statement = { .job_id = job->job_id,
		.revision = job->revision,
		.role = m->role,
		.party_id = m->party_id,
		.signed_s = s->signed_s,
		.hash = job->contract_hash };
	uint8_t signature[KEYS_SIGNATURE_SIZE], key[KEYS_PUBLIC_SIZE];
	int r;

	if ((r = key_of(db, m, s, own_key, key)) == 0 &&
	    (r = str_from_hex(s->signature, signature, sizeof(signature))) ==
		0 &&
	    (r = contract_verify(key, &statement, signature)) != 0)
		r = err_set(ERR_AUTH,
		    "it is not over this contract (revision %lld)",
		    (long long)job->revision);
	if (r == ERR_INVALID || r == ERR_FORMAT)
		r = err_set(ERR_AUTH, "it is malformed");
	return r == 0 || r != ERR_AUTH
		   ? r
		   : err_wrap("signature of %s %s", m->role, m->party_id);
}

/* --- taking --------------------------------------------------------------------- */

static const struct db_party *
find_member(const struct db_party *members, size_t n, const char *role,
    const char *party_id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(members[i].role, role) &&
		    str_eq(members[i].party_id, party_id))
			return &members[i];
	return NULL;
}

/* What was sent for a job, and what is here of it. */
struct taking {
	const struct db_job *job;
	struct db_party *members;
	size_t n_members;
	struct db_signature *kept;
	size_t n_kept;
};

/* The very signature was verified when it was kept. */
static bool
is_kept(const struct taking *t, const struct db_signature *s)
{
	for (size_t i = 0; i < t->n_kept; i++) {
		const struct db_signature *k = &t->kept[i];

		if (str_eq(k->role, s->role) &&
		    str_eq(k->party_id, s->party_id) &&
		    str_eq(k->key_id, s->key_id) &&
		    k->signed_s == s->signed_s &&
		    str_eq(k->signature, s->signature))
			return true;
	}
	return false;
}

static int
take_one(struct db *db, const struct taking *t, const struct db_signature *s)
{
	const struct db_job *job = t->job;
	const struct db_party *m =
	    find_member(t->members, t->n_members, s->role, s->party_id);
	int r;

	if (m == NULL)
		return err_set(ERR_DENIED,
		    "%.20s %.10s signed, who is no member of job %s", s->role,
		    s->party_id, job->job_id);
	/* What is this site's it has made itself. */
	if (m->is_local || is_kept(t, s))
		return 0;
	if ((r = signature_verify(db, job, m, s, NULL)) == ERR_AUTH)
		return err_set(ERR_DENIED, "%s", err_text());
	return r != 0 ? r : db_signature_put(db, job->job_id, job->revision, s);
}

/* Is any of another site's kept?  Else they need not be read. */
static bool
has_kept(const struct taking *t)
{
	for (size_t i = 0; i < t->n_members; i++)
		if (!t->members[i].is_local &&
		    t->members[i].signed_revision == t->job->revision)
			return true;
	return false;
}

static int
read_kept(struct db *db, struct arena *a, struct taking *t)
{
	int r =
	    db_party_list(db, a, t->job->job_id, &t->members, &t->n_members);

	if (r == 0 && has_kept(t))
		r = db_signature_list(db, a, t->job->job_id, t->job->revision,
		    &t->kept, &t->n_kept);
	return r;
}

int
signatures_take(struct db *db, const struct db_job *job,
    const struct db_signature *sigs, size_t n, bool whole)
{
	struct arena *a = arena_new();
	struct taking t = { .job = job };
	int r = read_kept(db, a, &t);

	/* Each costs a verification. */
	if (r == 0 && n > t.n_members)
		r = err_set(ERR_DENIED,
		    "%zu signatures came for a job of %zu members", n,
		    t.n_members);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_one(db, &t, &sigs[i]);
	for (size_t i = 0; r == 0 && whole && i < t.n_members; i++) {
		const struct db_party *m = &t.members[i];

		if (m->signed_revision != job->revision &&
		    (m->is_local ||
			signatures_find(sigs, n, m->role, m->party_id) == NULL))
			r = err_set(ERR_DENIED,
			    "%s %s has not signed revision %lld of the "
			    "contract",
			    m->role, m->party_id, (long long)job->revision);
	}
	arena_free(a);
	return r;
}

/* --- at the initiator -------------------------------------------------------------- */

struct telling {
	const struct party_caller *caller;
	const struct party_member *member;
	const struct db_signature *signature;
};

static int
tell_tx(struct db *db, void *ctx)
{
	const struct telling *t = ctx;
	const struct party_member *m = t->member;
	struct arena *a = arena_new();
	struct db_party *party;
	struct db_job *job;
	int r;

	if ((r = db_job_get_brief(db, a, m->job_id, &job)) == 0 &&
	    (r = db_party_get(
		 db, a, m->job_id, m->role, m->party_id, &party)) == 0) {
		if (!job->is_initiator || party->is_local)
			r = err_set(ERR_NOT_FOUND,
			    "%s %s of job %s does not sign here", m->role,
			    m->party_id, m->job_id);
		else if ((r = signature_verify(
			      db, job, party, t->signature, NULL)) == 0 &&
			 (r = db_signature_put(db, job->job_id, job->revision,
			      t->signature)) == 0)
			r = db_job_wake(db, m->job_id);
	}
	arena_free(a);
	return r;
}

int
initiator_signature(struct db *db, const struct party_caller *caller,
    const struct party_member *m, const struct db_signature *s)
{
	struct telling t = { caller, m, s };
	int r;

	if (!str_eq(caller->party_id, m->party_id) ||
	    !str_eq(s->party_id, m->party_id) || !str_eq(s->role, m->role))
		return err_set(ERR_DENIED,
		    "party %.10s cannot sign for %.20s %.10s", caller->party_id,
		    m->role, m->party_id);
	r = db_tx(db, tell_tx, &t);
	return r == ERR_AUTH ? err_set(ERR_DENIED, "%s", err_text()) : r;
}
