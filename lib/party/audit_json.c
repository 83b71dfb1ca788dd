/*
 * Called by "sluice audit" and by fcgi-app's audit/query.
 */
#include "lib/party/audit_json.h"

struct json_object *
audit_json(const struct db_audit *a)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "id", a->id);
	json_add(o, "seq", a->seq != 0 ? json_object_new_int64(a->seq) : NULL);
	json_add_int(o, "at_ms", a->at_ms);
	json_add_str(o, "actor", a->actor);
	json_add_str(o, "action", a->action);
	json_add_str(o, "subject", a->subject);
	json_add_str(o, "outcome", a->outcome);
	json_add_str(o, "detail", a->detail);
	return o;
}
