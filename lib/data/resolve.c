/*
 * Tables that are another name for a table.  Used by fcgi-app and shepherds.
 */
#include "lib/data/resolve.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/json/json.h"

bool
data_is_folder(const char *s)
{
	static const char hex[] = "0123456789abcdef";

	return strlen(s) == 35 && s[2] == '/' && strspn(s, hex) == 2 &&
	       strspn(s + 3, hex) == 32;
}

static int
follow(struct db *db, struct arena *a, const struct db_table *t,
    const struct db_table **out)
{
	struct json_object *o = NULL;
	struct db_table *of;
	int r;

	if ((r = json_parse_text(t->address, &o)) != 0)
		return err_wrap("table %s %s is another name for one that is "
				"not told",
		    t->table_namespace, t->name);
	r = db_table_get(db, a, json_get_str(o, "namespace", ""),
	    json_get_str(o, "name", ""), &of);
	json_object_put(o);
	if (r != 0)
		return err_wrap("table %s %s is another name for one that is "
				"gone",
		    t->table_namespace, t->name);
	if (of->disabled)
		return err_set(ERR_DENIED, "table %s %s is disabled",
		    of->table_namespace, of->name);
	*out = of;
	return 0;
}

int
data_resolve(struct db *db, struct arena *a, const struct db_table *t,
    const struct db_table **out)
{
	int r;

	*out = t;
	if (t->folder[0] == '\0' && str_eq(t->engine, "STANDALONE") &&
	    (r = follow(db, a, t, out)) != 0)
		return r;
	if (data_is_folder((*out)->folder))
		return 0;
	return err_set(ERR_UNSUPPORTED,
	    "the rows of table %s %s are kept by the engine %s: a Reader "
	    "takes them in",
	    t->table_namespace, t->name, t->engine);
}

int
data_check_reader(struct db *db, struct arena *a, const struct db_table *t,
    const char *initiator_party)
{
	const struct db_table *own = t;
	struct db_party *rows;
	size_t n;
	int r;

	/* Under another name it is still what it is. */
	r = data_resolve(db, a, t, &own);
	if (r != 0 && r != ERR_UNSUPPORTED)
		return r;
	if (!str_eq(own->origin, "output"))
		return 0;
	if ((r = db_party_list(db, a, own->job_id, &rows, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].party_id, initiator_party))
			return 0;
	log_warn("party %s asked for an output of job %s", initiator_party,
	    own->job_id);
	return err_set(ERR_NOT_FOUND, "no such table");
}

int
data_find_for_reader(struct db *db, struct arena *a,
    struct json_object *parameters, const char *initiator_party,
    struct db_table **out)
{
	struct json_object *table = json_get(parameters, "table");
	const char *name = json_get_str(table, "name", NULL);
	const char *space = json_get_str(table, "namespace", NULL);
	struct db_table *t;
	int r;

	*out = NULL;
	if (name == NULL || space == NULL)
		return 0;
	if ((r = db_table_get(db, a, space, name, &t)) != 0 ||
	    (initiator_party != NULL &&
		(r = data_check_reader(db, a, t, initiator_party)) != 0))
		return r;
	if (t->disabled)
		return err_set(
		    ERR_DENIED, "table %s %s is disabled", space, name);
	*out = t;
	return 0;
}
