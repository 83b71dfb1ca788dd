/*
 * Tables out to files and servers: data/download and data/writer make local
 * jobs, as uploads do.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/outside.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/data/export.h"
#include "lib/data/resolve.h"
#include "lib/db/db_table.h"

#define LOCAL_PARTY "0" /* party id of local jobs */

struct move {
	const char *module;
	struct json_object *parameters; /* owned */
	struct json_object *dsl;	/* owned */
	struct json_object *conf;	/* owned */
};

static const char *
text(const struct request *req, const char *name)
{
	const char *s = request_text(req, name);

	return s != NULL ? s : "";
}

/* The table must be there now, so that no job is made in vain. */
static int
check_source(struct request *req)
{
	const struct db_table *own;
	struct db_table *t;
	int r;

	if ((r = request_require(req, "namespace,table_name")) != 0 ||
	    (r = db_table_get(req->app->db, req->arena, text(req, "namespace"),
		 text(req, "table_name"), &t)) != 0)
		return r;
	if (t->disabled)
		return err_set(ERR_DENIED, "table %s %s is disabled",
		    t->table_namespace, t->name);
	return data_resolve(req->app->db, req->arena, t, &own);
}

static struct json_object *
source_parameters(struct request *req)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "namespace", text(req, "namespace"));
	json_add_str(o, "name", text(req, "table_name"));
	return o;
}

static int
make_documents(struct request *req, const char *job_id, struct submit *s)
{
	struct move *m = s->ctx;

	(void)req;
	(void)job_id;
	json_object_put(m->dsl);
	json_object_put(m->conf);
	job_local_documents(
	    m->module, m->parameters, NULL, LOCAL_PARTY, &m->dsl, &m->conf);
	s->dsl = m->dsl;
	s->conf = m->conf;
	return 0;
}

static int
submit_move(struct request *req, struct reply *rp, struct move *m)
{
	struct submit s = {
		.dsl_name = "job_dsl",
		.conf_name = "job_runtime_conf",
		.local_party = LOCAL_PARTY,
		.documents = make_documents,
		.ctx = m,
	};
	int r = submit_job(req, rp, &s);

	json_object_put(m->parameters);
	json_object_put(m->dsl);
	json_object_put(m->conf);
	return r;
}

/* --- download ----------------------------------------------------------------- */

/*
 * Clients make output_path absolute on their own machine, where nobody here
 * can write: the file's name is what counts then, and the answer says where
 * the file will be.
 */
int
api_data_download(struct request *req, struct reply *rp)
{
	struct move m = { .module = "Download" };
	const char *delimiter = request_text(req, "delimiter");
	char *path = NULL;
	int r;

	if ((r = request_require(req, "namespace,table_name,output_path")) !=
		0 ||
	    (r = check_source(req)) != 0 ||
	    (r = export_path_of_client(
		 req->app->conf, text(req, "output_path"), &path)) != 0)
		return outside_refuse(rp, r);
	m.parameters = source_parameters(req);
	json_add_str(m.parameters, "output_path", path);
	if (delimiter != NULL)
		json_add_str(m.parameters, "delimiter", delimiter);
	if ((r = submit_move(req, rp, &m)) == 0 && rp->retcode == 0) {
		json_add_str(rp->data, "output_path",
		    arena_printf(req->arena, "%s/%s",
			req->app->conf->export_root, path));
		reply_message(rp,
		    "success; the file will be %s/%s on the server",
		    req->app->conf->export_root, path);
	}
	free(path);
	return r;
}

/* --- writer --------------------------------------------------------------------- */

static int
to_table(struct request *req, struct json_object *p)
{
	struct db_table *t;
	int r;

	if ((r = request_require(req, "output_namespace,output_name")) != 0)
		return r;
	r = db_table_get(req->app->db, req->arena,
	    text(req, "output_namespace"), text(req, "output_name"), &t);
	if (r == 0)
		return err_set(ERR_EXISTS, "table %s exists in namespace %s",
		    t->name, t->table_namespace);
	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	json_add_str(p, "output_namespace", text(req, "output_namespace"));
	json_add_str(p, "output_name", text(req, "output_name"));
	return 0;
}

/* The password is sealed before it becomes part of the job. */
static int
to_address(struct request *req, struct json_object *p)
{
	struct json_object *address = request_field(req, "address"), *kept;
	enum data_engine engine;
	char *path = NULL;
	int r;

	if ((r = request_require(req, "storage_engine,address")) != 0 ||
	    (r = data_engine_parse(text(req, "storage_engine"), &engine)) != 0)
		return r;
	if (data_engine_is_file(engine)) {
		if ((r = export_path(req->app->conf,
			 json_get_str(address, "path", ""), &path)) != 0)
			return r;
		kept = json_object_new_object();
		json_add_str(kept, "path", path);
		free(path);
	} else if ((r = outside_check_target(req, engine, address, &kept)) !=
		   0) {
		return r;
	}
	json_add_str(p, "storage_engine", data_engine_name(engine));
	json_add(p, "address", kept);
	return 0;
}

int
api_data_writer(struct request *req, struct reply *rp)
{
	struct move m = { .module = "Writer" };
	bool is_table = request_field(req, "output_name") != NULL ||
			request_field(req, "output_namespace") != NULL;
	int r;

	if ((r = check_source(req)) != 0)
		return outside_refuse(rp, r);
	m.parameters = source_parameters(req);
	r = is_table ? to_table(req, m.parameters)
		     : to_address(req, m.parameters);
	if (r != 0) {
		json_object_put(m.parameters);
		return outside_refuse(rp, r);
	}
	return submit_move(req, rp, &m);
}
