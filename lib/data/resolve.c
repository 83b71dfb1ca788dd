/*
 * Tables that are another name for a table.  Used by fcgi-app and shepherds.
 */
#include "lib/data/resolve.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
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
		return r;
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
