/*
 * Writes what a site needs on disk.  Everything here may be run again: what
 * exists and is precious (keys, site.conf) is left alone.
 */
#include "cli/site_files.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/share.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/tls_cert.h"
#include "lib/sign/keys.h"
#include "lib/sign/client_vault.h"
#include "lib/sign/vault.h"

#define TEMPLATE_MAX (1024 * 1024)
#define PEM_MAX (64 * 1024)

/* Below keys/. */
#define DB_PASSWORD "db.password"
#define DB_FCGI_PASSWORD "db-fcgi.password"
#define DB_SUPERVISOR_PASSWORD "db-supervisor.password"

char *
site_files_conf_path(const char *home)
{
	return xasprintf("%s/site.conf", home);
}

int
site_files_folders(const char *home)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = {
		{ "", 0755 },
		{ "/" SITE_KEYS, 0700 },
		{ "/" SITE_RUN, 0750 },
		{ "/" SITE_RUN "/m", 0750 },
		{ "/data", 0750 },
		{ "/" SITE_TABLES, 0750 },
		{ "/" SITE_SPOOL, 0750 },
		{ "/" SITE_SPOOL "/upload", 0750 },
		{ "/" SITE_SPOOL "/mailbox", 0750 },
		{ "/" SITE_SPOOL "/front", 0750 },
		{ "/" SITE_SPOOL "/answers", 0750 },
		{ "/" SITE_SPOOL "/unused", 0750 },
		{ "/" SITE_MAILBOX, 0750 },
		{ "/" SITE_JOBS, 0750 },
		{ "/" SITE_LOGS, 0750 },
		{ "/" SITE_MODELS, 0750 },
		{ "/" SITE_MODELS "/objects", 0750 },
	};
	char *path;
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(folders) / sizeof(folders[0]) && r == 0; i++) {
		path = xasprintf("%s%s", home, folders[i].path);
		r = fd_mkdirs(path, folders[i].mode);
		free(path);
	}
	return r;
}

int
site_files_memory_dir(const struct site_conf *conf)
{
	struct stat st;

	if (mkdir(conf->mailbox_memory_dir, 0700) == 0)
		return 0;
	if (errno == ENOENT)
		return fd_mkdirs(conf->mailbox_memory_dir, 0700);
	if (errno != EEXIST)
		return err_set_errno(ERR_IO, "%s", conf->mailbox_memory_dir);
	/*
	 * Its parent may be open to all: it must be a folder of ours, or, run
	 * by the administrator, one that site_owners_set() gives its owner.
	 */
	if (lstat(conf->mailbox_memory_dir, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    (st.st_uid != geteuid() &&
		!(conf->separate_users && geteuid() == 0)))
		return err_set(ERR_DENIED, "%s is not a folder of this user",
		    conf->mailbox_memory_dir);
	return 0;
}

/* --- keys ------------------------------------------------------------------ */

static int
make_sign_key(const char *home)
{
	char *secret = xasprintf("%s/" SITE_KEYS "/sign.key", home);
	char *public = xasprintf("%s/" SITE_KEYS "/sign.pub", home);
	char text[KEYS_TEXT_SIZE];
	char *line = NULL;
	struct keys *keys = NULL;
	int r;

	r = keys_load(secret, &keys);
	if (r == ERR_NOT_FOUND) {
		if ((r = keys_generate(&keys)) == 0)
			r = keys_save(keys, secret);
	}
	if (r == 0) {
		keys_public_text(keys_public(keys), text);
		line = xasprintf("%s\n", text);
		r = fd_replace_file(public, line, strlen(line), 0644);
	}
	keys_free(keys);
	free(line);
	free(secret);
	free(public);
	return r;
}

static int
make_tls_key(const char *home, const char *party)
{
	char *key = xasprintf("%s/" SITE_KEYS "/tls.key", home);
	char *cert = xasprintf("%s/" SITE_KEYS "/tls.crt", home);
	int r = 0;

	if (access(key, F_OK) != 0 || access(cert, F_OK) != 0)
		r = tls_cert_make(party, key, cert);
	free(key);
	free(cert);
	return r;
}

static int
make_client_vault(const char *home)
{
	char *path = xasprintf("%s/" SITE_KEYS "/client.vault", home);
	int r = access(path, F_OK) == 0 ? 0 : client_vault_make(path);

	free(path);
	return r;
}

static int
make_db_password(const char *home, const char *name)
{
	char *path = xasprintf("%s/" SITE_KEYS "/%s", home, name);
	uint8_t bytes[24];
	char text[2 * sizeof(bytes) + 2];
	int r = 0;

	if (access(path, F_OK) != 0) {
		randombytes_buf(bytes, sizeof(bytes));
		str_to_hex(bytes, sizeof(bytes), text);
		text[2 * sizeof(bytes)] = '\n';
		text[2 * sizeof(bytes) + 1] = '\0';
		r = fd_replace_file(path, text, strlen(text), 0600);
		sodium_memzero(text, sizeof(text));
		sodium_memzero(bytes, sizeof(bytes));
	}
	free(path);
	return r;
}

static int
write_partners(const char *home, const char *const *certs, size_t n)
{
	char *own = xasprintf("%s/" SITE_KEYS "/tls.crt", home);
	char *path = xasprintf("%s/" SITE_KEYS "/partners.pem", home);
	struct buf text = BUF_INIT;
	size_t i;
	int r;

	if ((r = buf_read_file(&text, own, PEM_MAX)) == 0) {
		for (i = 0; i < n; i++) {
			buf_puts(&text, certs[i]);
			if (!str_ends(certs[i], "\n"))
				buf_putc(&text, '\n');
		}
		r = fd_replace_file(path, buf_str(&text), text.len, 0644);
	}
	buf_fini(&text);
	free(own);
	free(path);
	return r;
}

int
site_files_partners(
    const struct site_conf *conf, const char *const *certs, size_t n)
{
	return write_partners(conf->home, certs, n);
}

int
site_files_keys(const char *home, const char *party)
{
	char *partners = xasprintf("%s/" SITE_KEYS "/partners.pem", home);
	int r;

	if ((r = make_sign_key(home)) == 0 &&
	    (r = make_tls_key(home, party)) == 0 &&
	    (r = make_client_vault(home)) == 0 &&
	    (r = make_db_password(home, DB_PASSWORD)) == 0 &&
	    (r = make_db_password(home, DB_FCGI_PASSWORD)) == 0 &&
	    (r = make_db_password(home, DB_SUPERVISOR_PASSWORD)) == 0 &&
	    (r = vault_make(home)) == 0 && access(partners, F_OK) != 0)
		r = write_partners(home, NULL, 0);
	free(partners);
	return r;
}

/* --- site.conf ----------------------------------------------------------------- */

struct setting {
	const char *section;
	const char *key;
	const char *value; /* NULL: stays as in the sample */
};

/* Is this line of the sample "key = …", commented out or not? */
static bool
line_has_key(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key);

	if (len > 2 && line[0] == ';' && line[1] == ' ') {
		line += 2;
		len -= 2;
	}
	return len > n && strncmp(line, key, n) == 0 &&
	       strncmp(line + n, " =", 2) == 0;
}

static const struct setting *
setting_for(const struct setting *s, size_t n, const char *section,
    const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i].value != NULL && str_eq(s[i].section, section) &&
		    line_has_key(line, len, s[i].key))
			return &s[i];
	return NULL;
}

/* The sample line by line, with the settings' lines replaced. */
static void
fill_sample(
    const char *sample, const struct setting *s, size_t n, struct buf *out)
{
	const struct setting *hit;
	char section[32] = "";
	size_t len;

	for (; *sample != '\0'; sample += len + (sample[len] == '\n')) {
		len = strcspn(sample, "\n");
		if (sample[0] == '[')
			(void)snprintf(section, sizeof(section), "%.*s",
			    (int)strcspn(sample + 1, "]\n"), sample + 1);
		hit = setting_for(s, n, section, sample, len);
		if (hit != NULL)
			buf_printf(out, "%s = %s\n", hit->key, hit->value);
		else
			buf_printf(out, "%.*s\n", (int)len, sample);
	}
}

static int
write_conf(const struct site_choice *c, const struct setting *s, size_t n,
    const char *path)
{
	struct buf sample = BUF_INIT, text = BUF_INIT;
	char *from = share_path("conf/site.conf");
	int r;

	if (from == NULL)
		return err_code();
	if ((r = buf_read_file(&sample, from, TEMPLATE_MAX)) == 0) {
		buf_printf(&text,
		    "; Site of party %s; keys, units and "
		    "defaults as in the sample.\n",
		    c->party);
		fill_sample(buf_str(&sample), s, n, &text);
		r = fd_replace_file(path, buf_str(&text), text.len, 0644);
	}
	buf_fini(&sample);
	buf_fini(&text);
	free(from);
	return r;
}

/* Sites of one machine must not share it; the same home always has the same. */
static char *
memory_dir_of(const char *home)
{
	uint8_t hash[16];
	char hex[17];

	(void)crypto_generichash(
	    hash, sizeof(hash), (const uint8_t *)home, strlen(home), NULL, 0);
	str_to_hex(hash, 8, hex);
	return xasprintf("/dev/shm/sluice-%u-%s", (unsigned)geteuid(), hex);
}

static char *
program_account(const struct site_choice *c, const char *program)
{
	return c->db_one_account
		   ? NULL
		   : xasprintf("%s_%s",
			 c->db_user != NULL ? c->db_user : "sluice", program);
}

int
site_files_write_conf(const struct site_choice *c)
{
	char *path = site_files_conf_path(c->home);
	char *memory_dir = c->separate_users
			       ? xasprintf("/run/sluice/%s", c->party)
			       : memory_dir_of(c->home);
	char *shepherd = share_program("sluice-shepherd");
	char *providers = share_providers();
	char *examples = share_path("examples");
	char *fcgi = program_account(c, "fcgi");
	char *supervisor = program_account(c, "supervisor");
	int r;
	const struct setting s[] = {
		{ "site", "party_id", c->party },
		{ "site", "home", c->home },
		{ "site", "separate_users", c->separate_users ? "yes" : NULL },
		{ "database", "socket",
		    c->db_host != NULL ? "" : c->db_socket },
		{ "database", "host", c->db_host },
		{ "database", "tls_ca", c->db_tls_ca },
		{ "database", "port", c->db_port },
		{ "database", "name", c->db_name },
		{ "database", "user", c->db_user },
		{ "database", "password_file", SITE_KEYS "/" DB_PASSWORD },
		{ "database", "fcgi_user", fcgi },
		{ "database", "fcgi_password_file",
		    fcgi != NULL ? SITE_KEYS "/" DB_FCGI_PASSWORD : NULL },
		{ "database", "supervisor_user", supervisor },
		{ "database", "supervisor_password_file",
		    fcgi != NULL ? SITE_KEYS "/" DB_SUPERVISOR_PASSWORD
				 : NULL },
		{ "listen", "client_url", c->client_url },
		{ "listen", "client_tls_url", c->client_tls_url },
		{ "listen", "partner_url", c->partner_url },
		{ "fcgi", "client_auth_off_on_loopback",
		    c->loopback_without_authentication ? "yes" : NULL },
		{ "fcgi", "examples_dir", examples },
		{ "mailbox", "memory_dir", memory_dir },
		/* Absent ones keep the sample's "@bin/…". */
		{ "executor", "shepherd_program", shepherd },
		{ "executor", "providers_dir", providers },
	};

	if (access(path, F_OK) == 0)
		r = err_set(ERR_EXISTS, "%s", path);
	else
		r = write_conf(c, s, sizeof(s) / sizeof(s[0]), path);
	free(path);
	free(memory_dir);
	free(shepherd);
	free(providers);
	free(examples);
	free(fcgi);
	free(supervisor);
	return r;
}

/* --- nginx.conf ------------------------------------------------------------------- */

/* HOST:PORT to listen at for a URL; a name means every address. */
static char *
listen_of(const struct site_conf *conf, const char *url, const char *off)
{
	const char *host, *colon;
	size_t len;

	if (url[0] == '\0')
		return xasprintf("unix:%s/run/off-%s.sock", conf->home, off);
	host = strstr(url, "://") + 3;
	colon = strrchr(host, ':');
	if (colon == NULL || strchr(colon, ']') != NULL)
		colon = host + strlen(host);
	len = (size_t)(colon - host);
	if (colon[0] == '\0')
		colon = str_starts(url, "https") ? ":443" : ":80";
	if (host[0] == '[' || strspn(host, "0123456789.") == len)
		return xasprintf("%.*s%s", (int)len, host, colon);
	if (len == 9 && strncmp(host, "localhost", 9) == 0)
		return xasprintf("127.0.0.1%s", colon);
	return xasprintf("0.0.0.0%s", colon);
}

struct placeholder {
	const char *name; /* with its @ */
	const char *value;
};

static void
fill_template(
    const char *text, const struct placeholder *p, size_t n, struct buf *out)
{
	const char *at;
	size_t i;

	while ((at = strchr(text, '@')) != NULL) {
		buf_append(out, text, (size_t)(at - text));
		for (i = 0; i < n; i++)
			if (str_starts(at, p[i].name))
				break;
		if (i < n) {
			buf_puts(out, p[i].value);
			text = at + strlen(p[i].name);
		} else {
			buf_putc(out, '@');
			text = at + 1;
		}
	}
	buf_puts(out, text);
}

/* What nginx cannot take unquoted, or where plain HTTP would be exposed. */
static int
check_for_nginx(const struct site_conf *conf, const char *client_listen)
{
	if (strpbrk(conf->home, " \t;{}'\"\\$#") != NULL)
		return err_set(ERR_INVALID,
		    "the folder's name %s has "
		    "characters that nginx cannot take",
		    conf->home);
	if (!str_starts(client_listen, "unix:") &&
	    !str_starts(client_listen, "127.") &&
	    !str_starts(client_listen, "[::1]"))
		return err_set(ERR_INVALID,
		    "[listen] client_url is plain "
		    "HTTP and must be a loopback address; use client_tls_url");
	return 0;
}

/* What nginx spools is of mode 0600: for programs of the same user only. */
static char *
large_body(const struct site_conf *conf)
{
	if (conf->separate_users)
		return xstrdup("# handed over by fastcgi_pass");
	/* One line: where it is explained, it has to stay a comment. */
	return xasprintf(
	    "set $spool 1; client_body_temp_path %s/spool/mailbox; "
	    "client_body_in_file_only clean; "
	    "fastcgi_pass_request_body off;",
	    conf->home);
}

int
site_files_nginx(const struct site_conf *conf, const char *user)
{
	char *client = listen_of(conf, conf->client_url, "client");
	char *client_tls = listen_of(conf, conf->client_tls_url, "client-tls");
	char *partner = listen_of(conf, conf->partner_url, "partner");
	char *from = share_path("nginx/site.conf.in");
	char *to = site_path(conf, "nginx.conf");
	char *large = large_body(conf);
	const struct placeholder p[] = {
		{ "@HOME@", conf->home },
		{ "@USER@", user },
		{ "@WORKERS@", "1" },
		{ "@PARTY_ID@", conf->party_id },
		{ "@CLIENT_LISTEN@", client },
		{ "@CLIENT_TLS_LISTEN@", client_tls },
		{ "@PARTNER_LISTEN@", partner },
		{ "@LARGE_BODY@", large },
	};
	struct buf text = BUF_INIT, out = BUF_INIT;
	int r;

	if (from == NULL)
		r = err_code();
	else if ((r = check_for_nginx(conf, client)) == 0 &&
		 (r = buf_read_file(&text, from, TEMPLATE_MAX)) == 0) {
		fill_template(
		    buf_str(&text), p, sizeof(p) / sizeof(p[0]), &out);
		r = fd_replace_file(to, buf_str(&out), out.len, 0644);
	}
	buf_fini(&text);
	buf_fini(&out);
	free(client);
	free(client_tls);
	free(partner);
	free(large);
	free(from);
	free(to);
	return r == 0 ? 0 : err_wrap("nginx.conf");
}
