/*
 * What a job wants of this site's own data, looked up before it is taken in:
 * a table that is not there, or has no such label column, would fail it in
 * its first tasks.
 */
#ifndef FCGI_APP_OWN_DATA_H
#define FCGI_APP_OWN_DATA_H

#include "fcgi-app/request.h"
#include "lib/db/db_job.h"
#include "lib/model/job_spec.h"

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

/*
 * The same of a partner's job that is to be taken in, for a member here (NULL:
 * every one).  Who asks learns what there is, so it is only said when the rules
 * allow the job; else, and when all is there, 0.
 * Errors: ERR_INVALID with what is missing (no more than its kind when [jobs]
 * error_detail is class), ERR_DB.
 */
int own_data_of_partner(struct request *, const struct job_spec *,
    const struct job_member *, const struct db_job_new *);

#endif
