/*
 * What a Start says, as the setup of a task, which points into it.  Called by
 * channel.c.
 */
#include "executor/channel_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

static struct task_party
party_of(const Sluice__Executor__Party *p)
{
	return (struct task_party){ p->role, p->party_id };
}

static void
take_inputs(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_input *in = xcalloc(s->n_inputs + 1, sizeof(*in));
	size_t i;

	for (i = 0; i < s->n_inputs; i++) {
		const Sluice__Executor__InputTable *t = s->inputs[i];

		in[i] = (struct task_input){
			.data_key = t->data_key,
			.component = t->component,
			.data_name = t->data_name,
			.path = t->path,
			.schema_json = t->schema_json,
			.rows = t->rows,
			.partitions = t->partitions,
			.table_namespace = t->table_namespace,
			.table_name = t->table_name,
			.id_delimiter = t->id_delimiter,
			.is_text = t->is_text,
			.have_head = t->have_head,
			.extend_sid = t->extend_sid,
			.auto_increasing_sid = t->auto_increasing_sid,
			.engine = t->engine,
		};
	}
	setup->inputs = in;
	setup->n_inputs = s->n_inputs;
}

static struct task_buffer *
take_buffers(const Sluice__Executor__InputModel *m)
{
	struct task_buffer *b = xcalloc(m->n_buffers + 1, sizeof(*b));
	size_t i;

	for (i = 0; i < m->n_buffers; i++)
		b[i] = (struct task_buffer){ m->buffers[i]->name,
			m->buffers[i]->message, m->buffers[i]->content.data,
			m->buffers[i]->content.len };
	return b;
}

static void
take_models(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_model *m = xcalloc(s->n_models + 1, sizeof(*m));
	size_t i;

	for (i = 0; i < s->n_models; i++)
		m[i] = (struct task_model){
			.kind =
			    strcmp(s->models[i]->kind, "isometric_model") == 0
				? TASK_ISOMETRIC_MODEL
				: TASK_MODEL,
			.component = s->models[i]->component,
			.alias = s->models[i]->alias,
			.buffers = take_buffers(s->models[i]),
			.n_buffers = s->models[i]->n_buffers,
		};
	setup->models = m;
	setup->n_models = s->n_models;
}

static void
take_parties(const Sluice__Executor__Start *s, struct task_setup *setup)
{
	struct task_party *p = xcalloc(s->n_parties + 1, sizeof(*p));
	size_t i;

	for (i = 0; i < s->n_parties; i++)
		p[i] = party_of(s->parties[i]);
	setup->parties = p;
	setup->n_parties = s->n_parties;
}

/* The text of a table that is kept outside: the setup's now. */
static int
take_descriptor(const Sluice__Executor__Start *s, struct frame_fds *fds,
    struct task_setup *setup)
{
	if (fds->n != (s->input_in_descriptor ? 1 : 0))
		return err_set(
		    ERR_FORMAT, "start came with %zu descriptors", fds->n);
	if (fds->n == 1)
		setup->input_fd = fds->fd[0];
	fds->n = 0;
	return 0;
}

int
channel_take_start(const Sluice__Executor__Start *s, struct frame_fds *fds,
    struct task_setup *setup)
{
	if (s->protocol != FRAME_PROTOCOL)
		return err_set(ERR_UNSUPPORTED,
		    "the shepherd speaks protocol "
		    "%u, this executor %d",
		    s->protocol, FRAME_PROTOCOL);
	if (s->local == NULL)
		return err_set(ERR_FORMAT, "start without a member");
	*setup = (struct task_setup){
		.job_id = s->job_id,
		.component = s->component,
		.module = s->module,
		.version = s->version,
		.local = party_of(s->local),
		.parameters = json_tokener_parse(s->parameters_json),
		.job_parameters = json_tokener_parse(
		    s->job_parameters_json[0] != '\0' ? s->job_parameters_json
						      : "{}"),
		.output_cache = s->n_output_cache > 0 ? s->output_cache[0] : "",
		.output_data = (const char *const *)s->output_data,
		.n_output_data = s->n_output_data,
		.output_model = s->output_model,
		.cores = s->cores,
		.output_dir = s->output_dir,
		.input_file = s->input_file,
		.input_fd = -1,
	};
	take_parties(s, setup);
	take_inputs(s, setup);
	take_models(s, setup);
	if (take_descriptor(s, fds, setup) != 0)
		return err_code();
	return task_setup_check(setup);
}

void
channel_setup_fini(struct task_setup *s)
{
	size_t i;

	for (i = 0; i < s->n_models; i++)
		free((void *)(uintptr_t)s->models[i].buffers);
	fd_close(&s->input_fd);
	free((void *)(uintptr_t)s->models);
	free((void *)(uintptr_t)s->inputs);
	free((void *)(uintptr_t)s->parties);
	json_object_put(s->parameters);
	json_object_put(s->job_parameters);
}
