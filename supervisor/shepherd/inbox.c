/*
 * Incoming objects.  fcgi-app and other shepherds put them into the mailbox
 * and send a datagram with the file's name; a heartbeat looks as well.
 *
 * An object is handed out once.  Its identity is remembered, so that a late
 * copy (a sender that did not hear our "kept") is removed and not kept until
 * the end.
 */
#include "supervisor/shepherd/inbox.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "supervisor/shepherd/lease.h"
#include "supervisor/shepherd/session.h"
#include "supervisor/shepherd/shepherd.h"

#define MAX_WANTED 10000
#define DATAGRAMS 64 /* read in one go */
#define ID_LEN (MAILBOX_ID_SIZE - 1)

/* A Get without its answer. */
struct wanted {
	TAILQ_ENTRY(wanted) link;
	uint64_t id;
	int64_t since_ms; /* monotonic */
	char file[MAILBOX_FILE_SIZE];
	char *name;
	char *tag;
	char *role;
	char *party_id;
};

struct inbox {
	struct shepherd *shepherd;
	struct mailbox *mailbox;
	char *path; /* of the wake socket */
	int fd;
	struct loop_fd *watch;
	TAILQ_HEAD(wanted_list, wanted) list;
	size_t n;
	void *delivered; /* tsearch tree of ids */
	bool has_wish;	 /* the mailbox has room for it */
	uint64_t wish;	 /* of a wanted */
	struct inbox_received *received;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct mailbox_object
object_of(const struct wanted *w)
{
	return (struct mailbox_object){ .name = w->name,
		.tag = w->tag,
		.from_role = w->role,
		.from_party = w->party_id,
		.parts = 1 };
}

static void
wanted_free(struct wanted *w)
{
	free(w->name);
	free(w->tag);
	free(w->role);
	free(w->party_id);
	free(w);
}

static struct wanted *
wanted_new(const Sluice__Executor__Get *m)
{
	struct wanted *w = xcalloc(1, sizeof(*w));

	w->id = m->id;
	w->since_ms = clock_mono_ms();
	w->name = xstrdup(m->name);
	w->tag = xstrdup(m->tag);
	w->role = xstrdup(m->from->role);
	w->party_id = xstrdup(m->from->party_id);
	return w;
}

/* --- delivery ------------------------------------------------------------------- */

static int
send_inline(
    struct inbox *ib, const struct wanted *w, struct mailbox_found *found)
{
	Sluice__Executor__Delivery m = SLUICE__EXECUTOR__DELIVERY__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;
	struct buf content = BUF_INIT;
	int r;

	r = buf_read_fd(&content, found->fd[0], FRAME_INLINE_MAX);
	if (r == 0) {
		m.id = w->id;
		m.size = content.len;
		m.content.len = content.len;
		m.content.data = (uint8_t *)content.data;
		f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_DELIVERY;
		f.delivery = &m;
		r = session_send(ib->shepherd->session, &f, NULL, 0);
	}
	buf_fini(&content);
	return r;
}

static int
send_fds(struct inbox *ib, const struct wanted *w, struct mailbox_found *found)
{
	Sluice__Executor__Delivery m = SLUICE__EXECUTOR__DELIVERY__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;
	uint32_t n = found->parts;

	m.id = w->id;
	m.size = found->bytes;
	m.descriptors = n;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_DELIVERY;
	f.delivery = &m;
	found->parts = 0; /* the session's now */
	return session_send(ib->shepherd->session, &f, found->fd, n);
}

static void
remember(struct inbox *ib, const char *file)
{
	char *id = xstrndup(file, ID_LEN);
	char **node = tsearch(id, &ib->delivered, compare);

	if (node == NULL || *node != id)
		free(id);
}

/* The other end of the sender's egress ledger. */
static void
count(struct inbox *ib, const struct wanted *w, int64_t parts, uint64_t bytes)
{
	struct inbox_received *in;

	if (str_eq(w->party_id, ib->shepherd->conf->party_id))
		return;
	for (in = ib->received; in != NULL; in = in->next)
		if (str_eq(in->party_id, w->party_id))
			break;
	if (in == NULL) {
		in = xcalloc(1, sizeof(*in));
		in->party_id = xstrdup(w->party_id);
		in->next = ib->received;
		ib->received = in;
	}
	in->objects += parts;
	in->bytes += (int64_t)bytes;
}

const struct inbox_received *
inbox_received(const struct inbox *ib)
{
	return ib != NULL ? ib->received : NULL;
}

/* Hand the object out when it is there; ERR_NOT_FOUND when not yet. */
static int
deliver(struct inbox *ib, const struct wanted *w)
{
	struct mailbox_object o = object_of(w);
	struct mailbox_found *found = xcalloc(1, sizeof(*found));
	uint32_t parts;
	int r;

	if ((r = mailbox_get(ib->mailbox, &o, found)) != 0)
		goto out;
	parts = found->parts;
	if (found->parts == 1 && found->bytes <= FRAME_INLINE_MAX)
		r = send_inline(ib, w, found);
	else
		r = send_fds(ib, w, found);
	mailbox_found_close(found);
	if (r != 0)
		goto out;
	remember(ib, w->file);
	count(ib, w, parts, found->bytes);
	if (mailbox_consume(ib->mailbox, &o) != 0)
		log_err("delivered object stays");
out:
	free(found);
	return r;
}

/* True when the wish is gone: fulfilled, or the task ends for it. */
static bool
try_one(struct inbox *ib, struct wanted *w)
{
	int r = deliver(ib, w);

	if (r == ERR_NOT_FOUND)
		return false;
	if (r != 0)
		control_fail(ib->shepherd, "object for the executor");
	TAILQ_REMOVE(&ib->list, w, link);
	ib->n--;
	wanted_free(w);
	return true;
}

int
inbox_get(struct inbox *ib, const Sluice__Executor__Get *m)
{
	const struct mailbox_task *me = &ib->shepherd->mailbox;
	struct wanted *w;
	struct mailbox_object o;
	char id[MAILBOX_FILE_SIZE];
	int r;

	if (!subject_has_member(
		ib->shepherd->subject, m->from->role, m->from->party_id) ||
	    (str_eq(m->from->role, me->role) &&
		str_eq(m->from->party_id, me->party_id)))
		return err_set(ERR_INVALID,
		    "%s from %s %s, which is no other "
		    "member of %s",
		    m->name, m->from->role, m->from->party_id, me->component);
	if (ib->n >= MAX_WANTED)
		return err_set(
		    ERR_LIMIT, "more than %d objects asked for", MAX_WANTED);
	w = wanted_new(m);
	o = object_of(w);
	if ((r = mailbox_file_name(&o, id)) != 0) {
		wanted_free(w);
		return r;
	}
	memcpy(w->file, id, sizeof(w->file));
	if (tfind(id, &ib->delivered, compare) != NULL) {
		wanted_free(w);
		return err_set(ERR_INVALID,
		    "%s (tag '%s') was asked for "
		    "twice",
		    m->name, m->tag);
	}
	TAILQ_INSERT_TAIL(&ib->list, w, link);
	ib->n++;
	(void)try_one(ib, w);
	return 0;
}

/*
 * The oldest may be kept out by others that are not wanted yet.  Looked at
 * with heartbeats only, for most objects come before.
 */
static void
make_wish(struct inbox *ib)
{
	const struct wanted *w = TAILQ_FIRST(&ib->list);
	struct mailbox_object o;

	if (w == NULL ? !ib->has_wish : ib->has_wish && ib->wish == w->id)
		return;
	if (w != NULL) {
		o = object_of(w);
		ib->wish = w->id;
	}
	ib->has_wish = w != NULL;
	if (mailbox_wish(ib->mailbox, w != NULL ? &o : NULL) != 0)
		log_err("mailbox");
}

void
inbox_look(struct inbox *ib)
{
	struct wanted *w, *next;

	for (w = TAILQ_FIRST(&ib->list); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		(void)try_one(ib, w);
	}
	make_wish(ib);
}

int64_t
inbox_waits(
    const struct inbox *ib, char text[INBOX_TEXT_SIZE], const char **what)
{
	const struct wanted *w = TAILQ_FIRST(&ib->list);

	*what = NULL;
	if (w == NULL)
		return 0;
	(void)snprintf(text, INBOX_TEXT_SIZE, "%.80s (tag '%.80s') of %s %s",
	    w->name, w->tag, w->role, w->party_id);
	*what = text;
	return clock_mono_ms() - w->since_ms;
}

/* --- datagrams ------------------------------------------------------------------ */

/* A copy of what was handed out: its sender did not hear us. */
static void
drop_copy(struct inbox *ib, const char *file)
{
	if (mailbox_drop(ib->mailbox, file) != 0)
		log_err("late copy stays");
}

static void
on_word(struct inbox *ib, const char *word)
{
	struct wanted *w, *next;
	char id[MAILBOX_ID_SIZE];

	if (str_eq(word, "kill")) {
		lease_beat(ib->shepherd->lease);
		return;
	}
	(void)strncpy(id, word, ID_LEN);
	id[ID_LEN] = '\0';
	if (tfind(id, &ib->delivered, compare) != NULL) {
		drop_copy(ib, word);
		return;
	}
	for (w = TAILQ_FIRST(&ib->list); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (strncmp(w->file, id, ID_LEN) == 0)
			(void)try_one(ib, w);
	}
}

static void
on_datagram(void *ctx, int fd, int events)
{
	struct inbox *ib = ctx;
	char word[64];
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < DATAGRAMS; i++) {
		n = recv(fd, word, sizeof(word) - 1, MSG_DONTWAIT);
		if (n < 0)
			break;
		word[n] = '\0';
		on_word(ib, word);
	}
}

/* --- the mailbox ---------------------------------------------------------------- */

int
inbox_open(struct shepherd *s, struct inbox **out)
{
	struct inbox *ib = xcalloc(1, sizeof(*ib));
	char *dir = site_path(s->conf, "%s/m", SITE_RUN);
	int r;

	*out = NULL;
	ib->shepherd = s;
	ib->fd = -1;
	TAILQ_INIT(&ib->list);
	if ((r = fd_mkdirs(dir, 0770)) != 0 ||
	    (r = mailbox_wake_path(s->conf, &s->mailbox, &ib->path)) != 0 ||
	    (r = fd_dgram_bind(ib->path, &ib->fd)) != 0 ||
	    (r = loop_fd_add(s->loop, ib->fd, LOOP_READ, on_datagram, ib,
		 &ib->watch)) != 0 ||
	    (r = mailbox_remove(s->conf, &s->mailbox)) != 0 ||
	    (r = mailbox_create(s->conf, &s->mailbox)) != 0 ||
	    (r = mailbox_open(s->conf, &s->mailbox, &ib->mailbox)) != 0)
		goto out;
	*out = ib;
	ib = NULL;
out:
	free(dir);
	inbox_close(ib);
	return r;
}

void
inbox_close(struct inbox *ib)
{
	struct inbox_received *in;
	struct wanted *w;

	if (ib == NULL)
		return;
	loop_fd_del(ib->watch);
	/* With a lost lease both may be another attempt's by now. */
	if (!ib->shepherd->is_lost && ib->fd >= 0)
		(void)unlink(ib->path);
	fd_close(&ib->fd);
	mailbox_close(ib->mailbox);
	if (!ib->shepherd->is_lost &&
	    mailbox_remove(ib->shepherd->conf, &ib->shepherd->mailbox) != 0)
		log_err("mailbox stays");
	while ((w = TAILQ_FIRST(&ib->list)) != NULL) {
		TAILQ_REMOVE(&ib->list, w, link);
		wanted_free(w);
	}
	while ((in = ib->received) != NULL) {
		ib->received = in->next;
		free(in->party_id);
		free(in);
	}
	tdestroy(ib->delivered, free);
	free(ib->path);
	free(ib);
}
