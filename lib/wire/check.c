/*
 * Checks of frames from executors; called by the shepherd for every frame.
 */
#include "lib/wire/check.h"

#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define NAME_CHARS                                                             \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"                 \
	"0123456789_-."
/* Limits of texts, in bytes; those of columns are sql/0001_init.sql's. */
#define MAX_NAME 100
#define MAX_TRANSFER 150
#define MAX_TAG 180 /* the ledger adds the part to it */
#define MAX_METRIC_NS 80
#define MAX_METRIC 150
#define MAX_POINT_KEY 150 /* leaves room for quotes and escapes */
#define MAX_POINT_TEXT (64u << 10)
#define MAX_META (256u << 10)
#define MAX_SUMMARY (16u << 20)
#define MAX_SCHEMA (4u << 20)
#define MAX_PREVIEW (8u << 20)
#define MAX_TABLE_NAME 255
#define MAX_DELIMITER 20
#define MAX_LOG (64u << 10)
#define MAX_FAULT 12
#define MAX_PROGRESS 500
#define MAX_PARTITIONS 100000
#define JSON_DEPTH 32
/*
 * What a text may cost in memory: an empty array or object is two bytes of
 * it and takes hundreds.
 */
#define JSON_CONTAINERS 300000
#define JSON_VALUES 4500000

static int
bad(const char *field)
{
	return err_set(ERR_FORMAT, "executor sent a bad %s", field);
}

bool
wire_is_path_part(const char *s, size_t max)
{
	size_t n = strlen(s);

	return n > 0 && n <= max && s[0] != '.' && strspn(s, NAME_CHARS) == n;
}

bool
wire_is_transfer_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= MAX_TRANSFER && strspn(s, NAME_CHARS) == n;
}

bool
wire_is_tag(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if (i == MAX_TAG || s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

static bool
is_text(const char *s, size_t min, size_t max)
{
	size_t n = strnlen(s, max + 1);

	return n >= min && n <= max && str_is_utf8(s, n);
}

/* Counted before it is parsed; inside of strings, too, which does no harm. */
static bool
is_affordable(const char *s, size_t n)
{
	size_t containers = 0, values = 0, i;

	for (i = 0; i < n; i++) {
		containers += s[i] == '[' || s[i] == '{';
		values += s[i] == ',' || s[i] == ':';
	}
	return containers <= JSON_CONTAINERS && values <= JSON_VALUES;
}

static bool
is_json(const char *s, size_t max, enum json_type type)
{
	struct json_tokener *t;
	struct json_object *o;
	size_t n = strnlen(s, max + 1);
	bool good;

	if (n > max || !str_is_utf8(s, n) || !is_affordable(s, n) ||
	    (t = json_tokener_new_ex(JSON_DEPTH)) == NULL)
		return false;
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	/* The final NUL goes in too: it ends the text for the parser. */
	o = json_tokener_parse_ex(t, s, (int)n + 1);
	good = json_tokener_get_error(t) == json_tokener_success &&
	       json_object_is_type(o, type);
	json_object_put(o);
	json_tokener_free(t);
	return good;
}

static bool
is_party(const Sluice__Executor__Party *p)
{
	return p != NULL && str_is_name(p->role, 20) &&
	       str_is_party_id(p->party_id);
}

static int
check_hello(const Sluice__Executor__Hello *m)
{
	if (m->protocol != FRAME_PROTOCOL)
		return err_set(ERR_FORMAT,
		    "executor speaks protocol %u, not "
		    "%d",
		    m->protocol, FRAME_PROTOCOL);
	return is_text(m->program, 0, MAX_NAME) ? 0 : bad("hello.program");
}

static int
check_remote(const Sluice__Executor__Remote *m, size_t n_fds)
{
	size_t i;

	if (!wire_is_transfer_name(m->name))
		return bad("remote.name");
	if (!wire_is_tag(m->tag))
		return bad("remote.tag");
	if (m->n_to < 1 || m->n_to > WIRE_MAX_RECEIVERS)
		return bad("remote.to");
	for (i = 0; i < m->n_to; i++)
		if (!is_party(m->to[i]))
			return bad("remote.to");
	if (n_fds != (m->in_descriptor ? 1 : 0))
		return bad("remote: number of descriptors");
	if (m->in_descriptor)
		return m->content.len == 0 && m->size <= WIRE_MAX_OBJECT
			   ? 0
			   : bad("remote.size");
	return m->content.len <= FRAME_INLINE_MAX ? 0 : bad("remote.content");
}

static int
check_get(const Sluice__Executor__Get *m)
{
	if (!wire_is_transfer_name(m->name))
		return bad("get.name");
	if (!wire_is_tag(m->tag))
		return bad("get.tag");
	return is_party(m->from) ? 0 : bad("get.from");
}

static bool
is_value(const Sluice__Executor__Value *v, bool is_key)
{
	if (v == NULL)
		return false;
	switch (v->kind_case) {
	case SLUICE__EXECUTOR__VALUE__KIND_NUMBER:
		return !is_key || isfinite(v->number);
	case SLUICE__EXECUTOR__VALUE__KIND_TEXT:
		return is_text(
		    v->text, 0, is_key ? MAX_POINT_KEY : MAX_POINT_TEXT);
	default:
		return false;
	}
}

static int
check_series(const char *space, const char *name)
{
	if (!is_text(space, 1, MAX_METRIC_NS))
		return bad("metric namespace");
	return is_text(name, 1, MAX_METRIC) ? 0 : bad("metric name");
}

static int
check_metric_data(const Sluice__Executor__MetricData *m)
{
	size_t i;
	int r;

	if ((r = check_series(m->metric_namespace, m->metric_name)) != 0)
		return r;
	if (m->n_points > WIRE_MAX_POINTS)
		return bad("number of metric points");
	for (i = 0; i < m->n_points; i++)
		if (!is_value(m->points[i]->key, true) ||
		    !is_value(m->points[i]->value, false))
			return bad("metric point");
	return 0;
}

static int
check_metric_meta(const Sluice__Executor__MetricMeta *m)
{
	int r;

	if ((r = check_series(m->metric_namespace, m->metric_name)) != 0)
		return r;
	return is_json(m->meta_json, MAX_META, json_type_object)
		   ? 0
		   : bad("metric_meta.meta_json");
}

static int
check_output_table(const Sluice__Executor__OutputTable *m)
{
	bool named = m->table_name[0] != '\0';

	/* A table that the DSL has no name for is announced without one. */
	if (m->data_name[0] != '\0' && !str_is_name(m->data_name, MAX_NAME))
		return bad("output_table.data_name");
	if (!wire_is_path_part(m->folder, MAX_NAME))
		return bad("output_table.folder");
	if (!is_json(m->schema_json, MAX_SCHEMA, json_type_object))
		return bad("output_table.schema_json");
	if (!is_json(m->preview_json, MAX_PREVIEW, json_type_array))
		return bad("output_table.preview_json");
	if (m->rows > INT64_MAX)
		return bad("output_table.rows");
	if (m->partitions < 1 || m->partitions > MAX_PARTITIONS)
		return bad("output_table.partitions");
	if (!is_text(m->id_delimiter, 0, MAX_DELIMITER))
		return bad("output_table.id_delimiter");
	if (!is_text(m->table_name, 0, MAX_TABLE_NAME) ||
	    !is_text(
		m->table_namespace, named ? 1 : 0, named ? MAX_TABLE_NAME : 0))
		return bad("output_table.table_name");
	return 0;
}

static int
check_output_file(const Sluice__Executor__OutputFile *m)
{
	if (!wire_is_path_part(m->file, MAX_NAME))
		return bad("output_file.file");
	if (m->rows > INT64_MAX)
		return bad("output_file.rows");
	return is_text(m->delimiter, 1, MAX_DELIMITER)
		   ? 0
		   : bad("output_file.delimiter");
}

static int
check_buffers(Sluice__Executor__NamedBuffer *const *buffers, size_t n)
{
	size_t i, k;

	if (n < 1 || n > WIRE_MAX_BUFFERS)
		return bad("number of buffers");
	for (i = 0; i < n; i++) {
		if (!wire_is_path_part(buffers[i]->name, MAX_NAME))
			return bad("buffer name");
		if (!wire_is_path_part(buffers[i]->message, MAX_NAME))
			return bad("buffer message");
		for (k = 0; k < i; k++)
			if (strcmp(buffers[k]->name, buffers[i]->name) == 0)
				return bad("buffer name: it is there twice");
	}
	return 0;
}

static int
check_output_model(const Sluice__Executor__OutputModel *m)
{
	if (!str_is_name(m->alias, MAX_NAME))
		return bad("output_model.alias");
	return check_buffers(m->buffers, m->n_buffers);
}

static int
check_checkpoint(const Sluice__Executor__Checkpoint *m)
{
	if (m->step_index > WIRE_MAX_STEP)
		return bad("checkpoint.step_index");
	/* Part of a member's name in an archive. */
	if (!wire_is_path_part(m->step_name, MAX_NAME))
		return bad("checkpoint.step_name");
	if (m->keep > WIRE_MAX_CHECKPOINTS)
		return bad("checkpoint.keep");
	return check_buffers(m->buffers, m->n_buffers);
}

static int
check_finish(const Sluice__Executor__Finish *m)
{
	if (strcmp(m->status, "success") != 0 &&
	    strcmp(m->status, "pass") != 0 && strcmp(m->status, "failed") != 0)
		return bad("finish.status");
	if (!is_text(m->fault, 0, MAX_FAULT))
		return bad("finish.fault");
	return is_text(m->error, 0, MAX_LOG) ? 0 : bad("finish.error");
}

int
wire_check_executor(const frame_msg *m, size_t n_fds)
{
	if (n_fds > 0 && m->kind_case != SLUICE__EXECUTOR__FRAME__KIND_REMOTE)
		return bad("frame: descriptors that nothing calls for");
	switch (m->kind_case) {
	case SLUICE__EXECUTOR__FRAME__KIND_HELLO:
		return check_hello(m->hello);
	case SLUICE__EXECUTOR__FRAME__KIND_REMOTE:
		return check_remote(m->remote, n_fds);
	case SLUICE__EXECUTOR__FRAME__KIND_GET:
		return check_get(m->get);
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA:
		return check_metric_data(m->metric_data);
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_META:
		return check_metric_meta(m->metric_meta);
	case SLUICE__EXECUTOR__FRAME__KIND_SUMMARY:
		return is_json(m->summary->json, MAX_SUMMARY, json_type_object)
			   ? 0
			   : bad("summary.json");
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_TABLE:
		return check_output_table(m->output_table);
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_FILE:
		return check_output_file(m->output_file);
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_MODEL:
		return check_output_model(m->output_model);
	case SLUICE__EXECUTOR__FRAME__KIND_CHECKPOINT:
		return check_checkpoint(m->checkpoint);
	case SLUICE__EXECUTOR__FRAME__KIND_PROGRESS:
		return is_text(m->progress->text, 0, MAX_PROGRESS)
			   ? 0
			   : bad("progress.text");
	case SLUICE__EXECUTOR__FRAME__KIND_LOG:
		/* Its text is cleaned, not refused, when it is written. */
		return (unsigned)m->log->level <=
				   SLUICE__EXECUTOR__LOG__LEVEL__ERROR &&
			       strnlen(m->log->text, MAX_LOG + 1) <= MAX_LOG
			   ? 0
			   : bad("log");
	case SLUICE__EXECUTOR__FRAME__KIND_FINISH:
		return check_finish(m->finish);
	default:
		return err_set(ERR_FORMAT,
		    "executor sent message %d, which "
		    "executors do not send",
		    (int)m->kind_case);
	}
}
