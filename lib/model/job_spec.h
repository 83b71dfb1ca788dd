/*
 * A job as its two documents define it, checked and completed: who takes
 * part, what each member runs with which parameters, what is asked of each
 * site, and the contract all of them sign.
 *
 * The initiator builds it at submit; every partner builds it again from what
 * it was sent, with its own manifests, and compares the contract's hash: the
 * configuration that a partner runs is the one that was agreed, or none.
 * Pure: no database, no clock, no files.
 */
#ifndef LIB_MODEL_JOB_SPEC_H
#define LIB_MODEL_JOB_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json/decode.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/provider/manifest.h"

#define JOB_ROLE_MAX 20	    /* bytes, as the columns hold */
#define JOB_TASKS_MAX 40000 /* components × members */
#define JOB_HASH_SIZE 32

/* What a job gets when it does not say; the site's [jobs] section. */
struct job_defaults {
	int64_t task_cores;	    /* 4 */
	int64_t task_parallelism;   /* 1 */
	int64_t timeout_s;	    /* 259200 */
	int64_t auto_retries;	    /* 0 */
	int64_t auto_retry_delay_s; /* 1 */
	int64_t memory_mb_per_task; /* executor limit; 0: not accounted */
	int64_t max_cores;	    /* capacity of this site; 0: unknown */
	int64_t max_memory_mb;	    /* the same */
	int64_t task_timeout_s;	    /* 0: none */
	int64_t max_priority;	    /* of jobs submitted here */
};

#define JOB_DEFAULTS_INIT                                                      \
	{                                                                      \
		4, 1, 259200, 0, 1, 0, 0, 0, 0, 0                              \
	}

/*
 * A version of a model as it was sealed: the deployed one that a predict job
 * uses, or those that ModelLoaders of a training job load.  All members have
 * the same documents and the same root.
 */
struct job_model {
	const char *loader; /* the ModelLoader; NULL: a predict job's */
	struct job_model *next;
	const char *model_id;
	const char *model_version;
	struct json_object *train_dsl;
	struct json_object *train_conf;
	struct json_object *inference_dsl;
	uint8_t root_hash[JOB_HASH_SIZE]; /* over all members' halves */
};

struct job_spec;
struct job_member;

/*
 * Called for each task of a member of this site, once its parameters and
 * those of the components before it are complete.  at is where what it reads
 * or takes as its label was said, or where it could be.
 */
typedef void job_look_fn(void *ctx, const struct job_spec *,
    const struct job_member *, size_t seq, const struct json_path *at,
    struct faults *);

struct job_spec_input {
	const char *job_id;	  /* also the version that training makes */
	const char *local_party;  /* this site */
	struct json_object *dsl;  /* borrowed */
	struct json_object *conf; /* borrowed, not changed */
	/*
	 * A list, borrowed, may be empty.  Of a predict job it is one: its
	 * inference DSL runs (dsl is checked, and may be an empty object), and
	 * what the conf does not say about a component is inherited from the
	 * training.  A component inherits from what is loaded for it, too.
	 */
	const struct job_model *model;
	/* At a partner: "providers" of the contract it was sent, which fixes
	 * the versions; NULL at the initiator. */
	struct json_object *providers_fixed;
	/* And the whole of it: what only the initiator can say (from when it
	 * holds, what of others' providers is not known here). */
	struct json_object *agreed;
	int64_t now_s; /* at the initiator: when the contract begins */
	const struct providers *providers; /* borrowed, must outlive */
	const struct job_defaults *defaults;
	job_look_fn *look; /* may be NULL */
	void *look_ctx;
	/* Where the documents stand in the request, for pointers. */
	const struct json_path *dsl_path;
	const struct json_path *conf_path;
};

/* One component on one member. */
struct job_task {
	bool runs;		     /* the module has this role */
	bool need_run;		     /* parameter; false: pass */
	const struct module *module; /* NULL: provider not known
						 * here (a remote member's) */
	const char *provider_name;
	const char *provider_version;	/* "" when not known */
	struct json_object *parameters; /* complete; NULL unless runs */
	/* What was given by the user only (common and role merged). */
	struct json_object *given;
};

struct job_member {
	const char *role;
	char party_id[JSON_PARTY_SIZE];
	int position; /* in its role */
	bool is_local;
	bool is_initiator;
	/* What is asked of this member's site. */
	int64_t task_cores; /* of one task */
	int64_t cores;	    /* of the job; 0 for arbiter */
	int64_t memory_mb;
	struct json_object *job_parameters; /* common with its role scope */
	struct json_object *conf_on_party;  /* runtime_conf_on_party */
	struct job_task *tasks;		    /* n_components, in seq order */
};

struct job_spec {
	struct arena *arena; /* names and arrays */
	char *job_id;
	const char *initiator_role;
	char initiator_party[JSON_PARTY_SIZE];
	const char *job_type; /* train or predict */
	char *model_id;
	char *model_version;
	int64_t task_parallelism;
	int64_t timeout_s;
	int64_t auto_retries;
	int64_t auto_retry_delay_s;
	int64_t priority;
	int64_t valid_hours; /* of the contract */
	int64_t max_runs;    /* under it */
	const char *name;    /* job_name, or "" */

	const struct job_model *model; /* a predict job's, or NULL */
	struct dsl *dsl;	       /* what runs */
	/* dsl->components in order: components[seq]. */
	const struct dsl_component **components;
	size_t n_components;

	struct job_member *members; /* order of the conf's role map */
	size_t n_members;

	struct json_object *dsl_json;	    /* what runs */
	struct json_object *conf_given;	    /* names borrow from it */
	struct json_object *conf;	    /* completed runtime_conf */
	struct json_object *roles;	    /* {"guest":[9999],…} */
	struct json_object *providers_json; /* component → role → party →
						 * "name@version" */
	char *contract;			    /* canonical text */
	size_t contract_len;
	uint8_t contract_hash[JOB_HASH_SIZE]; /* SHA-256 */

	char **warnings; /* "[WARN]backend is removed…" */
	size_t n_warnings;
};

/*
 * Check both documents and build the spec.  All faults of both are added in
 * one go.  Ownership: *out is the caller's.
 * Errors: ERR_INVALID when faults were added; ERR_CRYPTO.
 */
int job_spec_build(
    const struct job_spec_input *, struct faults *, struct job_spec **out);
void job_spec_free(struct job_spec *);

/* NULL when there is none. */
const struct job_member *job_spec_member(
    const struct job_spec *, const char *role, const char *party_id);
/* (size_t)-1 when there is none; else the seq. */
size_t job_spec_component(const struct job_spec *, const char *name);

/*
 * Add a warning, for those who build the spec; what was said before is not
 * said again, and there is an end to it.
 */
void job_spec_warn(struct job_spec *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* All warnings in one text, "" when there is none; the caller's. */
char *job_spec_warning_text(const struct job_spec *);

/*
 * The model id of a roles object {"guest":[9999],…}: roles sorted by name,
 * party ids sorted as numbers and distinct; the caller's.
 */
char *job_model_id(struct json_object *roles);

/*
 * The documents of a local job: one component, "upload_0" for the module
 * Upload, at one member.  parameters are the component's (borrowed), common
 * goes to job_parameters.common (may be NULL).  Both results are the
 * caller's.
 */
void job_local_documents(const char *module, struct json_object *parameters,
    struct json_object *common, const char *party_id, struct json_object **dsl,
    struct json_object **conf);
/* The same with another name for the component. */
void job_local_named(const char *name, const char *module,
    struct json_object *parameters, struct json_object *common,
    const char *party_id, struct json_object **dsl, struct json_object **conf);

#endif
