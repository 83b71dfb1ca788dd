/*
 * Polls job/query and job/task/query: the client API has no push.
 */
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/screen.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define POLL_MS 150
/* A site that restarts is waited for this long. */
#define PATIENCE_MS 20000

static bool
has_ended(const char *status)
{
	return str_eq(status, "success") || str_eq(status, "failed") ||
	       str_eq(status, "canceled") || str_eq(status, "timeout");
}

/* The initiator's row if it is here, else the first. */
static struct json_object *
choose_row(struct json_object *rows)
{
	struct json_object *row;
	size_t i;

	for (i = 0; i < json_object_array_length(rows); i++) {
		row = json_object_array_get_idx(rows, i);
		if (json_get_bool(row, "f_is_initiator", false))
			return row;
	}
	return json_object_array_get_idx(rows, 0);
}

static int
ask_job(struct api *api, struct json_object *filter, struct watch_result *w)
{
	struct json_object *answer, *rows;
	int r;

	if ((r = api_post(api, "job/query", filter, &answer)) != 0)
		return r;
	rows = json_get(answer, "data");
	if (!json_is_array(rows) || json_object_array_length(rows) == 0) {
		r = err_set(ERR_NOT_FOUND,
		    "there is no job %s at this site: is the id complete, and "
		    "is it this site's?",
		    json_get_str(filter, "job_id", ""));
	} else {
		json_object_put(w->job);
		w->job = json_object_get(choose_row(rows));
		free(w->status);
		w->status =
		    xstrdup(json_get_str(w->job, "f_status", "unknown"));
	}
	json_object_put(answer);
	return r;
}

/* "No task yet" is an error of this API; it shows as no rows. */
static int
ask_tasks(struct api *api, const char *job_id, struct watch_result *w)
{
	struct json_object *filter = json_object_new_object();
	struct json_object *answer;
	int r;

	json_add_str(filter, "job_id", job_id);
	r = api_post(api, "job/task/query", filter, &answer);
	if (r == 0) {
		json_object_put(w->tasks);
		w->tasks = json_object_get(json_get(answer, "data"));
	} else if (r == ERR_REMOTE) {
		r = 0;
	}
	json_object_put(answer);
	json_object_put(filter);
	return r;
}

static void
wait_a_little(void)
{
	struct timespec ts = { .tv_nsec = POLL_MS * 1000000L };

	(void)nanosleep(&ts, NULL);
}

int
watch_job(struct api *api, const char *job_id, const char *role,
    const char *party, bool quiet, struct watch_result *out)
{
	struct json_object *filter = json_object_new_object();
	struct screen *screen = quiet ? NULL : screen_new(stdout);
	int64_t heard_ms = clock_mono_ms();
	int r;

	memset(out, 0, sizeof(*out));
	json_add_str(filter, "job_id", job_id);
	if (role != NULL)
		json_add_str(filter, "role", role);
	if (party != NULL)
		json_add_str(filter, "party_id", party);
	for (;;) {
		if ((r = ask_job(api, filter, out)) == 0)
			r = ask_tasks(api, job_id, out);
		if (r == 0) {
			heard_ms = clock_mono_ms();
			screen_show(screen, out->job, out->tasks);
			if (has_ended(out->status))
				break;
		} else if ((r != ERR_NET && r != ERR_TIMEOUT) ||
			   clock_mono_ms() - heard_ms > PATIENCE_MS) {
			break;
		}
		wait_a_little();
	}
	screen_free(screen);
	json_object_put(filter);
	return r;
}

void
watch_result_fini(struct watch_result *w)
{
	free(w->status);
	json_object_put(w->job);
	json_object_put(w->tasks);
	memset(w, 0, sizeof(*w));
}

static struct json_object *
result_json(
    const char *job_id, const struct watch_result *w, const char *warning)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", job_id);
	json_add_str(o, "status", w->status);
	if (warning != NULL)
		json_add_str(o, "warning", warning);
	json_add(o, "job", json_object_get(w->job));
	json_add(o, "tasks", json_object_get(w->tasks));
	return o;
}

/*
 * A run that somebody refused leaves the success of the run before, with the
 * refusal as its reason: who asked for the run is told.
 */
static bool
is_undone(const struct args *args, const struct watch_result *w)
{
	const char *reason = json_get_str(w->job, "f_reason", "");

	if (*reason == '\0')
		return false;
	output_note("sluice %s: %s", args_command(args)->name, reason);
	return str_eq(args_command(args)->name, "rerun");
}

int
watch_and_report(const struct args *args, struct api *api, const char *job_id,
    const char *role, const char *party, const char *warning)
{
	struct json_object *o;
	struct watch_result w;
	int r;

	r = watch_job(api, job_id, role, party, args_json(args), &w);
	if (r == 0) {
		if (args_json(args)) {
			o = result_json(job_id, &w, warning);
			output_json(o);
			json_object_put(o);
		}
		r = str_eq(w.status, "success") && !is_undone(args, &w)
			? EXIT_OK
			: EXIT_JOB;
	}
	watch_result_fini(&w);
	return r;
}
