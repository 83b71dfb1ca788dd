/*
 * The job contract: one canonical document (RFC 8785) that says what a job
 * is, which all members sign and every shepherd holds against its own rows.
 * docs/internals.md, "Job contract", describes its members.
 *
 * It is made by job_spec_build(); here is what it is made of, and what others
 * ask of it.  Pure: no database, no clock, no files.
 */
#ifndef LIB_MODEL_CONTRACT_H
#define LIB_MODEL_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/json/json.h"

struct job_spec;
struct job_spec_input;

#define CONTRACT_FORM 2
#define CONTRACT_HASH_SIZE 32
#define CONTRACT_HEX_SIZE (2 * CONTRACT_HASH_SIZE + 1)

/*
 * What a task may send when its job says nothing: it is there to stop a
 * component that empties a data set into its messages, not to plan networks.
 */
#define CONTRACT_EGRESS_MB 65536
#define CONTRACT_VALID_HOURS 720 /* 30 days */
#define CONTRACT_RUNS 100

/*
 * The contract of a spec whose tasks, members and conf are complete; the
 * caller's.  Errors: ERR_FORMAT, ERR_CRYPTO.
 */
int contract_make(const struct job_spec_input *, const struct job_spec *,
    struct json_object **out);

/*
 * Bytes that a task of this component may send as this member, over all its
 * versions' attempts one at a time: a run of the task begins at zero.
 * Errors: ERR_NOT_FOUND when the contract gives it none (an older form, or
 * no task of the job).
 */
int contract_egress(struct json_object *contract, const char *component,
    const char *role, const char *party_id, int64_t *bytes);

/* When it holds, seconds since the epoch; false: an older form. */
bool contract_validity(
    struct json_object *contract, int64_t *not_before, int64_t *not_after);
/* How many runs it allows; 0: an older form. */
int64_t contract_runs(struct json_object *contract);

/*
 * The table that a task names among its parameters (Reader, Download,
 * Writer); NULL when its module names none.  Borrowed from parameters.
 */
struct json_object *contract_table_of(
    const char *module, struct json_object *parameters);

/* SHA-256 of the canonical text, in hex.  NULL stands for {}. */
int contract_digest(struct json_object *, char hex[CONTRACT_HEX_SIZE]);

/*
 * The first place where two documents differ, in words: "at /a/b one has 1,
 * the other 2"; false when they do not.
 */
bool contract_difference(struct json_object *one, const char *one_name,
    struct json_object *other, const char *other_name, struct buf *out);

#endif
