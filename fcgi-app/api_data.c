/*
 * Uploads: the file is put where the job finds it, the job does the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/form.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "fcgi-app/upload.h"
#include "fcgi-app/view.h"
#include "lib/base/beneath.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_table.h"

#define LOCAL_PARTY "0" /* party id of local jobs */
#define COPY_CHUNK ((size_t)256 * 1024)

struct upload_job {
	struct upload up;
	int fd; /* the form's file, or one of this server, then owned; or -1 */
	const struct multipart *form;
	uint64_t len;
	char *path;  /* of the job's file, a copy */
	bool placed; /* it is there and nobody's yet */
	struct json_object *dsl;
	struct json_object *conf;
};

/* --- the file ----------------------------------------------------------------- */

/* In the kernel where the file system can, else through memory. */
static int
copy_file(int from, uint64_t len, int to)
{
	loff_t at = 0;
	char *chunk;
	ssize_t n = 1;
	int r = 0;

	while (len > 0 && n > 0) {
		n = copy_file_range(from, &at, to, NULL, len, 0);
		if (n > 0)
			len -= (uint64_t)n;
	}
	if (len == 0)
		return 0;
	chunk = xmalloc(COPY_CHUNK);
	while (r == 0 && len > 0) {
		n = pread(from, chunk, len < COPY_CHUNK ? len : COPY_CHUNK, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = err_set(ERR_IO, "the file ends early");
			break;
		}
		r = fd_write_all(to, chunk, (size_t)n);
		at += n;
		len -= (uint64_t)n;
	}
	free(chunk);
	return r;
}

/*
 * A received file needs no copy where the file system can name what had no
 * name; -1 where it cannot.
 */
static int
give_name(struct upload_job *job)
{
	char *from = xasprintf("/proc/self/fd/%d", job->fd);
	int r;

	r = linkat(AT_FDCWD, from, AT_FDCWD, job->path, AT_SYMLINK_FOLLOW);
	free(from);
	if (r == 0)
		job->placed = true;
	return r;
}

static void
unplace(struct upload_job *job)
{
	if (job->placed)
		(void)unlink(job->path);
	job->placed = false;
}

static int
place_file(struct request *req, const char *job_id, struct submit *s)
{
	struct upload_job *job = s->ctx;
	int fd, r;

	(void)req;
	(void)job_id;
	if (job->form != NULL && give_name(job) == 0)
		return 0;
	fd = open(job->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set_errno(
		    errno == EEXIST ? ERR_EXISTS : ERR_IO, "%s", job->path);
	job->placed = true;
	r = copy_file(job->fd, job->len, fd);
	fd_close(&fd);
	if (r == 0)
		log_debug("upload of %llu bytes", (unsigned long long)job->len);
	return r;
}

/*
 * A file of this server: only below the folders that the site's owner set
 * aside, for uploads or for tables.  One answer for "not there" and "not
 * yours": no probing.
 */
static int
open_server_file(struct request *req, struct upload_job *job)
{
	const struct site_conf *conf = req->app->conf;
	const char *file = job->up.file, *p;
	const char *const roots[] = { conf->upload_root, conf->file_roots };
	struct stat st;
	size_t i, n;

	for (i = 0; i < 2 && job->fd < 0; i++)
		for (p = roots[i]; *p != '\0' && job->fd < 0;
		     p += n + (p[n] == ':')) {
			char *root;
			const char *rest;

			n = i == 0 ? strlen(p) : strcspn(p, ":");
			root = arena_strndup(req->arena, p, n);
			rest = beneath_rest(root, file);
			if (rest != NULL && rest[0] != '\0')
				(void)beneath_open(root, rest,
				    O_RDONLY | O_NOCTTY | O_NONBLOCK, 0,
				    &job->fd);
		}
	if (job->fd < 0 || fstat(job->fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(ERR_INVALID,
		    "file '%s' is not below a folder that this site set aside "
		    "for it ([fcgi] upload_root, [data] file_roots); leave "
		    "use_local_data at 1 to send a file of yours",
		    file);
	job->len = (uint64_t)st.st_size;
	return 0;
}

/* --- the job -------------------------------------------------------------------- */

static int
make_documents(struct request *req, const char *job_id, struct submit *s)
{
	struct upload_job *job = s->ctx;
	struct json_object *parameters, *common;

	/* Again, under another id. */
	unplace(job);
	free(job->path);
	job->path =
	    site_path(req->app->conf, "%s/upload/%s.csv", SITE_SPOOL, job_id);
	json_object_put(job->dsl);
	json_object_put(job->conf);
	common = json_object_new_object();
	if (job->up.task_cores > 0)
		json_add_int(common, "task_cores", job->up.task_cores);
	parameters = upload_parameters(&job->up, job->path);
	job_local_documents(
	    "Upload", parameters, common, LOCAL_PARTY, &job->dsl, &job->conf);
	json_object_put(parameters);
	json_object_put(common);
	s->dsl = job->dsl;
	s->conf = job->conf;
	return 0;
}

/* An existing table is found now, so that no job is made in vain. */
static int
check_absent(struct request *req, const struct upload *up)
{
	struct db_table *t;
	int r;

	r = db_table_get(
	    req->app->db, req->arena, up->table_namespace, up->table_name, &t);
	if (r == ERR_NOT_FOUND)
		return 0;
	if (r != 0 || up->drop)
		return r;
	return err_set(ERR_EXISTS,
	    "The data table already exists: %s %s. If "
	    "you still want to continue uploading, please add the parameter "
	    "--drop",
	    up->table_namespace, up->table_name);
}

/* The platform reports a job that could not be made inside data. */
static void
fit_reply(struct reply *rp, const struct upload *up)
{
	if (rp->data == NULL)
		rp->data = json_object_new_object();
	if (rp->retcode != 0) {
		json_add_int(rp->data, "code", rp->retcode);
		json_add_str(rp->data, "message", rp->retmsg);
		rp->retcode = 0;
	}
	json_add_str(rp->data, "table_name", up->table_name);
	json_add_str(rp->data, "namespace", up->table_namespace);
}

static int
submit_upload(struct request *req, struct reply *rp, struct upload_job *job)
{
	struct submit s = {
		.dsl_name = "job_dsl",
		.conf_name = "job_runtime_conf",
		.local_party = LOCAL_PARTY,
		.documents = make_documents,
		.place = place_file,
		.ctx = job,
	};
	int r;

	if ((r = submit_job(req, rp, &s)) != 0)
		return r;
	if (rp->retcode == 0)
		job->placed = false; /* the job's now */
	fit_reply(rp, &job->up);
	return 0;
}

/* --- the request ------------------------------------------------------------------- */

static int
open_form(struct request *req, struct upload_job *job)
{
	int r;

	if (req->form == NULL)
		return 0;
	if ((r = form_multipart(req, &job->form)) != 0)
		return r;
	job->fd = job->form->fd;
	job->len = job->form->len;
	return 0;
}

static int
upload(struct request *req, struct reply *rp, struct upload_job *job,
    struct json_object **config)
{
	int r;

	if ((r = open_form(req, job)) != 0 ||
	    (r = upload_config(req,
		 job->form != NULL ? job->form->fields : NULL, config)) != 0)
		return r;
	if (job->fd >= 0 && json_get(*config, "file") == NULL)
		json_add_str(*config, "file", job->form->filename);
	r = upload_decode(*config, &job->up);
	if (r == ERR_INVALID)
		return reply_fault(rp, 100, "%s", err_text());
	if (r != 0 || (r = check_absent(req, &job->up)) != 0)
		return r;
	if (job->fd < 0 && (r = open_server_file(req, job)) != 0)
		return r;
	return submit_upload(req, rp, job);
}

int
api_data_upload(struct request *req, struct reply *rp)
{
	struct upload_job job = { .fd = -1 };
	struct json_object *config = NULL;
	int r;

	r = upload(req, rp, &job, &config);
	unplace(&job);
	if (job.form == NULL)
		fd_close(&job.fd);
	json_object_put(job.dsl);
	json_object_put(job.conf);
	json_object_put(config);
	free(job.path);
	return r;
}

/* --- history --------------------------------------------------------------------------- */

/* The most that are listed: clients ask for ten, or say nothing for all. */
#define HISTORY_MAX 10000

static struct json_object *
history_entry(const struct db_upload *u)
{
	struct json_object *o = json_object_new_object();
	struct json_object *e = json_object_new_object();
	struct json_object *info = json_object_new_object();

	json_add_str(info, "table_name", u->name);
	json_add_str(info, "namespace", u->table_namespace);
	json_add_int(info, "partition", u->partitions);
	json_add_int(info, "upload_count", u->row_count);
	json_add(e, "upload_info", info);
	json_add_str(e, "notes", u->notes != NULL ? u->notes : "");
	json_add(e, "schema", view_document(u->schema_json));
	json_add(o, u->job_id, e);
	return o;
}

int
api_upload_history(struct request *req, struct reply *rp)
{
	struct json_object *list;
	struct db_upload *rows;
	int64_t limit;
	size_t i, n;
	int r;

	if ((r = request_int(req, "limit", 0, 1000000, 0, &limit)) != 0)
		return r;
	if (limit == 0 || limit > HISTORY_MAX)
		limit = HISTORY_MAX;
	if ((r = db_upload_list(req->app->db, req->arena,
		 request_text(req, "job_id"), limit, &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(list, history_entry(&rows[i]));
	return reply_data(rp, list);
}

int
api_data_other(struct request *req, struct reply *rp)
{
	return reply_status(
	    rp, 400, "no such data operation: %s", request_param(req, "other"));
}
