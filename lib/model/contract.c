/*
 * Making contracts and reading what they say.  Called by job_spec_build(),
 * lib/party and shepherds.
 */
#include "lib/model/contract.h"

#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"
#include "lib/model/job_spec.h"
#include "lib/provider/manifest.h"
#include "lib/sign/digest.h"

#define MB (INT64_C(1) << 20)
#define VALUE_SHOWN 120 /* bytes of a value in a message */

/* --- pieces --------------------------------------------------------------- */

int
contract_digest(struct json_object *o, char hex[CONTRACT_HEX_SIZE])
{
	uint8_t hash[CONTRACT_HASH_SIZE];
	struct buf text = BUF_INIT;
	int r = 0;

	if (o == NULL)
		buf_puts(&text, "{}");
	else
		r = json_canon(o, &text);
	if (r == 0 && (r = digest_memory(text.data, text.len, hash)) == 0)
		str_to_hex(hash, sizeof(hash), hex);
	buf_fini(&text);
	return r;
}

struct json_object *
contract_table_of(const char *module, struct json_object *parameters)
{
	if (strcasecmp(module, "Reader") == 0)
		return json_get(parameters, "table");
	if (strcasecmp(module, "Download") == 0)
		return parameters;
	/* A writer may be given its table as an input instead. */
	if (strcasecmp(module, "Writer") == 0 &&
	    json_get(parameters, "name") != NULL)
		return parameters;
	return NULL;
}

/* o[a][b], made where it is not there yet. */
static struct json_object *
inside(struct json_object *o, const char *key)
{
	struct json_object *in = json_get(o, key);

	if (in == NULL) {
		in = json_object_new_object();
		json_add(o, key, in);
	}
	return in;
}

/*
 * The version of a model that is used.  Its documents are what each member
 * has sealed: who has others comes to another contract.
 */
static struct json_object *
model_json(const struct job_model *m)
{
	struct json_object *o = json_object_new_object();
	char root[2 * JOB_HASH_SIZE + 1];

	str_to_hex(m->root_hash, sizeof(m->root_hash), root);
	json_add_str(o, "model_id", m->model_id);
	json_add_str(o, "model_version", m->model_version);
	json_add_str(o, "root_hash", root);
	json_add(o, "train_dsl", json_object_get(m->train_dsl));
	json_add(o, "train_runtime_conf", json_object_get(m->train_conf));
	return o;
}

/* By the component that loads it. */
static struct json_object *
loads_json(const struct job_model *m)
{
	struct json_object *o = json_object_new_object();

	for (; m != NULL; m = m->next)
		json_add(o, m->loader, model_json(m));
	return o;
}

/* --- tasks of members ------------------------------------------------------- */

struct making {
	const struct job_spec_input *in;
	const struct job_spec *spec;
	struct json_object *parameters, *egress, *data, *digests;
	/* hosts mostly share theirs: hashed once */
	struct json_object *hashed;
	char hex[CONTRACT_HEX_SIZE];
};

/*
 * What was agreed about another site's member whose provider is not known
 * here; NULL when this site makes the contract.
 */
static struct json_object *
agreed(const struct making *m, const char *section, size_t seq,
    const struct job_member *member)
{
	return json_path_get(m->in->agreed, section,
	    m->spec->components[seq]->name, member->role, member->party_id);
}

static bool
is_agreed_gap(const struct making *m, const char *section, size_t seq,
    const struct job_member *member)
{
	return m->in->agreed != NULL && agreed(m, section, seq, member) == NULL;
}

static int
add_parameters(struct making *m, size_t seq, const struct job_member *member)
{
	const struct job_task *t = &member->tasks[seq];
	struct json_object *sent = agreed(m, "parameters", seq, member), *at;
	int r;

	if (is_agreed_gap(m, "parameters", seq, member) ||
	    (t->parameters == NULL && sent == NULL))
		return 0;
	at = inside(inside(m->parameters, m->spec->components[seq]->name),
	    member->role);
	if (t->parameters == NULL) {
		json_add(at, member->party_id, json_object_get(sent));
		return 0;
	}
	if (t->parameters != m->hashed &&
	    (r = contract_digest(t->parameters, m->hex)) != 0)
		return r;
	m->hashed = t->parameters;
	json_add_str(at, member->party_id, m->hex);
	return 0;
}

static bool
sends(const struct module *m, const char *role)
{
	size_t i, k;

	for (i = 0; i < m->n_transfers; i++)
		for (k = 0; m->transfers[i].from[k] != NULL; k++)
			if (strcmp(m->transfers[i].from[k], role) == 0)
				return true;
	return false;
}

/* Who sends nothing by its manifest may send nothing. */
static void
add_egress(struct making *m, size_t seq, const struct job_member *member)
{
	const struct module *module = member->tasks[seq].module;
	struct json_object *sent = agreed(m, "egress", seq, member), *at;
	int64_t mb = json_get_int(member->job_parameters, "egress_mb", -1);

	if (module == NULL && m->in->agreed != NULL && sent == NULL)
		return;
	at = inside(
	    inside(m->egress, m->spec->components[seq]->name), member->role);
	if (module == NULL && sent != NULL)
		json_add(at, member->party_id, json_object_get(sent));
	else if (module != NULL && !sends(module, member->role))
		json_add_int(at, member->party_id, 0);
	else
		json_add_int(at, member->party_id,
		    (mb >= 0 ? mb : CONTRACT_EGRESS_MB) * MB);
}

/* The member's list takes over the caller's reference. */
static void
add_table(
    struct making *m, const struct job_member *member, struct json_object *o)
{
	struct json_object *at = inside(m->data, member->role);

	if (!json_has(at, member->party_id))
		json_add(at, member->party_id, json_object_new_array());
	json_object_array_add(json_get(at, member->party_id), o);
}

/* What another site's member reads by a provider that is not known here. */
static void
add_agreed_data(struct making *m, size_t seq, const struct job_member *member)
{
	struct json_object *list, *o;
	size_t i;

	list = json_path_get(
	    m->in->agreed, "data", member->role, member->party_id);
	for (i = 0; json_is_array(list) && i < json_object_array_length(list);
	     i++) {
		o = json_object_array_get_idx(list, i);
		if (str_eq(json_get_str(o, "component", NULL),
			m->spec->components[seq]->name))
			add_table(m, member, json_object_get(o));
	}
}

static void
add_data(struct making *m, size_t seq, const struct job_member *member)
{
	static const char *const keys[] = { "namespace", "name", "job_id",
		"component_name", "data_name" };
	const struct job_task *t = &member->tasks[seq];
	struct json_object *table, *o, *value;
	size_t i;

	if (is_agreed_gap(m, "parameters", seq, member))
		return;
	if (t->module == NULL || t->parameters == NULL) {
		add_agreed_data(m, seq, member);
		return;
	}
	table = contract_table_of(t->module->name, t->parameters);
	if (table == NULL)
		return;
	o = json_object_new_object();
	json_add_str(o, "component", m->spec->components[seq]->name);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if ((value = json_get(table, keys[i])) != NULL)
			json_add(o, keys[i], json_object_get(value));
	add_table(m, member, o);
}

/*
 * One name and version of a provider is one thing everywhere, or it is not
 * the same provider: who has another digest comes to another contract.
 */
static void
add_digest(struct making *m, const struct job_task *t)
{
	const struct provider *p =
	    t->module != NULL ? t->module->provider : NULL;
	const char *sent;
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s@%s", t->provider_name, t->provider_version);
	sent = json_get_str(
	    json_get(m->in->agreed, "digests"), buf_str(&name), NULL);
	if (*t->provider_version == '\0' ||
	    json_has(m->digests, buf_str(&name)))
		;
	else if (p != NULL && *p->digest != '\0' &&
		 (m->in->agreed == NULL || sent != NULL))
		json_add_str(m->digests, buf_str(&name), p->digest);
	else if (sent != NULL)
		json_add_str(m->digests, buf_str(&name), sent);
	buf_fini(&name);
}

static int
add_tasks(struct making *m)
{
	size_t seq, k;
	int r;

	for (seq = 0; seq < m->spec->n_components; seq++)
		for (k = 0; k < m->spec->n_members; k++) {
			const struct job_member *member = &m->spec->members[k];

			if (!member->tasks[seq].runs)
				continue;
			if ((r = add_parameters(m, seq, member)) != 0)
				return r;
			add_egress(m, seq, member);
			add_data(m, seq, member);
			add_digest(m, &member->tasks[seq]);
		}
	return 0;
}

/* --- the whole ---------------------------------------------------------------- */

/* What each member's tasks are told about the job, by its hash. */
static int
job_parameters_json(const struct job_spec *spec, struct json_object *out)
{
	char hex[CONTRACT_HEX_SIZE];
	size_t i;
	int r;

	for (i = 0; i < spec->n_members; i++) {
		const struct job_member *m = &spec->members[i];

		if ((r = contract_digest(m->job_parameters, hex)) != 0)
			return r;
		json_add_str(inside(out, m->role), m->party_id, hex);
	}
	return 0;
}

static struct json_object *
validity_json(const struct job_spec_input *in, const struct job_spec *spec)
{
	struct json_object *o = json_object_new_object();
	int64_t from = in->now_s;

	if (in->agreed != NULL)
		from = json_get_int(
		    json_get(in->agreed, "validity"), "not_before", 0);
	/* A stranger's number: what cannot be added to is no time. */
	if (from < 0 || from > INT64_C(1) << 40)
		from = 0;
	json_add_int(o, "not_before", from);
	json_add_int(o, "not_after", from + spec->valid_hours * 3600);
	return o;
}

static void
add_documents(const struct job_spec_input *in, const struct job_spec *spec,
    struct json_object *o)
{
	json_add_int(o, "form", CONTRACT_FORM);
	json_add_str(o, "job_id", spec->job_id);
	json_add(o, "dsl", json_object_get(spec->dsl_json));
	json_add(o, "runtime_conf", json_object_get(spec->conf));
	json_add(o, "members", json_object_get(spec->roles));
	json_add(o, "providers", json_object_get(spec->providers_json));
	json_add(o, "validity", validity_json(in, spec));
	json_add_int(o, "runs", spec->max_runs);
	if (spec->model != NULL)
		json_add(o, "model", model_json(spec->model));
	else if (in->model != NULL)
		json_add(o, "loads", loads_json(in->model));
}

int
contract_make(const struct job_spec_input *in, const struct job_spec *spec,
    struct json_object **out)
{
	struct json_object *o = json_object_new_object();
	struct making m = { .in = in, .spec = spec };
	int r;

	*out = NULL;
	add_documents(in, spec, o);
	m.parameters = inside(o, "parameters");
	m.egress = inside(o, "egress");
	m.data = inside(o, "data");
	m.digests = inside(o, "digests");
	if ((r = add_tasks(&m)) == 0)
		r = job_parameters_json(spec, inside(o, "job_parameters"));
	if (r == 0)
		*out = o;
	else
		json_object_put(o);
	return r;
}

/* --- what it says --------------------------------------------------------------- */

int
contract_egress(struct json_object *contract, const char *component,
    const char *role, const char *party_id, int64_t *bytes)
{
	int64_t n = json_get_int(
	    json_path_get(contract, "egress", component, role), party_id, -1);

	*bytes = 0;
	if (n < 0)
		return err_set(ERR_NOT_FOUND,
		    "the job's contract gives %.100s of %.20s %.10s no egress "
		    "budget",
		    component, role, party_id);
	*bytes = n;
	return 0;
}

bool
contract_validity(
    struct json_object *contract, int64_t *not_before, int64_t *not_after)
{
	struct json_object *o = json_get(contract, "validity");

	*not_before = json_get_int(o, "not_before", -1);
	*not_after = json_get_int(o, "not_after", -1);
	return *not_before >= 0 && *not_after >= 0;
}

int64_t
contract_runs(struct json_object *contract)
{
	return json_get_int(contract, "runs", 0);
}

/* --- differences ------------------------------------------------------------------ */

struct difference {
	const char *one_name, *other_name;
	struct buf *out;
};

static void
tell_value(struct json_object *o, bool there, const char *name, struct buf *out)
{
	struct buf text = BUF_INIT;

	if (!there)
		buf_printf(out, "%s has nothing", name);
	else if (json_canon(o, &text) != 0)
		buf_printf(out, "%s has what is no JSON", name);
	else
		buf_printf(out, "%s has %.*s%s", name, VALUE_SHOWN,
		    buf_str(&text), text.len > VALUE_SHOWN ? "…" : "");
	buf_fini(&text);
}

static bool
tell(const struct difference *d, const struct json_path *at,
    struct json_object *one, bool in_one, struct json_object *other,
    bool in_other)
{
	buf_puts(d->out, "at ");
	if (at == NULL)
		buf_putc(d->out, '/');
	json_path_text(at, d->out);
	buf_putc(d->out, ' ');
	tell_value(one, in_one, d->one_name, d->out);
	buf_puts(d->out, ", ");
	tell_value(other, in_other, d->other_name, d->out);
	return true;
}

static bool
is_same_scalar(struct json_object *a, struct json_object *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same = json_canon(a, &x) == 0 && json_canon(b, &y) == 0 &&
		    x.len == y.len && memcmp(x.data, y.data, x.len) == 0;

	buf_fini(&x);
	buf_fini(&y);
	return same;
}

static bool compare(const struct difference *, const struct json_path *,
    struct json_object *, struct json_object *);

static bool
compare_objects(const struct difference *d, const struct json_path *at,
    struct json_object *one, struct json_object *other)
{
	json_object_object_foreach(one, key, value)
	{
		struct json_path below = { at, key, 0 };

		if (!json_has(other, key))
			return tell(d, &below, value, true, NULL, false);
		if (compare(d, &below, value, json_get(other, key)))
			return true;
	}
	json_object_object_foreach(other, key2, value2)
	{
		struct json_path below = { at, key2, 0 };

		if (!json_has(one, key2))
			return tell(d, &below, NULL, false, value2, true);
	}
	return false;
}

static bool
compare_arrays(const struct difference *d, const struct json_path *at,
    struct json_object *one, struct json_object *other)
{
	size_t i, n = json_object_array_length(one);

	if (n != json_object_array_length(other))
		return tell(d, at, one, true, other, true);
	for (i = 0; i < n; i++) {
		struct json_path below = { at, NULL, i };

		if (compare(d, &below, json_object_array_get_idx(one, i),
			json_object_array_get_idx(other, i)))
			return true;
	}
	return false;
}

static bool
compare(const struct difference *d, const struct json_path *at,
    struct json_object *one, struct json_object *other)
{
	if (json_is_object(one) && json_is_object(other))
		return compare_objects(d, at, one, other);
	if (json_is_array(one) && json_is_array(other))
		return compare_arrays(d, at, one, other);
	return !is_same_scalar(one, other) &&
	       tell(d, at, one, true, other, true);
}

bool
contract_difference(struct json_object *one, const char *one_name,
    struct json_object *other, const char *other_name, struct buf *out)
{
	const struct difference d = { one_name, other_name, out };

	return compare(&d, NULL, one, other);
}
