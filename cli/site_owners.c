/*
 * Owners of a site's files.  Called by "sluice site init --system".
 *
 * sluice and sluice-fcgi share the group sluice, and with it data, models and
 * the mailbox; the group sluice-run lets all three meet in run/.  What only one
 * may read is that one's.
 */
#include "cli/site_owners.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

#define SUPERVISOR "sluice"
#define FCGI "sluice-fcgi"
#define NGINX "sluice-nginx"
#define ROOT "root"
#define SHARED "sluice"	     /* group of SUPERVISOR and FCGI */
#define MEETING "sluice-run" /* of all three */

enum kind { FOLDER, FILE_THERE, FILE_NEW /* made empty when missing */ };

static const struct owned {
	const char *path; /* below home */
	enum kind kind;
	const char *user;
	const char *group;
	mode_t mode;
} table[] = {
	{ "", FOLDER, SUPERVISOR, SHARED, 0755 },
	{ "keys", FOLDER, ROOT, ROOT, 0711 },
	{ "keys/sign.key", FILE_THERE, SUPERVISOR, SHARED, 0600 },
	{ "keys/sign.pub", FILE_THERE, ROOT, ROOT, 0644 },
	{ "keys/vault.key", FILE_THERE, SUPERVISOR, SHARED, 0600 },
	{ "keys/vault.pub", FILE_THERE, ROOT, ROOT, 0644 },
	/* Shown by nginx to clients and by shepherds to partners. */
	{ "keys/tls.key", FILE_THERE, SUPERVISOR, NGINX, 0640 },
	{ "keys/tls.crt", FILE_THERE, ROOT, ROOT, 0644 },
	{ "keys/partners.pem", FILE_THERE, ROOT, ROOT, 0644 },
	{ "keys/client.vault", FILE_THERE, FCGI, SHARED, 0600 },
	{ "keys/db.password", FILE_THERE, ROOT, ROOT, 0600 },
	{ "keys/db-fcgi.password", FILE_THERE, FCGI, SHARED, 0600 },
	{ "keys/db-supervisor.password", FILE_THERE, SUPERVISOR, SHARED, 0600 },
	{ "run", FOLDER, SUPERVISOR, MEETING, 02770 },
	{ "run/m", FOLDER, SUPERVISOR, MEETING, 02770 },
	{ "data", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "data/tables", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "spool", FOLDER, SUPERVISOR, SHARED, 0751 },
	{ "spool/upload", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "spool/mailbox", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "spool/front", FOLDER, NGINX, NGINX, 0700 },
	{ "spool/answers", FOLDER, NGINX, NGINX, 0700 },
	{ "spool/unused", FOLDER, NGINX, NGINX, 0700 },
	{ "mailbox", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "jobs", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "models", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "models/objects", FOLDER, SUPERVISOR, SHARED, 02770 },
	{ "logs", FOLDER, SUPERVISOR, SHARED, 02771 },
	{ "logs/nginx-access.log", FILE_NEW, NGINX, NGINX, 0640 },
	{ "logs/nginx-error.log", FILE_NEW, NGINX, NGINX, 0640 },
	{ "logs/partner-in.log", FILE_NEW, NGINX, NGINX, 0640 },
	/* Written by nginx; read, and what was read given back, by the other. */
	{ "logs/refused.log", FILE_NEW, SUPERVISOR, NGINX, 0620 },
	{ "logs/nginx-tls.log", FILE_NEW, SUPERVISOR, NGINX, 0620 },
};

static int
find_user(const char *name, uid_t *out)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		return err_set(ERR_NOT_FOUND,
		    "there is no user %s: systemd-sysusers makes it", name);
	*out = pw->pw_uid;
	return 0;
}

static int
find_group(const char *name, gid_t *out)
{
	const struct group *gr = getgrnam(name);

	if (gr == NULL)
		return err_set(ERR_NOT_FOUND,
		    "there is no group %s: systemd-sysusers makes it", name);
	*out = gr->gr_gid;
	return 0;
}

/* By the descriptor: what stands there is not followed anywhere. */
static int
give(const char *path, const struct owned *o)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, fd, r;
	uid_t uid = 0;
	gid_t gid = 0;

	if ((r = find_user(o->user, &uid)) != 0 ||
	    (r = find_group(o->group, &gid)) != 0)
		return r;
	if (o->kind == FOLDER)
		flags |= O_DIRECTORY;
	fd = open(path, flags | (o->kind == FILE_NEW ? O_CREAT : 0), 0600);
	if (fd < 0)
		return err_set_errno(ERR_IO, "%s", path);
	/* Modes come last: a change of the owner takes bits away. */
	if (fchown(fd, uid, gid) != 0 || fchmod(fd, o->mode) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	fd_close(&fd);
	return r;
}

/* What the shared folder has beside the folders of the table. */
static int
give_shared(const struct site_conf *conf)
{
	static const struct owned more[] = {
		{ "", FOLDER, SUPERVISOR, SHARED, 0750 },
		{ "/spool", FOLDER, SUPERVISOR, SHARED, 0750 },
		{ "/logs", FOLDER, SUPERVISOR, SHARED, 02770 },
	};
	char *path;
	int r = 0;

	if (conf->shared[0] == '\0')
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof(more) / sizeof(more[0]); i++) {
		path = xasprintf("%s%s", conf->shared, more[i].path);
		r = give(path, &more[i]);
		free(path);
	}
	return r;
}

int
site_owners_set(const struct site_conf *conf)
{
	static const struct owned memory = { NULL, FOLDER, SUPERVISOR, SHARED,
		02770 };
	char *path;
	size_t i;
	int r = 0;

	if (geteuid() != 0)
		return err_set(ERR_DENIED, "--system is for root");
	for (i = 0; i < sizeof(table) / sizeof(table[0]) && r == 0; i++) {
		path = site_path(conf, "%s", table[i].path);
		r = give(path, &table[i]);
		free(path);
	}
	if (r == 0)
		r = give_shared(conf);
	return r == 0 ? give(conf->mailbox_memory_dir, &memory) : r;
}
