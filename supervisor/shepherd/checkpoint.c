/*
 * Called by relay.c, in the order in which the executor sent them.
 */
#include "supervisor/shepherd/checkpoint.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/model/model_object.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

static int
keep_files(struct shepherd *s, const Sluice__Executor__Checkpoint *m,
    struct db_checkpoint_part *parts)
{
	size_t i;
	int r;

	for (i = 0; i < m->n_buffers; i++) {
		const Sluice__Executor__NamedBuffer *b = m->buffers[i];

		parts[i] = (struct db_checkpoint_part){
			.buffer_name = b->name,
			.message = b->message,
			.bytes = (int64_t)b->content.len,
		};
		if ((r = model_object_keep(s->conf, b->content.data,
			 b->content.len, parts[i].sha256)) != 0)
			return r;
	}
	return 0;
}

int
checkpoint_write(struct shepherd *s, const Sluice__Executor__Checkpoint *m)
{
	const struct db_task_key *key = subject_key(s->subject);
	const struct db_job *job = s->subject->job;
	struct db_checkpoint c = {
		.model_id = job->model_id,
		.model_version = job->model_version,
		.role = key->role,
		.party_id = key->party_id,
		.component = key->component,
		.step_index = (int64_t)m->step_index,
		.step_name = m->step_name,
		.version = key->version,
	};
	struct db_checkpoint_part *parts;
	int r;

	/* A predict job reads a model that is somebody else's to change. */
	if (str_eq(job->job_type, "predict"))
		return 0;
	parts = xcalloc(m->n_buffers, sizeof(*parts));
	if ((r = keep_files(s, m, parts)) == 0)
		r = db_checkpoint_put(s->db, s->subject->attempt->attempt_id,
		    &c, parts, m->n_buffers,
		    m->keep > 0 ? m->keep : CHECKPOINT_KEEP);
	free(parts);
	return r == 0 ? 0
		      : err_wrap("checkpoint %lld", (long long)c.step_index);
}
