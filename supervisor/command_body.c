/*
 * Commands as partners are told them: for each verb where it goes and what it
 * carries (docs/internals.md, "Party commands").  Called by command.c.
 */
#include "supervisor/command_body.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/db/db_contract.h"
#include "lib/json/json.h"
#include "lib/party/signatures.h"
#include "lib/party/withdraw.h"
#include "supervisor/job.h"

char *
command_path(const struct command *c)
{
	struct buf b = BUF_INIT;
	const char *state = state_name(c->status);

	if (plan_is_task_command(c->verb))
		buf_printf(&b, "/v1/party/%s/%s/%s_%s/%lld/%s/%s/",
		    c->task.job_id, c->task.component, c->task.job_id,
		    c->task.component, (long long)c->task.version, c->to.role,
		    c->to.party_id);
	else
		buf_printf(&b, "/v1/party/%s/%s/%s/", c->to.job_id, c->to.role,
		    c->to.party_id);
	switch (c->verb) {
	case PLAN_CREATE:
	case PLAN_TASK_CREATE:
		buf_puts(&b, "create");
		break;
	case PLAN_REOPEN:
		buf_puts(&b, "reopen");
		break;
	case PLAN_APPLY:
		buf_puts(&b, "resource/apply");
		break;
	case PLAN_RETURN:
		buf_puts(&b, "resource/return");
		break;
	case PLAN_START:
	case PLAN_TASK_START:
		buf_puts(&b, "start");
		break;
	case PLAN_END:
		buf_printf(&b, "%s/%s",
		    c->status == STATE_SUCCESS || c->undo ? "status" : "stop",
		    state);
		break;
	case PLAN_MODEL:
		buf_puts(&b, "model");
		break;
	case PLAN_TASK_STATUS:
		buf_printf(&b, "status/%s", state);
		break;
	case PLAN_TASK_STOP:
		buf_printf(&b, "stop/%s", state);
		break;
	default:
		buf_puts(&b, "collect");
		break;
	}
	return buf_steal(&b);
}

/* Documents go as they are stored; they were JSON when they came in. */
static void
add_document(struct buf *b, const char *name, const char *text)
{
	if (text != NULL && *text != '\0')
		buf_printf(
		    b, "%c\"%s\":%s", b->len == 0 ? '{' : ',', name, text);
}

/* [member's signature, …]: those that are here. */
static int
add_signatures(struct command *c, struct buf *b, int64_t revision)
{
	struct db_signature *rows;
	struct json_object *list;
	size_t n;
	int r;

	if ((r = db_signature_list(c->super->db, c->arena, c->to.job_id,
		 revision, &rows, &n)) != 0)
		return r;
	list = signatures_json(rows, n);
	add_document(b, "signatures", json_text(list));
	json_object_put(list);
	return 0;
}

/*
 * With the start every member gets the signatures of all: those that are rows,
 * and those that have come and are none yet.
 */
static int
add_all_signatures(struct command *c, struct json_object *o)
{
	struct json_object *list;
	struct db_signature *rows;
	size_t n;
	int r;

	if ((r = db_signature_list_now(
		 c->super->db, c->arena, c->to.job_id, &rows, &n)) != 0)
		return r;
	list = signatures_json(rows, n);
	for (const struct acks_signature *s = c->job->acks.signatures;
	     s != NULL; s = s->next)
		if (s->revision == c->revision &&
		    signatures_find(rows, n, s->by.role, s->by.party_id) ==
			NULL)
			json_object_array_add(list, signature_json(&s->by));
	json_add(o, "signatures", list);
	return 0;
}

/* The whole job, for a member that takes part in it (again). */
static int
documents_body(struct command *c, char **out)
{
	struct arena *arena = arena_new();
	struct json_object *texts = json_object_new_object();
	struct buf b = BUF_INIT;
	struct db_job *row;
	int r;

	r = db_job_get(c->super->db, arena, c->to.job_id, &row);
	if (r == 0)
		r = add_signatures(c, &b, row->revision);
	if (r == 0) {
		json_add_str(texts, "name", row->name);
		json_add_str(texts, "description",
		    row->description == NULL ? "" : row->description);
		json_add_int(texts, "revision", row->revision);
		json_add_int(texts, "run", row->run);
		json_add_int(texts, "fence", c->fence);
		add_document(&b, "dsl", row->dsl);
		add_document(&b, "runtime_conf", row->runtime_conf);
		add_document(&b, "contract", row->contract);
		/* The texts' own object, without its opening brace. */
		buf_printf(&b, ",%s", json_text(texts) + 1);
		*out = buf_steal(&b);
	}
	buf_fini(&b);
	json_object_put(texts);
	arena_free(arena);
	return r;
}

/* [[component, version], …] */
static struct json_object *
tasks_json(const struct db_task_key *keys, size_t n)
{
	struct json_object *list = json_object_new_array(), *one;

	for (size_t i = 0; i < n; i++) {
		one = json_object_new_array();
		json_object_array_add(
		    one, json_object_new_string(keys[i].component));
		json_object_array_add(
		    one, json_object_new_int64(keys[i].version));
		json_object_array_add(list, one);
	}
	return list;
}

int
command_body_make(struct command *c, char **out)
{
	struct json_object *o;
	int r;

	if (c->verb == PLAN_CREATE || c->verb == PLAN_REOPEN)
		return documents_body(c, out);
	o = json_object_new_object();
	if (c->verb == PLAN_TASK_CREATE) {
		json_add_int(o, "auto_retries", c->auto_retries);
		json_add_int(o, "retry_delay_s", c->retry_delay_s);
	}
	if (!plan_is_task_command(c->verb))
		json_add_int(o, "run", c->run);
	if (c->verb != PLAN_TASK_COLLECT)
		json_add_int(o, "fence", c->fence);
	if (c->reason != NULL)
		json_add_str(o, "reason", withdraw_outward(c->reason));
	if (c->verb == PLAN_APPLY && c->begins)
		json_add_bool(o, "begin", true);
	if ((c->verb == PLAN_START || c->begins) &&
	    (r = add_all_signatures(c, o)) != 0) {
		json_object_put(o);
		return r;
	}
	if (c->undo)
		json_add_bool(o, "undo", true);
	if (c->ntold > 0)
		json_add(o, "succeeded", tasks_json(c->told, c->ntold));
	if (c->nstarts > 0)
		json_add(o, "tasks", tasks_json(c->starts, c->nstarts));
	if (c->nmodels > 0)
		json_add(o, "model", model_members_json(c->models, c->nmodels));
	*out = xstrdup(json_text(o));
	json_object_put(o);
	return 0;
}
