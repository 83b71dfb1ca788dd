/*
 * Logs of jobs: lines for the page, the whole tree as an archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/route.h"
#include "fcgi-app/site_info.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/json.h"

#define LINES_MAX 5000 /* in one answer of log/cat */
#define BYTES_MAX ((size_t)4 << 20)

/* Where a kind of log lies below the job's folder. */
static const struct {
	const char *type;
	const char *file;
	enum { OF_JOB, OF_PARTY, OF_COMPONENT } scope;
} kinds[] = {
	{ "jobSchedule", "fate_flow_schedule.log", OF_JOB },
	{ "jobScheduleError", "fate_flow_schedule_error.log", OF_JOB },
	{ "partyError", "ERROR.log", OF_PARTY },
	{ "partyWarning", "WARNING.log", OF_PARTY },
	{ "partyInfo", "INFO.log", OF_PARTY },
	{ "partyDebug", "DEBUG.log", OF_PARTY },
	{ "componentInfo", "INFO.log", OF_COMPONENT },
};

/* Every part becomes a part of a path: only what a name may hold. */
static int
name_field(const struct request *req, const char *field, const char **out)
{
	*out = request_text(req, field);
	if (*out == NULL || !str_is_name(*out, 100))
		return err_set(ERR_EXISTS, "%s is missing or no name", field);
	return 0;
}

static int
job_folder(const struct request *req, char **out)
{
	const char *job_id = request_text(req, "job_id");

	*out = NULL;
	if (job_id == NULL || !str_is_job_id(job_id))
		return err_set(ERR_EXISTS, "job_id is missing or none");
	*out = site_path(req->app->conf, "%s/%s", SITE_LOGS, job_id);
	return 0;
}

static int
log_path(const struct request *req, char **out)
{
	const char *type = request_text(req, "log_type");
	const char *role = "", *party = "", *component = "";
	char *folder;
	size_t i;
	int r;

	*out = NULL;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (str_eq(type, kinds[i].type))
			break;
	}
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return err_set(ERR_EXISTS, "log_type is missing or unknown");
	if ((kinds[i].scope != OF_JOB &&
		((r = name_field(req, "role", &role)) != 0 ||
		    (r = name_field(req, "party_id", &party)) != 0)) ||
	    (kinds[i].scope == OF_COMPONENT &&
		(r = name_field(req, "component_name", &component)) != 0) ||
	    (r = job_folder(req, &folder)) != 0)
		return r;
	if (kinds[i].scope == OF_JOB)
		*out = xasprintf("%s/%s", folder, kinds[i].file);
	else if (kinds[i].scope == OF_PARTY)
		*out = xasprintf(
		    "%s/%s/%s/%s", folder, role, party, kinds[i].file);
	else
		*out = xasprintf("%s/%s/%s/%s/%s", folder, role, party,
		    component, kinds[i].file);
	free(folder);
	return 0;
}

/* NULL when there is no such log (yet). */
static FILE *
open_log(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f;

	if (fd < 0)
		return NULL;
	if ((f = fdopen(fd, "r")) == NULL)
		fd_close(&fd);
	return f;
}

/*
 * A site is one instance; who asks for another would be sent on, and round
 * in circles, by servers that have several.  true: it is answered here.
 */
static bool
is_here(struct request *req, struct reply *rp)
{
	const char *wanted = request_text(req, "instance_id");
	char own[SITE_INSTANCE_SIZE];
	int64_t times;

	if (request_int(req, "forward_times", 0, INT32_MAX, 0, &times) != 0 ||
	    times > 2) {
		(void)reply_status(
		    rp, 429, "the request was sent on too often");
		return false;
	}
	site_instance(req->app->conf, own);
	if (wanted == NULL || *wanted == '\0' || str_eq(wanted, own))
		return true;
	(void)reply_status(rp, 404,
	    "this site has no instance %.64s; it is the instance %s", wanted,
	    own);
	return false;
}

int
api_log_size(struct request *req, struct reply *rp)
{
	struct json_object *data;
	char *path, *line = NULL;
	int64_t lines = 0;
	size_t cap = 0;
	FILE *f;
	int r;

	if (!is_here(req, rp))
		return 0;
	if ((r = log_path(req, &path)) != 0)
		return r;
	if ((f = open_log(path)) != NULL) {
		while (getline(&line, &cap, f) > 0)
			lines++;
		(void)fclose(f);
	}
	free(line);
	free(path);
	data = json_object_new_object();
	json_add_int(data, "size", lines);
	return reply_data(rp, data);
}

static struct json_object *
line_json(char *line, ssize_t len, int64_t number)
{
	struct json_object *o = json_object_new_object();
	ssize_t i;

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	line[len] = '\0';
	/* A component may have written anything. */
	if (!str_is_utf8(line, (size_t)len)) {
		for (i = 0; i < len; i++) {
			if ((unsigned char)line[i] >= 0x80)
				line[i] = '?';
		}
	}
	json_add_int(o, "line_num", number);
	json_add_str(o, "content", line);
	return o;
}

static struct json_object *
lines_json(FILE *f, int64_t begin, int64_t end)
{
	struct json_object *list = json_object_new_array();
	char *line = NULL;
	size_t cap = 0, bytes = 0;
	int64_t number = 0;
	ssize_t len;

	while (number < end && bytes < BYTES_MAX &&
	       (len = getline(&line, &cap, f)) > 0) {
		if (++number < begin)
			continue;
		bytes += (size_t)len;
		json_object_array_add(list, line_json(line, len, number));
	}
	free(line);
	return list;
}

int
api_log_cat(struct request *req, struct reply *rp)
{
	int64_t begin, end;
	char *path;
	FILE *f;
	int r;

	if (!is_here(req, rp))
		return 0;
	if ((r = request_int(req, "begin", 0, INT64_MAX, 1, &begin)) != 0 ||
	    (r = request_int(req, "end", 0, INT64_MAX, INT64_MAX, &end)) != 0 ||
	    (r = log_path(req, &path)) != 0)
		return r;
	if (begin < 1)
		begin = 1;
	if (end - begin >= LINES_MAX)
		end = begin + LINES_MAX - 1;
	f = open_log(path);
	reply_data(rp,
	    f != NULL ? lines_json(f, begin, end) : json_object_new_array());
	if (f != NULL)
		(void)fclose(f);
	free(path);
	return 0;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
send_folder(struct reply *rp, const char *name, const char *folder)
{
	struct archive_out *out = NULL;
	int r;

	if ((r = archive_begin(rp, name, &out)) == 0 &&
	    (r = archive_tree(out, folder)) == 0) {
		r = archive_end(out);
		out = NULL;
	}
	archive_abort(out);
	return r;
}

int
api_job_log_download(struct request *req, struct reply *rp)
{
	char *folder, *name;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	if (job_folder(req, &folder) != 0 || !is_folder(folder)) {
		free(folder);
		return reply_status(rp, 404, "no logs of job %s here",
		    request_text(req, "job_id"));
	}
	name = xasprintf("job_%s_log.tar.gz", request_text(req, "job_id"));
	if ((r = turns_take(req->app->downloads)) == 0) {
		r = send_folder(rp, name, folder);
		turns_give(req->app->downloads);
	} else if (r == ERR_BUSY) {
		r = reply_busy(rp);
	}
	free(name);
	free(folder);
	return r;
}

int
api_job_log_path(struct request *req, struct reply *rp)
{
	struct json_object *data;
	char *folder;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	if (job_folder(req, &folder) != 0 || !is_folder(folder)) {
		free(folder);
		return reply_status(rp, 404, "no logs of job %s here",
		    request_text(req, "job_id"));
	}
	data = json_object_new_object();
	json_add_str(data, "logs_directory", folder);
	free(folder);
	return reply_data(rp, data);
}
