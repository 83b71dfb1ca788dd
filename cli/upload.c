/*
 * sluice upload: one multipart request whose middle is the file, read from
 * disk as it is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/watch.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define NAMES_SHOWN 10
#define UPLOAD_MS (24 * 3600 * INT64_C(1000))

/* What the site must know, as the whole query (the platform's way). */
static int
make_config(const struct args *args, const char *name, struct json_object **out)
{
	const char *delimiter = args_text(args, "delimiter");
	int64_t head, partition;
	int r;

	*out = NULL;
	if ((r = args_int(args, "head", 0, 1, 1, &head)) != 0 ||
	    (r = args_int(args, "partition", 1, 1023, 4, &partition)) != 0)
		return r;
	*out = json_object_new_object();
	json_add_str(*out, "file", name);
	json_add_str(*out, "namespace", args_text(args, "namespace"));
	json_add_str(*out, "table_name", args_text(args, "name"));
	json_add_int(*out, "head", head);
	json_add_int(*out, "partition", partition);
	json_add_int(*out, "drop", args_flag(args, "drop"));
	json_add_str(*out, "id_delimiter", delimiter != NULL ? delimiter : ",");
	if (args_flag(args, "extend-sid"))
		json_add_int(*out, "extend_sid", 1);
	return 0;
}

/* A file name inside the quotes of a header. */
static void
put_quoted(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_putc(b, *s == '"' || *s == '\\' || (unsigned char)*s < 0x20
				? '_'
				: *s);
}

static int
send_file(struct api *api, int fd, uint64_t size, const char *name,
    struct json_object *config, struct json_object **answer)
{
	struct buf path = BUF_INIT, head = BUF_INIT;
	struct buf tail = BUF_INIT, type = BUF_INIT;
	char edge[ID_RANDOM_SIZE];
	const char *query = json_text(config);
	struct http_request req = {
		.body_fd = fd,
		.body_size = size,
		.timeout_ms = UPLOAD_MS,
	};
	struct http_reply reply;
	int r;

	id_random(edge);
	buf_puts(&path, "data/upload?");
	str_percent_encode(&path, query, strlen(query));
	buf_printf(&head,
	    "--%s\r\nContent-Disposition: form-data; "
	    "name=\"file\"; filename=\"",
	    edge);
	put_quoted(&head, name);
	buf_puts(&head, "\"\r\nContent-Type: application/octet-stream"
			"\r\n\r\n");
	buf_printf(&tail, "\r\n--%s--\r\n", edge);
	buf_printf(&type, "multipart/form-data; boundary=%s", edge);
	req.body = buf_str(&head);
	req.body_len = head.len;
	req.tail = buf_str(&tail);
	req.tail_len = tail.len;
	req.content_type = buf_str(&type);
	if ((r = api_fetch(api, buf_str(&path), &req, &reply)) == 0)
		r = api_answer(&reply, answer);
	http_reply_fini(&reply);
	buf_fini(&path);
	buf_fini(&head);
	buf_fini(&tail);
	buf_fini(&type);
	return r;
}

static int
open_file(const char *path, int *fd, uint64_t *size)
{
	struct stat st;

	if ((*fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", path);
	if (fstat(*fd, &st) != 0)
		return err_set_errno(ERR_IO, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return err_set(ERR_INVALID, "%s is empty or not a file", path);
	*size = (uint64_t)st.st_size;
	return 0;
}

/* --- what became of it ---------------------------------------------------- */

/* One more name; those after the first few are only counted. */
static void
put_name(struct buf *b, size_t i, const char *name, size_t len)
{
	if (i < NAMES_SHOWN)
		buf_printf(b, "%s%.*s", i > 0 ? "," : "", (int)len, name);
	else if (i == NAMES_SHOWN)
		buf_puts(b, ",…");
}

/* How many columns a schema's header names: a text, or with meta a list. */
static size_t
list_names(struct json_object *header, const char *delimiter, struct buf *b)
{
	const char *p, *next;
	size_t n = 0;

	if (json_is_array(header)) {
		for (; n < json_object_array_length(header); n++) {
			p = json_object_get_string(
			    json_object_array_get_idx(header, n));
			put_name(b, n, p != NULL ? p : "",
			    p != NULL ? strlen(p) : 0);
		}
		return n;
	}
	p = json_object_is_type(header, json_type_string)
		? json_object_get_string(header)
		: "";
	while (*p != '\0') {
		next = strstr(p, delimiter);
		put_name(
		    b, n++, p, next != NULL ? (size_t)(next - p) : strlen(p));
		if (next == NULL)
			break;
		p = next + strlen(delimiter);
	}
	return n;
}

static void
print_info(const struct args *args, struct json_object *info)
{
	const char *delimiter = args_text(args, "delimiter");
	struct json_object *schema = json_get(info, "schema");
	struct buf names = BUF_INIT;
	long long rows = json_get_int(info, "count", 0);
	size_t n;

	if (delimiter == NULL || delimiter[0] == '\0')
		delimiter = ",";
	n = list_names(schema != NULL ? json_get(schema, "header") : NULL,
	    delimiter, &names);
	(void)printf("%lld row%s", rows, rows == 1 ? "" : "s");
	if (n > 0)
		(void)printf(", id + %zu column%s: %s", n, n == 1 ? "" : "s",
		    buf_str(&names));
	(void)printf("\n");
	buf_fini(&names);
}

/* The table is there, whether it can be shown or not. */
static void
show_table(const struct args *args, struct api *api)
{
	struct json_object *body = json_object_new_object(), *answer = NULL;

	json_add_str(body, "namespace", args_text(args, "namespace"));
	json_add_str(body, "table_name", args_text(args, "name"));
	if (api_post(api, "table/table_info", body, &answer) == 0)
		print_info(args, json_get(answer, "data"));
	else
		(void)fprintf(
		    stderr, "sluice: the table is made, but: %s\n", err_text());
	json_object_put(answer);
	json_object_put(body);
}

static int
report(const struct args *args, struct api *api, struct json_object *answer)
{
	struct json_object *data = json_get(answer, "data");
	const char *job_id = json_get_str(answer, "jobId", "");
	int r;

	/* The platform's envelope says 0 even when the job was not made. */
	if (json_get_int(data, "code", 0) != 0)
		return err_set(ERR_REMOTE, "%s",
		    json_get_str(data, "message", "the upload was refused"));
	if (args_flag(args, "watch")) {
		if (!args_json(args))
			(void)printf("%s\n", job_id);
		r = watch_and_report(args, api, job_id, "local", "0", NULL);
		if (r == EXIT_OK && !args_json(args))
			show_table(args, api);
		return r;
	}
	if (args_json(args))
		output_json(answer);
	else
		(void)printf("%s\n", job_id);
	return 0;
}

/* What the API calls what people said by options. */
static const struct rename names[] = {
	{ "id_delimiter", "--delimiter" },
	{ "extend_sid", "--extend-sid" },
	{ "table_name", "--name" },
	{ "namespace", "--namespace" },
	{ "partition", "--partition" },
	{ "head", "--head" },
	{ "drop", "--drop" },
	{ NULL, NULL },
};

static int
run_upload(const struct args *args)
{
	struct json_object *config = NULL, *answer = NULL;
	char *copy = xstrdup(args_operand(args, 0));
	const char *name = basename(copy);
	struct api *api = NULL;
	uint64_t size = 0;
	int fd = -1, r;

	if ((r = open_file(args_operand(args, 0), &fd, &size)) == 0 &&
	    (r = make_config(args, name, &config)) == 0 &&
	    (r = api_open(args, &api)) == 0 &&
	    (r = send_file(api, fd, size, name, config, &answer)) == 0)
		r = report(args, api, answer);
	if (r == ERR_REMOTE)
		r = output_rename(r, names);
	json_object_put(answer);
	json_object_put(config);
	api_close(api);
	fd_close(&fd);
	free(copy);
	return r;
}

static const struct option_def upload_options[] = {
	OPTIONS_API,
	{ "namespace", "TEXT", "namespace of the table", true },
	{ "name", "TEXT", "name of the table", true },
	{ "head", "0|1", "does the first line name the columns? (1)", false },
	{ "partition", "N", "partitions, 1 to 1023 (4)", false },
	{ "delimiter", "CHAR", "between columns (,)", false },
	{ "drop", NULL, "replace a table of that name", false },
	{ "extend-sid", NULL, "add an id column", false },
	{ "watch", NULL, "stay until the job has ended", false },
	OPTION_END,
};

const struct command command_upload = {
	"upload",
	"FILE",
	1,
	"Upload a delimited file into a table.",
	upload_options,
	run_upload,
};
