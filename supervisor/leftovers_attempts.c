/*
 * A sweep over the folders of attempts, for what nobody could tidy up.
 * Called by detect_site.c.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_job.h"
#include "supervisor/leftovers.h"

/* Looked at in one sweep of one folder. */
#define MOST 10000
#define GONE ".gone-"

struct sweep {
	struct supervisor *super;
	int64_t grace_s;
	const char *path; /* of the folder that is swept */
	bool is_shared;	  /* other sites may have things in it */
};

static bool
is_old(const struct sweep *sw, int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtime > sw->grace_s;
}

/* Nobody works for it any more; in a shared folder unknown jobs are others'. */
static int
job_is_over(struct sweep *sw, const char *job_id, bool *over)
{
	struct arena *arena = arena_new();
	struct db_job *job;
	int64_t open = 1;
	int r;

	*over = false;
	r = db_job_get_brief(sw->super->db, arena, job_id, &job);
	if (r == ERR_NOT_FOUND) {
		*over = !sw->is_shared;
		r = 0;
	} else if (r == 0 && state_is_end(job->status)) {
		r = db_detect_open_attempts(sw->super->db, job_id, &open);
		*over = r == 0 && open == 0;
	}
	arena_free(arena);
	return r;
}

/*
 * Out of the way first: whoever runs the job again finds nothing half gone.
 * One that cannot be removed keeps no other from it.
 */
static void
remove_folder(struct sweep *sw, int dir, const char *name)
{
	char *gone = xasprintf(GONE "%s", name), *path;

	if (str_starts(name, GONE) || renameat(dir, name, dir, gone) == 0) {
		path = xasprintf(
		    "%s/%s", sw->path, str_starts(name, GONE) ? name : gone);
		if (fd_remove_tree(path) == 0) {
			log_info(
			    "removed what was left in %s/%s", sw->path, name);
			metrics_add(sw->super->metrics,
			    METRIC_janitor_removed_total, 1, "kind",
			    "attempt folder", NULL);
		} else
			log_err("%s stays", path);
		free(path);
	} else if (errno != ENOENT)
		log_warn("%s/%s stays: %s", sw->path, name, strerror(errno));
	free(gone);
}

/* "JOB" or "JOB.COMPONENT.VERSION.ROLE.PARTY"; the job, and the party. */
static bool
parse_name(const char *name, char job_id[ID_JOB_SIZE], const char **party)
{
	size_t n = strspn(name, "0123456789");

	*party = strrchr(name, '.');
	*party = *party != NULL ? *party + 1 : "";
	if (n == 0 || n >= ID_JOB_SIZE || (name[n] != '\0' && name[n] != '.'))
		return false;
	memcpy(job_id, name, n);
	job_id[n] = '\0';
	return true;
}

static int
sweep_entry(void *ctx, int dir, const char *name)
{
	struct sweep *sw = ctx;
	char job_id[ID_JOB_SIZE];
	const char *party;
	bool over;
	int r;

	if (str_starts(name, GONE)) {
		remove_folder(sw, dir, name);
		return 0;
	}
	if (!parse_name(name, job_id, &party) || !is_old(sw, dir, name))
		return 0;
	if (sw->is_shared && !str_eq(party, sw->super->conf->party_id))
		return 0;
	if ((r = job_is_over(sw, job_id, &over)) == 0 && over)
		remove_folder(sw, dir, name);
	return r;
}

static int
sweep_folder(struct supervisor *s, int64_t grace_s, char *path, bool is_shared)
{
	struct sweep sw = { s, grace_s, path, is_shared };
	int r = fd_each(path, MOST, sweep_entry, &sw);

	free(path);
	return r;
}

/* --- sockets ------------------------------------------------------------------ */

static bool
somebody_listens(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path)) {
		fd_close(&fd);
		return true;
	}
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	refused = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 &&
		  errno == ECONNREFUSED;
	fd_close(&fd);
	return !refused;
}

static int
sweep_socket(void *ctx, int dir, const char *name)
{
	const struct sweep *sw = ctx;
	char *path = xasprintf("%s/%s", sw->path, name);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    is_old(sw, dir, name) && !somebody_listens(path) &&
	    unlink(path) == 0)
		log_info("removed the socket %s", path);
	free(path);
	return 0;
}

static int
sweep_sockets(struct supervisor *s, int64_t grace_s)
{
	char *path = site_path(s->conf, "%s/m", SITE_RUN);
	struct sweep sw = { s, grace_s, path, false };
	int r = fd_each(path, MOST, sweep_socket, &sw);

	free(path);
	return r;
}

int
leftovers_sweep_attempts(struct supervisor *s, int64_t grace_s)
{
	int r;

	if ((r = sweep_folder(s, grace_s, site_path(s->conf, "%s", SITE_JOBS),
		 false)) != 0 ||
	    (r = sweep_folder(s, grace_s,
		 site_path(s->conf, "%s", SITE_MAILBOX), false)) != 0 ||
	    (r = sweep_folder(
		 s, grace_s, xstrdup(s->conf->mailbox_memory_dir), true)) != 0)
		return r;
	return sweep_sockets(s, grace_s);
}
