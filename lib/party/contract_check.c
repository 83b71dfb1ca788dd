/*
 * A contract against rows.  Called by shepherds, and for reruns by lib/party.
 */
#include "lib/party/contract_check.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/model/contract.h"
#include "lib/party/signatures.h"
#include "lib/provider/measure.h"
#include "lib/sign/digest.h"

/* Sites' clocks may differ by this much. */
#define SKEW_S 300
#define CONTRACT "the contract"
#define ROW "this site's row"

/* --- pieces ---------------------------------------------------------------- */

static int
changed(const char *what, const char *contract, const char *row)
{
	return err_set(ERR_DENIED,
	    "%s changed after the contract was signed: " CONTRACT
	    " has %.120s, " ROW " %.120s",
	    what, contract, row);
}

static int
same_text(const char *what, const char *contract, const char *row)
{
	return str_eq(contract, row)
		   ? 0
		   : changed(what, contract != NULL ? contract : "nothing",
			 row != NULL ? row : "nothing");
}

static int
same_document(const char *what, struct json_object *contract, const char *row)
{
	struct json_object *o = NULL;
	struct buf where = BUF_INIT;
	int r = 0;

	if (row == NULL || json_parse_text(row, &o) != 0) {
		err_clear();
		return err_set(
		    ERR_DENIED, "%s of this site's row is no JSON", what);
	}
	if (contract_difference(contract, CONTRACT, o, ROW, &where))
		r = err_set(ERR_DENIED,
		    "%s changed after the contract was signed: %s", what,
		    buf_str(&where));
	buf_fini(&where);
	json_object_put(o);
	return r;
}

/* o is what the row holds, parsed; NULL counts as {}. */
static int
same_digest(const char *what, const char *contract, struct json_object *o)
{
	char hex[CONTRACT_HEX_SIZE];
	int r;

	if ((r = contract_digest(o, hex)) != 0)
		return err_set(
		    ERR_DENIED, "%s of this site's row: %s", what, err_text());
	if (str_eq(contract, hex))
		return 0;
	return err_set(ERR_DENIED,
	    "%s changed after the contract was signed: SHA-256 " CONTRACT
	    " has %s, " ROW " %s",
	    what, contract != NULL ? contract : "none", hex);
}

/* --- the job ----------------------------------------------------------------- */

static int
check_text(const struct contract_use *u)
{
	const struct db_job *job = u->job;
	uint8_t hash[DIGEST_SIZE];
	char have[2 * DIGEST_SIZE + 1], want[2 * DIGEST_SIZE + 1];
	int r;

	if ((r = digest_memory(job->contract, strlen(job->contract), hash)) !=
	    0)
		return r;
	if (memcmp(hash, job->contract_hash, sizeof(hash)) != 0) {
		str_to_hex(hash, sizeof(hash), have);
		str_to_hex(job->contract_hash, sizeof(hash), want);
		return err_set(ERR_DENIED,
		    "the contract changed after it was signed: its text has "
		    "the SHA-256 %s, its row says %s",
		    have, want);
	}
	if (json_get_int(u->contract, "form", 0) != CONTRACT_FORM)
		return err_set(ERR_DENIED,
		    "the contract has form %lld, which nobody signed; it can "
		    "be made anew by job/parameter/update",
		    (long long)json_get_int(u->contract, "form", 0));
	return 0;
}

static int
check_initiator(const struct contract_use *u)
{
	struct json_object *conf = json_get(u->contract, "runtime_conf"), *in;
	char party[32];
	int r;

	in = json_get(conf, "initiator");
	(void)snprintf(party, sizeof(party), "%lld",
	    (long long)json_get_int(in, "party_id", -1));
	if ((r = same_text("the initiator's role",
		 json_get_str(in, "role", NULL), u->job->initiator_role)) != 0)
		return r;
	return same_text("the initiator", party, u->job->initiator_party);
}

static int
check_model(const struct contract_use *u)
{
	struct json_object *common = json_path_get(
	    u->contract, "runtime_conf", "job_parameters", "common");
	struct json_object *model = json_get(u->contract, "model");
	int r;

	if ((r = same_text("the job's type",
		 json_get_str(common, "job_type", NULL), u->job->job_type)) !=
		0 ||
	    (r = same_text("the model's id",
		 json_get_str(common, "model_id", NULL), u->job->model_id)) !=
		0 ||
	    (r = same_text("the model's version",
		 json_get_str(common, "model_version", NULL),
		 u->job->model_version)) != 0)
		return r;
	return model == NULL ? 0
			     : same_document("the training's conf",
				   json_get(model, "train_runtime_conf"),
				   u->job->train_conf);
}

static int
check_job(const struct contract_use *u)
{
	struct json_object *c = u->contract;
	const struct db_job *job = u->job;
	int r;

	if ((r = same_text(
		 "the job", json_get_str(c, "job_id", NULL), job->job_id)) != 0)
		return r;
	if ((r = same_document("the DSL", json_get(c, "dsl"), job->dsl)) != 0 ||
	    (r = same_document("the conf", json_get(c, "runtime_conf"),
		 job->runtime_conf)) != 0 ||
	    (r = same_document(
		 "the members", json_get(c, "members"), job->roles)) != 0 ||
	    (r = check_initiator(u)) != 0)
		return r;
	return check_model(u);
}

/* --- the task ---------------------------------------------------------------- */

static struct json_object *
of_task(const struct contract_use *u, const char *section)
{
	const struct db_task_key *k = &u->task->key;

	return json_path_get(
	    u->contract, section, k->component, k->role, k->party_id);
}

static const char *
text_of(struct json_object *o)
{
	return json_is_string(o) ? json_object_get_string(o) : NULL;
}

static int
check_parameters(const struct contract_use *u)
{
	struct json_object *o = NULL, *conf = NULL;
	const struct db_task_key *k = &u->task->key;
	const char *sent = text_of(of_task(u, "parameters"));
	int r = 0;

	if (u->task->parameters != NULL &&
	    json_parse_text(u->task->parameters, &o) != 0)
		r = err_set(ERR_DENIED,
		    "the task's parameters of this site's row are no JSON");
	/* The initiator did not know this member's provider. */
	if (r == 0 && sent != NULL)
		r = same_digest("the task's parameters", sent, o);
	if (r == 0 && json_get_bool(o, "need_run", true) != u->task->need_run)
		r = changed("need_run",
		    json_get_bool(o, "need_run", true) ? "true" : "false",
		    u->task->need_run ? "true" : "false");
	json_object_put(o);
	if (r != 0)
		return r;
	if (u->party->party_conf == NULL ||
	    json_parse_text(u->party->party_conf, &conf) != 0)
		return err_set(ERR_DENIED,
		    "the member's conf of this site's row is no JSON");
	r = same_digest("the member's job parameters",
	    json_get_str(json_path_get(u->contract, "job_parameters", k->role),
		k->party_id, NULL),
	    json_get(conf, "job_parameters"));
	json_object_put(conf);
	return r;
}

static int
check_provider(const struct contract_use *u)
{
	char digest[PROVIDER_DIGEST_SIZE];
	const char *sent = text_of(of_task(u, "providers")), *want;
	struct buf name = BUF_INIT;
	int r;

	buf_printf(&name, "%s@%s", u->provider->name, u->provider->version);
	/* The initiator may not have known which version there is here. */
	r = same_text("the task's provider", sent,
	    sent != NULL && strchr(sent, '@') == NULL ? u->provider->name
						      : buf_str(&name));
	want = json_get_str(
	    json_get(u->contract, "digests"), buf_str(&name), NULL);
	if (r == 0 && want != NULL &&
	    (r = provider_digest(u->provider, digest)) == 0 &&
	    strcmp(want, digest) != 0)
		r = err_set(ERR_DENIED,
		    "provider %s is another program than the one that was "
		    "agreed: the contract has %s, this site %s",
		    buf_str(&name), want, digest);
	buf_fini(&name);
	return r;
}

static int
check_task(const struct contract_use *u)
{
	struct json_object *component = json_path_get(
	    u->contract, "dsl", "components", u->task->key.component);
	int r;

	if (component == NULL)
		return err_set(ERR_DENIED,
		    "the contract has no component %.100s",
		    u->task->key.component);
	if ((r = same_text("the task's module",
		 json_get_str(component, "module", NULL), u->task->module)) !=
		0 ||
	    (r = check_parameters(u)) != 0)
		return r;
	return check_provider(u);
}

/* --- time and runs -------------------------------------------------------------- */

int
contract_check_run(struct json_object *contract, int64_t run, int64_t now_ms)
{
	int64_t from, until, now = now_ms / 1000, runs;
	char a[CLOCK_UTC_SIZE];

	if (!contract_validity(contract, &from, &until))
		return err_set(
		    ERR_DENIED, "the contract does not say when it holds");
	if (now + SKEW_S < from) {
		clock_utc(from * 1000, a);
		return err_set(ERR_DENIED, "the contract holds from %s on", a);
	}
	if (now > until) {
		clock_utc(until * 1000, a);
		return err_set(ERR_DENIED,
		    "the contract held until %s; job/parameter/update "
		    "makes a new one",
		    a);
	}
	runs = contract_runs(contract);
	if (run >= runs)
		return err_set(ERR_DENIED,
		    "the contract allows %lld run%s, this would be number "
		    "%lld; job/parameter/update makes a new one",
		    (long long)runs, runs == 1 ? "" : "s", (long long)run + 1);
	return 0;
}

/* --- the whole -------------------------------------------------------------------- */

int
contract_check_rows(const struct contract_use *u)
{
	int r;

	if ((r = check_text(u)) != 0 || (r = check_job(u)) != 0 ||
	    (r = check_task(u)) != 0)
		return r;
	return contract_check_run(u->contract, u->job->run, u->now_ms);
}

/* Which member's site this is: the contract's, not the rows' word for it. */
static bool
is_here(const struct contract_use *u, const char *role, const char *party_id)
{
	return str_eq(role, "local") || str_eq(party_id, u->party->party_id);
}

static int
check_member(struct db *db, const struct contract_use *u,
    const struct db_signature *sigs, size_t n, const char *role,
    const char *party_id)
{
	const struct db_signature *s = signatures_find(sigs, n, role, party_id);
	struct db_party m = { .role = role,
		.party_id = party_id,
		.is_local = is_here(u, role, party_id) };
	int64_t from, until;
	int r;

	if (s == NULL)
		return err_set(ERR_DENIED,
		    "%s %s has not signed revision %lld of the contract", role,
		    party_id, (long long)u->job->revision);
	/* A key that had ended by then could say an earlier time. */
	if (contract_validity(u->contract, &from, &until) &&
	    s->signed_s + SKEW_S < from)
		return err_set(ERR_DENIED,
		    "signature of %s %s: it says a time before the contract "
		    "was made",
		    role, party_id);
	r = signature_verify(db, u->job, &m, s, u->own_key);
	return r == ERR_AUTH ? err_set(ERR_DENIED, "%s", err_text()) : r;
}

/* Who runs it here is one who signed: a contract of none binds nobody. */
static int
no_member(const struct contract_use *u)
{
	return err_set(ERR_DENIED, "the contract has no member %s %s",
	    u->party->role, u->party->party_id);
}

static int
check_signatures(struct db *db, const struct contract_use *u, struct arena *a)
{
	struct db_signature *sigs;
	struct json_object *roles = json_get(u->contract, "members"), *id;
	char party[JSON_PARTY_SIZE];
	bool is_member = false;
	size_t n, i;
	int r;

	if (!json_is_object(roles))
		return no_member(u);
	if ((r = db_signature_list(
		 db, a, u->job->job_id, u->job->revision, &sigs, &n)) != 0)
		return r;
	json_object_object_foreach(roles, role, list)
	{
		for (i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++) {
			id = json_object_array_get_idx(list, i);
			if (!json_party_id(id, party))
				return err_set(ERR_DENIED,
				    "the contract names a member that is no "
				    "party");
			if ((r = check_member(db, u, sigs, n, role, party)) !=
			    0)
				return r;
			is_member |= str_eq(role, u->party->role) &&
				     str_eq(party, u->party->party_id);
		}
	}
	return is_member ? 0 : no_member(u);
}

int
contract_check(struct db *db, const struct contract_use *u)
{
	struct arena *a;
	int r;

	if ((r = contract_check_rows(u)) != 0)
		return r;
	a = arena_new();
	r = check_signatures(db, u, a);
	arena_free(a);
	return r;
}
