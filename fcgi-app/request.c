/*
 * Requests: target, parameters, body.  Called by dispatch.c; the accessors
 * by every handler.
 */
#include "fcgi-app/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/form.h"
#include "fcgi-app/route.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/json.h"

#define READ_CHUNK 16384
#define BODY_MS 20000 /* for one that the front end holds already */
#define SPOOL_FROM (64 * 1024)
#define SPOOL_MAX ((int64_t)1 << 30) /* nginx's limit */
#define SPOOL_CHUNK (256 * 1024)

static const char *
env_get(const struct request_source *src, const char *name)
{
	size_t len = strlen(name);
	char *const *e;

	for (e = src->envp; e != NULL && *e != NULL; e++) {
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	}
	return NULL;
}

const char *
request_env(const struct request *req, const char *name)
{
	const char *v = env_get(req->source, name);

	return v == NULL || *v == '\0' ? NULL : v;
}

const char *
request_header(const struct request *req, const char *name)
{
	return request_env(req, arena_printf(req->arena, "HTTP_%s", name));
}

static enum listener
listener_parse(const char *s)
{
	if (str_eq(s, "client-loopback"))
		return LISTENER_CLIENT_LOOPBACK;
	if (str_eq(s, "client-tls"))
		return LISTENER_CLIENT_TLS;
	if (str_eq(s, "partner"))
		return LISTENER_PARTNER;
	return LISTENER_NONE;
}

/*
 * The decoded path must cut into the same segments as the raw one, and no
 * segment may climb: job ids and names from it become parts of file names.
 */
static int
check_path(const char *path, size_t len, size_t raw_slashes)
{
	size_t slashes = 0;
	const char *s;

	if (len == 0 || path[0] != '/' || strlen(path) != len)
		return err_set(ERR_INVALID, "the path is malformed");
	for (s = path; *s != '\0'; s++) {
		if (*s != '/')
			continue;
		slashes++;
		if (s[1] == '.' &&
		    (s[2] == '\0' || s[2] == '/' ||
			(s[2] == '.' && (s[3] == '\0' || s[3] == '/'))))
			return err_set(ERR_INVALID, "the path climbs");
	}
	if (slashes != raw_slashes)
		return err_set(ERR_INVALID, "the path hides a '/'");
	return 0;
}

static int
parse_target(struct request *req)
{
	struct buf path = BUF_INIT;
	const char *s;
	size_t raw_len, slashes = 0;
	int r;

	raw_len = strcspn(req->target, "?");
	req->raw_path = arena_strndup(req->arena, req->target, raw_len);
	req->query =
	    req->target[raw_len] == '?' ? req->target + raw_len + 1 : "";
	for (s = req->raw_path; *s != '\0'; s++)
		slashes += *s == '/';
	str_percent_decode(&path, req->raw_path, raw_len);
	if ((r = check_path(buf_str(&path), path.len, slashes)) == 0) {
		while (path.len > 1 && path.data[path.len - 1] == '/')
			path.data[--path.len] = '\0';
		req->path = arena_strndup(req->arena, path.data, path.len);
	}
	buf_fini(&path);
	return r;
}

bool
request_query_is_json(const struct request *req)
{
	const char *s = req->query;

	while (*s == ' ' || str_starts(s, "%20"))
		s += *s == ' ' ? 1 : 3;
	/* Some of its HTTP libraries escape twice. */
	return *s == '{' || strncasecmp(s, "%7B", 3) == 0 ||
	       strncasecmp(s, "%257B", 5) == 0;
}

int
request_init(
    struct request *req, struct app *app, const struct request_source *src)
{
	const char *v;

	memset(req, 0, sizeof(*req));
	req->app = app;
	req->source = src;
	req->arena = arena_new();
	buf_init(&req->raw);
	req->caller.name = "";
	req->path = req->query = "";
	v = env_get(src, "REQUEST_METHOD");
	req->method = v != NULL ? v : "";
	v = env_get(src, "REQUEST_URI");
	req->target = v != NULL ? v : "";
	req->listener = listener_parse(env_get(src, "LISTENER"));
	return parse_target(req);
}

void
request_fini(struct request *req)
{
	/* Unless a handler took it where it belongs. */
	if (req->is_file_ours)
		(void)unlink(req->body_file);
	buf_fini(&req->raw);
	json_object_put(req->json);
	req->json = NULL;
	if (req->form != NULL)
		multipart_fini(req->form);
	free(req->form);
	req->form = NULL;
	arena_free(req->arena);
	req->arena = NULL;
}

/* --- body ------------------------------------------------------------- */

int
request_content_length(const struct request *req, int64_t *out)
{
	const char *v = request_env(req, "CONTENT_LENGTH");

	*out = 0;
	if (v != NULL && str_to_int64(v, 0, INT64_MAX, out) != 0)
		return err_wrap("Content-Length");
	return 0;
}

int
request_read_some(const struct request *req, char *data, int size, int64_t ms)
{
	const struct request_source *src = req->source;
	int n;

	if (ms <= 0)
		return REQUEST_LATE;
	if (src->patience != NULL)
		src->patience(src->ctx, ms);
	n = src->read(src->ctx, data, size);
	if (src->patience != NULL)
		src->patience(src->ctx, 0);
	return n;
}

static int
read_memory(struct request *req, int64_t len)
{
	int64_t max = req->app->conf->fcgi_max_body;
	int64_t end = clock_mono_ms() + BODY_MS;
	int n;

	if (len > max)
		return err_set(ERR_LIMIT, "the body is larger than %lld bytes",
		    (long long)max);
	while ((int64_t)req->raw.len < len) {
		n = request_read_some(req, buf_reserve(&req->raw, READ_CHUNK),
		    READ_CHUNK, end - clock_mono_ms());
		if (n == REQUEST_LATE)
			return err_set(ERR_TIMEOUT,
			    "the body did not come within %d s",
			    BODY_MS / 1000);
		if (n <= 0)
			return err_set(ERR_INVALID, "the body stops early");
		req->raw.len += (size_t)n;
		if ((int64_t)req->raw.len > len)
			return err_set(
			    ERR_INVALID, "the body is longer than it says");
		req->raw.data[req->raw.len] = '\0';
	}
	req->body_len = (int64_t)req->raw.len;
	return 0;
}

int
request_open_file(const struct request *req, int *out)
{
	char *spool;
	const char *path = req->body_file;
	struct stat st;
	int fd = -1, r = 0;

	*out = -1;
	spool = site_path(req->app->conf, "%s/", SITE_SPOOL);
	if (path == NULL || !str_starts(path, spool) ||
	    strstr(path, "/..") != NULL) {
		r = err_set(ERR_INVALID, "the spooled body is not ours");
		goto out;
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		r = err_set_errno(ERR_IO, "spooled body");
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		r = err_set(ERR_INVALID, "the spooled body is no file");
		goto out;
	}
	*out = fd;
	fd = -1;
out:
	fd_close(&fd);
	free(spool);
	return r;
}

static int
take_file(struct request *req, const char *path)
{
	struct stat st;
	int fd, r;

	req->body_file = path;
	if ((r = request_open_file(req, &fd)) != 0)
		return r;
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "spooled body");
	else
		req->body_len = st.st_size;
	fd_close(&fd);
	return r;
}

/* --- body: bytes that the front end hands over, as another user's --------- */

static int
write_spool(struct request *req, int fd, int64_t len)
{
	int64_t end = clock_mono_ms() + BODY_MS, got = 0;
	char *piece = xmalloc(SPOOL_CHUNK);
	int n, r = 0;

	while (got < len && r == 0) {
		n = request_read_some(
		    req, piece, SPOOL_CHUNK, end - clock_mono_ms());
		if (n == REQUEST_LATE)
			r = err_set(ERR_TIMEOUT,
			    "the body did not come within %d s",
			    BODY_MS / 1000);
		else if (n <= 0)
			r = err_set(ERR_INVALID, "the body stops early");
		else if ((got += n) > len)
			r = err_set(
			    ERR_INVALID, "the body is longer than it says");
		else
			r = fd_write_all(fd, piece, (size_t)n);
	}
	free(piece);
	return r;
}

/*
 * The front end has all of it already, so no sender is waited for.  What it
 * spools itself can be read by its own user alone.
 */
static int
spool(struct request *req, int64_t len)
{
	char *name;
	int fd, r;

	if (len > SPOOL_MAX)
		return err_set(ERR_LIMIT, "the body is larger than %lld bytes",
		    (long long)SPOOL_MAX);
	name = site_path(req->app->conf, "%s/mailbox/body.XXXXXX", SITE_SPOOL);
	if ((fd = mkostemp(name, O_CLOEXEC)) < 0) {
		r = err_set_errno(ERR_IO, "%s", name);
	} else {
		req->body_file = arena_strdup(req->arena, name);
		req->is_file_ours = true;
		req->body_len = len;
		r = fchmod(fd, 0640) != 0 ? err_set_errno(ERR_IO, "%s", name)
					  : write_spool(req, fd, len);
	}
	fd_close(&fd);
	free(name);
	return r;
}

int
request_read_body(struct request *req)
{
	const char *file = request_env(req, "BODY_FILE");
	int64_t len;
	int r;

	if (file == NULL) {
		if ((r = request_content_length(req, &len)) != 0)
			return r;
		if (req->route->body == BODY_BYTES && len > SPOOL_FROM)
			return spool(req, len);
		return read_memory(req, len);
	}
	if (req->route->body != BODY_BYTES)
		return err_set(ERR_INVALID, "this path takes no file");
	return take_file(req, file);
}

/* Does the body claim to be JSON, by its type or by how it begins? */
static bool
claims_json(const struct request *req)
{
	const char *type = request_env(req, "CONTENT_TYPE"), *s = req->raw.data;
	size_t at = 0;

	if (type != NULL && strncasecmp(type, "application/json", 16) == 0)
		return true;
	while (at < req->raw.len && strchr(" \t\r\n", s[at]) != NULL)
		at++;
	return at < req->raw.len && (s[at] == '{' || s[at] == '[');
}

/*
 * What never was JSON counts as absent (form fields may be in it; why is
 * kept for messages); what is broken JSON is refused, for a filter that was
 * cut short must not select everything.
 */
static int
parse_object(struct request *req)
{
	int r;

	if (req->raw.len == 0)
		return 0;
	r = json_parse(req->raw.data, req->raw.len, req->raw.len, &req->json);
	if (r != 0 && claims_json(req))
		return err_wrap("the body was not read");
	if (r != 0)
		req->body_fault = arena_strdup(req->arena, err_text());
	else if (!json_is_object(req->json))
		return err_set(ERR_INVALID, "the body must be an object");
	return 0;
}

/* JSON is UTF-8 when it was parsed; a form's fields are any bytes. */
static int
check_texts(struct json_object *fields)
{
	json_object_object_foreach(fields, name, value)
	{
		if (!str_is_utf8(name, strlen(name)))
			return err_set(
			    ERR_FORMAT, "the name of a field is not UTF-8");
		if (!str_is_utf8(json_object_get_string(value),
			(size_t)json_object_get_string_len(value)))
			return err_set(
			    ERR_FORMAT, "field %s is not UTF-8", name);
	}
	return 0;
}

int
request_decode_body(struct request *req)
{
	int r = 0;

	if (req->form == NULL && req->body_file == NULL &&
	    (req->route->body == BODY_JSON || req->route->body == BODY_UPLOAD))
		r = parse_object(req);
	if (r != 0)
		return r;
	req->has_body = req->json != NULL;
	if (req->json != NULL)
		return 0;
	if ((req->json = json_object_new_object()) == NULL)
		return err_set(ERR_NOMEM, "request body");
	if (form_is_urlencoded(req) && req->raw.len != 0) {
		form_urlencoded(req, req->json);
		req->has_body = true;
		return check_texts(req->json);
	}
	return 0;
}

/* --- accessors -------------------------------------------------------- */

const char *
request_param(const struct request *req, const char *name)
{
	const char *p = req->route->pattern;
	size_t i = 0, len = strlen(name);

	for (p = strchr(p, ':'); p != NULL; p = strchr(p + 1, ':'), i++) {
		if (strncmp(p + 1, name, len) == 0 &&
		    (p[1 + len] == '/' || p[1 + len] == '\0'))
			return req->params[i];
	}
	return "";
}

int
request_query(const struct request *req, const char *name, const char **out)
{
	struct buf value = BUF_INIT;
	const char *s = req->query;
	size_t len = strlen(name), n;
	int r = 0;

	*out = NULL;
	for (;;) {
		n = strcspn(s, "&");
		if (n > len && strncmp(s, name, len) == 0 && s[len] == '=')
			break;
		if (s[n] == '\0')
			return 0;
		s += n + 1;
	}
	str_percent_decode(&value, s + len + 1, n - len - 1);
	if (strlen(buf_str(&value)) == value.len)
		*out = arena_strdup(req->arena, buf_str(&value));
	else
		r = err_set(ERR_INVALID, "%s has a NUL in it", name);
	buf_fini(&value);
	return r;
}

struct json_object *
request_field(const struct request *req, const char *name)
{
	struct json_object *o = NULL;

	(void)json_object_object_get_ex(req->json, name, &o);
	return o;
}

const char *
request_text(const struct request *req, const char *name)
{
	struct json_object *o = request_field(req, name);
	enum json_type t = json_object_get_type(o);

	if (o == NULL || t == json_type_object || t == json_type_array)
		return NULL;
	return arena_strdup(req->arena, json_object_get_string(o));
}

int
request_int(const struct request *req, const char *name, int64_t min,
    int64_t max, int64_t fallback, int64_t *out)
{
	struct json_object *o = request_field(req, name);
	const char *text;

	*out = fallback;
	if (o == NULL)
		return 0;
	if (json_object_is_type(o, json_type_boolean)) {
		*out = json_object_get_boolean(o);
		return 0;
	}
	text = request_text(req, name);
	if (text == NULL || str_to_int64(text, min, max, out) != 0) {
		*out = fallback;
		return err_set(ERR_INVALID,
		    "%s must be an integer from %lld to %lld", name,
		    (long long)min, (long long)max);
	}
	return 0;
}

bool
request_flag(const struct request *req, const char *name, bool fallback)
{
	const char *text = request_text(req, name);
	bool value;

	if (text == NULL || str_to_bool(text, &value) != 0)
		return fallback;
	return value;
}

int
request_require(const struct request *req, const char *names)
{
	struct buf missing = BUF_INIT;
	const char *s, *name;
	size_t n;
	int r = 0;

	for (s = names; *s != '\0'; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		name = arena_strndup(req->arena, s, n);
		if (json_object_object_get_ex(req->json, name, NULL))
			continue;
		if (missing.len != 0)
			buf_putc(&missing, ',');
		buf_puts(&missing, name);
	}
	if (missing.len != 0)
		r = err_set(ERR_INVALID,
		    "required argument are missing: %s; %s%s",
		    buf_str(&missing),
		    req->body_fault != NULL ? "the body was not read: " : "",
		    req->body_fault != NULL ? req->body_fault : "");
	buf_fini(&missing);
	return r;
}
