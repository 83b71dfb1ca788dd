/*
 * Called by the handlers of model/….
 */
#include "fcgi-app/model_rows.h"

#include "fcgi-app/app.h"
#include "fcgi-app/view.h"
#include "lib/base/compatible.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db.h"

int
model_rows_find(struct request *req, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    struct db_model **out)
{
	struct db_model *rows;
	size_t n;
	int r;

	*out = NULL;
	if ((r = db_model_find(req->app->db, req->arena, model_version, role,
		 party_id, &rows, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (model_id != NULL && !str_eq(rows[i].model_id, model_id))
			continue;
		if (*out == NULL || str_eq((*out)->role, "arbiter"))
			*out = &rows[i];
	}
	if (*out != NULL)
		return 0;
	return err_set(ERR_NOT_FOUND,
	    "no model here of id %.300s and version %.100s",
	    model_id != NULL ? model_id : "(any)", model_version);
}

struct json_object *
model_rows_roles(const struct db_model *m)
{
	return view_document(m->roles);
}

static void
add_documents(struct json_object *o, const struct db_model *m)
{
	if (m->train_dsl == NULL)
		return;
	json_add(o, "f_train_dsl", view_document(m->train_dsl));
	json_add(o, "f_inference_dsl", view_document(m->inference_dsl));
	json_add(o, "f_runtime_conf", view_document(m->train_runtime_conf));
	json_add(
	    o, "f_train_runtime_conf", view_document(m->train_runtime_conf));
	json_add(o, "f_runtime_conf_on_party",
	    view_document(m->runtime_conf_on_party));
}

static void
add_archive(struct json_object *o, const struct db_model *m)
{
	char hex[2 * DB_HASH_SIZE + 1];

	str_to_hex(m->archive_sha256, sizeof(m->archive_sha256), hex);
	json_add_str(o, "f_archive_sha256", m->has_archive ? hex : NULL);
	json_add_str(o, "f_archive_from_ip", NULL);
}

struct json_object *
model_rows_view(const struct db_model *m)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "f_model_id", m->model_id);
	json_add_str(o, "f_model_version", m->model_version);
	json_add_str(o, "f_role", m->role);
	json_add_str(o, "f_party_id", m->party_id);
	json_add(o, "f_roles", view_document(m->roles));
	/* Loading finds a deployed version by this. */
	json_add_str(
	    o, "f_job_id", m->is_parent ? m->job_id : m->model_version);
	json_add_int(o, "f_size", m->size_bytes);
	json_add_str(o, "f_description", "");
	json_add_str(o, "f_initiator_role", m->initiator_role);
	json_add_str(o, "f_initiator_party_id", m->initiator_party);
	add_documents(o, m);
	json_add_str(o, "f_fate_version", COMPATIBLE_VERSION);
	json_add_bool(o, "f_parent", m->is_parent);
	json_add(o, "f_parent_info", view_document(m->parent_info));
	json_add_int(o, "f_loaded_times", m->loaded_times);
	json_add_int(o, "f_imported", m->imported);
	add_archive(o, m);
	json_add(o, "f_create_time", view_time(m->created_ms));
	json_add(o, "f_create_date", view_date(m->created_ms));
	json_add(o, "f_update_time", view_time(m->updated_ms));
	json_add(o, "f_update_date", view_date(m->updated_ms));
	return o;
}
