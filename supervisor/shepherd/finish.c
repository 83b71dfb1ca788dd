/*
 * The end of an attempt: verdict and outputs become rows, all or none.
 */
#include "supervisor/shepherd/finish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_cache.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_tx.h"
#include "lib/sign/digest.h"
#include "supervisor/shepherd/inbox.h"
#include "supervisor/shepherd/outputs.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

#define MAX_OLD 100 /* tables replaced by one task */
#define OUTCOME_SIZE 200
#define CACHE_TTL_S (30 * 24 * 3600) /* a month; detectors.c removes it */

struct end {
	struct shepherd *shepherd;
	struct arena *arena;	  /* of one run of the transaction */
	const char *old[MAX_OLD]; /* folders of replaced tables */
	size_t n_old;
};

/* --- the transaction -------------------------------------------------------------- */

static int
write_cache(struct db *db, struct end *e, const struct output_row *row)
{
	struct db_cache c = {
		.cache_key = row->table.name,
		.key = *subject_key(e->shepherd->subject),
		.cache_name = row->data_name,
		.folder = row->table.folder,
		.meta_json = row->table.schema_json,
		.row_count = row->table.row_count,
	};

	return db_cache_put(db, &c, CACHE_TTL_S);
}

static int
write_table(struct db *db, struct end *e, const struct output_row *row)
{
	struct db_output o = {
		.key = *subject_key(e->shepherd->subject),
		.data_name = row->data_name,
		.position = row->position,
		.table_namespace = row->table.table_namespace,
		.name = row->table.name,
	};
	const char *old = NULL;
	int r;

	if ((r = db_table_put(db, e->arena, &row->table, row->replace, &old)) !=
	    0)
		return r;
	if (old != NULL && old[0] != '\0' && e->n_old < MAX_OLD)
		e->old[e->n_old++] = old;
	if ((r = ancestry_write(db, &e->shepherd->ancestry, o.key.job_id,
		 o.table_namespace, o.name)) != 0)
		return r;
	return row->data_name[0] != '\0' ? db_output_put(db, &o) : 0;
}

static int
write_outputs(struct db *db, struct end *e)
{
	struct outputs *o = e->shepherd->outputs;
	const struct output_row *rows;
	const struct db_model_part *parts;
	size_t n_rows, n_parts, i;
	int r;

	rows = outputs_rows(o, &n_rows);
	for (i = 0; i < n_rows; i++) {
		r = rows[i].is_cache ? write_cache(db, e, &rows[i])
				     : write_table(db, e, &rows[i]);
		if (r != 0)
			return r;
	}
	parts = outputs_parts(o, &n_parts);
	for (i = 0; i < n_parts; i++)
		if ((r = db_model_part_put(db, &parts[i])) != 0)
			return r;
	if (outputs_summary_json(o) != NULL)
		return db_summary_put(db, subject_key(e->shepherd->subject),
		    outputs_summary_json(o));
	return 0;
}

/* The words that tell another site's initiator why: they leave, too. */
static int
record_error(struct db *db, const struct shepherd *s)
{
	const struct db_job *job = s->subject->job;
	const char *words =
	    fault_outward(s->conf->error_detail, s->fault, s->error);
	struct db_egress row = {
		.key = *subject_key(s->subject),
		.fence = s->subject->attempt->fence,
		.seq = 0, /* objects are counted from 1 */
		.to_role = job->initiator_role,
		.to_party = job->initiator_party,
		.name = DB_EGRESS_ERROR_REPORT,
		.tag = "",
		.bytes = (int64_t)strlen(words),
	};
	int r;

	if (job->is_initiator || s->error[0] == '\0')
		return 0;
	if ((r = digest_memory(words, (size_t)row.bytes, row.sha256)) != 0)
		return r;
	return db_egress_add(db, &row, 1);
}

static int
write_received(struct db *db, const struct shepherd *s)
{
	const struct inbox_received *in;
	int r;

	for (in = inbox_received(s->inbox); in != NULL; in = in->next) {
		struct db_ingress row = { .key = *subject_key(s->subject),
			.from_party = in->party_id,
			.objects = in->objects,
			.bytes = in->bytes };

		if ((r = db_ingress_add(db, &row)) != 0)
			return r;
	}
	return 0;
}

static int
write_end(struct db *db, void *ctx)
{
	struct end *e = ctx;
	struct shepherd *s = e->shepherd;
	const char *attempt = s->subject->attempt->attempt_id;
	char outcome[OUTCOME_SIZE];
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = s->verdict,
		.error_report = s->error[0] != '\0' ? s->error : NULL,
		.fault = s->fault,
		.attempt = s->subject->attempt,
		.reason = s->error[0] != '\0' ? s->error : "task ended",
	};
	int r;

	arena_reset(e->arena);
	e->n_old = 0;
	(void)snprintf(outcome, sizeof(outcome), "%s", state_name(s->verdict));
	/* Locked from here on: it is ours for all that follows. */
	if ((r = db_task_move(db, subject_key(s->subject), &move, NULL)) != 0)
		return r;
	if (state_is_success(s->verdict) &&
	    ((r = write_outputs(db, e)) != 0 ||
		(r = write_received(db, s)) != 0))
		return r;
	if ((r = record_error(db, s)) != 0)
		return r;
	return db_attempt_end(db, attempt, outcome);
}

/* --- around it ---------------------------------------------------------------------- */

/* What was to be success cannot be kept. */
static void
turn_to_failure(struct shepherd *s)
{
	log_err("outputs refused");
	s->verdict = STATE_FAILED;
	s->fault = fault_of_error(err_code());
	(void)err_wrap("outputs of the task");
	free(s->error);
	s->error = control_words(s, s->fault, err_text());
	outputs_discard(s->outputs);
}

static void
log_end(struct shepherd *s)
{
	if (s->log == NULL)
		return;
	if (state_is_success(s->verdict))
		tasklog_printf(s->log, TASKLOG_INFO, "task ends: %s",
		    state_name(s->verdict));
	else
		tasklog_printf(s->log, TASKLOG_ERROR, "task ends: %s%s%s",
		    state_name(s->verdict), s->error[0] != '\0' ? ": " : "",
		    s->error);
}

static void
remove_old(struct shepherd *s, const struct end *e)
{
	char *path;
	size_t i;

	for (i = 0; i < e->n_old; i++) {
		path = site_path(s->conf, "%s/%s", SITE_TABLES, e->old[i]);
		if (fd_remove_tree(path) != 0)
			log_err("replaced table stays");
		free(path);
	}
}

int
finish_write(struct shepherd *s)
{
	struct end e = { .shepherd = s, .arena = arena_new() };
	int r;

	if (state_is_success(s->verdict) && s->outputs != NULL &&
	    outputs_seal(s->outputs) != 0)
		turn_to_failure(s);
	/* Before the row says so: who waits for the end reads the log. */
	log_end(s);
	r = db_tx(s->db, write_end, &e);
	if (r != 0 && r != ERR_CONFLICT && r != ERR_DB && r != ERR_DB_RETRY &&
	    state_is_success(s->verdict)) {
		/* Such as a table of that name that is there already. */
		turn_to_failure(s);
		log_end(s);
		r = db_tx(s->db, write_end, &e);
	}
	if (r == 0)
		remove_old(s, &e);
	arena_free(e.arena);
	return r;
}

void
finish_tell(struct shepherd *s, bool is_end)
{
	const struct db_job *job = s->subject->job;
	const char *job_id = subject_key(s->subject)->job_id;

	if (!job->is_initiator)
		site_wake(
		    s->conf, job_id, is_end ? WAKE_REPORTS : WAKE_RUNNING);
	else if (is_end) /* that it runs is no news to its scheduler */
		site_wake(s->conf, job_id, WAKE_JOBS);
}

/* Did the task end for good?  After a failure another try may be allowed. */
static bool
is_over(const struct shepherd *s)
{
	if (s->is_lost)
		return false;
	return s->subject->task->auto_retries <= 0 ||
	       (s->verdict != STATE_FAILED && s->verdict != STATE_TIMEOUT);
}

void
finish_clean(struct shepherd *s)
{
	char *path;

	if (s->work_dir != NULL && fd_remove_tree(s->work_dir) != 0)
		log_err("work folder stays");
	if (str_eq(s->subject->task->module, "Upload") && is_over(s)) {
		path = site_path(s->conf, "%s/upload/%s.csv", SITE_SPOOL,
		    subject_key(s->subject)->job_id);
		if (unlink(path) != 0 && errno != ENOENT)
			log_warn("uploaded file stays: %s", strerror(errno));
		free(path);
	}
}
