/*
 * Fuzz target: the body of a job submission, from bytes to a job
 * specification, and what a partner makes of the result.
 *
 * The input is {"job_dsl":…,"job_runtime_conf":…} as a client posts it.
 * Beside crashes it looks for broken promises: a good job must be rebuilt to
 * the same contract from its own completed conf, and the predict job of what
 * it trained likewise.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/json/canon.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"
#include "lib/model/predict_dsl.h"
#include "lib/provider/manifest.h"

#define BODY_MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct providers *
product(void)
{
	static struct providers *ps;
	struct json_object *o;

	if (ps != NULL)
		return ps;
	ps = providers_new();
	if (json_parse_file("executor/manifest.json", BODY_MAX, &o) != 0 ||
	    providers_add(ps, o, "/x") != 0) {
		fprintf(stderr, "%s\n", err_text());
		abort();
	}
	json_object_put(o);
	return ps;
}

static struct job_spec *
build(const char *party, struct json_object *dsl, struct json_object *conf,
    const struct job_model *model, struct json_object *fixed)
{
	static const struct job_defaults defaults = JOB_DEFAULTS_INIT;
	struct faults faults = FAULTS_INIT;
	struct job_spec_input in = {
		.job_id = "202601010000000000001",
		.local_party = party,
		.dsl = dsl,
		.conf = conf,
		.model = model,
		.providers_fixed = fixed,
		.providers = product(),
		.defaults = &defaults,
		.dsl_path = JSON_PATH_KEY(NULL, "job_dsl"),
		.conf_path = JSON_PATH_KEY(NULL, "job_runtime_conf"),
	};
	struct job_spec *spec;
	struct buf text = BUF_INIT;
	int r = job_spec_build(&in, &faults, &spec);

	faults_text(&faults, &text);
	if ((r != 0) != faults_any(&faults))
		abort();
	json_object_put(faults_json(&faults));
	faults_fini(&faults);
	buf_fini(&text);
	return spec;
}

/* Through text, as it travels. */
static struct json_object *
sent(struct json_object *o)
{
	struct json_object *copy;

	if (json_parse_text(json_text(o), &copy) != 0)
		abort();
	return copy;
}

static void
rebuild(const struct job_spec *spec, const struct job_model *model)
{
	struct json_object *dsl = sent(spec->dsl_json);
	struct json_object *conf = sent(spec->conf);
	struct json_object *fixed = sent(spec->providers_json);
	struct job_spec *again = build("10000", dsl, conf, model, fixed);

	if (again == NULL || again->contract_len != spec->contract_len ||
	    memcmp(again->contract, spec->contract, spec->contract_len) != 0)
		abort();
	job_spec_free(again);
	json_object_put(dsl);
	json_object_put(conf);
	json_object_put(fixed);
}

/*
 * What trains has an inference DSL.  Whether it can predict is another
 * question, but all members come to the same answer.
 */
static void
predict(const struct job_spec *spec)
{
	struct job_model model = { .model_id = "m",
		.model_version = "1",
		.train_dsl = spec->dsl_json,
		.train_conf = spec->conf };
	struct json_object *conf = sent(spec->conf), *empty;
	struct faults faults = FAULTS_INIT;
	struct job_spec *again;

	if (predict_dsl_deduce(model.train_dsl, NULL, 0, &faults, NULL,
		&model.inference_dsl) != 0)
		abort();
	json_add_str(json_path_get(conf, "job_parameters", "common"),
	    "job_type", "predict");
	empty = json_object_new_object();
	again = build("9999", empty, conf, &model, NULL);
	if (again != NULL)
		rebuild(again, &model);
	job_spec_free(again);
	json_object_put(empty);
	json_object_put(conf);
	json_object_put(model.inference_dsl);
	faults_fini(&faults);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *body;
	struct job_spec *spec;
	struct buf text = BUF_INIT;

	if (json_parse((const char *)data, size, BODY_MAX, &body) != 0)
		return 0;
	if (json_canon(body, &text) != 0)
		abort();
	buf_fini(&text);
	spec = build("9999", json_get(body, "job_dsl"),
	    json_get(body, "job_runtime_conf"), NULL, NULL);
	if (spec != NULL) {
		rebuild(spec, NULL);
		predict(spec);
	}
	job_spec_free(spec);
	json_object_put(body);
	return 0;
}
