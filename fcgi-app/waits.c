/*
 * Who of a running job's members does not answer, and who holds what a
 * waiting one needs.  Called by api_job.c and api_task.c.
 */
#include "fcgi-app/waits.h"

#include <string.h>

#include "fcgi-app/app.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_resource.h"
#include "lib/json/json.h"
#include "lib/model/wait.h"

/* Jobs named as holders, those that hold most first. */
#define HOLDERS_MAX 10

/*
 * What one request asked for: usually that every partner answers.  Rows come
 * job by job, so the last job's answer is the one to keep.
 */
struct waits {
	struct request *req;
	bool has_silent; /* the partners were asked for */
	struct db_partner_state *silent;
	size_t n_silent;
	bool has_holders;
	const char **holders;
	size_t n_holders;
	const char *job_id; /* NULL: of none yet */
	struct db_wait gone;
};

/* --- partners that do not answer ------------------------------------------ */

static const struct db_partner_state *
state_of(const struct waits *s, const char *party)
{
	for (size_t i = 0; i < s->n_silent; i++)
		if (strcmp(s->silent[i].party_id, party) == 0)
			return &s->silent[i];
	return NULL;
}

static struct db_wait
gone_wait(struct waits *s, const struct db_party *m,
    const struct db_partner_state *st)
{
	struct arena *a = s->req->arena;
	struct wait w = wait_of(WAIT_PARTNER_UNREACHABLE);
	struct json_object *numbers;
	struct db_wait out = { .code = wait_name(w.code),
		.role = m->role,
		.party_id = m->party_id,
		.on = "",
		.since_ms = st->since_ms };

	wait_set(&w, WAIT_N_AWAY_MS, st->since_ago_ms);
	numbers = wait_numbers_json(&w);
	out.numbers = arena_strdup(a, json_text(numbers));
	json_object_put(numbers);
	out.text = arena_printf(a, "%s %s does not answer: %s", m->role,
	    m->party_id, st->reason != NULL ? st->reason : "no answer");
	return out;
}

static int
ask(struct waits *s, const char *job_id)
{
	struct db *db = s->req->app->db;
	const struct db_partner_state *st;
	struct db_party *members;
	size_t n;
	int r;

	if (s->job_id != NULL && strcmp(s->job_id, job_id) == 0)
		return 0;
	s->job_id = job_id;
	s->gone = (struct db_wait){ .code = "" };
	if ((r = db_party_list(db, s->req->arena, job_id, &members, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (!members[i].is_local &&
		    (st = state_of(s, members[i].party_id)) != NULL) {
			s->gone = gone_wait(s, &members[i], st);
			break;
		}
	return 0;
}

static int
mark_running(struct waits *s, const char *job_id, struct db_wait *wait)
{
	int r = 0;

	if (!s->has_silent)
		r = db_partner_state_silent(
		    s->req->app->db, s->req->arena, &s->silent, &s->n_silent);
	s->has_silent = true;
	if (r != 0 || s->n_silent == 0 || (r = ask(s, job_id)) != 0)
		return r;
	if (s->gone.code[0] != '\0')
		*wait = s->gone;
	return 0;
}

/* --- who holds what is needed here ---------------------------------------- */

static int
name_holders(struct waits *s, const char *job_id, struct db_wait *wait)
{
	struct arena *a = s->req->arena;
	const char *names = "";
	int r = 0;

	if (!s->has_holders)
		r = db_grant_holders(s->req->app->db, a, HOLDERS_MAX,
		    &s->holders, &s->n_holders);
	s->has_holders = true;
	for (size_t i = 0; r == 0 && i < s->n_holders; i++)
		if (strcmp(s->holders[i], job_id) != 0)
			names = arena_printf(a, "%s%s%s", names,
			    *names == '\0' ? "" : ",", s->holders[i]);
	wait->on = names;
	return r;
}

/* A row of a brief list has the code alone, and shows no more. */
static bool
waits_for_own_site(const struct waits *s, const struct db_wait *wait)
{
	return wait->party_id != NULL &&
	       str_eq(wait->code, wait_name(WAIT_WAITING_RESOURCES)) &&
	       str_eq(wait->party_id, s->req->app->conf->party_id);
}

static int
complete(struct waits *s, const char *job_id, enum state status,
    struct db_wait *wait)
{
	if (status == STATE_RUNNING && wait->code[0] == '\0')
		return mark_running(s, job_id, wait);
	if (waits_for_own_site(s, wait))
		return name_holders(s, job_id, wait);
	return 0;
}

int
waits_of_jobs(struct request *req, struct db_job_row *rows, size_t n)
{
	struct waits s = { .req = req };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = complete(&s, rows[i].job.job_id, rows[i].job.status,
		    &rows[i].job.wait);
	return r;
}

int
waits_of_tasks(struct request *req, struct db_task_row *rows, size_t n)
{
	struct waits s = { .req = req };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = complete(&s, rows[i].task.key.job_id,
		    rows[i].task.party_status, &rows[i].task.wait);
	return r;
}
