/*
 * Metrics of tasks: names, points, all of a component's.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/text_cache.h"
#include "fcgi-app/tracked.h"
#include "fcgi-app/view.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_metric.h"
#include "lib/json/canon.h"

/* A number as JSON has it: most keys and values are one. */
static bool
is_number(const char *s)
{
	size_t n;

	s += *s == '-';
	n = strspn(s, "0123456789");
	if (n == 0 || (n > 1 && s[0] == '0'))
		return false;
	s += n;
	if (*s == '.') {
		if ((n = strspn(s + 1, "0123456789")) == 0)
			return false;
		s += n + 1;
	}
	if (*s == 'e' || *s == 'E') {
		s += s[1] == '+' || s[1] == '-' ? 2 : 1;
		if ((n = strspn(s, "0123456789")) == 0)
			return false;
		s += n;
	}
	return *s == '\0';
}

static void
put_value(struct buf *out, const char *text)
{
	struct json_object *o = NULL;

	if (is_number(text)) {
		buf_puts(out, text);
		return;
	}
	/* What is no JSON was stored by a stranger's hand: show it as text. */
	if (json_parse_text(text, &o) != 0)
		o = json_object_new_string(text);
	buf_puts(out, json_text(o));
	json_object_put(o);
}

/* The first of a series; points are in order of their series. */
static const struct db_point *
first_point(const struct db_point *points, size_t n, int64_t series)
{
	size_t from = 0, to = n, mid;

	while (from < to) {
		mid = from + (to - from) / 2;
		if (points[mid].series_id < series)
			from = mid + 1;
		else
			to = mid;
	}
	return points + from;
}

/*
 * [[key, value], …], as text: curves have thousands of points, and an object
 * for each would only be printed and freed.
 */
static void
put_points(
    struct buf *out, const struct db_point *points, size_t n, int64_t series)
{
	const struct db_point *p = first_point(points, n, series);
	bool first = true;

	buf_putc(out, '[');
	for (; p < points + n && p->series_id == series; p++, first = false) {
		buf_puts(out, first ? "[" : ",[");
		put_value(out, p->point_key);
		buf_putc(out, ',');
		put_value(out, p->point_value);
		buf_putc(out, ']');
	}
	buf_putc(out, ']');
}

static struct json_object *
meta_json(const struct db_series *s)
{
	struct json_object *o = view_document(s->meta);

	if (!json_has(o, "name"))
		json_add_str(o, "name", s->name);
	return o;
}

static int
read_series(struct request *req, const struct tracked *t, const char *ns,
    const char *name, struct db_series **rows, size_t *n)
{
	return db_metric_series(req->app->db, req->arena, t->job_id,
	    t->component, -1, t->role, t->party_id, ns, name, rows, n);
}

static int
read_points(struct request *req, const struct tracked *t, const char *ns,
    const char *name, struct db_point **rows, size_t *n)
{
	return db_metric_points(req->app->db, req->arena, t->job_id,
	    t->component, -1, t->role, t->party_id, ns, name, rows, n);
}

int
api_metrics(struct request *req, struct reply *rp)
{
	struct json_object *data, *list;
	struct db_series *rows;
	struct tracked t;
	size_t i, n;
	int r;

	if ((r = tracked_find(req, &t)) != 0 ||
	    (r = read_series(req, &t, NULL, NULL, &rows, &n)) != 0)
		return r;
	data = json_object_new_object();
	for (i = 0; i < n; i++) {
		list = json_get(data, rows[i].metric_namespace);
		if (list == NULL) {
			list = json_object_new_array();
			json_add(data, rows[i].metric_namespace, list);
		}
		json_object_array_add(
		    list, json_object_new_string(rows[i].name));
	}
	if (n == 0)
		reply_message(rp, "%s", tracked_no_data(req, &t));
	return reply_data(rp, data);
}

/* Points of all series of a request, read when the first is wanted. */
struct points {
	const struct tracked *of;
	bool are_read;
	struct db_point *rows;
	size_t n;
};

/*
 * {"data": [[key, value], …], "meta": {…}} of a series.  Every write of a
 * series and its points gives it another revision, and its id is never
 * another's, so these two name the text.  Points that were written since the
 * revision was read are shown as well, and the next reader asks for theirs.
 */
static int
put_series(struct request *req, const struct db_series *s, struct points *p,
    struct buf *out)
{
	const char *key = arena_printf(req->arena, "metric/%lld/%lld",
	    (long long)s->id, (long long)s->revision);
	const char *kept = text_cache_get(req->app->texts, key);
	size_t begin = out->len;
	struct json_object *meta;
	int r;

	if (kept != NULL) {
		buf_puts(out, kept);
		return 0;
	}
	if (!p->are_read &&
	    (r = read_points(req, p->of, NULL, NULL, &p->rows, &p->n)) != 0)
		return r;
	p->are_read = true;
	buf_puts(out, "{\"data\":");
	put_points(out, p->rows, p->n, s->id);
	buf_puts(out, ",\"meta\":");
	meta = meta_json(s);
	buf_puts(out, json_text(meta));
	json_object_put(meta);
	buf_putc(out, '}');
	text_cache_put(req->app->texts, key, out->data + begin);
	return 0;
}

/* {namespace: {name: series, …}, …}; rows are in this order. */
static int
put_all(struct request *req, const struct tracked *t,
    const struct db_series *rows, size_t n, struct buf *out)
{
	struct points points = { .of = t };
	bool same = false;
	size_t i;
	int r;

	buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		const char *ns = rows[i].metric_namespace;

		same = i > 0 && strcmp(ns, rows[i - 1].metric_namespace) == 0;
		if (!same) {
			buf_puts(out, i > 0 ? "}," : "");
			if ((r = json_canon_text(ns, strlen(ns), out)) != 0)
				return r;
			buf_puts(out, ":{");
		}
		buf_puts(out, same ? "," : "");
		if ((r = json_canon_text(
			 rows[i].name, strlen(rows[i].name), out)) != 0)
			return r;
		buf_putc(out, ':');
		if ((r = put_series(req, &rows[i], &points, out)) != 0)
			return r;
	}
	buf_puts(out, n > 0 ? "}}" : "}");
	return 0;
}

int
api_metric_all(struct request *req, struct reply *rp)
{
	struct buf text = BUF_INIT;
	struct db_series *rows;
	struct tracked t;
	size_t n;
	int r;

	if ((r = tracked_find(req, &t)) != 0 ||
	    (r = read_series(req, &t, NULL, NULL, &rows, &n)) != 0)
		return r;
	if ((r = put_all(req, &t, rows, n, &text)) != 0) {
		buf_fini(&text);
		return r;
	}
	if (n == 0)
		reply_message(rp, "%s", tracked_no_data(req, &t));
	return reply_data(rp, json_of_text(buf_steal(&text)));
}

int
api_metric_data(struct request *req, struct reply *rp)
{
	const char *ns = request_text(req, "metric_namespace");
	const char *name = request_text(req, "metric_name");
	struct buf text = BUF_INIT;
	struct db_series *rows;
	struct db_point *points;
	struct tracked t;
	size_t n, np;
	int r;

	if ((r = request_require(req, "metric_namespace,metric_name")) != 0 ||
	    (r = tracked_find(req, &t)) != 0)
		return r;
	ns = ns != NULL ? ns : "";
	name = name != NULL ? name : "";
	if ((r = read_series(req, &t, ns, name, &rows, &n)) != 0 ||
	    (r = read_points(req, &t, ns, name, &points, &np)) != 0)
		return r;
	if (n == 0) {
		reply_message(rp, "%s", tracked_no_data(req, &t));
		rp->meta = json_object_new_object();
		return reply_data(rp, json_object_new_array());
	}
	rp->meta = meta_json(&rows[0]);
	put_points(&text, points, np, rows[0].id);
	return reply_data(rp, json_of_text(buf_steal(&text)));
}
