/*
 * Errands from the side of those who wait.  Called by handlers of users'
 * routes.
 */
#include "fcgi-app/errand.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/turns.h"
#include "fcgi-app/wake.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_errand.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"
#include "lib/party/errand.h"

#define POLL_MS 200	  /* should the datagram be lost */
#define WAIT_MORE_MS 2000 /* beyond the limit of a request to a partner */
#define PERSIST_MS (24 * 3600 * INT64_C(1000))

void
errand_init(struct errand *e, struct request *req, const char *kind)
{
	memset(e, 0, sizeof(*e));
	e->req = req;
	e->kind = kind;
	e->calls =
	    arena_alloc(req->arena, ERRAND_CALLS_MAX * sizeof(*e->calls));
}

void
errand_fini(struct errand *e)
{
	for (size_t i = 0; i < e->n; i++)
		json_object_put(e->calls[i].body);
	json_object_put(e->root);
	memset(e, 0, sizeof(*e));
}

void
errand_add(struct errand *e, const char *role, const char *party_id,
    struct json_object *body)
{
	if (e->n == ERRAND_CALLS_MAX) {
		json_object_put(body);
		return; /* errand_run() says so */
	}
	e->calls[e->n++] = (struct errand_call){
		.role = arena_strdup(e->req->arena, role),
		.party_id = arena_strdup(e->req->arena, party_id),
		.body = body,
	};
}

size_t
errand_failures(const struct errand *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		n += e->calls[i].reply.retcode != 0;
	return n;
}

static int
check(const struct errand *e)
{
	if (e->n == 0 || e->n == ERRAND_CALLS_MAX)
		return err_set(ERR_INVALID, "1 to %d members can be asked",
		    ERRAND_CALLS_MAX - 1);
	for (size_t i = 0; i < e->n; i++)
		if (!str_is_name(e->calls[i].role, JOB_ROLE_MAX) ||
		    !str_is_party_id(e->calls[i].party_id))
			return err_set(ERR_INVALID,
			    "'%.20s %.20s' is no role and party id",
			    e->calls[i].role, e->calls[i].party_id);
	return 0;
}

static int64_t
wait_ms(const struct errand *e)
{
	return e->req->app->conf->partner_timeout_ms + WAIT_MORE_MS;
}

static int
insert(struct errand *e, const char *id)
{
	struct json_object *list = json_object_new_array(), *o;
	struct db_errand row = { .errand_id = id,
		.kind = e->kind,
		.persistent = e->persistent,
		.request_id = log_request_id(),
		.deadline_ms = e->persistent ? PERSIST_MS : wait_ms(e) };
	int r;

	for (size_t i = 0; i < e->n; i++) {
		o = json_object_new_object();
		json_add_str(o, "role", e->calls[i].role);
		json_add_str(o, "party_id", e->calls[i].party_id);
		json_add(o, "body", json_object_get(e->calls[i].body));
		json_object_array_add(list, o);
	}
	row.calls = json_text(list);
	r = db_errand_add(e->req->app->db, &row);
	json_object_put(list);
	return r;
}

/* --- waiting --- */

static int
listen_for(const struct errand *e, const char *id, char **path, int *fd)
{
	const struct site_conf *conf = e->req->app->conf;
	char *dir = site_path(conf, "%s/e", SITE_RUN);
	int r;

	*path = errand_socket(conf, id);
	if ((r = fd_mkdirs(dir, 0770)) == 0)
		r = fd_dgram_bind(*path, fd);
	free(dir);
	return r;
}

static void
pause_until_told(int fd, int64_t ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char none[8];

	if (poll(&p, 1, (int)(ms < POLL_MS ? ms : POLL_MS)) == 1)
		while (read(fd, none, sizeof(none)) >= 0)
			continue;
}

/* The row once it is over, or as it stands when the time is. */
static int
wait_for_end(struct errand *e, const char *id, int fd, struct db_errand **row)
{
	int64_t until = clock_mono_ms() + wait_ms(e), left;
	int r;

	for (;;) {
		if ((r = db_errand_get(
			 e->req->app->db, e->req->arena, id, row)) != 0)
			return r;
		left = until - clock_mono_ms();
		if (str_eq((*row)->state, "done") ||
		    str_eq((*row)->state, "expired") || left <= 0)
			return 0;
		pause_until_told(fd, left);
	}
}

static int
give_up(struct errand *e, const char *id)
{
	if (db_errand_give_up(e->req->app->db, id, NULL) != 0)
		log_err("errand %s", e->kind);
	return err_set(ERR_TIMEOUT,
	    "the members were not heard within %lld s: does the site's "
	    "supervisor run?",
	    (long long)(wait_ms(e) / 1000));
}

/* --- replies --- */

static void
take_reply(struct errand_call *c, struct json_object *o)
{
	c->reply = (struct errand_reply){
		.retcode = json_get_int(o, "retcode", ERRAND_SILENT),
		.retmsg = json_get_str(o, "retmsg", "has not answered yet"),
		.data = json_get(o, "data"),
		.silent = json_get_bool(o, "silent", true),
	};
}

static int
take_replies(struct errand *e, const struct db_errand *row)
{
	int r;

	if (row->replies != NULL &&
	    (r = json_parse_text(row->replies, &e->root)) != 0)
		return err_wrap("replies");
	for (size_t i = 0; i < e->n; i++)
		take_reply(
		    &e->calls[i], json_is_array(e->root)
				      ? json_object_array_get_idx(e->root, i)
				      : NULL);
	return 0;
}

static int
insert_and_wait(struct errand *e)
{
	struct db_errand *row;
	char id[ID_RANDOM_SIZE], *path = NULL;
	int fd = -1, r;

	id_random(id);
	if ((r = listen_for(e, id, &path, &fd)) != 0 ||
	    (r = insert(e, id)) != 0)
		goto out;
	wake_supervisor(e->req, "", WAKE_ASK);
	if ((r = wait_for_end(e, id, fd, &row)) != 0)
		goto out;
	/* What there is of answers says more than that time is up. */
	r = e->persistent || row->replies != NULL || str_eq(row->state, "done")
		? take_replies(e, row)
		: give_up(e, id);
out:
	if (path != NULL)
		(void)unlink(path);
	free(path);
	fd_close(&fd);
	return r;
}

int
errand_run(struct errand *e)
{
	struct turns *turns = e->req->app->errands;
	bool mine = turns_has(turns);
	int r;

	if ((r = check(e)) != 0 || (r = turns_take(turns)) != 0)
		return r;
	r = insert_and_wait(e);
	if (!mine)
		turns_give(turns);
	return r;
}

int
errand_send(struct errand *e)
{
	char id[ID_RANDOM_SIZE];
	int r;

	id_random(id);
	if ((r = check(e)) == 0 && (r = insert(e, id)) == 0)
		wake_supervisor(e->req, "", WAKE_ASK);
	return r;
}

int
errand_error(struct reply *rp, int error)
{
	return error == ERR_BUSY || error == ERR_TIMEOUT ? reply_busy(rp)
							 : error;
}
