/*
 * The job contract: what it says, who signed it, and that nothing of it can
 * be changed afterwards without being noticed by each member alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/model/contract.h"
#include "lib/model/job_spec.h"
#include "lib/party/contract_check.h"
#include "lib/party/party_contract.h"
#include "lib/party/signatures.h"
#include "lib/sign/contract_sign.h"
#include "lib/sign/digest.h"
#include "tests/lib/mariadb.h"

#define JOB "202601010000000000001"
#define NOW 1700000000
#define FILE_MAX ((size_t)1 << 20)
#define DIGEST                                                                 \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* The parties of examples/hetero_lr; this site is 10000. */
static const struct {
	const char *role, *party;
} members[] = { { "guest", "9999" }, { "host", "10000" },
	{ "arbiter", "10001" } };
enum { GUEST, HOST, ARBITER, MEMBERS };

struct fixture {
	struct providers *product;
	struct job_spec *spec;
	struct db *db;
	struct arena *arena;
	struct keys *keys[MEMBERS];
	struct db_job job;
	struct db_task task;
	struct db_party party;
	struct contract_use use;
};

/* --- a job of 9999 at site 10000 --------------------------------------------- */

static struct json_object *
read_file(const char *path)
{
	struct json_object *o = NULL;

	if (json_parse_file(path, FILE_MAX, &o) != 0)
		fail_msg("%s", err_text());
	return o;
}

static void
build(struct fixture *f)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct json_object *manifest = read_file("executor/manifest.json");
	struct json_object *dsl = read_file("examples/hetero_lr/dsl.json");
	struct json_object *conf = read_file("examples/hetero_lr/conf.json");
	struct faults faults = FAULTS_INIT;
	struct job_spec_input in = { .job_id = JOB,
		.local_party = "9999",
		.dsl = dsl,
		.conf = conf,
		.now_s = NOW,
		.defaults = &defaults };

	f->product = providers_new();
	assert_int_equal(providers_add(f->product, manifest, "/x"), 0);
	in.providers = f->product;
	if (job_spec_build(&in, &faults, &f->spec) != 0)
		fail_msg("%s", err_text());
	faults_fini(&faults);
	json_object_put(manifest);
	json_object_put(dsl);
	json_object_put(conf);
}

static const char *
text(struct fixture *f, struct json_object *o)
{
	return arena_strdup(f->arena, json_text(o));
}

/* The host's rows of one of its tasks. */
static void
fill_rows(struct fixture *f)
{
	const struct job_spec *s = f->spec;
	const struct job_member *host = job_spec_member(s, "host", "10000");
	size_t seq = job_spec_component(s, "hetero_lr_0");
	const struct job_task *t = &host->tasks[seq];

	f->job = (struct db_job){ .job_id = JOB,
		.initiator_role = s->initiator_role,
		.initiator_party = s->initiator_party,
		.job_type = s->job_type,
		.model_id = s->model_id,
		.model_version = s->model_version,
		.dsl = text(f, s->dsl_json),
		.runtime_conf = text(f, s->conf),
		.roles = text(f, s->roles),
		.contract = s->contract };
	memcpy(f->job.contract_hash, s->contract_hash, JOB_HASH_SIZE);
	f->task =
	    (struct db_task){ .key = { JOB, "hetero_lr_0", 0, "host", "10000" },
		    .module = s->components[seq]->module,
		    .need_run = true,
		    .parameters = text(f, t->parameters) };
	f->party = (struct db_party){ .role = "host",
		.party_id = "10000",
		.is_local = true,
		.party_conf = text(f, host->conf_on_party) };
	f->use = (struct contract_use){ .job = &f->job,
		.task = &f->task,
		.party = &f->party,
		.provider = t->module->provider,
		.own_key = keys_public(f->keys[HOST]),
		.now_ms = (int64_t)NOW * 1000 };
	assert_int_equal(json_parse_text(s->contract, &f->use.contract), 0);
}

static void
sign_at(struct fixture *f, int member, const struct keys *keys,
    const char *role, const char *job_id, int64_t when_s)
{
	struct contract_statement st = { .job_id = job_id,
		.role = role,
		.party_id = members[member].party,
		.signed_s = when_s,
		.hash = f->job.contract_hash };
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	char hex[DB_SIGNATURE_HEX_SIZE], id[KEYS_ID_SIZE];

	contract_sign(keys, &st, signature);
	str_to_hex(signature, sizeof(signature), hex);
	keys_id(keys_public(keys), id);
	assert_int_equal(db_signature_put(f->db, JOB, 0,
			     &(struct db_signature){ members[member].role,
				 members[member].party, id, when_s, hex }),
	    0);
}

static void
sign_as(struct fixture *f, int member, const struct keys *keys,
    const char *role, const char *job_id)
{
	sign_at(f, member, keys, role, job_id, NOW);
}

static void
sign(struct fixture *f, int member)
{
	sign_as(f, member, f->keys[member], members[member].role, JOB);
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct db_partner partner = { .name = "",
		.url = "https://127.0.0.1:1",
		.tls_cert = "x",
		.enabled = true };
	int m;

	mariadb_fresh();
	f->db = mariadb_connect();
	f->arena = arena_new();
	for (m = 0; m < MEMBERS; m++)
		assert_int_equal(keys_generate(&f->keys[m]), 0);
	for (m = 0; m < MEMBERS; m++) {
		if (m == HOST)
			continue;
		partner.party_id = members[m].party;
		memcpy(partner.sign_key, keys_public(f->keys[m]),
		    sizeof(partner.sign_key));
		assert_int_equal(db_partner_put(f->db, &partner), 0);
	}
	build(f);
	fill_rows(f);
	for (m = 0; m < MEMBERS; m++)
		sign(f, m);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	json_object_put(f->use.contract);
	job_spec_free(f->spec);
	providers_free(f->product);
	keys_free(f->keys[GUEST]);
	keys_free(f->keys[HOST]);
	keys_free(f->keys[ARBITER]);
	db_close(f->db);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void
expect_refused(struct fixture *f, const char *words)
{
	int r = contract_check(f->db, &f->use);

	if (r != ERR_DENIED || strstr(err_text(), words) == NULL)
		fail_msg(
		    "%d: \"%s\" does not say \"%s\"", r, err_text(), words);
}

static void
expect_agreed(struct fixture *f)
{
	if (contract_check(f->db, &f->use) != 0)
		fail_msg("%s", err_text());
}

/* --- what it says ------------------------------------------------------------- */

static void
budgets_stand_in_the_contract_by_component_and_member(void **state)
{
	struct fixture *f = *state;
	int64_t bytes = -1;

	assert_int_equal(contract_egress(f->use.contract, "hetero_lr_0", "host",
			     "10000", &bytes),
	    0);
	assert_int_equal(bytes, (int64_t)CONTRACT_EGRESS_MB << 20);
	/* By its manifest a reader sends nothing. */
	assert_int_equal(contract_egress(f->use.contract, "reader_0", "guest",
			     "9999", &bytes),
	    0);
	assert_int_equal(bytes, 0);
	assert_int_equal(contract_egress(f->use.contract, "reader_0", "guest",
			     "10000", &bytes),
	    ERR_NOT_FOUND);
}

static void
tables_and_times_and_runs_stand_in_it(void **state)
{
	struct fixture *f = *state;
	struct json_object *list =
	    json_path_get(f->use.contract, "data", "host", "10000");
	int64_t from, until;

	assert_true(json_is_array(list));
	assert_string_equal(
	    json_get_str(json_object_array_get_idx(list, 0), "component", ""),
	    "reader_0");
	assert_non_null(
	    json_get_str(json_object_array_get_idx(list, 0), "name", NULL));
	assert_true(contract_validity(f->use.contract, &from, &until));
	assert_int_equal(from, NOW);
	assert_int_equal(until, NOW + CONTRACT_VALID_HOURS * 3600);
	assert_int_equal(contract_runs(f->use.contract), CONTRACT_RUNS);
}

static void
times_and_runs_that_are_over_refuse(void **state)
{
	struct fixture *f = *state;

	expect_agreed(f);
	f->use.now_ms = (NOW + CONTRACT_VALID_HOURS * INT64_C(3600) + 1) * 1000;
	expect_refused(f, "the contract held until");
	f->use.now_ms = (NOW - INT64_C(3600)) * 1000;
	expect_refused(f, "the contract holds from");
	f->use.now_ms = NOW * INT64_C(1000);
	f->job.run = CONTRACT_RUNS - 1;
	expect_agreed(f);
	f->job.run = CONTRACT_RUNS;
	expect_refused(f, "allows 100 runs, this would be number 101");
}

/* --- the initiator is a partner still ------------------------------------------- */

static void
expect_create(struct fixture *f, const char *words)
{
	struct db_job_new job = { .job_id = JOB,
		.initiator_role = "guest",
		.initiator_party = "9999" };
	int r = party_contract_create(f->db,
	    &(struct party_caller){ .party_id = "9999" },
	    &(struct party_member){ JOB, "host", "10000" }, &job,
	    &(struct party_offer){ NULL, 0 }, NULL, NULL);

	if (r != ERR_DENIED || strstr(err_text(), words) == NULL)
		fail_msg(
		    "%d: \"%s\" does not say \"%s\"", r, err_text(), words);
}

static void
a_job_that_comes_behind_a_withdrawal_is_not_taken_in(void **state)
{
	struct fixture *f = *state;

	expect_create(f, "has not signed the contract");
	assert_int_equal(db_partner_enable(f->db, "9999", false), 0);
	expect_create(f, "is no partner of this site now");
}

/* --- every byte ----------------------------------------------------------------- */

/* Flip each byte of *at in turn; what reads it must refuse. */
static void
flip_every_byte(struct fixture *f, const char **at)
{
	char *copy = arena_strdup(f->arena, *at);
	const char *whole = *at;
	size_t i, n = strlen(copy);

	*at = copy;
	for (i = 0; i < n; i++) {
		copy[i] ^= 1;
		if (contract_check_rows(&f->use) != ERR_DENIED)
			fail_msg("byte %zu of %zu is not noticed: %.30s", i, n,
			    copy + (i > 10 ? i - 10 : 0));
		copy[i] ^= 1;
	}
	*at = whole;
	assert_int_equal(contract_check_rows(&f->use), 0);
}

static void
every_byte_of_the_contract_counts(void **state)
{
	struct fixture *f = *state;

	flip_every_byte(f, &f->job.contract);
}

static void
every_byte_of_the_documents_counts(void **state)
{
	struct fixture *f = *state;

	flip_every_byte(f, &f->job.dsl);
	flip_every_byte(f, &f->job.runtime_conf);
	flip_every_byte(f, &f->job.roles);
	flip_every_byte(f, &f->task.parameters);
	flip_every_byte(f, &f->task.module);
	flip_every_byte(f, &f->job.initiator_party);
	flip_every_byte(f, &f->job.initiator_role);
	flip_every_byte(f, &f->job.model_id);
}

static void
every_byte_of_the_hash_counts(void **state)
{
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof(f->job.contract_hash); i++) {
		f->job.contract_hash[i] ^= 1;
		expect_refused(f, "the contract changed after it was signed");
		f->job.contract_hash[i] ^= 1;
	}
	expect_agreed(f);
}

static void
every_byte_of_a_signature_counts(void **state)
{
	struct fixture *f = *state;
	struct db_signature *rows;
	size_t n, i, k;

	assert_int_equal(
	    db_signature_list(f->db, f->arena, JOB, 0, &rows, &n), 0);
	assert_int_equal(n, MEMBERS);
	for (i = 0; i < n; i++) {
		struct db_signature s = rows[i];
		char *copy = arena_strdup(f->arena, s.signature);

		s.signature = copy;
		for (k = 0; k < strlen(rows[i].signature); k++) {
			copy[k] ^= 1;
			assert_int_equal(
			    db_signature_put(f->db, JOB, 0, &s), 0);
			expect_refused(f, s.role);
			copy[k] ^= 1;
		}
		assert_int_equal(db_signature_put(f->db, JOB, 0, &rows[i]), 0);
	}
	expect_agreed(f);
}

static void
a_changed_place_is_named_with_both_values(void **state)
{
	struct fixture *f = *state;
	struct json_object *o;

	assert_int_equal(json_parse_text(f->job.runtime_conf, &o), 0);
	json_add_int(
	    json_path_get(o, "component_parameters", "common", "hetero_lr_0"),
	    "max_iter", 77);
	f->job.runtime_conf = text(f, o);
	expect_refused(f,
	    "at /component_parameters/common/hetero_lr_0/max_iter the contract "
	    "has ");
	expect_refused(f, "this site's row has 77");
	json_object_put(o);
}

static void
a_provider_that_is_another_program_is_refused(void **state)
{
	struct fixture *f = *state;
	struct json_object *own, *sent;
	struct buf where = BUF_INIT;

	/* What the initiator has and what this site has of one version. */
	assert_int_equal(
	    json_parse_text(
		"{\"digests\":{\"sluice@1.0.0\":\"" DIGEST "\"}}", &sent),
	    0);
	assert_int_equal(
	    json_parse_text("{\"digests\":{\"sluice@1.0.0\":\"ff\"}}", &own),
	    0);
	assert_true(contract_difference(
	    sent, "the contract", own, "this site", &where));
	assert_string_equal(buf_str(&where),
	    "at /digests/sluice@1.0.0 the contract has \"" DIGEST
	    "\", this site has \"ff\"");
	buf_fini(&where);
	json_object_put(own);
	json_object_put(sent);
	(void)f;
}

/* --- who signed --------------------------------------------------------------------- */

static void
each_member_must_have_signed_for_this_revision(void **state)
{
	struct fixture *f = *state;

	expect_agreed(f);
	f->job.revision = 1;
	expect_refused(f, "has not signed revision 1 of the contract");
}

static void
another_key_another_job_and_another_role_sign_nothing(void **state)
{
	struct fixture *f = *state;
	struct keys *stranger;

	assert_int_equal(keys_generate(&stranger), 0);
	sign_as(f, GUEST, stranger, "guest", JOB);
	expect_refused(f, "signature of guest 9999: party 9999 has no key");
	keys_free(stranger);
	sign_as(f, GUEST, f->keys[GUEST], "guest", "202601010000000000002");
	expect_refused(f, "signature of guest 9999: it is not over this");
	sign_as(f, GUEST, f->keys[GUEST], "host", JOB);
	expect_refused(f, "signature of guest 9999: it is not over this");
	/* While another key counted, say. */
	sign_at(f, GUEST, f->keys[GUEST], "guest", JOB, NOW - 3600);
	expect_refused(f, "signature of guest 9999: it says a time before");
	sign(f, GUEST);
	expect_agreed(f);
	/* A partner's key does not stand for this site. */
	sign_as(f, HOST, f->keys[GUEST], "host", JOB);
	expect_refused(f, "signature of host 10000: party 10000 has no key");
}

static void
a_partner_that_is_none_any_more_signs_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_partner_delete(f->db, "9999"), 0);
	expect_refused(f, "party 9999 is no partner of this site");
}

/* The rows as one writes them who has the database and nobody's key. */
static void
forge_members(struct fixture *f, const char *roles)
{
	struct json_object *o = NULL;

	if (roles != NULL)
		assert_int_equal(json_parse_text(roles, &o), 0);
	json_add(f->use.contract, "members", o);
	f->job.roles = roles != NULL ? roles : "null";
	f->job.contract = text(f, f->use.contract);
	assert_int_equal(digest_memory(f->job.contract, strlen(f->job.contract),
			     f->job.contract_hash),
	    0);
}

static void
a_contract_that_does_not_bind_this_member_is_refused(void **state)
{
	struct fixture *f = *state;

	forge_members(f, "{}");
	assert_int_equal(contract_check_rows(&f->use), 0);
	expect_refused(f, "the contract has no member host 10000");
	/* One that another member signed, who knows how to. */
	forge_members(f, "{\"guest\":[9999]}");
	sign(f, GUEST);
	expect_refused(f, "the contract has no member host 10000");
	forge_members(f, "{\"host\":[]}");
	expect_refused(f, "the contract has no member host 10000");
	forge_members(f, NULL);
	expect_refused(f, "the contract has no member host 10000");
	forge_members(f, "{\"guest\":[9999],\"host\":[10000]}");
	sign(f, GUEST);
	expect_refused(f, "signature of host 10000: it is not over this");
	sign(f, HOST);
	expect_agreed(f);
}

/* A decision is no contract and the other way round. */
static void
what_is_signed_stands_for_one_thing_only(void **state)
{
	struct fixture *f = *state;
	struct decision_statement d = { .contract = { JOB, 0, "host", "10000",
					    NOW, f->job.contract_hash },
		.rule = 7,
		.subject = "dataset a b",
		.decision = "approved",
		.decided_by = "mia",
		.note = "fine" };
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	const uint8_t *key = keys_public(f->keys[HOST]);

	decision_sign(f->keys[HOST], &d, signature);
	assert_int_equal(decision_verify(key, &d, signature), 0);
	assert_int_equal(
	    contract_verify(key, &d.contract, signature), ERR_AUTH);
	d.decision = "rejected";
	assert_int_equal(decision_verify(key, &d, signature), ERR_AUTH);
	d.decision = "approved";
	d.note = "fine\nby 3 mia";
	assert_int_equal(decision_verify(key, &d, signature), ERR_AUTH);
	d.note = "fine";
	d.rule = 8;
	assert_int_equal(decision_verify(key, &d, signature), ERR_AUTH);
	d.rule = 7;
	d.subject = "dataset a c";
	assert_int_equal(decision_verify(key, &d, signature), ERR_AUTH);
	contract_sign(f->keys[HOST], &d.contract, signature);
	assert_int_equal(decision_verify(key, &d, signature), ERR_AUTH);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(budgets_stand_in_the_contract_by_component_and_member),
		T(tables_and_times_and_runs_stand_in_it),
		T(a_job_that_comes_behind_a_withdrawal_is_not_taken_in),
		T(times_and_runs_that_are_over_refuse),
		T(every_byte_of_the_contract_counts),
		T(every_byte_of_the_documents_counts),
		T(every_byte_of_the_hash_counts),
		T(every_byte_of_a_signature_counts),
		T(a_changed_place_is_named_with_both_values),
		T(a_provider_that_is_another_program_is_refused),
		T(each_member_must_have_signed_for_this_revision),
		T(another_key_another_job_and_another_role_sign_nothing),
		T(a_partner_that_is_none_any_more_signs_nothing),
		T(a_contract_that_does_not_bind_this_member_is_refused),
		T(what_is_signed_stands_for_one_thing_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
