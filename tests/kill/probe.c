/*
 * A probe in the programs of a site, loaded by LD_PRELOAD: it stops one
 * process exactly between two steps of a job, so that a test can kill
 * whatever it likes at that point and let the rest go on.
 *
 * Steps are seen where they become true: at the commit of the transaction
 * that writes them, at the start of a process, at the name that a received
 * object gets.  The test arms one step in a page that all programs map
 * (PROBE_PAGE names its file; page.py is the other side): which program of
 * which site, what it does, before or after it, the how manieth time.  The
 * first process that comes there is held until the page says go.  The
 * programs themselves know nothing of it, and are those that are installed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mysql.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { IDLE, ARMED, HELD, GO };

/* As page.py lays it out. */
struct page {
	_Atomic uint32_t state;
	_Atomic int32_t pid;   /* who is held */
	_Atomic int32_t count; /* passes until somebody is */
	char program[32];      /* such as sluice-fcgi */
	char home[160];	       /* in its command line */
	char call[16];	       /* sql, shepherd, link */
	char when[16];	       /* before, after */
	char text[256];	       /* of the statement */
	char values[2][96];    /* each inside some text that is bound */
};

#define MAX_STMTS 512

struct known {
	const MYSQL_STMT *stmt;
	const char *sql;
};

static struct page *page;
static char command_line[4096];
static struct known known[MAX_STMTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool in_tx, matched;

/* The library's own function; dlsym() does not say it as a function. */
#define REAL(name)                                                             \
	static __typeof__(&name) real;                                         \
	if (real == NULL)                                                      \
	*(void **)(&real) = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void
open_page(void)
{
	const char *path = getenv("PROBE_PAGE");
	int fd;
	void *p;
	ssize_t n;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return;
	p = mmap(
	    NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, command_line, sizeof(command_line) - 1);
	(void)close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (command_line[i] == '\0')
			command_line[i] = ' ';
	if (p != MAP_FAILED && n > 0)
		page = p;
}

static bool
is_armed(const char *call)
{
	return page != NULL && atomic_load(&page->state) == ARMED &&
	       strcmp(page->call, call) == 0 &&
	       strcmp(page->program, program_invocation_short_name) == 0 &&
	       strstr(command_line, page->home) != NULL;
}

/* The step is reached: count it, and stay here if it is the one. */
static void
reach(void)
{
	uint32_t armed = ARMED;

	if (atomic_fetch_sub(&page->count, 1) != 1 ||
	    !atomic_compare_exchange_strong(&page->state, &armed, HELD))
		return;
	atomic_store(&page->pid, (int32_t)getpid());
	while (atomic_load(&page->state) == HELD)
		(void)syscall(SYS_futex, &page->state, FUTEX_WAIT, HELD,
		    &(struct timespec){ .tv_nsec = 2000000 }, NULL, 0);
}

static bool
is_when(const char *when)
{
	return strcmp(page->when, when) == 0;
}

/* --- statements --------------------------------------------------------------- */

static void
learn(const MYSQL_STMT *stmt, const char *sql)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAX_STMTS; i++)
		if (known[i].stmt == NULL || known[i].stmt == stmt) {
			known[i] = (struct known){ stmt, sql };
			break;
		}
	(void)pthread_mutex_unlock(&lock);
}

/* Statements are constants of the program: their text stays. */
static const char *
sql_of(const MYSQL_STMT *stmt)
{
	const char *sql = "";

	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < MAX_STMTS && known[i].stmt != NULL; i++)
		if (known[i].stmt == stmt)
			sql = known[i].sql;
	(void)pthread_mutex_unlock(&lock);
	return sql;
}

static bool
binds(const MYSQL_STMT *stmt, const char *value)
{
	const MYSQL_BIND *b = stmt->params;

	if (value[0] == '\0')
		return true;
	for (unsigned i = 0; b != NULL && i < stmt->param_count; i++)
		if (b[i].buffer_type == MYSQL_TYPE_STRING &&
		    b[i].buffer != NULL && b[i].length != NULL &&
		    memmem(b[i].buffer, *b[i].length, value, strlen(value)) !=
			NULL)
			return true;
	return false;
}

static bool
is_step(const MYSQL_STMT *stmt)
{
	return is_armed("sql") && strstr(sql_of(stmt), page->text) != NULL &&
	       binds(stmt, page->values[0]) && binds(stmt, page->values[1]);
}

int STDCALL
mysql_stmt_prepare(MYSQL_STMT *stmt, const char *sql, unsigned long len)
{
	REAL(mysql_stmt_prepare);

	if (page != NULL)
		learn(stmt, sql);
	return real(stmt, sql, len);
}

int STDCALL
mysql_stmt_execute(MYSQL_STMT *stmt)
{
	bool step = is_step(stmt);
	int r;
	REAL(mysql_stmt_execute);

	/* In a transaction nothing is true before its commit. */
	if (step && !in_tx && is_when("before"))
		reach();
	r = real(stmt);
	if (step && r == 0 && mysql_stmt_affected_rows(stmt) != 0) {
		if (in_tx)
			matched = true;
		else if (is_when("after"))
			reach();
	}
	return r;
}

int STDCALL
mysql_real_query(MYSQL *my, const char *sql, unsigned long len)
{
	bool commit = strncmp(sql, "COMMIT", len) == 0;
	bool step = commit && matched;
	int r;
	REAL(mysql_real_query);

	if (step && is_armed("sql") && is_when("before"))
		reach();
	r = real(my, sql, len);
	if (step && r == 0 && is_armed("sql") && is_when("after"))
		reach();
	if (commit || strncmp(sql, "START TRANSACTION", len) == 0) {
		in_tx = !commit;
		matched = false;
	}
	return r;
}

my_bool STDCALL
mysql_rollback(MYSQL *my)
{
	REAL(mysql_rollback);

	in_tx = matched = false;
	return real(my);
}

/* --- processes and files -------------------------------------------------------- */

/* A shepherd that is started as a program, or asked for at the nursery. */
static bool
is_shepherd(char *const argv[])
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "--attempt") == 0)
			return true;
	return false;
}

int
posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *files, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	int r;
	REAL(posix_spawn);

	if (is_armed("shepherd") && is_shepherd(argv) && is_when("before"))
		reach();
	r = real(pid, path, files, attr, argv, envp);
	if (r == 0 && is_armed("shepherd") && is_shepherd(argv) &&
	    is_when("after"))
		reach();
	return r;
}

/* Where the request for a shepherd was sent; its reply says that it runs. */
static int asked = -1;

static bool
is_attempt_id(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && strchr("0123456789abcdef", text[n]) != NULL)
		n++;
	return n == 32 && len == 32;
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	REAL(send);

	if (is_armed("shepherd") && is_attempt_id(data, len)) {
		if (is_when("before"))
			reach();
		asked = fd;
	}
	return real(fd, data, len, flags);
}

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
	ssize_t n;
	REAL(recv);

	n = real(fd, data, len, flags);
	if (n > 0 && fd == asked) {
		asked = -1;
		if (is_armed("shepherd") && is_when("after"))
			reach();
	}
	return n;
}

int
linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	int r;
	REAL(linkat);

	if (is_armed("link") && is_when("before"))
		reach();
	r = real(from_dir, from, to_dir, to, flags);
	if (r == 0 && is_armed("link") && is_when("after"))
		reach();
	return r;
}
