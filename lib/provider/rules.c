/*
 * Rules between parameters, one small function a module.  A fault here
 * names the parameter to change.
 */
#include "lib/provider/rules.h"

#include <string.h>
#include <strings.h>

#include "lib/base/str.h"
#include "lib/provider/rules_data.h"

struct rule {
	struct json_object *params;
	const struct json_path *path;
	struct faults *faults;
};

/* "not offered" faults say what to use instead. */
static void
not_offered(const struct rule *r, const char *key, const char *instead)
{
	faults_add_value(r->faults, JSON_PATH_KEY(r->path, key),
	    json_get(r->params, key), "not offered by this provider; %s",
	    instead);
}

/* A switch within a block, e.g. cv_param.need_cv, that must stay off. */
static void
must_be_off(const struct rule *r, const char *block, const char *key)
{
	struct json_object *o = json_get(r->params, block);

	if (json_get_bool(o, key, false))
		faults_add_value(r->faults,
		    JSON_PATH_KEY(JSON_PATH_KEY(r->path, block), key),
		    json_get(o, key),
		    "not offered by this provider; leave it false");
}

static bool
is_on(const struct rule *r, const char *key)
{
	return json_get_bool(r->params, key, false);
}

static void
must_not(const struct rule *r, const char *key, const char *why)
{
	if (is_on(r, key))
		faults_add_value(r->faults, JSON_PATH_KEY(r->path, key),
		    json_get(r->params, key), "%s", why);
}

/* Only the number is wanted: nothing else makes sense then. */
static void
intersection_cardinality(const struct rule *r)
{
	must_not(r, "run_cache",
	    "makes no sense with cardinality_only, which needs no cache");
	if (str_eq(json_get_str(r->params, "join_method", ""), "left_join"))
		not_offered(
		    r, "join_method", "use inner_join with cardinality_only");
}

static void
intersection(const struct rule *r)
{
	must_not(r, "run_preprocess",
	    "not offered by this provider: the filter would give the other "
	    "party hashes of all ids to try guesses against; leave it false");
	if (is_on(r, "cardinality_only"))
		intersection_cardinality(r);
	if (str_eq(json_get_str(r->params, "join_method", ""), "left_join") &&
	    !json_get_bool(r->params, "sync_intersect_ids", true))
		faults_add_value(r->faults,
		    JSON_PATH_KEY(r->path, "sync_intersect_ids"),
		    json_get(r->params, "sync_intersect_ids"),
		    "must be true for join_method left_join");
}

static void
cache_loader(const struct rule *r)
{
	static const char *const parts[] = { "job_id", "component_name",
		"cache_name" };
	size_t i;

	if (json_get(r->params, "cache_key") != NULL)
		return;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (json_get(r->params, parts[i]) == NULL)
			faults_add(r->faults, JSON_PATH_KEY(r->path, parts[i]),
			    "is missing; a cache is named by cache_key, or by "
			    "job_id, component_name and cache_name");
}

/* What is done otherwise than the job file says. */
static void
intersection_notes(const struct rule *r)
{
	static const char *const ignored[] = { "with_encode",
		"repeated_id_process", "with_sample_id", "allow_info_share" };
	const char *key = is_on(r, "cardinality_only") ? "cardinality_method"
						       : "intersect_method";
	const char *method = json_get_str(r->params, key, "ecdh");
	size_t i;

	if (strcasecmp(method, "ecdh") != 0)
		faults_add_value(r->faults, JSON_PATH_KEY(r->path, key),
		    json_get(r->params, key),
		    "ecdh is used instead: the same rows, and the parties "
		    "learn less");
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (is_on(r, ignored[i]))
			faults_add_value(r->faults,
			    JSON_PATH_KEY(r->path, ignored[i]),
			    json_get(r->params, ignored[i]),
			    "is deprecated and has no effect");
}

/*
 * Both the classic place of early stopping and the one in callback_param.
 * instead, if any, says that it is not offered and what is.
 */
static void
check_early_stopping(const struct rule *r, struct json_object *o,
    const struct json_path *path, const char *instead)
{
	struct json_path at = { path, "early_stopping_rounds", 0 };
	struct json_object *rounds = json_get(o, at.key);

	if (rounds == NULL)
		return;
	if (instead != NULL)
		faults_add_value(r->faults, &at, rounds,
		    "not offered by this provider; %s", instead);
	else if (json_get(o, "validation_freqs") == NULL)
		faults_add_value(
		    r->faults, &at, rounds, "needs validation_freqs");
}

static void
check_batch(const struct rule *r)
{
	int64_t batch = json_get_int(r->params, "batch_size", -1);

	if (batch != -1 && batch < 10)
		faults_add_value(r->faults,
		    JSON_PATH_KEY(r->path, "batch_size"),
		    json_get(r->params, "batch_size"),
		    "must be -1 (all rows) or at least 10");
}

static void
check_stopping(const struct rule *r, const char *instead)
{
	check_early_stopping(r, r->params, r->path, instead);
	check_early_stopping(r, json_get(r->params, "callback_param"),
	    JSON_PATH_KEY(r->path, "callback_param"), instead);
}

static void
no_sqn(const struct rule *r)
{
	if (strcmp(json_get_str(r->params, "optimizer", ""), "sqn") == 0)
		not_offered(r, "optimizer",
		    "use rmsprop, adam, adagrad, "
		    "nesterov_momentum_sgd or sgd");
}

static void
hetero_lr(const struct rule *r)
{
	check_batch(r);
	check_stopping(r, NULL);
	no_sqn(r);
	must_be_off(r, "stepwise_param", "need_stepwise");
}

static void
homo_lr(const struct rule *r)
{
	struct json_object *o = json_get(r->params, "encrypt_param");
	const char *method = json_get_str(o, "method", "None");

	check_batch(r);
	check_stopping(r, "early_stop and tol end the training");
	no_sqn(r);
	if (strcmp(method, "None") != 0)
		faults_add_value(r->faults,
		    JSON_PATH_KEY(
			JSON_PATH_KEY(r->path, "encrypt_param"), "method"),
		    json_get(o, "method"),
		    "not offered by this provider; leave it null: models "
		    "are masked in any case");
	if (json_get_bool(r->params, "use_proximal", false))
		not_offered(r, "use_proximal", "leave it false");
}

/* --- evaluation ----------------------------------------------------------- */

static const char *const binary_metrics[] = { "auc", "ks", "lift", "gain",
	"accuracy", "precision", "recall", "roc", "confusion_mat", "psi",
	"f1_score", "quantile_pr", NULL };
static const char *const multi_metrics[] = { "accuracy", "precision", "recall",
	NULL };
static const char *const regression_metrics[] = { "explained_variance",
	"mean_absolute_error", "mean_squared_error", "median_absolute_error",
	"r2_score", "root_mean_squared_error", NULL };

static const struct {
	const char *eval_type;
	const char *const *metrics;
} allowed_metrics[] = {
	{ "binary", binary_metrics },
	{ "multi", multi_metrics },
	{ "regression", regression_metrics },
};

static void
check_metric(const struct rule *r, const char *eval_type,
    const char *const *allowed, size_t i, struct json_object *metric)
{
	struct json_path list = { r->path, "metrics", 0 };
	struct json_path at = { &list, NULL, i };
	const char *name = json_object_get_string(metric);
	char hint[FAULTS_HINT_SIZE];
	size_t n;

	for (n = 0; allowed[n] != NULL; n++)
		if (strcmp(allowed[n], name) == 0)
			return;
	faults_add_value(r->faults, &at, metric,
	    "is no metric of eval_type %s%s", eval_type,
	    faults_hint(r->faults, name, allowed, n, hint));
}

static void
evaluation(const struct rule *r)
{
	struct json_object *list = json_get(r->params, "metrics");
	const char *eval_type, *const *allowed = NULL;
	size_t i;

	eval_type = json_get_str(r->params, "eval_type", "binary");
	if (strcmp(eval_type, "clustering") == 0)
		not_offered(r, "eval_type",
		    "use binary, multi or "
		    "regression");
	for (i = 0; i < sizeof(allowed_metrics) / sizeof(allowed_metrics[0]);
	     i++)
		if (strcmp(allowed_metrics[i].eval_type, eval_type) == 0)
			allowed = allowed_metrics[i].metrics;
	if (allowed == NULL || list == NULL)
		return;
	for (i = 0; i < json_object_array_length(list); i++)
		check_metric(r, eval_type, allowed, i,
		    json_object_array_get_idx(list, i));
}

/* --- choosing rows -------------------------------------------------------- */

static const char *const split_sizes[] = { "train_size", "validate_size",
	"test_size" };

/* All three given: they must add up to 1, when they are fractions. */
static void
data_split(const struct rule *r)
{
	struct json_object *size;
	bool all = true, fractions = false;
	double sum = 0;
	size_t i;

	for (i = 0; i < sizeof(split_sizes) / sizeof(split_sizes[0]); i++) {
		size = json_get(r->params, split_sizes[i]);
		all = all && size != NULL;
		fractions =
		    fractions || json_object_is_type(size, json_type_double);
		sum += size != NULL ? json_object_get_double(size) : 0;
	}
	if (fractions && (sum > 1 + 1e-8 || (all && sum < 1 - 1e-8)))
		faults_add(r->faults, JSON_PATH_KEY(r->path, "train_size"),
		    "train_size, validate_size and test_size add up to %g, "
		    "must be 1",
		    sum);
	if (json_get_bool(r->params, "stratified", false) &&
	    !json_get_bool(r->params, "shuffle", true))
		faults_add_value(r->faults, JSON_PATH_KEY(r->path, "shuffle"),
		    json_get(r->params, "shuffle"),
		    "must be true for a stratified split");
}

static void
federated_sample(const struct rule *r)
{
	struct json_object *v = json_get(r->params, "fractions");
	bool by_label;

	/* A host follows the guest and needs none. */
	if (v == NULL || !json_get_bool(r->params, "need_run", true))
		return;
	by_label = str_eq(json_get_str(r->params, "mode", ""), "stratified");
	if (by_label != json_is_array(v))
		faults_add_value(r->faults, JSON_PATH_KEY(r->path, "fractions"),
		    v,
		    by_label ? "must be a list of [label, rate] in mode "
			       "stratified"
			     : "must be a number in mode random");
}

static void
model_loader(const struct rule *r)
{
	static const char *const ways[] = { "model_alias", "step_index",
		"step_name" };
	size_t i, n = 0;

	for (i = 0; i < 3; i++)
		if (json_get(r->params, ways[i]) != NULL && n++ > 0)
			faults_add_value(r->faults,
			    JSON_PATH_KEY(r->path, ways[i]),
			    json_get(r->params, ways[i]),
			    "only one of model_alias, step_index and step_name "
			    "says what is loaded");
}

static void
reader(const struct rule *r)
{
	rules_reader(r->params, r->path, r->faults);
}

static void
writer(const struct rule *r)
{
	rules_writer(r->params, r->path, r->faults);
}

/* --- the table ------------------------------------------------------------ */

struct module_rule {
	const char *module;
	void (*check)(const struct rule *);
};

static const struct module_rule rules[] = {
	{ "ModelLoader", model_loader },
	{ "Reader", reader },
	{ "Writer", writer },
	{ "HeteroDataSplit", data_split },
	{ "HomoDataSplit", data_split },
	{ "FederatedSample", federated_sample },
	{ "Intersection", intersection },
	{ "CacheLoader", cache_loader },
	{ "HeteroLR", hetero_lr },
	{ "HomoLR", homo_lr },
	{ "Evaluation", evaluation },
};

static const struct module_rule notes[] = {
	{ "Intersection", intersection_notes },
};

static void
apply(const struct module_rule *list, size_t n, const struct module *module,
    const struct rule *r)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(list[i].module, module->name))
			list[i].check(r);
}

void
rules_check(const struct module *module, struct json_object *params,
    const struct json_path *path, struct faults *faults)
{
	const struct rule r = { params, path, faults };

	apply(rules, sizeof(rules) / sizeof(rules[0]), module, &r);
}

void
rules_note(const struct module *module, struct json_object *params,
    const struct json_path *path, struct faults *out)
{
	const struct rule r = { params, path, out };

	apply(notes, sizeof(notes) / sizeof(notes[0]), module, &r);
}

/* --- members -------------------------------------------------------------- */

#define ANY_NUMBER 1000

/* How many members of a role the protocol of a module is made for. */
static const struct {
	const char *module;
	const char *role;
	size_t min;
	size_t max;
} member_rules[] = {
	{ "Intersection", "guest", 1, 1 },
	{ "Intersection", "host", 1, ANY_NUMBER },
	{ "HeteroDataSplit", "guest", 1, 1 },
	{ "HeteroDataSplit", "host", 1, ANY_NUMBER },
	{ "FederatedSample", "guest", 1, 1 },
	{ "HeteroLR", "guest", 1, 1 },
	{ "HeteroLR", "host", 1, ANY_NUMBER },
	{ "HeteroLR", "arbiter", 1, 1 },
	{ "HomoLR", "guest", 1, 1 },
	{ "HomoLR", "host", 1, ANY_NUMBER },
	{ "HomoLR", "arbiter", 1, 1 },
	{ "SecureAddExample", "guest", 1, 1 },
	{ "SecureAddExample", "host", 1, 1 },
};

static bool
has_party(struct json_object *list, struct json_object *party)
{
	size_t i;

	for (i = 0; list != NULL && i < json_object_array_length(list); i++)
		if (json_object_equal(
			json_object_array_get_idx(list, i), party))
			return true;
	return false;
}

/*
 * The classic rule of arbiter-coordinated models: a guest may be its own
 * arbiter only in a job that stays at one site, that is, when it is the
 * hosts as well.
 */
static void
check_arbiter(const struct module *m, struct json_object *roles,
    const struct json_path *path, struct faults *faults)
{
	struct json_object *guests = json_get(roles, "guest");
	struct json_object *hosts = json_get(roles, "host");
	struct json_object *arbiters = json_get(roles, "arbiter");
	size_t i, both = 0, all = 0;

	if (guests == NULL || hosts == NULL || arbiters == NULL)
		return;
	for (i = 0; i < json_object_array_length(guests); i++) {
		struct json_object *p;

		p = json_object_array_get_idx(guests, i);
		if (!has_party(arbiters, p))
			continue;
		both++;
		all += has_party(hosts, p);
	}
	if (both > 0 &&
	    (all != both || both != json_object_array_length(hosts)))
		faults_add(faults, JSON_PATH_KEY(path, "arbiter"),
		    "a party that is guest and arbiter of %s must be its "
		    "only host as well",
		    m->name);
}

void
rules_check_members(const struct module *m, struct json_object *roles,
    bool is_predict, const struct json_path *path, struct faults *faults)
{
	struct json_object *list;
	size_t i, n, min;

	for (i = 0; i < sizeof(member_rules) / sizeof(member_rules[0]); i++) {
		if (strcmp(member_rules[i].module, m->name) != 0)
			continue;
		list = json_get(roles, member_rules[i].role);
		n = list != NULL ? json_object_array_length(list) : 0;
		min = member_rules[i].min;
		/* An arbiter coordinates training only. */
		if (is_predict && strcmp(member_rules[i].role, "arbiter") == 0)
			min = 0;
		if (n < min)
			faults_add(faults,
			    JSON_PATH_KEY(path, member_rules[i].role),
			    "%s needs %s %s", m->name,
			    member_rules[i].max == 1 ? "one" : "at least one",
			    member_rules[i].role);
		else if (n > member_rules[i].max)
			faults_add(faults,
			    JSON_PATH_KEY(path, member_rules[i].role),
			    "%s is made for one %s, "
			    "here are %zu",
			    m->name, member_rules[i].role, n);
	}
	if (strcmp(m->name, "HeteroLR") == 0)
		check_arbiter(m, roles, path, faults);
}

/* --- training ------------------------------------------------------------- */

static void
check_validation(
    const struct rule *r, struct json_object *o, const struct json_path *path)
{
	struct json_path at = { path, "early_stopping_rounds", 0 };
	struct json_object *rounds = json_get(o, at.key);

	if (rounds != NULL)
		faults_add_value(r->faults, &at, rounds,
		    "needs input.data.validate_data of the component");
}

void
rules_check_training(const struct module *m, struct json_object *params,
    const struct rules_training *training, const struct json_path *path,
    struct faults *faults)
{
	const struct rule r = { params, path, faults };
	struct json_object *hosts = json_get(training->roles, "host");
	const char *stop = json_get_str(params, "early_stop", "diff");

	if (strcmp(m->name, "HeteroLR") != 0)
		return;
	if (!training->has_validate_data &&
	    !json_get_bool(json_get(params, "cv_param"), "need_cv", false)) {
		check_validation(&r, params, path);
		check_validation(&r, json_get(params, "callback_param"),
		    JSON_PATH_KEY(path, "callback_param"));
	}
	if (hosts != NULL && json_object_array_length(hosts) > 1 &&
	    strcasecmp(stop, "weight_diff") != 0)
		faults_add_value(faults, JSON_PATH_KEY(path, "early_stop"),
		    json_get(params, "early_stop"),
		    "needs the loss, which several hosts leave undefined; "
		    "use weight_diff");
}
