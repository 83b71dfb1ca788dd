/*
 * A table's schema: names of columns and how its text is to be read.
 *
 *   {"sid":"id","header":"y,x0,x1"}              text, as uploaded
 *   {"sid":"id","header":["x0","x1"],"label_name":"y",
 *    "anonymous_header":[…],"anonymous_label":…}  dense, as transformed
 *
 * A text table uploaded with meta has a list as header (features only) and
 * "original_index_info", which says where features, label and match ids
 * stand in its rows.
 */
#ifndef LIB_ENGINE_SCHEMA_H
#define LIB_ENGINE_SCHEMA_H

#include <json-c/json.h>
#include <stddef.h>

struct schema {
	struct json_object *json;  /* all of it */
	const char *sid;	   /* "" for none; inside json */
	const char *label_name;	   /* "" for none */
	const char *match_id_name; /* "" for none, first of several */
	char **header;		   /* names, trimmed */
	size_t n_header;
};

/*
 * Parse a schema; a header given as text is cut at the delimiter.
 * ERR_FORMAT; *out is to be freed with schema_fini() on success only.
 */
int schema_parse(const char *json, const char *delimiter, struct schema *out);
void schema_fini(struct schema *);

/* The place of a name in the header, SIZE_MAX when it is not there. */
size_t schema_find(const struct schema *, const char *name);

/*
 * Give a schema with meta (dense text) its names: header becomes the list of
 * features; label_name, match_id_name, original_index_info,
 * anonymous_header and anonymous_label are added, anonymous names without
 * role and party.  ERR_INVALID when a column that meta names is missing.
 */
int schema_generate(struct json_object *schema, const char *delimiter);

/*
 * Undo it: header becomes the list of all names in the order of the line,
 * what was added goes.  Nothing to do for a schema that was not generated.
 * ERR_FORMAT when original_index_info does not fit.
 */
int schema_recover(struct json_object *schema);

/* Put "<role>_<party>_" before every anonymous name. */
void schema_prefix(
    struct json_object *schema, const char *role, const char *party_id);

#endif
