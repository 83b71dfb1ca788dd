/*
 * From two documents to rows: the job a user submits, the local job of an
 * upload, the job a partner asks this site to take part in.
 */
#ifndef FCGI_APP_SUBMIT_H
#define FCGI_APP_SUBMIT_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/base/id.h"
#include "lib/db/db_job.h"
#include "lib/model/job_spec.h"

struct submit {
	struct json_object *dsl;  /* borrowed */
	struct json_object *conf; /* borrowed */
	const char *dsl_name;	  /* where they stand, for pointers */
	const char *conf_name;	  /* NULL: at the root */
	const char *local_party;  /* "0" for local jobs */
	struct json_object *providers_fixed; /* by a contract; NULL */
	/*
	 * Both may be NULL.  documents: make dsl and conf for this id, before
	 * they are checked.  place: what the job needs outside the database,
	 * after they were found good and before its rows are there.
	 */
	int (*documents)(struct request *, const char *job_id, struct submit *);
	int (*place)(struct request *, const char *job_id, struct submit *);
	void *ctx;
};

/*
 * Check the documents and insert the job, in state waiting, with all its
 * members and tasks; wake the supervisor.  The reply gets jobId and the data
 * the platform's clients want, or retcode 103 with every fault.
 * Returns 0 when the reply is complete (refusals too), or ERR_*.
 */
int submit_job(struct request *, struct reply *, struct submit *);

/*
 * The rows of a checked job, in the request's arena: its members, and the
 * tasks of every member or only those of `only`.  created marks local
 * members as having the job.
 */
void submit_rows(struct request *, const struct job_spec *,
    const struct job_member *only, struct db_job_new *out);

/*
 * A job that was initiated here, built anew from what is stored of it: the
 * same checks as at its submit, against what this site has and allows now,
 * with the providers that its contract names.  conf (borrowed; NULL: as
 * stored) stands at the root of the request.
 * submit_rebuilt_fini() is due either way.  Errors: ERR_INVALID when faults
 * were added, ERR_FORMAT, ERR_DB.
 */
struct rebuilt {
	struct job_model *model; /* NULL: no predict job */
	struct job_spec *spec;
};
int submit_rebuild(struct request *, const struct db_job *,
    struct json_object *conf, struct faults *, struct rebuilt *out);
void submit_rebuilt_fini(struct rebuilt *);

/* Refuse with 103, "WHAT, 2 faults: …", and all faults by pointer. */
void submit_refuse(struct reply *, const char *what, const struct faults *);

/* Why a job cannot have that party for a member; the arena's. */
const char *submit_stranger_text(struct arena *, const char *party);

/* This site's defaults for what a job does not say, with its capacity. */
int submit_defaults(struct request *, struct job_defaults *out);

#endif
