/*
 * The pipeline's message of an archive: what the model was trained by.
 */
#include "lib/archive/import_private.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/sign/digest.h"
#include "proto/model/pipeline.pb-c.h"

/* A document of the pipeline: a JSON object, as text in the arena. */
static int
document(struct import_plan *p, const char *name,
    const ProtobufCBinaryData *data, const char **out,
    struct json_object **object)
{
	struct json_object *o;
	int r;

	*out = "{}";
	if (object != NULL)
		*object = NULL;
	if (data->len == 0)
		return 0;
	if ((r = json_parse((const char *)data->data, data->len,
		 IMPORT_TEXT_MAX, &o)) != 0)
		return err_wrap("%s of the pipeline", name);
	if (!json_is_object(o)) {
		json_object_put(o);
		return err_set(
		    ERR_FORMAT, "%s of the pipeline is no object", name);
	}
	*out = arena_strndup(p->arena, (const char *)data->data, data->len);
	if (object != NULL)
		*object = o;
	else
		json_object_put(o);
	return 0;
}

/* {"guest": [9999], …}; ids as numbers or texts. */
static bool
is_member(struct json_object *roles, const struct db_model_key *k)
{
	struct json_object *list = json_get(roles, k->role);
	size_t n = json_is_array(list) ? json_object_array_length(list) : 0;
	char party[JSON_PARTY_SIZE];

	for (size_t i = 0; i < n; i++)
		if (json_party_id(json_object_array_get_idx(list, i), party) &&
		    str_eq(party, k->party_id))
			return true;
	return false;
}

static int
take_initiator(struct import_plan *p, struct json_object *conf,
    const Sluice__Model__Pipeline *pb)
{
	struct json_object *o = json_get(conf, "initiator");
	char party[JSON_PARTY_SIZE];

	p->model.initiator_role = json_get_str(o, "role", pb->initiator_role);
	if (!str_is_name(p->model.initiator_role, 20))
		return err_set(ERR_FORMAT, "the pipeline names no initiator");
	p->model.initiator_role =
	    arena_strdup(p->arena, p->model.initiator_role);
	if (json_party_id(json_get(o, "party_id"), party))
		p->model.initiator_party = arena_strdup(p->arena, party);
	else
		p->model.initiator_party =
		    arena_printf(p->arena, "%d", pb->initiator_party_id);
	return 0;
}

static int
take_roles(struct import_plan *p, struct json_object *conf,
    const Sluice__Model__Pipeline *pb)
{
	struct json_object *roles = json_get(conf, "role"), *own = NULL;
	int r = 0;

	if (roles == NULL) {
		if ((r = document(
			 p, "roles", &pb->roles, &p->model.roles, &own)) != 0)
			return r;
		roles = own;
	} else {
		p->model.roles = arena_strdup(p->arena, json_text(roles));
	}
	if (!is_member(roles, &p->key))
		r = err_set(ERR_DENIED,
		    "party %.20s is not %.20s in the training of this model: "
		    "%.500s",
		    p->key.party_id, p->key.role, p->model.roles);
	json_object_put(own);
	return r;
}

static int
take_parent(struct import_plan *p, const Sluice__Model__Pipeline *pb)
{
	struct json_object *info = NULL;
	const char *version;
	int r;

	p->model.is_parent = pb->parent;
	if ((r = document(p, "parent_info", &pb->parent_info,
		 &p->model.parent_info, &info)) != 0)
		return r;
	version = json_get_str(json_path_get(p->manifest, "manifest", "parent"),
	    "model_version", json_get_str(info, "parent_model_version", NULL));
	if (!pb->parent && version != NULL)
		p->model.parent_version = arena_strdup(p->arena, version);
	json_object_put(info);
	p->model.job_id = p->model.parent_version != NULL
			      ? p->model.parent_version
			      : p->key.model_version;
	if (strlen(p->model.job_id) > 25)
		return err_set(ERR_FORMAT, "version '%.100s' is no job's id",
		    p->model.job_id);
	return 0;
}

static int
take_documents(struct import_plan *p, const Sluice__Model__Pipeline *pb)
{
	struct json_object *conf = NULL;
	struct db_model *m = &p->model;
	int r;

	if ((r = document(
		 p, "train_dsl", &pb->train_dsl, &m->train_dsl, NULL)) != 0 ||
	    (r = document(p, "inference_dsl", &pb->inference_dsl,
		 &m->inference_dsl, NULL)) != 0 ||
	    (r = document(p, "runtime_conf_on_party",
		 &pb->runtime_conf_on_party, &m->runtime_conf_on_party,
		 NULL)) != 0 ||
	    (r = document(p, "train_runtime_conf", &pb->train_runtime_conf,
		 &m->train_runtime_conf, &conf)) != 0)
		return r;
	if ((r = take_roles(p, conf, pb)) == 0)
		r = take_initiator(p, conf, pb);
	json_object_put(conf);
	return r == 0 ? take_parent(p, pb) : r;
}

int
import_pipeline(struct import_plan *p)
{
	Sluice__Model__Pipeline *pb = sluice__model__pipeline__unpack(NULL,
	    p->pipeline_file.len, (const uint8_t *)buf_str(&p->pipeline_file));
	struct db_model *m = &p->model;
	int r;

	if (pb == NULL)
		return err_set(
		    ERR_FORMAT, "member %s is no pipeline", PIPELINE_PATH);
	m->model_id = p->key.model_id;
	m->model_version = p->key.model_version;
	m->role = p->key.role;
	m->party_id = p->key.party_id;
	m->imported = true;
	r = import_check_key(
	    p, pb->model_id, pb->model_version, p->key.role, p->key.party_id);
	if (r == 0)
		r = take_documents(p, pb);
	sluice__model__pipeline__free_unpacked(pb, NULL);
	return r;
}

/* The pipeline was read before it is compared: so it is compared now. */
int
import_check_pipeline(const struct import_plan *p)
{
	const struct import_buffer *b = import_plan_find(p, PIPELINE_PATH);
	unsigned char found[DB_HASH_SIZE];
	char want[2 * DB_HASH_SIZE + 1], have[2 * DB_HASH_SIZE + 1];
	int r;

	if (b == NULL || !b->is_known)
		return 0;
	if ((r = digest_memory(buf_str(&p->pipeline_file), p->pipeline_file.len,
		 found)) != 0 ||
	    memcmp(found, b->sha256, DB_HASH_SIZE) == 0)
		return r;
	str_to_hex(b->sha256, DB_HASH_SIZE, want);
	str_to_hex(found, DB_HASH_SIZE, have);
	return err_set(ERR_FORMAT,
	    "member %s is not what the manifest says: expected SHA-256 %s, "
	    "found %s",
	    PIPELINE_PATH, want, have);
}
