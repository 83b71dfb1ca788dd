/*
 * The runtime conf's upper part: members, initiator, job parameters.
 * A part of job_spec_build().
 */
#ifndef LIB_MODEL_JOB_CONF_H
#define LIB_MODEL_JOB_CONF_H

#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"
#include "lib/model/roles.h"

/* job_parameters after checks; strings and objects borrow from the conf. */
struct job_params {
	const char *job_type;
	const char *job_name;
	int64_t task_cores;
	int64_t task_parallelism;
	int64_t computing_partitions;
	int64_t timeout;
	int64_t task_timeout; /* 0: none */
	int64_t auto_retries;
	int64_t auto_retry_delay;
	int64_t priority;  /* in the initiator's queue */
	int64_t egress_mb; /* that a task may send; -1: not said */
	int64_t valid_hours;
	int64_t max_runs;
	const char *federated_status_collect_type;
	const char *federated_mode;
	const char *federated_data_exchange_type;
	struct json_object *federation_info;
	struct json_object *eggroll_run;
	struct json_object *spark_run;
	struct json_object *rabbitmq_run;
	struct json_object *pulsar_run;
	struct json_object *task_conf;
	struct json_object *inheritance_info;
	struct json_object *assistant_role;
	const char *map_table_name;
	const char *map_namespace;
	/* Accepted and then set by us. */
	struct json_object *set_here;
};

struct job_conf {
	struct json_object *json; /* as given */
	struct json_object *dsl_version;
	const char *initiator_role;
	char initiator_party[JSON_PARTY_SIZE];
	struct roles roles;
	struct job_params common;
	struct json_object *params_role;       /* job_parameters.role or NULL */
	struct json_object *components_common; /* or NULL */
	struct json_object *components_role;
	const char *provider; /* given as one text, or NULL */
	struct json_object *provider_common;
	struct json_object *provider_role;
};

/*
 * Check everything but what speaks of components.  Warnings are appended to
 * the spec.
 */
void job_conf_read(struct json_object *, const struct job_spec_input *,
    struct job_spec *, struct faults *, struct job_conf *out);

/* The parameters of one member: common and what its role scopes say. */
void job_conf_member(const struct job_conf *, const char *role, size_t position,
    struct job_params *out);

/* What a member's site is asked for, from its job parameters. */
struct job_cores {
	int64_t request; /* task_cores asked, 1 for an arbiter */
	int64_t nodes;
	int64_t per_node;
	int64_t task; /* per_node × nodes */
	int64_t job;  /* for all tasks at once; 0 for an arbiter */
};

void job_conf_cores(
    const struct job_params *, const char *role, struct job_cores *out);

/* The JSON form, with what is set here; the caller's. */
struct json_object *job_conf_params_json(const struct job_conf *,
    const struct job_params *, const struct job_cores *,
    const struct job_spec *);

#endif
