/*
 * What a task tells its shepherd without waiting for an answer: metrics,
 * outputs, progress, lines of the log.  The operations of channel.c.
 */
#include "executor/channel_private.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

static void
fill_value(Sluice__Executor__Value *v, const char *string, double number)
{
	sluice__executor__value__init(v);
	if (string != NULL) {
		v->kind_case = SLUICE__EXECUTOR__VALUE__KIND_TEXT;
		v->text = frame_text(string);
	} else {
		v->kind_case = SLUICE__EXECUTOR__VALUE__KIND_NUMBER;
		v->number = number;
	}
}

int
channel_metric_data(void *ctx, const char *ns, const char *name,
    const struct metric_point *points, size_t n)
{
	struct storage {
		Sluice__Executor__MetricPoint point;
		Sluice__Executor__Value key;
		Sluice__Executor__Value value;
	} *s = xcalloc(n, sizeof(*s));
	Sluice__Executor__MetricPoint **list = xcalloc(n, sizeof(list[0]));
	Sluice__Executor__MetricData data = SLUICE__EXECUTOR__METRIC_DATA__INIT;
	frame_msg frame = FRAME_OF(metric_data, &data, METRIC_DATA);
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		sluice__executor__metric_point__init(&s[i].point);
		fill_value(&s[i].key, points[i].key_text, points[i].key);
		fill_value(&s[i].value, points[i].value_text, points[i].value);
		s[i].point.key = &s[i].key;
		s[i].point.value = &s[i].value;
		list[i] = &s[i].point;
	}
	data.metric_namespace = frame_text(ns);
	data.metric_name = frame_text(name);
	data.points = list;
	data.n_points = n;
	r = channel_send(ctx, &frame, NULL, 0);
	free(list);
	free(s);
	return r;
}

int
channel_metric_meta(
    void *ctx, const char *ns, const char *name, const char *meta_json)
{
	Sluice__Executor__MetricMeta meta = SLUICE__EXECUTOR__METRIC_META__INIT;
	frame_msg frame = FRAME_OF(metric_meta, &meta, METRIC_META);

	meta.metric_namespace = frame_text(ns);
	meta.metric_name = frame_text(name);
	meta.meta_json = frame_text(meta_json);
	return channel_send(ctx, &frame, NULL, 0);
}

int
channel_summary(void *ctx, const char *json)
{
	Sluice__Executor__Summary summary = SLUICE__EXECUTOR__SUMMARY__INIT;
	frame_msg frame = FRAME_OF(summary, &summary, SUMMARY);

	summary.json = frame_text(json);
	return channel_send(ctx, &frame, NULL, 0);
}

int
channel_output_table(void *ctx, const struct task_output *o)
{
	Sluice__Executor__OutputTable t = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;
	frame_msg frame = FRAME_OF(output_table, &t, OUTPUT_TABLE);

	t.data_name = frame_text(o->data_name);
	t.folder = frame_text(o->folder);
	t.schema_json = frame_text(o->schema_json);
	t.rows = o->rows;
	t.partitions = o->partitions;
	t.preview_json = frame_text(o->preview_json);
	t.id_delimiter = frame_text(o->id_delimiter);
	t.table_namespace = frame_text(o->table_namespace);
	t.table_name = frame_text(o->table_name);
	t.replace = o->replace;
	t.is_cache = o->is_cache;
	return channel_send(ctx, &frame, NULL, 0);
}

int
channel_output_file(
    void *ctx, const char *file, uint64_t rows, const char *delimiter)
{
	Sluice__Executor__OutputFile f = SLUICE__EXECUTOR__OUTPUT_FILE__INIT;
	frame_msg frame = FRAME_OF(output_file, &f, OUTPUT_FILE);

	f.file = frame_text(file);
	f.rows = rows;
	f.delimiter = frame_text(delimiter);
	return channel_send(ctx, &frame, NULL, 0);
}

/* One allocation with the messages behind their list; free() it. */
static Sluice__Executor__NamedBuffer **
buffer_list(const struct task_buffer *buffers, size_t n)
{
	Sluice__Executor__NamedBuffer **list, *s;
	size_t i;

	list = xcalloc(n, sizeof(list[0]) + sizeof(*s));
	s = (Sluice__Executor__NamedBuffer *)(void *)&list[n];
	for (i = 0; i < n; i++) {
		sluice__executor__named_buffer__init(&s[i]);
		s[i].name = frame_text(buffers[i].name);
		s[i].message = frame_text(buffers[i].message);
		s[i].content = frame_bytes(buffers[i].content, buffers[i].size);
		list[i] = &s[i];
	}
	return list;
}

int
channel_output_model(
    void *ctx, const char *alias, const struct task_buffer *buffers, size_t n)
{
	Sluice__Executor__OutputModel model =
	    SLUICE__EXECUTOR__OUTPUT_MODEL__INIT;
	frame_msg frame = FRAME_OF(output_model, &model, OUTPUT_MODEL);
	int r;

	model.alias = frame_text(alias);
	model.buffers = buffer_list(buffers, n);
	model.n_buffers = n;
	r = channel_send(ctx, &frame, NULL, 0);
	free(model.buffers);
	return r;
}

int
channel_checkpoint(void *ctx, uint64_t step_index, const char *step_name,
    const struct task_buffer *buffers, size_t n, uint32_t keep)
{
	Sluice__Executor__Checkpoint c = SLUICE__EXECUTOR__CHECKPOINT__INIT;
	frame_msg frame = FRAME_OF(checkpoint, &c, CHECKPOINT);
	int r;

	c.step_index = step_index;
	c.step_name = frame_text(step_name);
	c.buffers = buffer_list(buffers, n);
	c.n_buffers = n;
	c.keep = keep;
	r = channel_send(ctx, &frame, NULL, 0);
	free(c.buffers);
	return r;
}

int
channel_progress(void *ctx, uint64_t done, uint64_t total, const char *what)
{
	Sluice__Executor__Progress p = SLUICE__EXECUTOR__PROGRESS__INIT;
	frame_msg frame = FRAME_OF(progress, &p, PROGRESS);

	p.done = done;
	p.total = total;
	p.text = frame_text(what);
	return channel_send(ctx, &frame, NULL, 0);
}

void
channel_log(void *ctx, enum task_log_level level, const char *line)
{
	static const Sluice__Executor__Log__Level levels[] = {
		[TASK_DEBUG] = SLUICE__EXECUTOR__LOG__LEVEL__DEBUG,
		[TASK_INFO] = SLUICE__EXECUTOR__LOG__LEVEL__INFO,
		[TASK_WARNING] = SLUICE__EXECUTOR__LOG__LEVEL__WARNING,
		[TASK_ERROR] = SLUICE__EXECUTOR__LOG__LEVEL__ERROR,
	};
	Sluice__Executor__Log log = SLUICE__EXECUTOR__LOG__INIT;
	frame_msg frame = FRAME_OF(log, &log, LOG);

	log.level = levels[level];
	log.text = frame_text(line);
	/* A shepherd that is gone shows in the next call that has a result. */
	(void)channel_send(ctx, &frame, NULL, 0);
}
