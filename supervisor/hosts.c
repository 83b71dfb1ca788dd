/*
 * Datagrams between the hosts of a site.  Owned by supervisor.c.
 *
 * On the wire: 32 bytes of keyed BLAKE2b over the rest; the rest is
 * "job ID", "work", "hosts" (look who is there), or "task HEX WORD", HEX naming
 * a socket in run/m.
 */
#include "supervisor/hosts.h"

#include <netdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "lib/mailbox/mailbox.h"
#include "lib/sign/keys.h"
#include "supervisor/scheduler.h"

#define HOSTS_MAX 64
#define MAC_SIZE crypto_generichash_BYTES
#define TEXT_MAX 160
/* Datagrams read in one go; more wait for the loop's next turn. */
#define BATCH 64
/* A host whose supervisor is silent for longer is told nothing. */
#define SILENT_MS 20000
#define WORK_AGAIN_MS 200
#define PURPOSE "wake-ups between the hosts of a site, 1"

struct other {
	struct sockaddr_storage address;
	socklen_t len;
};

struct hosts {
	struct supervisor *super;
	int fd;	   /* the other hosts' */
	int local; /* of this host's programs */
	struct loop_fd *watch, *local_watch;
	struct other others[HOSTS_MAX];
	size_t n;
	int64_t told_ms; /* of work, monotonic */
};

/* --- addresses ------------------------------------------------------------ */

/* "ADDRESS:PORT" or "[ADDRESS]:PORT", in digits. */
static int
resolve(const char *text, struct other *out)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV },
			*found = NULL;
	const char *colon = strrchr(text, ':');
	char *address;
	size_t n;
	int r = 0;

	if (colon == NULL)
		return err_set(ERR_INVALID, "%s is not ADDRESS:PORT", text);
	n = (size_t)(colon - text);
	address = text[0] == '[' && n > 1 && colon[-1] == ']'
		      ? xstrndup(text + 1, n - 2)
		      : xstrndup(text, n);
	if (getaddrinfo(address, colon + 1, &hints, &found) != 0 ||
	    found->ai_addrlen > sizeof(out->address))
		r = err_set(
		    ERR_INVALID, "%s is not ADDRESS:PORT, in digits", text);
	else {
		memcpy(&out->address, found->ai_addr, found->ai_addrlen);
		out->len = found->ai_addrlen;
	}
	if (found != NULL)
		freeaddrinfo(found);
	free(address);
	return r;
}

int
hosts_refresh(struct hosts *h)
{
	struct arena *arena;
	struct db_supervisor *rows;
	size_t n;
	int r;

	if (h == NULL)
		return 0;
	arena = arena_new();
	r = db_supervisor_list(h->super->db, arena, false, &rows, &n);
	if (r == 0)
		h->n = 0;
	for (size_t i = 0; r == 0 && i < n && h->n < HOSTS_MAX; i++) {
		if (rows[i].address[0] == '\0' || rows[i].age_ms > SILENT_MS ||
		    str_eq(rows[i].address, h->super->conf->wake_address))
			continue;
		if (resolve(rows[i].address, &h->others[h->n]) == 0)
			h->n++;
		else
			err_clear();
	}
	arena_free(arena);
	return r;
}

const char *
hosts_address(const struct hosts *h)
{
	return h == NULL ? "" : h->super->conf->wake_address;
}

/* --- datagrams ------------------------------------------------------------- */

static void
authenticate(
    struct hosts *h, const char *text, size_t len, uint8_t mac[MAC_SIZE])
{
	uint8_t key[KEYS_DERIVED_SIZE];

	/* Each time: the site's key may have been changed. */
	keys_derive(h->super->keys, PURPOSE, key);
	(void)crypto_generichash(
	    mac, MAC_SIZE, (const uint8_t *)text, len, key, sizeof(key));
	sodium_memzero(key, sizeof(key));
}

static void
send_all(struct hosts *h, const char *text)
{
	uint8_t data[MAC_SIZE + TEXT_MAX];
	size_t len = strlen(text);

	if (h->n == 0 || len > TEXT_MAX)
		return;
	authenticate(h, text, len, data);
	memcpy(data + MAC_SIZE, text, len);
	for (size_t i = 0; i < h->n; i++)
		/* Lost ones are looked for. */
		(void)sendto(h->fd, data, MAC_SIZE + len,
		    MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&h->others[i].address,
		    h->others[i].len);
}

void
hosts_tell(struct hosts *h, const char *job_id)
{
	char *text;

	if (h == NULL || !str_is_job_id(job_id))
		return;
	text = xasprintf("job %s", job_id);
	send_all(h, text);
	free(text);
}

bool
hosts_has_others(const struct hosts *h)
{
	return h != NULL && h->n > 0;
}

void
hosts_announce(struct hosts *h)
{
	if (h != NULL)
		send_all(h, "hosts");
}

/* Those that have no room either say the same: not in turn for ever. */
void
hosts_tell_work(struct hosts *h)
{
	int64_t now = clock_mono_ms();

	if (h == NULL || now - h->told_ms < WORK_AGAIN_MS)
		return;
	h->told_ms = now;
	send_all(h, "work");
}

/* "HEX WORD" for a shepherd that may be here. */
static void
wake_task(struct hosts *h, const char *text)
{
	char *path;

	if (!mailbox_is_wake(text))
		return;
	path = site_path(
	    h->super->conf, "%s/m/%.*s", SITE_RUN, MAILBOX_WAKE_HEX, text);
	text += MAILBOX_WAKE_HEX + 1;
	if (fd_dgram_send(path, text, strlen(text)) != 0)
		err_clear(); /* it is on another host, or gone */
	free(path);
}

static void
act(struct hosts *h, const char *text)
{
	if (str_starts(text, "task "))
		wake_task(h, text + strlen("task "));
	else if (str_eq(text, "hosts")) {
		if (hosts_refresh(h) != 0)
			log_err("other hosts");
	} else if (str_eq(text, "work"))
		supervisor_changed(h->super, "");
	else if (str_starts(text, "job ") && str_is_job_id(text + 4))
		scheduler_wake(h->super->scheduler, text + 4);
}

/* One datagram's text, or "" for a stranger's; false when none is there. */
static bool
receive(struct hosts *h, int fd, char text[TEXT_MAX + 1])
{
	uint8_t data[MAC_SIZE + TEXT_MAX + 1], mac[MAC_SIZE];
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	text[0] = '\0';
	if (n < 0)
		return false;
	if (n <= MAC_SIZE || n == sizeof(data))
		return true;
	data[n] = '\0';
	authenticate(h, (char *)data + MAC_SIZE, (size_t)n - MAC_SIZE, mac);
	if (sodium_memcmp(mac, data, MAC_SIZE) == 0)
		memcpy(text, data + MAC_SIZE, (size_t)n - MAC_SIZE + 1);
	return true;
}

/* Those that wait together are one look: somebody may send them again. */
static void
from_others(void *ctx, int fd, int events)
{
	struct hosts *h = ctx;
	char texts[BATCH][TEXT_MAX + 1];
	size_t n = 0, k;

	(void)events;
	for (int i = 0; i < BATCH && receive(h, fd, texts[n]); i++) {
		for (k = 0; k < n && !str_eq(texts[k], texts[n]); k++)
			continue;
		n += k == n && texts[n][0] != '\0';
	}
	for (k = 0; k < n; k++)
		act(h, texts[k]);
}

/* A shepherd that is not here was to be woken (lib/mailbox/mailbox.h). */
static void
from_here(void *ctx, int fd, int events)
{
	struct hosts *h = ctx;
	char word[TEXT_MAX], *text;
	ssize_t n;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		n = recv(fd, word, sizeof(word) - 1, MSG_DONTWAIT);
		if (n < 0)
			return;
		word[n] = '\0';
		if (!mailbox_is_wake(word))
			continue;
		text = xasprintf("task %s", word);
		send_all(h, text);
		free(text);
	}
}

/* --- start and end ----------------------------------------------------------- */

static int
listen_to_others(struct hosts *h)
{
	const char *text = h->super->conf->wake_address;
	struct other own;
	int r;

	if ((r = resolve(text, &own)) != 0)
		return err_wrap("[site] wake_address");
	h->fd = socket(own.address.ss_family,
	    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->fd < 0 ||
	    bind(h->fd, (struct sockaddr *)&own.address, own.len) != 0)
		return err_set_errno(ERR_IO, "[site] wake_address %s", text);
	return loop_fd_add(
	    h->super->loop, h->fd, LOOP_READ, from_others, h, &h->watch);
}

static int
listen_here(struct hosts *h)
{
	char *path = site_path(h->super->conf, "%s", SITE_HOSTS_SOCKET);
	int r;

	if ((r = fd_dgram_bind(path, &h->local)) == 0)
		r = loop_fd_add(h->super->loop, h->local, LOOP_READ, from_here,
		    h, &h->local_watch);
	free(path);
	return r;
}

int
hosts_new(struct supervisor *s, struct hosts **out)
{
	struct hosts *h;
	int r;

	*out = NULL;
	if (!site_has_hosts(s->conf) || s->keys == NULL ||
	    (s->name != NULL && s->name[0] != '\0'))
		return 0;
	h = xcalloc(1, sizeof(*h));
	h->super = s;
	h->fd = h->local = -1;
	if ((r = listen_to_others(h)) != 0 || (r = listen_here(h)) != 0 ||
	    (r = hosts_refresh(h)) != 0) {
		hosts_free(h);
		return r;
	}
	*out = h;
	return 0;
}

void
hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	loop_fd_del(h->watch);
	loop_fd_del(h->local_watch);
	fd_close(&h->fd);
	fd_close(&h->local);
	free(h);
}
