/*
 * Models of sealed versions.  Called by inputs.c.
 */
#include "supervisor/shepherd/stored.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
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
