/*
 * Reads site.conf into struct site_conf.  Every program calls it once at
 * start; "sluice site init" writes the file it reads.
 *
 * One table says which keys there are, of which type, in which range and
 * with which default; all faults of a file are reported together.
 */
#include "lib/conf/site_conf.h"

#include <ini.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_check.h"

#define FILE_MAX (256 * 1024)
#define LINE_MAX_BYTES 198 /* inih's line buffer is 200 bytes */
#define MS_DAY 86400000
#define HOST_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

#define BESIDE "@bin/"

enum key_type {
	KEY_TEXT,
	KEY_PATH,  /* made absolute against the file's folder */
	KEY_PATHS, /* several, ':' between them */
	KEY_TASK,  /* a path; "@bin/" may be beside the shepherd, too */
	KEY_URL,   /* http(s)://host[:port], or empty */
	KEY_PARTY,
	KEY_HOST, /* a name, or "" */
	KEY_LEVEL,
	KEY_DETAIL, /* full, class */
	KEY_INT,
	KEY_BOOL,
};

enum { KEY_OPTIONAL = 0, KEY_REQUIRED = 1 };

struct key {
	const char *section;
	const char *name;
	enum key_type type;
	size_t offset;
	const char *fallback; /* "@bin/x": beside the program */
	int64_t min, max;     /* KEY_INT */
	int required;
};

#define AT(field) offsetof(struct site_conf, field)
#define NUM(section, name, field, fallback, min, max)                          \
	{                                                                      \
		section, name, KEY_INT, AT(field), fallback, min, max, 0       \
	}
#define STR(section, name, type, field, fallback)                              \
	{                                                                      \
		section, name, type, AT(field), fallback, 0, 0, 0              \
	}

static const struct key keys[] = {
	{ "site", "party_id", KEY_PARTY, AT(party_id), "", 0, 0, KEY_REQUIRED },
	STR("site", "home", KEY_PATH, home, "."),
	STR("site", "shared", KEY_PATH, shared, ""),
	STR("site", "wake_address", KEY_TEXT, wake_address, ""),
	STR("site", "host", KEY_HOST, host, ""),
	STR("site", "log_level", KEY_LEVEL, log_level, "info"),
	STR("site", "separate_users", KEY_BOOL, separate_users, "no"),

	STR("database", "socket", KEY_PATH, db_socket, ""),
	STR("database", "host", KEY_TEXT, db_host, ""),
	NUM("database", "port", db_port, "3306", 1, 65535),
	STR("database", "tls_ca", KEY_PATH, db_tls_ca, ""),
	STR("database", "name", KEY_TEXT, db_name, "sluice"),
	STR("database", "user", KEY_TEXT, db_user, "sluice"),
	STR("database", "password_file", KEY_PATH, db_password_file, ""),
	STR("database", "fcgi_user", KEY_TEXT, db_fcgi_user, ""),
	STR("database", "fcgi_password_file", KEY_PATH, db_fcgi_password_file,
	    ""),
	NUM("database", "answer_timeout_s", db_answer_timeout_s, "30", 0, 600),
	STR("database", "supervisor_user", KEY_TEXT, db_supervisor_user, ""),
	STR("database", "supervisor_password_file", KEY_PATH,
	    db_supervisor_password_file, ""),

	STR("listen", "client_url", KEY_URL, client_url, ""),
	STR("listen", "client_tls_url", KEY_URL, client_tls_url, ""),
	STR("listen", "partner_url", KEY_URL, partner_url, ""),
	STR("listen", "board_url", KEY_URL, board_url, ""),

	NUM("fcgi", "workers", fcgi_workers, "4", 1, 256),
	NUM("fcgi", "max_body", fcgi_max_body, "4194304", 65536, 1073741824),
	NUM("fcgi", "upload_max_mb", upload_max_mb, "65536", 1, 1073741824),
	NUM("fcgi", "upload_keep_free_mb", upload_keep_free_mb, "1024", 0,
	    1073741824),
	STR("fcgi", "client_auth_off_on_loopback", KEY_BOOL,
	    client_auth_off_on_loopback, "no"),
	STR("fcgi", "client_vault_file", KEY_PATH, client_vault_file,
	    SITE_KEYS "/client.vault"),
	STR("fcgi", "upload_root", KEY_PATH, upload_root, "incoming"),
	STR("fcgi", "examples_dir", KEY_PATH, examples_dir,
	    "@bin/../share/sluice/examples"),

	NUM("users", "session_idle_s", session_idle_s, "1800", 120, 86400),
	NUM("users", "session_max_s", session_max_s, "43200", 300, 604800),
	NUM("users", "password_ops", password_ops, "3", 2, 100),
	NUM("users", "password_memory_mb", password_memory_mb, "64", 64, 4096),
	NUM("users", "password_checks", password_checks, "2", 1, 64),

	STR("hooks", "client_auth_url", KEY_TEXT, hook_client_url, ""),
	STR("hooks", "site_auth_url", KEY_TEXT, hook_site_url, ""),
	STR("hooks", "permission_url", KEY_TEXT, hook_permission_url, ""),
	STR("hooks", "client_auth_url_decides_alone", KEY_BOOL,
	    hook_client_alone, "no"),
	NUM("hooks", "timeout_ms", hook_timeout_ms, "1000", 50, 10000),
	NUM("hooks", "remember_s", hook_remember_s, "5", 0, 300),
	STR("hooks", "ca_file", KEY_PATH, hook_ca_file, ""),
	STR("hooks", "cert_file", KEY_PATH, hook_cert_file, ""),
	STR("hooks", "key_file", KEY_PATH, hook_key_file, ""),
	STR("hooks", "secret_file", KEY_PATH, hook_secret_file, ""),

	STR("monitoring", "scrape_key_file", KEY_PATH, scrape_key_file, ""),
	STR("monitoring", "metrics_on_loopback", KEY_BOOL, metrics_on_loopback,
	    "no"),

	STR("data", "file_roots", KEY_PATHS, file_roots, ""),
	STR("data", "export_root", KEY_PATH, export_root, "exports"),
	STR("data", "mysql_hosts", KEY_TEXT, mysql_hosts, ""),
	STR("data", "mysql_tls_ca", KEY_PATH, mysql_tls_ca, ""),

	STR("client", "key_file", KEY_PATH, client_key_file, ""),

	NUM("supervisor", "poll_ms", poll_ms, "200", 10, 60000),
	NUM("supervisor", "lease_ms", lease_ms, "5000", 500, 600000),
	NUM("supervisor", "heartbeat_ms", heartbeat_ms, "2000", 50, 60000),
	NUM("supervisor", "outage_s", outage_s, "900", 1, 86400),
	NUM("supervisor", "cores", cores, "0", 0, 4096),
	NUM("supervisor", "memory_mb", memory_mb, "0", 0, 67108864),
	NUM("supervisor", "host_memory_mb", host_memory_mb, "0", 0, 67108864),
	NUM("supervisor", "reservation_ms", reservation_ms, "30000", 1000,
	    MS_DAY),
	NUM("supervisor", "partner_timeout_ms", partner_timeout_ms, "10000",
	    100, 600000),
	NUM("supervisor", "partner_outage_s", partner_outage_s, "300", 1,
	    86400),

	NUM("retention", "log_days", log_days, "90", 0, 36500),
	NUM("retention", "log_max_mb", log_max_mb, "64", 0, 1048576),
	NUM("retention", "event_days", event_days, "730", 0, 36500),
	NUM("retention", "metric_days", metric_days, "730", 0, 36500),

	NUM("jobs", "task_cores", task_cores, "1", 1, 4096),
	NUM("jobs", "task_parallelism", task_parallelism, "1", 1, 1024),
	NUM("jobs", "job_timeout_s", job_timeout_s, "259200", 1, 31536000),
	NUM("jobs", "task_timeout_s", task_timeout_s, "0", 0, 31536000),
	NUM("jobs", "auto_retries", auto_retries, "0", 0, 100),
	NUM("jobs", "auto_retry_delay_s", auto_retry_delay_s, "1", 0, 86400),
	STR("jobs", "error_detail", KEY_DETAIL, error_detail, "full"),
	NUM("jobs", "max_priority", max_priority, "10", 0, 1000),
	NUM("jobs", "partner_cores", partner_cores, "0", 0, 1048576),
	NUM("jobs", "partner_running_jobs", partner_running_jobs, "0", 0,
	    1048576),
	NUM("jobs", "partner_waiting_jobs", partner_waiting_jobs, "10000", 0,
	    1048576),
	NUM("jobs", "partner_stored_mb", partner_stored_mb, "10240", 0,
	    1073741824),

	STR("mailbox", "memory_dir", KEY_PATH, mailbox_memory_dir,
	    "/dev/shm/sluice"),
	NUM("mailbox", "max_bytes", mailbox_max_bytes, "4294967296", 65536,
	    INT64_C(1) << 50),
	/* Many more than are on their way at once: a receiver takes them in
	 * its own order, and the one it waits for must find room. */
	NUM("mailbox", "max_objects", mailbox_max_objects, "65536", 1024,
	    INT64_C(1) << 32),

	STR("executor", "providers_dir", KEY_PATH, providers_dir,
	    "@bin/../providers"),
	STR("executor", "shepherd_program", KEY_PATH, shepherd_program,
	    "@bin/sluice-shepherd"),
	STR("executor", "model_store_program", KEY_TASK, model_store_program,
	    "@bin/sluice-model-store"),
	STR("executor", "sandbox_program", KEY_TASK, sandbox_program,
	    "@bin/sluice-sandbox"),
	STR("executor", "bwrap_program", KEY_PATH, bwrap_program,
	    "/usr/bin/bwrap"),
	NUM("executor", "memory_mb", executor_memory_mb, "4096", 16, 67108864),
	NUM("executor", "file_mb", executor_file_mb, "65536", 1, 67108864),
	NUM("executor", "no_progress_s", no_progress_s, "600", 0, 31536000),
	NUM("executor", "partner_wait_s", partner_wait_s, "86400", 0, 31536000),
	NUM("executor", "session_hours", session_hours, "168", 0, 87600),
	NUM("executor", "max_egress_mb", max_egress_mb, "0", 0, 67108864),
	STR("executor", "cgroup_dir", KEY_TEXT, cgroup_dir, ""),

	STR("model_store", "enable_model_store", KEY_BOOL, store_enabled, "no"),
	STR("model_store", "engine", KEY_TEXT, store_engine, "mysql"),
	STR("model_store", "socket", KEY_PATH, store_socket, ""),
	STR("model_store", "host", KEY_TEXT, store_host, ""),
	NUM("model_store", "port", store_port, "3306", 1, 65535),
	STR("model_store", "tls_ca", KEY_PATH, store_tls_ca, ""),
	STR("model_store", "name", KEY_TEXT, store_name, ""),
	STR("model_store", "user", KEY_TEXT, store_user, ""),
	STR("model_store", "password_file", KEY_PATH, store_password_file, ""),
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

struct reading {
	struct site_conf *conf;
	const char *folder; /* of the file, absolute */
	struct buf faults;  /* "; " between them */
	bool seen[N_KEYS];
};

static void
fault(
    struct reading *rd, const char *section, const char *name, const char *what)
{
	if (rd->faults.len != 0)
		buf_puts(&rd->faults, "; ");
	buf_printf(&rd->faults, "[%s] %s: %s", section, name, what);
}

static void
tell_fault(void *ctx, const char *section, const char *key, const char *what)
{
	fault(ctx, section, key, what);
}

static char **
text_slot(struct site_conf *c, const struct key *k)
{
	return (char **)(void *)((char *)c + k->offset);
}

static void
set_text(struct site_conf *c, const struct key *k, char *owned)
{
	char **slot = text_slot(c, k);

	free(*slot);
	*slot = owned;
}

/* The folder of the running program, without "/" at its end. */
static char *
program_folder(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return xstrdup("/usr/bin");
	path[n] = '\0';
	return xstrdup(dirname(path));
}

static char *
absolute(const struct reading *rd, const char *path)
{
	char *folder, *out;

	if (path[0] == '/' || path[0] == '\0')
		return xstrdup(path);
	if (str_starts(path, BESIDE)) {
		folder = program_folder();
		out = xasprintf("%s/%s", folder, path + strlen(BESIDE));
		free(folder);
		return out;
	}
	if (strcmp(path, ".") == 0)
		return xstrdup(rd->folder);
	return xasprintf("%s/%s", rd->folder, path);
}

static char *
absolute_all(const struct reading *rd, const char *paths)
{
	struct buf out = BUF_INIT;
	char *one, *full;
	size_t n;

	for (; *paths != '\0'; paths += n + (paths[n] == ':')) {
		n = strcspn(paths, ":");
		if (n == 0)
			continue;
		one = xstrndup(paths, n);
		full = absolute(rd, one);
		if (out.len > 0)
			buf_putc(&out, ':');
		buf_puts(&out, full);
		free(full);
		free(one);
	}
	return buf_steal(&out);
}

static bool
is_url(const char *s)
{
	const char *host;

	if (str_starts(s, "http://"))
		host = s + 7;
	else if (str_starts(s, "https://"))
		host = s + 8;
	else
		return false;
	return host[0] != '\0' && strpbrk(host, "/?# \t@") == NULL;
}

static void
set_int(struct reading *rd, const struct key *k, const char *value)
{
	int64_t *slot = (int64_t *)(void *)((char *)rd->conf + k->offset);
	char text[96];

	if (str_to_int64(value, k->min, k->max, slot) == 0)
		return;
	(void)snprintf(text, sizeof(text),
	    "must be a whole number from %" PRId64 " to %" PRId64, k->min,
	    k->max);
	fault(rd, k->section, k->name, text);
}

static void
set_value(struct reading *rd, const struct key *k, const char *value)
{
	struct site_conf *c = rd->conf;
	enum log_level level;

	switch (k->type) {
	case KEY_INT:
		set_int(rd, k, value);
		return;
	case KEY_BOOL:
		if (str_to_bool(
			value, (bool *)(void *)((char *)c + k->offset)) != 0)
			fault(rd, k->section, k->name, "must be yes or no");
		return;
	case KEY_PATH:
		set_text(c, k, absolute(rd, value));
		return;
	case KEY_PATHS:
		set_text(c, k, absolute_all(rd, value));
		return;
	case KEY_TASK: /* see find_task_programs() */
		if (str_starts(value, BESIDE))
			break;
		set_text(c, k, absolute(rd, value));
		return;
	case KEY_URL:
		if (value[0] != '\0' && !is_url(value))
			fault(rd, k->section, k->name,
			    "must be http://HOST:PORT or https://HOST:PORT");
		break;
	case KEY_PARTY:
		if (!str_is_party_id(value))
			fault(rd, k->section, k->name,
			    "must be a party id, 1 to 10 digits");
		break;
	case KEY_HOST:
		if (strlen(value) >= SITE_HOST_SIZE ||
		    value[strspn(value, HOST_CHARS)] != '\0')
			fault(rd, k->section, k->name,
			    "must be letters, digits, '.', '-' and '_'");
		break;
	case KEY_LEVEL:
		if (log_level_parse(value, &level) != 0)
			fault(rd, k->section, k->name,
			    "must be debug, info, warn or error");
		break;
	case KEY_DETAIL:
		if (!str_eq(value, "full") && !str_eq(value, "class"))
			fault(rd, k->section, k->name, "must be full or class");
		break;
	case KEY_TEXT:
		break;
	}
	set_text(c, k, xstrdup(value));
}

/* Name the nearest key of that section, or the nearest section. */
static void
unknown(struct reading *rd, const char *section, const char *name)
{
	const char *names[N_KEYS], *sections[N_KEYS];
	const char *near;
	size_t i, n = 0;
	char text[128];

	for (i = 0; i < N_KEYS; i++) {
		sections[i] = keys[i].section;
		if (str_eq(keys[i].section, section))
			names[n++] = keys[i].name;
	}
	near = n != 0 ? str_nearest(name, names, n)
		      : str_nearest(section, sections, N_KEYS);
	(void)snprintf(text, sizeof(text), "no such %s%s%s%s",
	    n != 0 ? "key" : "section", near != NULL ? ", did you mean " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
	fault(rd, section, name, text);
}

static int
on_line(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *rd = ctx;
	size_t i;

	for (i = 0; i < N_KEYS; i++)
		if (str_eq(keys[i].section, section) &&
		    str_eq(keys[i].name, name))
			break;
	if (i == N_KEYS) {
		unknown(rd, section, name);
		return 1;
	}
	/* An indented line counts as a continuation and arrives here too. */
	if (rd->seen[i])
		fault(rd, section, name, "given twice");
	rd->seen[i] = true;
	set_value(rd, &keys[i], value);
	return 1;
}

/* inih cuts long lines silently; refuse them instead. */
static int
check_lines(const char *text)
{
	size_t len;
	int line;

	for (line = 1; *text != '\0'; line++) {
		len = strcspn(text, "\n");
		if (len > LINE_MAX_BYTES)
			return err_set(ERR_INVALID,
			    "line %d is longer than %d bytes", line,
			    LINE_MAX_BYTES);
		text += len + (text[len] == '\n');
	}
	return 0;
}

/* What it names where the running program is, or else where the shepherd is. */
static char *
task_program(const struct reading *rd, const char *path)
{
	char *here = absolute(rd, path), *shepherd, *there;

	if (access(here, X_OK) == 0)
		return here;
	shepherd = xstrdup(rd->conf->shepherd_program);
	there = xasprintf("%s/%s", dirname(shepherd), path + strlen(BESIDE));
	free(shepherd);
	if (access(there, X_OK) != 0) {
		free(there);
		return here;
	}
	free(here);
	return there;
}

/*
 * An installed shepherd is not where users' programs are: whoever reads the
 * file means the same programs that it starts.
 */
static void
find_task_programs(struct reading *rd)
{
	size_t i;
	char **slot;

	for (i = 0; i < N_KEYS; i++) {
		slot = text_slot(rd->conf, &keys[i]);
		if (keys[i].type == KEY_TASK && str_starts(*slot, BESIDE))
			set_text(rd->conf, &keys[i], task_program(rd, *slot));
	}
}

static int
parse(struct reading *rd, const char *text)
{
	size_t i;
	int line;

	if ((line = ini_parse_string(text, on_line, rd)) != 0)
		return err_set(ERR_INVALID,
		    "line %d is neither [section] nor key = value", line);
	for (i = 0; i < N_KEYS; i++)
		if (keys[i].required && !rd->seen[i])
			fault(rd, keys[i].section, keys[i].name, "is missing");
	find_task_programs(rd);
	site_conf_check(rd->conf, tell_fault, rd);
	if (rd->faults.len != 0)
		return err_set(ERR_INVALID, "%s", buf_str(&rd->faults));
	return 0;
}

static void
set_defaults(struct reading *rd)
{
	size_t i;

	for (i = 0; i < N_KEYS; i++) {
		if (keys[i].required) /* reported when it stays away */
			set_text(rd->conf, &keys[i], xstrdup(""));
		else
			set_value(rd, &keys[i], keys[i].fallback);
	}
}

int
site_conf_load(const char *path, struct site_conf **out)
{
	struct site_conf *c = xcalloc(1, sizeof(*c));
	struct reading rd = { .conf = c };
	struct buf text = BUF_INIT;
	char *folder = NULL;
	int r;

	*out = NULL;
	if ((c->path = realpath(path, NULL)) == NULL) {
		r = err_set_errno(ERR_IO, "open");
		goto out;
	}
	folder = xstrdup(c->path);
	rd.folder = dirname(folder);
	set_defaults(&rd);
	if ((r = buf_read_file(&text, c->path, FILE_MAX)) != 0 ||
	    (r = check_lines(buf_str(&text))) != 0 ||
	    (r = parse(&rd, buf_str(&text))) != 0)
		goto out;
	*out = c;
	c = NULL;
out:
	site_conf_free(c);
	free(folder);
	buf_fini(&text);
	buf_fini(&rd.faults);
	return r == 0 ? 0 : err_wrap("%s", path);
}

bool
site_conf_has_accounts(const struct site_conf *c)
{
	return c->db_fcgi_user[0] != '\0';
}

void
site_conf_act_as(struct site_conf *c, enum site_program program)
{
	bool fcgi = program == SITE_FCGI;

	if (!site_conf_has_accounts(c))
		return;
	free(c->db_user);
	c->db_user = xstrdup(fcgi ? c->db_fcgi_user : c->db_supervisor_user);
	free(c->db_password_file);
	c->db_password_file = xstrdup(
	    fcgi ? c->db_fcgi_password_file : c->db_supervisor_password_file);
}

int
site_conf_refresh(struct site_conf *c)
{
	struct site_conf *fresh;
	size_t i;
	int r;

	if ((r = site_conf_load(c->path, &fresh)) != 0)
		return r;
	for (i = 0; i < N_KEYS; i++) {
		const char *from = (const char *)fresh + keys[i].offset;
		char *to = (char *)c + keys[i].offset;

		if (keys[i].type == KEY_INT)
			memcpy(to, from, sizeof(int64_t));
	}
	site_conf_free(fresh);
	return 0;
}

void
site_conf_free(struct site_conf *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < N_KEYS; i++)
		if (keys[i].type != KEY_INT && keys[i].type != KEY_BOOL)
			free(*text_slot(c, &keys[i]));
	free(c->path);
	free(c);
}
