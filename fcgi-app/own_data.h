/*
 * What a job wants of this site's own data, looked up before it is taken in:
 * a table that is not there, or has no such label column, would fail it in
 * its first tasks.
 */
#ifndef FCGI_APP_OWN_DATA_H
#define FCGI_APP_OWN_DATA_H

#include "fcgi-app/request.h"
#include "lib/model/job_spec.h"
#include "lib/party/party.h"

struct own_data {
	struct request *req;
	int error; /* of the database; what was looked up then is not judged */
	const char *partner; /* whose job it is; NULL: this site's own */
};

/*
 * For struct job_spec_input's look: Readers' tables by name and namespace
 * (there, and not disabled), and the label of a DataTransform that reads one
 * of them.  Only for this site's own users: who asks learns what there is.
 */
job_look_fn own_data_look; /* ctx: struct own_data */

/* A partner's job that is to be taken in, for own_data_of_partner(). */
struct own_data_job {
	struct request *req;
	const struct job_spec *spec;
};

/*
 * The same of a member that a partner's job is to have here, as the look of
 * struct party_caller: who asks learns what there is, so the rules, and
 * people, come first.  ctx: struct own_data_job.
 * Errors: ERR_INVALID with what is missing (no more than its kind when [jobs]
 * error_detail is class), ERR_DB.
 */
int own_data_of_partner(void *ctx, const struct party_member *);

#endif
