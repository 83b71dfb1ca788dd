/*
 * Which member's component a tracking request is about.
 */
#ifndef FCGI_APP_TRACKED_H
#define FCGI_APP_TRACKED_H

#include "fcgi-app/request.h"

struct tracked {
	const char *job_id;
	const char *component;
	const char *role;
	const char *party_id;
};

/*
 * From job_id, component_name, role, party_id; the initiator stands in when
 * role or party is not said.  Errors: ERR_INVALID when job_id or
 * component_name is missing, ERR_EXISTS (the platform's 100) when the
 * initiator is needed and the job is not known here, ERR_DB.
 */
int tracked_find(struct request *, struct tracked *out);

/*
 * Why there may be nothing of it: the job is not known here, the member is
 * another site's (then: which are here), or the component is none of the
 * job's.  In the request's arena; "no data" when nothing is wrong, or when
 * the database does not say.
 */
const char *tracked_no_data(struct request *, const struct tracked *);

#endif
