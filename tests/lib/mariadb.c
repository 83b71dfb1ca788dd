/*
 * Starting and stopping the test server.
 */
#include "tests/lib/mariadb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/db/migrate.h"

#define START_TRIES 600 /* of 50 ms: a loaded machine takes long */

/* Room for the servers of a few programs beside each other. */
#define MEMORY_MIN ((uint64_t)1 << 30)

static char folder[64];
static char *data_arg, *tmp_arg, *socket_arg, *log_arg, *log_path;
static const char *sysdate_arg;
static char *socket_path;
static char admin_database[] = "mysql";
static char database[] = "sluice";
static char user[] = "root";
static char none[] = "";
static pid_t server = -1;
static pid_t owner; /* only this process cleans up */
static struct site_conf conf;

__attribute__((noreturn, format(printf, 1, 2))) static void
give_up(const char *fmt, ...)
{
	va_list ap;

	fputs("test database: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void
stop_server(int sig)
{
	if (server <= 0)
		return;
	(void)kill(server, sig);
	while (waitpid(server, NULL, 0) == -1 && errno == EINTR)
		continue;
	server = -1;
}

static void
clean_up(void)
{
	if (getpid() != owner)
		return;
	/* Nothing of it is needed again: no orderly shutdown. */
	stop_server(SIGKILL);
	(void)fd_remove_tree(folder);
}

/* In a child: no end of the test leaves the server behind. */
static void
exec_quiet(const char *const argv[])
{
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != owner)
		_exit(1); /* it ended before the line above */
	if ((fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0) {
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
	}
	/* Servers that start remove what they find of others in theirs. */
	(void)setenv("TMPDIR", folder, 1);
	/* execvp() does not write to them; its type is older than const. */
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static pid_t
spawn(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == -1)
		give_up("fork: %s", strerror(errno));
	if (pid == 0)
		exec_quiet(argv);
	return pid;
}

static void
install(void)
{
	const char *argv[] = { "mariadb-install-db", "--no-defaults",
		"--user=root", data_arg, "--skip-test-db", "--force",
		"--auth-root-authentication-method=normal", NULL };
	int status;

	if (waitpid(spawn(argv), &status, 0) == -1 || status != 0)
		give_up("mariadb-install-db failed, see %s", log_path);
}

static void
wait_ready(void)
{
	struct timespec pause = { 0, 50 * 1000 * 1000 };
	struct site_conf root = conf;
	struct db *db;

	root.db_name = admin_database;
	for (int i = 0; i < START_TRIES; i++) {
		if (waitpid(server, NULL, WNOHANG) == server)
			give_up("mariadbd ended, see %s", log_path);
		if (access(socket_path, F_OK) == 0 &&
		    db_open(&root, &db) == 0) {
			db_close(db);
			return;
		}
		(void)nanosleep(&pause, NULL);
	}
	give_up("mariadbd does not answer: %s", err_text());
}

static void
start_server(void)
{
	const char *argv[] = { "mariadbd", "--no-defaults", "--user=root",
		data_arg, tmp_arg, socket_arg, log_arg, "--skip-networking",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=32M",
		"--innodb-flush-log-at-trx-commit=0",
		"--max-allowed-packet=100M", "--skip-log-bin",
		"--max-connections=1000", "--performance-schema=off",
		sysdate_arg, NULL };

	server = spawn(argv);
	wait_ready();
}

static void
run_admin(const char *sql)
{
	struct site_conf root = conf;
	struct db *db;

	root.db_name = admin_database;
	if (db_open(&root, &db) != 0 ||
	    db_run_script_statement(db, sql, strlen(sql)) != 0)
		give_up("%s: %s", sql, err_text());
	db_close(db);
}

void
mariadb_sysdate_is_now(void)
{
	sysdate_arg = "--sysdate-is-now";
}

/* Each test makes its tables anew; in memory no disk has to follow. */
static const char *
place(void)
{
	struct statvfs fs;

	if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize >= MEMORY_MIN)
		return "/dev/shm";
	return "/tmp";
}

const struct site_conf *
mariadb_conf(void)
{
	if (folder[0] != '\0')
		return &conf;
	(void)snprintf(folder, sizeof(folder), "%s/sluice-db-XXXXXX", place());
	if (mkdtemp(folder) == NULL)
		give_up("%s: %s", folder, strerror(errno));
	owner = getpid();
	atexit(clean_up);
	data_arg = xasprintf("--datadir=%s/data", folder);
	/* A server that starts clears this folder of others' files. */
	tmp_arg = xasprintf("--tmpdir=%s", folder);
	socket_path = xasprintf("%s/db.sock", folder);
	socket_arg = xasprintf("--socket=%s", socket_path);
	log_path = xasprintf("%s/log", folder);
	log_arg = xasprintf("--log-error=%s", log_path);
	conf.db_socket = socket_path;
	conf.db_name = database;
	conf.db_user = user;
	conf.db_host = none;
	conf.db_password_file = none;
	install();
	start_server();
	run_admin("CREATE DATABASE sluice CHARACTER SET utf8mb4");
	return &conf;
}

int
mariadb_pid(void)
{
	return (int)server;
}

const char *
mariadb_folder(void)
{
	(void)mariadb_conf();
	return folder;
}

void
mariadb_restart(void)
{
	stop_server(SIGTERM);
	start_server();
}

struct db *
mariadb_connect(void)
{
	struct db *db;

	if (db_open(mariadb_conf(), &db) != 0)
		give_up("connect: %s", err_text());
	return db;
}

void
mariadb_fresh(void)
{
	struct db *db;
	int applied;

	(void)mariadb_conf();
	run_admin("DROP DATABASE IF EXISTS sluice");
	run_admin("CREATE DATABASE sluice CHARACTER SET utf8mb4");
	db = mariadb_connect();
	if (db_migrate(db, "sql", &applied) != 0)
		give_up("migrate: %s", err_text());
	db_close(db);
}
