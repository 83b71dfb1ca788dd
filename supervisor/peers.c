/*
 * Supervisors of one home, and what becomes of a dead one's claims.  Made by
 * supervisor.c; main.c takes the lock.
 */
#include "supervisor/peers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/db/db_errand.h"
#include "lib/db/db_recover.h"
#include "supervisor/launch.h"

#define LOOK_MS 500
#define FILE_START "supervisor"
#define FILE_END ".pid"

/* One that was found dead, and whose claims have been taken over. */
struct dead {
	char *name;
	ino_t file;
	time_t since; /* its file's last change */
	struct dead *next;
};

struct peers {
	struct supervisor *super;
	struct loop_timer *timer;
	struct dead *list;
};

/* --- names ---------------------------------------------------------------- */

bool
peers_is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");

	return n > 0 && n <= SUPERVISOR_NAME_MAX && s[n] == '\0';
}

char *
peers_path(const struct site_conf *conf, const char *folder, const char *name,
    const char *suffix)
{
	if (name == NULL)
		name = "";
	return site_path(conf, "%s/" FILE_START "%s%s.%s", folder,
	    *name == '\0' ? "" : "-", name, suffix);
}

/* "host:hash" or "host:hash.name", short but telling. */
static char *
label(const struct site_conf *conf, const char *host, const char *place,
    const char *name)
{
	unsigned char hash[16];
	char hex[9], *text;

	text =
	    xasprintf("%s%s%s", conf->home, *place == '\0' ? "" : "\n", place);
	(void)crypto_generichash(hash, sizeof(hash),
	    (const unsigned char *)text, strlen(text), NULL, 0);
	(void)sodium_bin2hex(hex, sizeof(hex), hash, 4);
	free(text);
	return xasprintf(
	    "%.36s:%s%s%s", host, hex, *name == '\0' ? "" : ".", name);
}

char *
peers_label(const struct site_conf *conf, const char *host, const char *name)
{
	return label(conf, host, "", name);
}

/*
 * The place is in the hash: hosts that are called alike and have the same
 * folders are two all the same, and after a restart of the machine nobody
 * looks for processes from before.
 */
static char *
home_name(const struct site_conf *conf, const char *host, const char *name)
{
	char place[PROC_PLACE_SIZE];

	proc_place(place);
	return label(conf, host, place, name);
}

char *
peers_prefix(const struct site_conf *conf, const char *host, const char *name)
{
	char *home = home_name(conf, host, name);
	char *prefix = xasprintf("%s:", home);

	free(home);
	return prefix;
}

bool
peers_is_of_home(
    const struct site_conf *conf, const char *host, const char *instance)
{
	char *home = home_name(conf, host, "");
	bool is = str_starts(instance, home);

	free(home);
	return is;
}

/* --- the lock ------------------------------------------------------------- */

/* Open file description locks: they can be asked about without being taken. */
static struct flock
whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int
refused(const char *path)
{
	return err_set(ERR_EXISTS,
	    "%s is locked: a supervisor of this "
	    "site runs already",
	    path);
}

int
peers_lock(
    const struct site_conf *conf, const char *name, struct peer_lock *out)
{
	struct flock lock = whole_file();
	struct stat ours, there;
	char *text;
	int r;

	out->path = peers_path(conf, SITE_RUN, name, "pid");
	out->fd = open(out->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (out->fd < 0)
		return err_set_errno(ERR_IO, "open %s", out->path);
	/* A predecessor may have removed the file since we opened it. */
	if (fcntl(out->fd, F_OFD_SETLK, &lock) != 0 ||
	    fstat(out->fd, &ours) != 0 || stat(out->path, &there) != 0 ||
	    ours.st_ino != there.st_ino) {
		r = refused(out->path);
		/* The file is another's. */
		fd_close(&out->fd);
		return r;
	}
	text = xasprintf("%d\n", (int)getpid());
	if (ftruncate(out->fd, 0) != 0)
		r = err_set_errno(ERR_IO, "write %s", out->path);
	else
		r = fd_write_all(out->fd, text, strlen(text));
	free(text);
	return r;
}

void
peers_unlock(struct peer_lock *l)
{
	if (l->fd >= 0)
		(void)unlink(l->path);
	fd_close(&l->fd);
	free(l->path);
	l->path = NULL;
}

/* Nobody holds the file that is there. */
static bool
is_dead(const char *path, struct stat *st)
{
	struct flock lock = whole_file();
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool dead;

	if (fd < 0)
		return false;
	dead = fstat(fd, st) == 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type == F_UNLCK;
	fd_close(&fd);
	return dead;
}

/* --- the others ----------------------------------------------------------- */

/* The name in "supervisor[-NAME].pid"; false for other files. */
static bool
name_of_file(const char *file, char name[SUPERVISOR_NAME_MAX + 1])
{
	const char *at = file + strlen(FILE_START), *end;
	size_t n;

	if (!str_starts(file, FILE_START) || !str_ends(file, FILE_END))
		return false;
	end = file + strlen(file) - strlen(FILE_END);
	n = (size_t)(end - at);
	name[0] = '\0';
	if (n == 0)
		return true;
	if (*at != '-' || n - 1 > SUPERVISOR_NAME_MAX)
		return false;
	memcpy(name, at + 1, n - 1);
	name[n - 1] = '\0';
	return peers_is_name(name);
}

static int
take_over(struct supervisor *s, const char *name)
{
	char *prefix = peers_prefix(s->conf, s->host, name);
	int r;

	if ((r = db_job_take_over(s->db, prefix, s->instance)) == 0 &&
	    (r = db_errand_take_over(s->db, prefix, s->instance)) == 0)
		r = launch_adopt(s->launcher, prefix);
	free(prefix);
	return r;
}

static struct dead *
find(struct peers *ps, const char *name)
{
	struct dead *d;

	for (d = ps->list; d != NULL; d = d->next)
		if (strcmp(d->name, name) == 0)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->name = xstrdup(name);
	d->next = ps->list;
	ps->list = d;
	return d;
}

static void
look_at(struct peers *ps, const char *name)
{
	struct supervisor *s = ps->super;
	char *path = peers_path(s->conf, SITE_RUN, name, "pid");
	struct stat st;
	struct dead *d;

	if (is_dead(path, &st)) {
		d = find(ps, name);
		if (d->file == st.st_ino && d->since == st.st_mtime)
			goto out;
		log_warn("supervisor \"%s\" is dead: its jobs and tasks are "
			 "taken over",
		    name);
		if (take_over(s, name) == 0) {
			d->file = st.st_ino;
			d->since = st.st_mtime;
		} else
			log_err("taking over");
		supervisor_changed(s, "");
	}
out:
	free(path);
}

static void
look(void *ctx)
{
	struct peers *ps = ctx;
	struct supervisor *s = ps->super;
	char *path = site_path(s->conf, "%s", SITE_RUN);
	const char *own = s->name == NULL ? "" : s->name;
	char name[SUPERVISOR_NAME_MAX + 1];
	DIR *dir = opendir(path);
	const struct dirent *e;
	bool alone = true;

	if (dir == NULL)
		log_warn("%s: %s", path, strerror(errno));
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (name_of_file(e->d_name, name) && strcmp(name, own) != 0) {
			alone = false;
			look_at(ps, name);
		}
	if (dir != NULL)
		(void)closedir(dir);
	/* Shepherds that others started are watched here as well. */
	if (!alone && launch_adopt(s->launcher, NULL) != 0)
		log_err("looking for shepherds");
	free(path);
}

struct peers *
peers_new(struct supervisor *s)
{
	struct peers *ps = xcalloc(1, sizeof(*ps));

	ps->super = s;
	ps->timer = loop_timer_new(s->loop, look, ps);
	loop_timer_set(ps->timer, LOOK_MS, LOOK_MS);
	return ps;
}

void
peers_free(struct peers *ps)
{
	struct dead *d;

	if (ps == NULL)
		return;
	loop_timer_free(ps->timer);
	while ((d = ps->list) != NULL) {
		ps->list = d->next;
		free(d->name);
		free(d);
	}
	free(ps);
}
