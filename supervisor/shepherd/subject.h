/*
 * What a shepherd knows about its task before it starts: rows, DSL, module.
 */
#ifndef SUPERVISOR_SHEPHERD_SUBJECT_H
#define SUPERVISOR_SHEPHERD_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/provider/manifest.h"

struct subject_member {
	const char *role;
	const char *party_id;
};

struct subject {
	struct arena *arena; /* everything below */
	struct db_attempt *attempt;
	struct db_task *task;
	struct db_job *job;
	struct db_party *party; /* this member */
	/* The rest by subject_complete(). */
	struct dsl *dsl;
	const struct dsl_component *component;
	struct providers *own_providers; /* NULL: they are borrowed */
	const struct provider *provider;
	const struct module *module;
	struct json_object *parameters; /* complete */
	const char *job_parameters;	/* JSON text */
	int64_t task_timeout_s;		/* 0: none */
	struct json_object *contract;	/* lib/model/contract.h */
	struct subject_member *members; /* who run this component */
	size_t n_members;
	bool is_local; /* a job without partners */
};

/*
 * Read the rows of an attempt.  Ownership: *out is the caller's.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT when the attempt has ended, ERR_DB.
 */
int subject_load(struct db *, const char *attempt_id, struct subject **out);
/*
 * Everything else; failures are the task's, which can be told by then.
 * providers are borrowed; NULL, or when they are not current: read here.
 * Errors: ERR_NOT_FOUND, ERR_FORMAT, ERR_INVALID.
 */
int subject_complete(
    struct subject *, const struct site_conf *, const struct providers *);
void subject_free(struct subject *); /* NULL is fine */

const struct db_task_key *subject_key(const struct subject *);
/* Does this member run the component, too? */
bool subject_has_member(
    const struct subject *, const char *role, const char *party_id);

#endif
