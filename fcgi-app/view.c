/*
 * Database rows to JSON.  Called by api_job.c, api_task.c.
 */
#include "fcgi-app/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"

/*
 * A row becomes text at once: its fifty members as objects would only be
 * made, printed and freed.
 */
struct view {
	struct buf *out;
	const char *prefix;
	bool begun;
};

#define VIEW(prefix, out)                                                      \
	{                                                                      \
		(out), (prefix), false                                         \
	}

static void
put_name_of(struct view *v, const char *name, const char *suffix)
{
	buf_puts(v->out, v->begun ? ",\"" : "{\"");
	v->begun = true;
	buf_puts(v->out, v->prefix);
	buf_puts(v->out, name);
	buf_puts(v->out, suffix);
	buf_puts(v->out, "\":");
}

static void
put_name(struct view *v, const char *name)
{
	put_name_of(v, name, "");
}

static void
put_raw(struct view *v, const char *name, const char *json)
{
	put_name(v, name);
	buf_puts(v->out, json);
}

/* The value is used up. */
static void
put(struct view *v, const char *name, struct json_object *value)
{
	put_raw(v, name, value != NULL ? json_text(value) : "null");
	json_object_put(value);
}

static void
put_str(struct view *v, const char *name, const char *value)
{
	put_name(v, name);
	if (value == NULL)
		buf_puts(v->out, "null");
	else if (json_canon_text(value, strlen(value), v->out) != 0)
		buf_puts(v->out, "\"\""); /* columns are UTF-8 */
}

/* printf() took a tenth of a page of jobs. */
static void
put_digits(struct view *v, int64_t value)
{
	char text[24], *p = text + sizeof(text) - 1;
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

	*p = '\0';
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (value < 0)
		*--p = '-';
	buf_puts(v->out, p);
}

static void
put_int(struct view *v, const char *name, int64_t value)
{
	put_name(v, name);
	put_digits(v, value);
}

/* Milliseconds since the epoch; null for 0. */
static void
put_ms(struct view *v, const char *name, const char *suffix, int64_t ms)
{
	put_name_of(v, name, suffix);
	if (ms > 0)
		put_digits(v, ms);
	else
		buf_puts(v->out, "null");
}

static void
put_bool(struct view *v, const char *name, bool value)
{
	put_raw(v, name, value ? "true" : "false");
}

/* A column's document as it stands: taking large ones apart and putting
 * them together again cost most of a query. */
static void
put_document(struct view *v, const char *name, const char *text)
{
	put_raw(v, name, text != NULL && *text != '\0' ? text : "{}");
}

/* The row, which prints as the text; the buffer is empty again. */
static struct json_object *
view_done(struct view *v)
{
	buf_putc(v->out, '}');
	return json_of_text(buf_steal(v->out));
}

/* name_time and name_date. */
static void
put_time(struct view *v, const char *name, int64_t ms)
{
	char date[CLOCK_DATE_SIZE];

	put_ms(v, name, "_time", ms);
	put_name_of(v, name, "_date");
	if (ms <= 0) {
		buf_puts(v->out, "null");
		return;
	}
	clock_date(ms, date);
	buf_putc(v->out, '"');
	buf_puts(v->out, date);
	buf_putc(v->out, '"');
}

static void
put_elapsed(struct view *v, int64_t started_ms, int64_t ended_ms)
{
	if (started_ms != 0 && ended_ms >= started_ms)
		put_int(v, "elapsed", ended_ms - started_ms);
	else
		put_raw(v, "elapsed", "null");
}

struct json_object *
view_document(const char *text)
{
	struct json_object *o = NULL;

	if (text == NULL || json_parse_text(text, &o) != 0 || o == NULL)
		o = json_object_new_object();
	return o;
}

struct json_object *
view_time(int64_t ms)
{
	return ms > 0 ? json_object_new_int64(ms) : NULL;
}

struct json_object *
view_date(int64_t ms)
{
	char text[CLOCK_DATE_SIZE];

	if (ms <= 0)
		return NULL;
	clock_date(ms, text);
	return json_object_new_string(text);
}

struct json_object *
view_party(const char *party_id)
{
	int64_t n;

	if (str_is_party_id(party_id) &&
	    str_to_int64(party_id, 0, INT64_MAX, &n) == 0)
		return json_object_new_int64(n);
	return json_object_new_string(party_id);
}

static int
by_number(const void *a, const void *b)
{
	struct json_object *const *x = a, *const *y = b;
	int64_t m = json_object_get_int64(*x);
	int64_t n = json_object_get_int64(*y);

	return m < n ? -1 : m > n;
}

static bool
has_number(struct json_object *list, int64_t n)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++) {
		if (json_object_get_int64(json_object_array_get_idx(list, i)) ==
		    n)
			return true;
	}
	return false;
}

/* The other parties of guest, host and arbiter, sorted, each once. */
static struct json_object *
partners_of(struct json_object *roles, const char *own)
{
	static const char *const names[] = { "guest", "host", "arbiter" };
	struct json_object *out = json_object_new_array(), *list;
	int64_t n, self = -1;
	size_t i, k;

	(void)str_to_int64(own, 0, INT64_MAX, &self);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		list = json_get(roles, names[i]);
		if (!json_is_array(list))
			continue;
		for (k = 0; k < json_object_array_length(list); k++) {
			n = json_object_get_int64(
			    json_object_array_get_idx(list, k));
			if (n != self && !has_number(out, n))
				json_object_array_add(
				    out, json_object_new_int64(n));
		}
	}
	json_object_array_sort(out, by_number);
	return out;
}

static void
put_resources(struct view *v, const struct db_job_row *row)
{
	put_str(v, "engine_name", "STANDALONE");
	put_str(v, "engine_type", "computing");
	put_int(v, "cores", row->party.cores);
	put_int(v, "memory", row->party.memory_mb);
	put_int(
	    v, "remaining_cores", row->resource_in_use ? row->party.cores : 0);
	put_int(v, "remaining_memory",
	    row->resource_in_use ? row->party.memory_mb : 0);
	put_bool(v, "resource_in_use", row->resource_in_use);
	put_ms(v, "apply_resource", "_time", row->applied_ms);
	put_ms(v, "return_resource", "_time", row->returned_ms);
}

/*
 * Why it waits (lib/model/wait.h); null when it does not.  Lists say the code
 * alone.  No client of the platform looks for the key.
 */
static void
put_wait(struct view *v, const struct db_wait *w, const char *words)
{
	enum wait_code code = wait_parse(w->code);
	struct buf text = BUF_INIT;
	struct view in = VIEW("", &text);

	if (code == WAIT_NONE) {
		put_raw(v, "wait", "null");
		return;
	}
	put_str(&in, "code", w->code);
	if (v->prefix[0] != '\0' && w->numbers != NULL) {
		put_str(&in, "role", w->role);
		put_str(&in, "party_id", w->party_id);
		put_str(&in, "on", w->on);
		put_raw(
		    &in, "numbers", w->numbers[0] == '\0' ? "{}" : w->numbers);
		put_int(&in, "since", w->since_ms);
		put_str(&in, "text",
		    w->text != NULL		      ? w->text
		    : words != NULL && *words != '\0' ? words
						      : wait_words(code));
	}
	put_str(&in, "clears", wait_clears(code));
	put(v, "wait", view_done(&in));
}

static void
put_signals(struct view *v, const struct db_job *job)
{
	put_bool(v, "is_initiator", job->is_initiator);
	put_bool(v, "ready_signal", false);
	put_raw(v, "ready_time", "null");
	put_bool(v, "cancel_signal", job->cancel_signal);
	put_raw(v, "cancel_time", "null");
	put_bool(v, "rerun_signal", false);
	put_int(v, "end_scheduling_updates", job->settled ? 1 : 0);
	put_raw(v, "inheritance_info", "{}");
	put_str(v, "inheritance_status", "pass");
}

void
view_job_documents(
    const struct db_job_row *row, const char *prefix, struct buf *out)
{
	const struct db_job *job = &row->job;
	struct json_object *roles = view_document(job->roles);
	struct buf text = BUF_INIT;
	struct view v = VIEW(prefix, &text);

	put_document(&v, "dsl", job->dsl);
	put_document(&v, "runtime_conf", job->runtime_conf);
	put_document(&v, "runtime_conf_on_party", row->party.party_conf);
	put_document(&v, "train_runtime_conf", job->train_conf);
	if (prefix[0] == '\0')
		put(&v, "partners", partners_of(roles, row->party.party_id));
	put(&v, "roles", roles);
	buf_append(out, text.data + 1, text.len - 1); /* no "{" */
	buf_fini(&text);
}

void
view_job_beside(const struct db_job_row *row, const char *prefix,
    const char *documents, struct buf *out)
{
	const struct db_job *job = &row->job;
	struct view v = VIEW(prefix, out);

	put_str(&v, "job_id", job->job_id);
	put_str(&v, "name", job->name);
	put_str(&v, "description",
	    job->description != NULL ? job->description : "");
	put_str(&v, "tag",
	    job->tag[0] == '\0' && state_is_end(job->status) ? "job_end"
							     : job->tag);
	put_raw(&v, "user_id", "null");
	put_raw(&v, "user", "{}");
	buf_putc(out, ',');
	buf_puts(out, documents);
	put_str(&v, "initiator_role", job->initiator_role);
	put_str(&v, "initiator_party_id", job->initiator_party);
	put_str(&v, "status", state_name(job->status));
	put_raw(&v, "status_code", "null");
	put_str(&v, "reason", job->reason);
	put_wait(&v, &job->wait, job->reason);
	put_str(&v, "role", row->party.role);
	if (prefix[0] == '\0')
		put(&v, "party_id", view_party(row->party.party_id));
	else
		put_str(&v, "party_id", row->party.party_id);
	put_int(&v, "progress", job->progress);
	put_signals(&v, job);
	put_resources(&v, row);
	put_time(&v, "start", job->started_ms);
	put_time(&v, "end", job->ended_ms);
	put_elapsed(&v, job->started_ms, job->ended_ms);
	put_time(&v, "create", job->created_ms);
	put_time(&v, "update", job->updated_ms);
	buf_putc(out, '}');
}

struct json_object *
view_job(const struct db_job_row *row, const char *prefix)
{
	struct buf documents = BUF_INIT, text = BUF_INIT;

	view_job_documents(row, prefix, &documents);
	view_job_beside(row, prefix, buf_str(&documents), &text);
	buf_fini(&documents);
	return json_of_text(buf_steal(&text));
}

/* The platform keeps a task's parameters under "ComponentParam". */
static struct json_object *
component_parameters(const struct db_task *task)
{
	struct buf text = BUF_INIT;
	struct view v = VIEW("", &text);

	put_document(&v, "ComponentParam", task->parameters);
	put_str(&v, "module", task->module);
	return view_done(&v);
}

static void
put_attempt(struct view *v, const struct db_task_row *row)
{
	put_str(v, "worker_id", row->attempt_id);
	put_raw(v, "cmd", "[]");
	put_str(v, "run_ip", row->host);
	put_raw(v, "run_port", "null");
	put(v, "run_pid",
	    row->executor_pid > 0 ? json_object_new_int64(row->executor_pid)
				  : NULL);
	put_bool(v, "kill_status", row->task.kill_wanted != STATE_NONE);
	put_bool(v, "is_deepspeed", false);
	put_raw(v, "deepspeed_id", "null");
}

struct json_object *
view_task(const struct db_task_row *row, const char *prefix)
{
	const struct db_task *t = &row->task;
	struct buf text = BUF_INIT;
	struct view v = VIEW(prefix, &text);
	char id[160];

	(void)snprintf(
	    id, sizeof(id), "%s_%s", t->key.job_id, t->key.component);
	put_str(&v, "job_id", t->key.job_id);
	put_str(&v, "component_name", t->key.component);
	put_str(&v, "component_module", t->module);
	put_str(&v, "task_id", id);
	put_int(&v, "task_version", t->key.version);
	put_str(&v, "initiator_role", row->initiator_role);
	put_str(&v, "initiator_party_id", row->initiator_party);
	put_str(&v, "federated_mode", "MULTIPLE");
	put_str(&v, "federated_status_collect_type", "PUSH");
	put_str(&v, "status", state_name(t->status));
	put_raw(&v, "status_code", "null");
	put_int(&v, "auto_retries", t->auto_retries);
	put_int(&v, "auto_retry_delay", t->retry_delay_s);
	put_str(&v, "role", t->key.role);
	put_str(&v, "party_id", t->key.party_id);
	put_bool(&v, "run_on_this_party", t->run_here);
	put_str(&v, "party_status", state_name(t->party_status));
	put_document(&v, "provider_info", t->provider);
	put(&v, "component_parameters", component_parameters(t));
	put_raw(&v, "engine_conf", "{}");
	put_str(
	    &v, "error_report", t->error_report != NULL ? t->error_report : "");
	put_str(&v, "fault", t->fault);
	put_int(&v, "progress", t->progress);
	put_wait(&v, &t->wait, NULL);
	put_attempt(&v, row);
	put_time(&v, "start", t->started_ms);
	put_time(&v, "end", t->ended_ms);
	put_elapsed(&v, t->started_ms, t->ended_ms);
	put_time(&v, "create", t->created_ms);
	put_time(&v, "update", t->updated_ms);
	return view_done(&v);
}

struct json_object *
view_output(const struct db_output *out)
{
	struct buf text = BUF_INIT;
	struct view v = VIEW(VIEW_QUERY, &text);
	char id[160];

	(void)snprintf(
	    id, sizeof(id), "%s_%s", out->key.job_id, out->key.component);
	put_str(&v, "job_id", out->key.job_id);
	put_str(&v, "component_name", out->key.component);
	put_str(&v, "task_id", id);
	put_int(&v, "task_version", out->key.version);
	put_str(&v, "data_name", out->data_name);
	put_str(&v, "role", out->key.role);
	put_str(&v, "party_id", out->key.party_id);
	put_str(&v, "table_name", out->name);
	put_str(&v, "table_namespace", out->table_namespace);
	put_str(&v, "description", "");
	put_time(&v, "create", out->created_ms);
	put_time(&v, "update", out->created_ms);
	return view_done(&v);
}
