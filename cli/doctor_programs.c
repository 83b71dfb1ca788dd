/*
 * What runs and what can be run: sandbox, nginx's configuration, processes,
 * sockets, the supervisor's sign of life.  Called by doctor.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/doctor.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_refusal.h"

#define OUTPUT_MAX 4096
#define SUPERVISOR_MS 20000
#define REFUSED_LAG (256 * 1024) /* more than a moment's */

extern char **environ;

/* Run to its end; what it printed last becomes the error. */
static int
run_program(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	struct buf out = BUF_INIT;
	int pipes[2], status = -1, e, r = 0;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return err_set_errno(ERR_IO, "pipe");
	if (posix_spawn_file_actions_init(&actions) != 0) {
		fd_close(&pipes[0]);
		fd_close(&pipes[1]);
		return err_set(ERR_NOMEM, "spawn");
	}
	e = posix_spawn_file_actions_addopen(
	    &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, pipes[1], 2);
	if (e == 0)
		e = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	fd_close(&pipes[1]);
	if (e != 0) {
		r = err_set(ERR_IO, "%s: %s", argv[0], strerror(e));
	} else {
		(void)buf_read_fd(&out, pipes[0], OUTPUT_MAX);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (status != 0)
			r = err_set(ERR_IO, "%s: %.300s", argv[0],
			    out.len > 0 ? strtok(out.data, "\n")
					: "failed without a word");
	}
	fd_close(&pipes[0]);
	buf_fini(&out);
	return r;
}

static char *
word(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* As a task's, of a program that is linked statically; then it ends. */
static void
look_at_own_sandbox(struct doctor *d)
{
	char uid[12], gid[12], *folder = d->conf->providers_dir;
	char *argv[] = { d->conf->sandbox_program, word("--try"), uid, gid,
		folder, folder, word("--"), word("/provider"), NULL };

	(void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	(void)snprintf(gid, sizeof(gid), "%u", (unsigned)getegid());
	if (d->conf->sandbox_program[0] != '\0')
		doctor_result(d, run_program(argv), "own sandbox",
		    "Linux 5.12 or later, with user namespaces allowed; or an "
		    "empty sandbox_program in [executor], so that bubblewrap "
		    "makes those of all tasks");
}

/* As the shepherd does: every namespace, nothing kept. */
static void
look_at_sandbox(struct doctor *d)
{
	char *argv[] = { d->conf->bwrap_program, word("--unshare-all"),
		word("--die-with-parent"), word("--ro-bind"), word("/"),
		word("/"), word("--proc"), word("/proc"), word("/bin/true"),
		NULL };

	doctor_result(d, run_program(argv), "sandbox",
	    "apt-get install bubblewrap; user namespaces must be allowed "
	    "(sysctl kernel.unprivileged_userns_clone=1, "
	    "user.max_user_namespaces > 0)");
}

/*
 * nginx -t makes its pid file when there is none: this account's, which nginx
 * itself could not write when it is another.
 */
static void
look_at_nginx(struct doctor *d)
{
	char *conf = site_path(d->conf, "nginx.conf");
	char *pid = site_path(d->conf, SITE_RUN "/nginx.pid");
	bool had_pid = access(pid, F_OK) == 0;
	struct stat st;
	char *argv[] = { word(access("/usr/sbin/nginx", X_OK) == 0
				  ? "/usr/sbin/nginx"
				  : "nginx"),
		word("-t"), word("-q"), word("-p"), d->conf->home, word("-c"),
		conf, NULL };

	doctor_result(d, run_program(argv), "nginx configuration",
	    doctor_command(d, "sluice site nginx --config %s", d->conf->path));
	if (!had_pid && stat(pid, &st) == 0 && st.st_size == 0)
		(void)unlink(pid);
	free(pid);
	free(conf);
}

/*
 * The command that starts a program again; units are named after it and the
 * site's folder (conf/systemd).
 */
static const char *
start_command(struct doctor *d, const char *unit)
{
	const char *folder = strrchr(d->conf->home, '/');

	if (d->conf->separate_users)
		return doctor_command(d,
		    "systemctl restart %s@%s; its log is in %s/logs", unit,
		    folder != NULL ? folder + 1 : d->conf->home, d->conf->home);
	return doctor_command(d,
	    "sluice site stop --home %s && sluice site start --home %s; its "
	    "log is in %s/logs",
	    d->conf->home, d->conf->home, d->conf->home);
}

/* The command that has a program read its files again. */
const char *
doctor_reload(struct doctor *d, const char *unit, const char *program)
{
	const char *folder = strrchr(d->conf->home, '/');

	if (d->conf->separate_users)
		return doctor_command(d, "systemctl reload %s@%s", unit,
		    folder != NULL ? folder + 1 : d->conf->home);
	return doctor_command(d, "kill -HUP $(cat %s/" SITE_RUN "/%s.pid)",
	    d->conf->home, program);
}

static void
look_at_programs(struct doctor *d)
{
	static const struct daemon_def *const daemons[] = { &daemon_fcgi,
		&daemon_supervisor, &daemon_nginx };
	static const char *const units[] = { UNIT_FCGI, UNIT_SUPERVISOR,
		UNIT_NGINX };
	size_t i;
	pid_t pid;

	for (i = 0; i < sizeof(daemons) / sizeof(daemons[0]); i++) {
		const char *what =
		    doctor_command(d, "process %s", daemons[i]->name);

		if ((pid = daemon_pid(daemons[i], d->conf)) != 0)
			doctor_say(
			    d, HEALTH_OK, what, NULL, "runs, pid %d", (int)pid);
		else
			doctor_say(d, HEALTH_FAIL, what,
			    start_command(d, units[i]), "does not run");
	}
}

static int
try_socket(const char *path, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	if (fd < 0)
		return err_set_errno(ERR_IO, "socket");
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 &&
	    errno != EAGAIN)
		r = err_set_errno(ERR_IO, "%s", path);
	fd_close(&fd);
	return r;
}

static void
look_at_sockets(struct doctor *d)
{
	static const struct {
		const char *path;
		int type;
		const char *unit;
	} all[] = { { SITE_FCGI_SOCKET, SOCK_STREAM, UNIT_FCGI },
		{ SITE_FCGI_PARTNER_SOCKET, SOCK_STREAM, UNIT_FCGI },
		{ SITE_SUPERVISOR_SOCKET, SOCK_DGRAM, UNIT_SUPERVISOR } };
	size_t i;
	char *path;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		path = site_path(d->conf, "%s", all[i].path);
		doctor_result(d, try_socket(path, all[i].type), all[i].path,
		    start_command(d, all[i].unit));
		free(path);
	}
}

/*
 * Of one line of /proc/PID/cgroup, "4:memory:/path" or "0::/path": may this
 * account make groups there?
 */
static bool
is_open_group(char *line)
{
	char *list = strchr(line, ':'), *path, *dir;
	bool open;

	if (list == NULL || (path = strchr(list + 1, ':')) == NULL)
		return false;
	*list++ = '\0';
	*path++ = '\0';
	if (list[0] != '\0' && !str_eq(list, "memory"))
		return false;
	dir = xasprintf("/sys/fs/cgroup/%s%s%s/%s", list,
	    list[0] != '\0' ? "/" : "", path + 1,
	    list[0] != '\0' ? "tasks" : "cgroup.subtree_control");
	open = access(dir, W_OK) == 0;
	free(dir);
	return open;
}

/* Where shepherds make a group for each task: the supervisor's own. */
static void
look_at_cgroups(struct doctor *d)
{
	pid_t pid = daemon_pid(&daemon_supervisor, d->conf);
	char *path = xasprintf("/proc/%d/cgroup", (int)pid), *line, *save;
	struct buf text = BUF_INIT;
	bool open = false;

	if (pid != 0 && buf_read_file(&text, path, OUTPUT_MAX) == 0 &&
	    text.len > 0)
		for (line = strtok_r(text.data, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save))
			open = open || is_open_group(line);
	err_clear();
	if (open)
		doctor_say(d, HEALTH_OK, "control groups", NULL,
		    "memory of tasks is bounded by the kernel");
	else if (pid != 0)
		doctor_say(d, HEALTH_WARN, "control groups",
		    "run the supervisor by its systemd unit, which has "
		    "Delegate=yes",
		    "none can be made for tasks: their memory is watched by "
		    "their shepherds only");
	buf_fini(&text);
	free(path);
}

/* Alive is more than being there: it must have been at the database. */
static void
look_at_supervisors(struct doctor *d)
{
	struct db_supervisor *rows;
	size_t i, n;
	int64_t youngest = INT64_MAX;

	if (d->db == NULL)
		return;
	if (db_supervisor_list(d->db, d->arena, false, &rows, &n) != 0) {
		doctor_result(d, err_code(), "supervisor", NULL);
		return;
	}
	for (i = 0; i < n; i++)
		if (rows[i].age_ms < youngest)
			youngest = rows[i].age_ms;
	if (youngest < SUPERVISOR_MS)
		doctor_say(d, HEALTH_OK, "supervisor", NULL,
		    "gave a sign of life %lld ms ago", (long long)youngest);
	else
		doctor_say(d, HEALTH_FAIL, "supervisor",
		    start_command(d, UNIT_SUPERVISOR),
		    "none has been at the database in %d s",
		    SUPERVISOR_MS / 1000);
}

/* What nginx refused must come to the supervisor's knowledge. */
static void
look_at_refused(struct doctor *d, const char *what, const char *name)
{
	char *path = site_path(d->conf, SITE_LOGS "/%s", name);
	int64_t at = 0;
	struct stat st;
	int r = 0;

	if (stat(path, &st) != 0)
		doctor_say(d, HEALTH_WARN, what,
		    doctor_command(d, "sluice site nginx --config %s && %s",
			d->conf->path, doctor_reload(d, UNIT_NGINX, "nginx")),
		    "%s: %s; what nginx refuses is neither counted nor recorded",
		    path, strerror(errno));
	else if (d->db == NULL)
		err_clear();
	else if ((r = db_front_offset(d->db, (int64_t)st.st_ino, &at)) != 0 &&
		 r != ERR_NOT_FOUND)
		doctor_result(d, r, what, NULL);
	else if (st.st_size - at > REFUSED_LAG)
		doctor_say(d, HEALTH_WARN, what,
		    doctor_command(d,
			"the supervisor's account must be able to read and "
			"write %s; %s",
			path, start_command(d, UNIT_SUPERVISOR)),
		    "%lld KB of %s are not counted",
		    (long long)(st.st_size - at) >> 10, path);
	else
		doctor_say(d, HEALTH_OK, what, NULL, "counted and recorded");
	err_clear();
	free(path);
}

void
doctor_programs(struct doctor *d)
{
	look_at_own_sandbox(d);
	look_at_sandbox(d);
	look_at_nginx(d);
	look_at_programs(d);
	look_at_sockets(d);
	look_at_cgroups(d);
	look_at_supervisors(d);
	look_at_refused(d, "refused requests", "refused.log");
	look_at_refused(d, "refused handshakes", "nginx-tls.log");
}
