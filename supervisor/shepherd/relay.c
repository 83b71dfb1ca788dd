/*
 * A queue of frames on their way into rows.  Points are unique by their
 * place, so writing one again after a doubtful commit is harmless.
 */
#include "supervisor/shepherd/relay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/db/db_metric.h"
#include "lib/json/canon.h"
#include "supervisor/shepherd/checkpoint.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

#define MAX_WAITING 256 /* frames */
#define RETRY_MS 100
#define RETRY_MAX_MS 2000
/*
 * Points of metrics from one task, each row in the database; long texts count
 * as several.
 */
#define MAX_COST 1000000
#define COST_BYTES 64	/* of text */
#define PROGRESS_MS 500 /* at most one write in that time */

struct waiting {
	TAILQ_ENTRY(waiting) link;
	frame_msg *frame;
};

struct relay {
	struct shepherd *shepherd;
	TAILQ_HEAD(waiting_list, waiting) queue;
	size_t n;
	size_t n_checkpoints; /* of those */
	struct loop_timer *timer;
	int64_t pause_ms;
	int64_t progress_ms; /* of the last write */
	int64_t percent;
	size_t cost; /* of all metrics so far */
};

/* --- rows ----------------------------------------------------------------------- */

static const char *
value_json(struct arena *a, const Sluice__Executor__Value *v)
{
	struct json_object *o;
	char number[JSON_NUMBER_SIZE];
	const char *text;

	if (v->kind_case == SLUICE__EXECUTOR__VALUE__KIND_TEXT) {
		o = json_object_new_string(v->text);
		text = arena_strdup(a, json_text(o));
		json_object_put(o);
		return text;
	}
	/* JSON has no infinity; a diverging loss shows as null. */
	if (!isfinite(v->number))
		return "null";
	json_number_text(v->number, number);
	return arena_strdup(a, number);
}

static int
write_points(struct shepherd *s, const Sluice__Executor__MetricData *m)
{
	struct db_series series = {
		.key = *subject_key(s->subject),
		.metric_namespace = m->metric_namespace,
		.name = m->metric_name,
	};
	struct arena *a = arena_new();
	struct db_point *points;
	size_t i;
	int r;

	points = arena_alloc(a, (m->n_points + 1) * sizeof(*points));
	for (i = 0; i < m->n_points; i++) {
		const Sluice__Executor__Value *key = m->points[i]->key;

		points[i].point_key = value_json(a, key);
		points[i].sort_key =
		    key->kind_case == SLUICE__EXECUTOR__VALUE__KIND_NUMBER
			? key->number
			: NAN;
		points[i].point_value = value_json(a, m->points[i]->value);
	}
	r = db_metric_add(s->db, &series, points, m->n_points);
	arena_free(a);
	return r;
}

static int
write_meta(struct shepherd *s, const Sluice__Executor__MetricMeta *m)
{
	struct db_series series = {
		.key = *subject_key(s->subject),
		.metric_namespace = m->metric_namespace,
		.name = m->metric_name,
		.meta = m->meta_json,
	};

	return db_metric_add(s->db, &series, NULL, 0);
}

static int
write_progress(struct relay *rl, const Sluice__Executor__Progress *m)
{
	struct shepherd *s = rl->shepherd;
	int64_t now = clock_mono_ms(), percent = 0;

	if (m->total > 0)
		percent =
		    m->done >= m->total
			? 100
			: (int64_t)((double)m->done / (double)m->total * 100);
	if (percent <= rl->percent || now - rl->progress_ms < PROGRESS_MS)
		return 0;
	rl->progress_ms = now;
	rl->percent = percent;
	/* An upload is one task: its lines are the job's progress. */
	if (str_eq(s->subject->module->name, "Upload")) {
		int r =
		    db_job_set_progress(s->db, subject_key(s->subject)->job_id,
			percent < 100 ? percent : 99);

		if (r != 0)
			return r;
	}
	return db_task_set_progress(s->db, subject_key(s->subject),
	    s->subject->attempt->attempt_id, percent);
}

static int
write_frame(struct relay *rl, const frame_msg *m)
{
	switch (m->kind_case) {
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA:
		return write_points(rl->shepherd, m->metric_data);
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_META:
		return write_meta(rl->shepherd, m->metric_meta);
	case SLUICE__EXECUTOR__FRAME__KIND_CHECKPOINT:
		return checkpoint_write(rl->shepherd, m->checkpoint);
	default:
		return write_progress(rl, m->progress);
	}
}

/* --- the queue ------------------------------------------------------------------ */

static bool
is_checkpoint(const frame_msg *m)
{
	return m->kind_case == SLUICE__EXECUTOR__FRAME__KIND_CHECKPOINT;
}

static void
drop_first(struct relay *rl)
{
	struct waiting *w = TAILQ_FIRST(&rl->queue);

	TAILQ_REMOVE(&rl->queue, w, link);
	rl->n--;
	rl->n_checkpoints -= is_checkpoint(w->frame);
	frame_free(w->frame);
	free(w);
}

/*
 * A lease that is lost is control's business, through the next heartbeat;
 * a database that is away is asked again.
 */
static void
work(struct relay *rl)
{
	struct waiting *w;
	int r = 0;

	while ((w = TAILQ_FIRST(&rl->queue)) != NULL) {
		r = write_frame(rl, w->frame);
		if (r == ERR_DB || r == ERR_DB_RETRY)
			break;
		/* The component believes that it can go on from there. */
		if (r != 0 && r != ERR_CONFLICT && is_checkpoint(w->frame))
			control_fail(rl->shepherd, NULL);
		else if (r != 0)
			log_err("metric, checkpoint or progress not written");
		rl->pause_ms = RETRY_MS;
		drop_first(rl);
	}
	if (w == NULL) {
		control_poke(rl->shepherd);
		session_resume(rl->shepherd->session);
		return;
	}
	log_err("metrics wait for the database");
	loop_timer_set(rl->timer, rl->pause_ms, 0);
	rl->pause_ms =
	    rl->pause_ms * 2 < RETRY_MAX_MS ? rl->pause_ms * 2 : RETRY_MAX_MS;
}

static void
on_timer(void *ctx)
{
	work(ctx);
}

static void
queue_frame(struct relay *rl, frame_msg *m)
{
	struct waiting *w = xcalloc(1, sizeof(*w));
	bool was_idle = TAILQ_EMPTY(&rl->queue);

	w->frame = m;
	rl->n_checkpoints += is_checkpoint(m);
	TAILQ_INSERT_TAIL(&rl->queue, w, link);
	rl->n++;
	/* From the loop's next turn, so that frames are read in one go. */
	if (was_idle)
		loop_timer_set(rl->timer, 0, 0);
}

static size_t
text_cost(const Sluice__Executor__Value *v)
{
	return v->kind_case == SLUICE__EXECUTOR__VALUE__KIND_TEXT
		   ? strlen(v->text) / COST_BYTES
		   : 0;
}

static size_t
cost_of(const frame_msg *m)
{
	const Sluice__Executor__MetricData *d = m->metric_data;
	size_t cost = 1, i;

	if (m->kind_case == SLUICE__EXECUTOR__FRAME__KIND_METRIC_META)
		return cost + strlen(m->metric_meta->meta_json) / COST_BYTES;
	if (m->kind_case != SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA)
		return 0; /* one field, or a ring: whatever their number */
	for (i = 0; i < d->n_points; i++)
		cost += 1 + text_cost(d->points[i]->value);
	return cost;
}

void
relay_take(struct relay *rl, frame_msg *m)
{
	rl->cost += cost_of(m);
	if (rl->cost > MAX_COST) {
		frame_free(m);
		(void)err_set(ERR_LIMIT,
		    "more metrics than the database keeps of a task");
		control_fail(rl->shepherd, NULL);
		return;
	}
	queue_frame(rl, m);
}

struct relay *
relay_new(struct shepherd *s)
{
	struct relay *rl = xcalloc(1, sizeof(*rl));

	rl->shepherd = s;
	TAILQ_INIT(&rl->queue);
	rl->timer = loop_timer_new(s->loop, on_timer, rl);
	rl->pause_ms = RETRY_MS;
	return rl;
}

void
relay_free(struct relay *rl)
{
	if (rl == NULL)
		return;
	while (!TAILQ_EMPTY(&rl->queue))
		drop_first(rl);
	loop_timer_free(rl->timer);
	free(rl);
}

bool
relay_is_idle(const struct relay *rl)
{
	return TAILQ_EMPTY(&rl->queue);
}

bool
relay_is_full(const struct relay *rl)
{
	/* A checkpoint may be as large as a model: one at a time. */
	return rl->n >= MAX_WAITING || rl->n_checkpoints > 0;
}
