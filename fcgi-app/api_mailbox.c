/*
 * Objects from partners' running tasks into the mailbox of a task here.
 * The one place where a partner's bytes reach an executor: who sends, what
 * it is called and how it comes is checked here, what it says there.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/conf/site_disk.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "lib/mailbox/mailbox.h"
#include "lib/provider/manifest.h"

#define RETRY_AFTER_S 1	     /* the receiver is at it */
#define RETRY_AFTER_FULL_S 5 /* somebody has to make room */

static int
read_receiver(struct request *req, struct mailbox_task *t)
{
	int64_t version;

	t->job_id = request_param(req, "job");
	t->component = request_param(req, "component");
	t->role = request_param(req, "role");
	t->party_id = request_param(req, "party");
	if (str_to_int64(
		request_param(req, "version"), 0, INT32_MAX, &version) != 0)
		return err_wrap("task version");
	t->version = (int)version;
	if (strcmp(t->party_id, req->app->conf->party_id) != 0)
		return err_set(
		    ERR_DENIED, "party %s is not at this site", t->party_id);
	return 0;
}

static int
read_number(struct request *req, const char *name, int64_t fallback,
    int64_t max, uint32_t *out)
{
	const char *text;
	int64_t n = fallback;
	int r;

	if ((r = request_query(req, name, &text)) != 0)
		return r;
	if (text != NULL && str_to_int64(text, 0, max, &n) != 0)
		return err_wrap("%s", name);
	*out = (uint32_t)n;
	return 0;
}

static int
read_object(struct request *req, struct mailbox_object *o)
{
	int r;

	if ((r = request_query(req, "name", &o->name)) != 0 ||
	    (r = request_query(req, "from", &o->from_role)) != 0 ||
	    (r = request_query(req, "tag", &o->tag)) != 0)
		return r;
	o->from_party = req->caller.party;
	if (o->tag == NULL)
		o->tag = "";
	if (o->name == NULL || o->from_role == NULL)
		return err_set(ERR_INVALID, "name and from must be said");
	if ((r = read_number(
		 req, "part", 0, MAILBOX_MAX_PARTS - 1, &o->part)) != 0 ||
	    (r = read_number(req, "parts", 1, MAILBOX_MAX_PARTS, &o->parts)) !=
		0)
		return r;
	return 0;
}

/* The module of a task's provider, as this site has it installed. */
static const struct module *
module_of(struct request *req, const struct db_task *task)
{
	const struct provider *p;
	struct json_object *o = NULL;
	const char *name, *version;

	if (task->provider == NULL || json_parse_text(task->provider, &o) != 0)
		return NULL;
	name = json_get_str(o, "name", "");
	version = json_get_str(o, "version", "");
	p = providers_find(req->app->providers, name, version);
	/* Registered since this worker looked? */
	if (p == NULL && provider_set_refresh(req->app) == 0)
		p = providers_find(req->app->providers, name, version);
	json_object_put(o);
	return p == NULL ? NULL : provider_module(p, task->module);
}

/*
 * A running task here, a sender that is a member, a name it may send.  One
 * that has ended well got all it needed (*late): what comes now is a copy
 * whose sender did not hear that the first was kept.
 */
static int
check_allowed(struct request *req, const struct mailbox_task *t,
    const struct mailbox_object *o, bool *late)
{
	struct db_task_key key = { .job_id = t->job_id,
		.component = t->component,
		.version = t->version,
		.role = t->role,
		.party_id = t->party_id };
	const struct module *module;
	struct db_party *sender;
	struct db_task *task;
	int r;

	/* First: who is no member learns nothing of the job and its tasks. */
	r = db_party_get(req->app->db, req->arena, t->job_id, o->from_role,
	    o->from_party, &sender);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_DENIED, "%s %s is no member of the job",
		    o->from_role, o->from_party);
	if (r != 0)
		return r;
	if ((r = db_task_get(req->app->db, req->arena, &key, &task)) != 0)
		return r;
	*late = task->run_here && state_is_success(task->party_status);
	if (!*late && (!task->run_here || state_is_end(task->party_status)))
		return err_set(ERR_NOT_FOUND, "the task does not run here");
	module = module_of(req, task);
	if (module == NULL ||
	    !module_may_send(module, o->name, o->from_role, t->role))
		return err_set(ERR_DENIED, "%s: no %s may send %.150s to %s",
		    task->module, o->from_role, o->name, t->role);
	if (!module_may_tag(module, o->name, o->tag))
		return err_set(ERR_DENIED,
		    "%s: %.150s has no tag '%.200s'; the manifest allows: %s",
		    task->module, o->name, o->tag,
		    module_tags_text(module, o->name, req->arena));
	return 0;
}

/* What must stay free is not a partner's to fill either. */
static int
check_disk(const struct request *req)
{
	if (site_disk_check(req->app->conf) == 0)
		return 0;
	return err_set(
	    ERR_FULL, "a disk of party %s is full", req->app->conf->party_id);
}

static int
deposit(struct request *req, const struct mailbox_task *t,
    const struct mailbox_object *o)
{
	char file[MAILBOX_FILE_SIZE];
	struct mailbox *box;
	int r;

	if ((r = mailbox_file_name(o, file)) != 0 ||
	    (r = mailbox_open(req->app->conf, t, &box)) != 0)
		return r;
	if (req->body_file != NULL)
		r = mailbox_put_file(box, o, req->body_file);
	else
		r = mailbox_put_bytes(box, o, req->raw.data, req->raw.len);
	mailbox_close(box);
	if (r == 0 && mailbox_wake(req->app->conf, t, file) != 0)
		err_clear(); /* it looks by itself, later */
	return r;
}

int
api_mailbox_put(struct request *req, struct reply *rp)
{
	struct mailbox_task t;
	struct mailbox_object o;
	bool late = false;
	int r;

	if ((r = read_receiver(req, &t)) == 0 &&
	    (r = read_object(req, &o)) == 0 &&
	    (r = check_allowed(req, &t, &o, &late)) == 0 && !late &&
	    (r = check_disk(req)) == 0)
		r = deposit(req, &t, &o);
	switch (r) {
	case 0:
		return 0;
	case ERR_BUSY:
		rp->retry_after_s = RETRY_AFTER_S;
		return reply_status(rp, 429, "%s", err_text());
	case ERR_FULL:
		rp->retry_after_s = RETRY_AFTER_FULL_S;
		return reply_status(rp, 507, "%s", err_text());
	case ERR_NOT_FOUND:
		return reply_status(rp, 404, "%s", err_text());
	case ERR_CONFLICT:
		return reply_status(rp, 409, "%s", err_text());
	case ERR_DENIED:
		(void)auth_refused(req, req->caller.name, ERR_DENIED);
		return reply_status(rp, 403, "%s", err_text());
	case ERR_LIMIT:
		return reply_status(rp, 413, "%s", err_text());
	case ERR_INVALID:
		return reply_status(rp, 400, "%s", err_text());
	default:
		log_err("object not kept");
		return reply_status(rp, 500, "%s", err_meaning(r));
	}
}
