/*
 * Lending connections.  pool_*() run in the nursery, loan_*() in the process
 * that it forked.
 */
#include "supervisor/shepherd/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_move.h"
#include "lib/db/db_recover.h"

enum slot_state { SLOT_EMPTY, SLOT_IDLE, SLOT_LENT };

struct slot {
	enum slot_state state;
	struct db *db;
	struct stat socket; /* which one it is */
	int pidfd;	    /* who has it */
	int64_t lent_ms;    /* since when; monotonic */
	bool asked;	    /* to do without it */
	int back;	    /* the socket that came, of one that has it, too */
	int pair[2];	    /* ours, and the one that is lent with it */
};

struct pool {
	const struct site_conf *conf;
	int64_t ask_ms, patience_ms;
	struct slot slots[POOL_SIZE];
	int nothing; /* stands in for sockets that are lent */
};

struct pool *
pool_new(const struct site_conf *conf, int64_t ask_ms, int64_t patience_ms)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->conf = conf;
	p->ask_ms = ask_ms;
	p->patience_ms = patience_ms;
	p->nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < POOL_SIZE; i++) {
		struct slot *s = &p->slots[i];

		s->pidfd = s->back = s->pair[0] = s->pair[1] = -1;
	}
	return p;
}

static void
slot_clear(struct slot *s)
{
	db_close(s->db);
	s->db = NULL;
	fd_close(&s->pidfd);
	fd_close(&s->back);
	fd_close(&s->pair[0]);
	fd_close(&s->pair[1]);
	s->asked = false;
	s->state = SLOT_EMPTY;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < POOL_SIZE; i++)
		slot_clear(&p->slots[i]);
	fd_close(&p->nothing);
	free(p);
}

/* --- having some at hand ---------------------------------------------------- */

static struct slot *
find(const struct pool *p, enum slot_state state)
{
	for (size_t i = 0; i < POOL_SIZE; i++)
		if (p->slots[i].state == state)
			return (struct slot *)(uintptr_t)&p->slots[i];
	return NULL;
}

/* One that is free, or whose loan lasts too long. */
static struct slot *
find_room(const struct pool *p)
{
	struct slot *s = find(p, SLOT_EMPTY);

	for (size_t i = 0; s == NULL && i < POOL_SIZE; i++)
		if (p->slots[i].state == SLOT_LENT &&
		    clock_mono_ms() - p->slots[i].lent_ms >= p->patience_ms)
			s = (struct slot *)(uintptr_t)&p->slots[i];
	return s;
}

bool
pool_wants_one(const struct pool *p)
{
	return p->nothing >= 0 && find(p, SLOT_IDLE) == NULL &&
	       find_room(p) != NULL;
}

void
pool_add_one(struct pool *p)
{
	struct slot *s = find_room(p);

	/* On this side there is nothing behind it but /dev/null. */
	slot_clear(s);
	if (db_open(p->conf, &s->db) != 0 || db_move_ready(s->db) != 0 ||
	    fstat(db_move_socket(s->db), &s->socket) != 0) {
		log_debug("no connection at hand: %s", err_text());
		err_clear();
		slot_clear(s);
		return;
	}
	s->state = SLOT_IDLE;
}

/* Nothing to read: the server has neither ended it nor a word too many. */
static bool
is_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* --- lending ------------------------------------------------------------------ */

/* The last one goes: who has had one for longest is asked for it. */
static void
ask_back(struct pool *p)
{
	int64_t now = clock_mono_ms();
	struct slot *first = NULL;

	for (size_t i = 0; i < POOL_SIZE; i++) {
		struct slot *s = &p->slots[i];

		if (s->state == SLOT_LENT && s->pidfd >= 0 && !s->asked &&
		    now - s->lent_ms >= p->ask_ms &&
		    (first == NULL || s->lent_ms < first->lent_ms))
			first = s;
	}
	if (first != NULL)
		first->asked = send(first->pair[0], "", 1,
				   MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

void
pool_lend(struct pool *p, struct loan *out)
{
	struct slot *s;

	*out = (struct loan)LOAN_INIT;
	while ((s = find(p, SLOT_IDLE)) != NULL &&
	       !is_quiet(db_move_socket(s->db)))
		slot_clear(s);
	if (s != NULL) {
		/* Who is forked has the time from here, and need not ask. */
		db_clock_follow(s->db);
		s->state = SLOT_LENT;
	}
	if (find(p, SLOT_IDLE) == NULL)
		ask_back(p);
	if (s == NULL)
		return;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s->pair) != 0) {
		slot_clear(s);
		return;
	}
	out->db = s->db;
	out->back = s->pair[1];
}

static struct slot *
slot_of(struct pool *p, const struct loan *loan)
{
	for (size_t i = 0; i < POOL_SIZE; i++)
		if (p->slots[i].state == SLOT_LENT &&
		    p->slots[i].db == loan->db)
			return &p->slots[i];
	return NULL;
}

void
pool_lent(struct pool *p, const struct loan *loan, int pidfd)
{
	struct slot *s = loan->db != NULL ? slot_of(p, loan) : NULL;

	if (s == NULL) {
		fd_close(&pidfd);
		return;
	}
	fd_close(&s->pair[1]);
	if (pidfd < 0) {
		fd_close(&s->pair[0]);
		s->state = SLOT_IDLE;
		return;
	}
	s->pidfd = pidfd;
	s->lent_ms = clock_mono_ms();
	/* Its number stays taken, for the connection comes back to it. */
	while (dup3(p->nothing, db_move_socket(s->db), O_CLOEXEC) < 0 &&
	       (errno == EINTR || errno == EBUSY))
		;
}

/* --- what comes back ------------------------------------------------------------- */

/* The descriptor in a message, -1 for none. */
static int
receive(int from)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		/* Not all the space: a second one would fit into what is
		 * left for the first one's sake, and stay open here. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Nobody else has it any more: the connection is back, or gone. */
static void
take_back(struct slot *s)
{
	int fd = s->back >= 0 ? s->back : receive(s->pair[0]);
	int place = db_move_socket(s->db);
	struct stat st;

	s->back = -1;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_ino != s->socket.st_ino ||
	    st.st_dev != s->socket.st_dev || !is_quiet(fd) ||
	    dup3(fd, place, O_CLOEXEC) < 0) {
		slot_clear(s);
	} else {
		fd_close(&s->pidfd);
		fd_close(&s->pair[0]);
		s->asked = false;
		s->state = SLOT_IDLE;
	}
	fd_close(&fd);
}

/* First the socket, then the word that it is closed there. */
static void
hear(struct slot *s)
{
	int fd = receive(s->pair[0]);

	if (s->back < 0 && fd >= 0)
		s->back = fd;
	else if (s->back >= 0 && fd < 0)
		take_back(s);
	else {
		fd_close(&fd);
		slot_clear(s);
	}
}

size_t
pool_watch(const struct pool *p, struct pollfd *out)
{
	size_t n = 0;

	for (size_t i = 0; i < POOL_SIZE; i++) {
		const struct slot *s = &p->slots[i];

		if (s->state != SLOT_LENT)
			continue;
		out[n++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		if (s->asked)
			out[n++] = (struct pollfd){ .fd = s->pair[0],
				.events = POLLIN };
	}
	return n;
}

void
pool_look(struct pool *p)
{
	for (size_t i = 0; i < POOL_SIZE; i++) {
		struct slot *s = &p->slots[i];

		if (s->state != SLOT_LENT)
			continue;
		if (!is_quiet(s->pidfd))
			take_back(s);
		else if (s->asked && !is_quiet(s->pair[0]))
			hear(s);
	}
}

/* --- the borrower's side ------------------------------------------------------------ */

static int
send_back(int to, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = "" };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return err_set_errno(ERR_IO, "return the connection");
	return 0;
}

bool
loan_give(struct loan *l)
{
	char byte;
	int nothing;

	(void)recv(l->back, &byte, 1, MSG_DONTWAIT);
	if ((nothing = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return false;
	if (db_move_settle(l->db) != 0 ||
	    send_back(l->back, db_move_socket(l->db)) != 0) {
		err_clear();
		fd_close(&nothing);
		return false;
	}
	db_move_let_go(l->db, nothing);
	fd_close(&nothing);
	/* When this is lost, the nursery has it after our end. */
	(void)send(l->back, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	fd_close(&l->back);
	l->db = NULL;
	return true;
}

void
loan_return(struct loan *l)
{
	if (l->db == NULL)
		return;
	/* Once it is sent it is the nursery's: no word of farewell on it. */
	if (db_move_settle(l->db) != 0 ||
	    send_back(l->back, db_move_socket(l->db)) != 0) {
		err_clear();
		db_close(l->db);
	}
	fd_close(&l->back);
	l->db = NULL;
}
