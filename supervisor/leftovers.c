/*
 * Tidying up after shepherds that were killed.  launch.c calls this once the
 * attempt's end is in the database, so nobody writes there any more.
 *
 * And after uploads: what was sent is a customer's raw data and goes when its
 * job ends, whichever way.  scheduler_look.c calls this at the end of a job;
 * detectors.c sweeps for what that missed.
 */
#include "supervisor/leftovers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_cache.h"
#include "lib/db/db_job.h"
#include "lib/mailbox/mailbox.h"
#include "supervisor/detect.h"

/* The file is there before its job is; a copy that long has been given up. */
#define UNKNOWN_S 3600
#define CACHES_AT_ONCE 100

static void
remove_mailbox(const struct site_conf *conf, const struct db_task_key *key)
{
	struct mailbox_task t = {
		.job_id = key->job_id,
		.component = key->component,
		.version = (int)key->version,
		.role = key->role,
		.party_id = key->party_id,
	};
	char *socket;

	if (mailbox_remove(conf, &t) != 0)
		log_err("mailbox stays");
	if (mailbox_wake_path(conf, &t, &socket) != 0)
		return;
	(void)unlink(socket);
	free(socket);
}

void
leftovers_remove(struct supervisor *s, const char *attempt_id)
{
	const struct db_task_key *key;
	struct db_attempt *a;
	struct arena *arena = arena_new();
	char *dir;

	if (db_attempt_get(s->db, arena, attempt_id, &a) != 0) {
		log_err("attempt=%s leftovers", attempt_id);
		goto out;
	}
	key = &a->key;
	dir = site_path(s->conf, SITE_WORK_DIR, key->job_id, key->component,
	    (int)key->version, key->role, key->party_id, (int)a->fence);
	if (fd_remove_tree(dir) != 0)
		log_err("attempt=%s work folder stays", attempt_id);
	free(dir);
	remove_mailbox(s->conf, key);
out:
	arena_free(arena);
}

/* --- uploads ---------------------------------------------------------------- */

/* "<job id>.csv" and nothing else is an upload. */
static bool
job_of_file(const char *name, char job_id[ID_JOB_SIZE])
{
	size_t n = strcspn(name, ".");

	if (n == 0 || n >= ID_JOB_SIZE || strcmp(name + n, ".csv") != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)name[i]))
			return false;
	memcpy(job_id, name, n);
	job_id[n] = '\0';
	return true;
}

static void
remove_file(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		log_info("removed the uploaded file %s", name);
	else if (errno != ENOENT)
		log_warn("uploaded file %s stays: %s", name, strerror(errno));
}

static bool
is_old(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       time(NULL) - st.st_mtime > UNKNOWN_S;
}

static int
sweep_file(void *ctx, int dir, const char *name)
{
	struct supervisor *s = ctx;
	struct arena *arena;
	struct db_job *job;
	char job_id[ID_JOB_SIZE];
	bool goes;
	int r;

	if (!job_of_file(name, job_id))
		return 0;
	arena = arena_new();
	r = db_job_get_brief(s->db, arena, job_id, &job);
	goes = r == 0 ? state_is_end(job->status)
		      : r == ERR_NOT_FOUND && is_old(dir, name);
	if (goes) {
		remove_file(dir, name);
		metrics_add(s->metrics, METRIC_janitor_removed_total, 1, "kind",
		    "upload", NULL);
	}
	arena_free(arena);
	return r == ERR_NOT_FOUND ? 0 : r;
}

void
leftovers_remove_upload(struct supervisor *s, const char *job_id)
{
	char *path = site_path(s->conf, "%s/upload/%s.csv", SITE_SPOOL, job_id);

	remove_file(AT_FDCWD, path);
	free(path);
}

int
leftovers_sweep_uploads(struct supervisor *s)
{
	char *path = site_path(s->conf, "%s/upload", SITE_SPOOL);
	int r = fd_each(path, INT_MAX, sweep_file, s);

	free(path);
	return r;
}

/*
 * The row first: a folder without one is rubbish that nobody finds, a row
 * without folder would be a cache that fails.
 */
int
leftovers_sweep_caches(struct supervisor *s, int64_t grace_s)
{
	struct arena *arena = arena_new();
	struct db_cache *rows;
	size_t i, n = 0;
	char *path;
	int r, deleted;

	r = db_cache_expired(s->db, arena, grace_s, CACHES_AT_ONCE, &rows, &n);
	for (i = 0; i < n; i++) {
		deleted = db_cache_delete(s->db, rows[i].cache_key);
		detect_note(&r, deleted, "");
		if (deleted != 0)
			continue;
		metrics_add(s->metrics, METRIC_janitor_removed_total, 1, "kind",
		    "cache", NULL);
		path = site_path(s->conf, "%s/%s", SITE_TABLES, rows[i].folder);
		if (fd_remove_tree(path) != 0)
			log_err("folder of cache %s stays", rows[i].cache_key);
		free(path);
	}
	arena_free(arena);
	return r;
}
