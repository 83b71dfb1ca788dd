/*
 * Objects for partners: each part is a signed request to their site.
 */
#include "supervisor/shepherd/courier_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_recover.h"
#include "lib/http/client.h"
#include "lib/json/json.h"
#include "lib/model/fault.h"
#include "lib/party/withdraw.h"
#include "lib/sign/keys.h"
#include "supervisor/shepherd/shepherd.h"

/* Slowest link that is still waited for: bytes per millisecond. */
#define SLOWEST 1000

static void
flight_free(struct courier *c, struct flight *f)
{
	TAILQ_REMOVE(&c->flights, f, link);
	c->in_flight--;
	free(f);
}

static int
find_address(struct courier *c, const char *party_id, const char **url)
{
	struct arena *arena = NULL;
	struct address *a;
	struct db_partner *p;
	int r = 0;

	for (a = c->addresses; a != NULL; a = a->next)
		if (str_eq(a->party_id, party_id))
			goto out;
	arena = arena_new();
	if ((r = db_partner_get(c->shepherd->db, arena, party_id, &p)) != 0)
		goto out;
	if (!p->enabled) {
		r = err_set(ERR_DENIED, "%s",
		    withdraw_words(arena, party_id, WITHDRAW_DISABLED));
		goto out;
	}
	a = xcalloc(1, sizeof(*a));
	a->party_id = xstrdup(party_id);
	a->url = xstrdup(p->url);
	if (str_ends(a->url, "/"))
		a->url[strlen(a->url) - 1] = '\0';
	a->next = c->addresses;
	c->addresses = a;
out:
	arena_free(arena);
	*url = a != NULL ? a->url : NULL;
	return r;
}

static void
addresses_free(struct courier *c)
{
	struct address *a;

	while ((a = c->addresses) != NULL) {
		c->addresses = a->next;
		free(a->party_id);
		free(a->url);
		free(a);
	}
}

static int
open_client(struct courier *c)
{
	char *path;
	int r = 0;

	if (c->http != NULL)
		return 0;
	/* Partners compare the times of signatures. */
	db_clock_follow(c->shepherd->db);
	path = site_path(c->shepherd->conf, "%s/sign.key", SITE_KEYS);
	if (c->keys == NULL)
		r = keys_load(path, &c->keys);
	free(path);
	if (r != 0)
		return r;
	return http_client_new_site(
	    c->shepherd->loop, c->shepherd->conf, c->keys, &c->http);
}

static void
add_query(struct buf *b, char first, const char *name, const char *value)
{
	buf_printf(b, "%c%s=", first, name);
	str_percent_encode(b, value, strlen(value));
}

static void
make_url(
    struct buf *b, const char *base, const struct shipment *sh, uint32_t part)
{
	const struct mailbox_task *me = &sh->courier->shepherd->mailbox;
	const struct parcel *p = sh->parcel;

	/* Parts of a large object are spooled, whatever their own size. */
	buf_printf(b, "%s/v1/mailbox/%s/%s/%s/%d/%s/%s", base,
	    p->size <= MAILBOX_SMALL_MAX ? "small" : "large", me->job_id,
	    me->component, me->version, sh->role, sh->party_id);
	add_query(b, '?', "name", p->name);
	add_query(b, '&', "tag", p->tag);
	add_query(b, '&', "from", me->role);
	buf_printf(b, "&part=%u&parts=%u", part, p->parts);
}

/*
 * Delivered is what the status and the envelope say so of: a refusal may come
 * with any status.  Else *why is the partner's own words, when it said any;
 * the caller's.
 */
static bool
is_delivered(const struct http_reply *reply, const char *party, char **why)
{
	struct arena *arena;
	struct json_object *o = NULL;
	bool good;

	*why = NULL;
	if (reply->error != 0) {
		*why = xstrdup(reply->error_text);
		return false;
	}
	if (json_parse(buf_str(&reply->body), reply->body.len, 64 << 10, &o) !=
	    0)
		o = NULL;
	good = reply->status == 200 && json_get_int(o, "retcode", -1) == 0;
	if (!good) {
		arena = arena_new();
		*why = xasprintf("status %d %.300s", reply->status,
		    fault_named(arena, json_get_str(o, "retmsg", ""), party));
		arena_free(arena);
	}
	json_object_put(o);
	return good;
}

static void
part_failed(
    struct shipment *sh, const struct http_reply *reply, const char *why)
{
	/* How long it is full is told by the wait. */
	if (sh->full_ms == 0)
		log_warn("%s to %s %s: %s", sh->parcel->name, sh->role,
		    sh->party_id, why);
	if (reply->status == 404)
		shipment_later(sh, START_PAUSE_MS, START_MAX_MS, true, why);
	else if (reply->status == 429 || reply->status == 507)
		shipment_full(sh,
		    reply->retry_after_s > 0 ? reply->retry_after_s * 1000
					     : RETRY_PAUSE_MS,
		    why);
	else if (reply->error == ERR_NET || reply->error == ERR_TIMEOUT ||
		 (reply->status == 401 && reply->retry_after_s > 0) ||
		 reply->status >= 500)
		shipment_later(sh, RETRY_PAUSE_MS, RETRY_MAX_MS, true, why);
	else
		shipment_give_up(sh, why);
}

static void
on_reply(void *ctx, const struct http_reply *reply)
{
	struct flight *f = ctx;
	struct shipment *sh = f->shipment;
	struct courier *c = sh->courier;
	uint32_t part = f->part;
	char *why;

	flight_free(c, f);
	sh->n_sent--;
	if (is_delivered(reply, sh->party_id, &why)) {
		shipment_part_done(sh, part);
	} else {
		sh->parts[part] = PART_WAITS;
		part_failed(sh, reply, why);
	}
	free(why);
	loop_timer_set(c->timer, 0, 0);
}

/* Why has it none that counts?  What is known of it is older. */
static int
no_certificate(struct courier *c, const char *party_id)
{
	const char *url;
	struct arena *arena;
	int r;

	addresses_free(c);
	if ((r = find_address(c, party_id, &url)) != 0)
		return r;
	arena = arena_new();
	r = err_set(ERR_DENIED, "%s",
	    withdraw_words(arena, party_id, WITHDRAW_TLS_CERT));
	arena_free(arena);
	return r;
}

static int
send_part(struct shipment *sh, uint32_t part)
{
	struct courier *c = sh->courier;
	struct parcel *p = sh->parcel;
	const unsigned char *sum;
	struct flight *f;
	struct http_request req = { .method = "PUT",
		.content_type = "application/octet-stream" };
	struct buf url = BUF_INIT;
	char digest[DIGEST_TEXT_SIZE];
	const char *base;
	uint64_t offset, len;
	int r;

	if ((r = open_client(c)) != 0 ||
	    (r = find_address(c, sh->party_id, &base)) != 0 ||
	    (sh->parts[part] == PART_NEW &&
		(r = courier_record_part(sh, part)) != 0) ||
	    (r = parcel_digest(p, part, &sum)) != 0)
		return r;
	make_url(&url, base, sh, part);
	parcel_part(p, part, &offset, &len);
	req.url = buf_str(&url);
	req.party = sh->party_id;
	if (p->data != NULL) {
		req.body = p->data;
		req.body_len = p->size;
	} else {
		req.body_fd = p->fd;
		req.body_offset = offset;
		req.body_size = len;
	}
	digest_text(sum, digest);
	req.digest = digest;
	req.timeout_ms =
	    c->shepherd->conf->partner_timeout_ms + (int64_t)(len / SLOWEST);
	f = xcalloc(1, sizeof(*f));
	f->shipment = sh;
	f->part = part;
	r = http_send(c->http, &req, on_reply, f, &f->call);
	buf_fini(&url);
	if (r != 0) {
		free(f);
		if (r == ERR_NOT_FOUND)
			r = no_certificate(c, sh->party_id);
		return r;
	}
	TAILQ_INSERT_TAIL(&c->flights, f, link);
	c->in_flight++;
	sh->parts[part] = PART_SENT;
	sh->n_sent++;
	return 0;
}

void
shipment_send(struct shipment *sh)
{
	struct courier *c = sh->courier;
	uint32_t i;
	int r;

	for (i = 0; i < sh->parcel->parts && c->in_flight < COURIER_IN_FLIGHT;
	     i++) {
		if (sh->parts[i] > PART_WAITS)
			continue;
		if (!parcel_is_ready(sh->parcel, i))
			break; /* on_hashed() comes back to it */
		r = send_part(sh, i);
		if (r == ERR_DB || r == ERR_DB_RETRY || r == ERR_IO ||
		    r == ERR_FULL)
			shipment_later(
			    sh, RETRY_PAUSE_MS, RETRY_MAX_MS, true, err_text());
		else if (r != 0)
			shipment_give_up(sh, err_text());
		/* After trouble one part tries whether it has passed. */
		if (r != 0 || sh->trouble_ms != 0 || sh->full_ms != 0)
			break;
	}
}

void
courier_send_fini(struct courier *c)
{
	http_client_free(c->http);
	keys_free(c->keys);
	while (!TAILQ_EMPTY(&c->flights))
		flight_free(c, TAILQ_FIRST(&c->flights));
	addresses_free(c);
}
