/*
 * Models of sealed versions.  Called by inputs.c.
 */
#include "supervisor/shepherd/stored.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/json/json.h"
#include "lib/model/model_version.h"
#include "lib/sign/digest.h"

static int
check_manifest(const struct db_model *row)
{
	unsigned char sum[DIGEST_SIZE];
	int r;

	if ((r = digest_memory(row->manifest, strlen(row->manifest), sum)) != 0)
		return r;
	if (memcmp(sum, row->manifest_hash, sizeof(sum)) != 0)
		return err_set(ERR_FORMAT,
		    "the manifest of model %s, version %s is not the one that "
		    "was sealed",
		    row->model_id, row->model_version);
	return 0;
}

int
stored_open(struct arena *a, struct db *db, const struct db_model_key *key,
    struct stored **out)
{
	struct stored *s = arena_alloc(a, sizeof(*s));
	struct db_model_part *parts;
	struct db_model *row;
	int r;

	*out = NULL;
	r = db_model_get(db, a, key, &row);
	if (r == ERR_NOT_FOUND)
		return err_set(r,
		    "%s %s has no sealed model %.300s of version %.100s",
		    key->role, key->party_id, key->model_id,
		    key->model_version);
	if (r != 0 || (r = check_manifest(row)) != 0 ||
	    (r = model_manifest_parts(row->manifest, a, &parts, &s->n)) != 0)
		return r;
	s->row = row;
	s->parts = parts;
	*out = s;
	return 0;
}

int
stored_check_contract(const struct stored *s, const char *contract)
{
	struct json_object *json;
	char root[MODEL_HEX_SIZE];
	int r;

	if ((r = json_parse_text(contract, &json)) != 0)
		return r;
	str_to_hex(s->row->root_hash, sizeof(s->row->root_hash), root);
	if (!str_eq(
		root, json_get_str(json_get(json, "model"), "root_hash", NULL)))
		r = err_set(ERR_DENIED,
		    "model %s, version %s is another one than when the job "
		    "was made",
		    s->row->model_id, s->row->model_version);
	json_object_put(json);
	return r;
}

bool
stored_has_party(const struct stored *s, const char *party_id)
{
	struct json_object *roles;
	char id[JSON_PARTY_SIZE];
	bool found = false;
	size_t i;

	if (json_parse_text(s->row->roles, &roles) != 0) {
		err_clear();
		return false;
	}
	json_object_object_foreach(roles, role, list)
	{
		(void)role;
		for (i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++)
			if (json_party_id(
				json_object_array_get_idx(list, i), id) &&
			    str_eq(id, party_id))
				found = true;
	}
	json_object_put(roles);
	return found;
}

void
stored_parts(struct arena *a, const struct stored *s, const char *component,
    const char *alias, const struct db_model_part ***parts, size_t *n)
{
	const struct db_model_part **out;
	bool any = alias == NULL || *alias == '\0';
	size_t i;

	out = arena_alloc(a, (s->n + 1) * sizeof(const struct db_model_part *));
	for (*n = 0, i = 0; i < s->n; i++)
		if (str_eq(s->parts[i].component, component) &&
		    (any || str_eq(s->parts[i].alias, alias)))
			out[(*n)++] = &s->parts[i];
	*parts = out;
}
