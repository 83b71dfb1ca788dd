/*
 * Folders, keys, certificates, disks, providers.  Called by doctor.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/conf/site_disk.h"
#include "lib/http/tls_cert.h"
#include "lib/provider/measure.h"
#include "lib/sign/keys.h"

#define CERT_MAX (64 * 1024)
#define SOON_DAYS 30

/* Nobody but the owner may get at what is in `secret` ones. */
static const struct {
	const char *path;
	mode_t forbidden;
} entries[] = {
	{ SITE_KEYS, 0066 },
	{ SITE_KEYS "/sign.key", 0077 },
	{ SITE_KEYS "/sign.pub", 0022 },
	{ SITE_KEYS "/tls.key", 0037 }, /* nginx's group reads it */
	{ SITE_KEYS "/tls.crt", 0022 },
	{ SITE_KEYS "/partners.pem", 0022 },
	{ SITE_KEYS "/vault.key", 0077 },
	{ SITE_KEYS "/vault.pub", 0022 },
	{ SITE_RUN, 0002 },
	{ SITE_TABLES, 0002 },
	{ SITE_SPOOL, 0002 },
	{ SITE_MAILBOX, 0002 },
	{ SITE_JOBS, 0002 },
	{ SITE_LOGS, 0002 },
	{ SITE_MODELS, 0002 },
	{ "site.conf", 0002 },
	{ "nginx.conf", 0002 },
};

static const char *
make_again(struct doctor *d, const char *path)
{
	if (strcmp(path, "nginx.conf") == 0)
		return doctor_command(
		    d, "sluice site nginx --config %s", d->conf->path);
	if (strcmp(path, SITE_KEYS "/partners.pem") == 0)
		return doctor_command(d,
		    "sluice partner import FILE --config %s (any partner's "
		    "FILE writes it anew)",
		    d->conf->path);
	return doctor_command(d,
	    "take it from a backup of %s; sluice site init%s --home %s --party "
	    "%s makes folders that are missing",
	    d->conf->home, d->conf->separate_users ? " --system" : "",
	    d->conf->home, d->conf->party_id);
}

static void
look_at_entry(struct doctor *d, const char *name, mode_t forbidden)
{
	char *path = site_path(d->conf, "%s", name);
	struct stat st;

	if (stat(path, &st) != 0)
		doctor_say(d, HEALTH_FAIL, name, make_again(d, name), "%s: %s",
		    path, strerror(errno));
	else if ((st.st_mode & forbidden) != 0)
		doctor_say(d, HEALTH_FAIL, name,
		    doctor_command(d, "chmod %03o %s",
			(unsigned)(st.st_mode & 0777 & ~forbidden), path),
		    "others may do too much with it (mode %03o)",
		    (unsigned)(st.st_mode & 0777));
	else if (access(path,
		     S_ISDIR(st.st_mode) ? R_OK | W_OK | X_OK : R_OK) != 0)
		doctor_say(d, HEALTH_FAIL, name,
		    doctor_command(d, "run as its owner, or chown %s", path),
		    "this account cannot use it: %s", strerror(errno));
	else
		doctor_say(d, HEALTH_OK, name, NULL, "mode %03o",
		    (unsigned)(st.st_mode & 0777));
	free(path);
}

/* The file's own certificate, and how long it is good. */
static void
look_at_certificate(struct doctor *d)
{
	char *path = site_path(d->conf, SITE_KEYS "/tls.crt");
	const char *mend = doctor_command(d,
	    "remove keys/tls.key and keys/tls.crt; sluice site init%s --home "
	    "%s --party %s makes new ones; then partners import a new sluice "
	    "partner export",
	    d->conf->separate_users ? " --system" : "", d->conf->home,
	    d->conf->party_id);
	const char *soon = doctor_command(d,
	    "sluice site rotate-key --output FILE --config %s, and FILE to all "
	    "partners",
	    d->conf->path);
	struct buf pem = BUF_INIT;
	bool names_issuer = true;
	int64_t days = 0;
	int r;

	if ((r = buf_read_file(&pem, path, CERT_MAX)) == 0 &&
	    (r = tls_cert_check(buf_str(&pem), d->conf->party_id)) == 0)
		r = tls_cert_days(buf_str(&pem), &days);
	if (r == 0)
		r = tls_cert_names_issuer(buf_str(&pem), &names_issuer);
	if (r != 0)
		doctor_result(d, r, "certificate", mend);
	else if (days >= SOON_DAYS && !names_issuer)
		doctor_say(d, HEALTH_WARN, "certificate",
		    doctor_command(d,
			"while no job runs: sluice site rotate-key --output "
			"FILE --config %s, FILE to all partners, and when all "
			"have imported it sluice site rotate-key --switch "
			"--config %s",
			d->conf->path, d->conf->path),
		    "made by an older version, it does not name its own key "
		    "(authority key id): partners who trust it and its "
		    "successor may refuse one of the two");
	else
		doctor_say(d, days < SOON_DAYS ? HEALTH_WARN : HEALTH_OK,
		    "certificate", days < SOON_DAYS ? soon : NULL,
		    "ends in %lld days", (long long)days);
	buf_fini(&pem);
	free(path);
}

static void
look_at_signing_key(struct doctor *d)
{
	char *path = site_path(d->conf, SITE_KEYS "/sign.key");
	char *pub = site_path(d->conf, SITE_KEYS "/sign.pub");
	char text[KEYS_TEXT_SIZE];
	struct buf have = BUF_INIT;
	struct keys *keys = NULL;
	int r;

	if ((r = keys_load(path, &keys)) == 0 &&
	    (r = buf_read_file(&have, pub, CERT_MAX)) == 0) {
		keys_public_text(keys_public(keys), text);
		if (strncmp(buf_str(&have), text, strlen(text)) != 0)
			r = err_set(ERR_INVALID,
			    "keys/sign.pub is not the public half of "
			    "keys/sign.key");
	}
	doctor_result(d, r, "signing key",
	    "take keys/ from a backup, or make partners import a new key");
	buf_fini(&have);
	keys_free(keys);
	free(path);
	free(pub);
}

static void
look_at_open_door(struct doctor *d)
{
	if (d->conf->client_auth_off_on_loopback)
		doctor_say(d, HEALTH_WARN, "client access",
		    doctor_command(d,
			"give users keys (sluice key create NAME --role ROLE "
			"--config %s), set client_auth_off_on_loopback = no "
			"below [fcgi] in %s, and %s",
			d->conf->path, d->conf->path,
			doctor_reload(d, UNIT_FCGI, "fcgi-app")),
		    "every process of this machine may do what an admin may: "
		    "client_auth_off_on_loopback = yes");
	else
		doctor_say(
		    d, HEALTH_OK, "client access", NULL, "by key or password");
}

static void
look_at_shared(struct doctor *d)
{
	if (d->conf->shared[0] == '\0')
		return;
	if (site_shared_check(d->conf) == 0) {
		doctor_say(
		    d, HEALTH_OK, "shared folder", NULL, "%s", d->conf->shared);
		return;
	}
	doctor_say(d, HEALTH_FAIL, "shared folder",
	    doctor_command(d,
		"mount it, or, on the first host and once, sluice site share "
		"--home %s",
		d->conf->home),
	    "%s", err_text());
	err_clear();
}

static void
look_at_disks(struct doctor *d)
{
	struct site_disk disks[SITE_DISKS];
	char what[32];
	int i;

	site_disks(d->conf, disks);
	for (i = 0; i < SITE_DISKS; i++) {
		(void)snprintf(what, sizeof(what), "disk %s", disks[i].name);
		if (disks[i].is_full)
			doctor_say(d, HEALTH_FAIL, what,
			    "make room, or lower [fcgi] upload_keep_free_mb",
			    "%s: %s", disks[i].path, disks[i].need);
		else
			doctor_say(d, HEALTH_OK, what, NULL, "%lld MB free",
			    (long long)(disks[i].free_bytes >> 20));
	}
}

/* It works but for what it would send. */
static void
say_untagged(struct doctor *d, const struct provider *p, const char *what)
{
	doctor_say(d, HEALTH_WARN, what,
	    doctor_command(d,
		"edit %s/manifest.json, or install a newer version of it, at "
		"all parties",
		p->folder),
	    "%s", err_text());
	err_clear();
}

static void
look_at_providers(struct doctor *d)
{
	struct providers *set;
	char digest[PROVIDER_DIGEST_SIZE];
	const char *mend = doctor_command(
	    d, "install them anew below %s", d->conf->providers_dir);
	size_t i;
	int r;

	r = providers_load(d->conf->providers_dir, &d->providers);
	if ((set = d->providers) != NULL)
		providers_measure(set);
	if (r == 0 && providers_count(set) == 0)
		r = err_set(ERR_NOT_FOUND, "%s has no provider",
		    d->conf->providers_dir);
	if (r != 0)
		doctor_result(d, r, "providers", mend);
	for (i = 0; r == 0 && i < providers_count(set); i++) {
		const struct provider *p = providers_at(set, i);
		const char *what =
		    doctor_command(d, "provider %s %s", p->name, p->version);
		int bad = provider_digest(p, digest);

		if (bad == 0 && access(p->program, X_OK) != 0)
			bad = err_set_errno(ERR_IO, "%s", p->program);
		if (bad != 0)
			doctor_result(d, bad, what, mend);
		else if (provider_check_tags(p) != 0)
			say_untagged(d, p, what);
		else
			doctor_say(
			    d, HEALTH_OK, what, NULL, "sha256 %.16s…", digest);
	}
}

void
doctor_files(struct doctor *d)
{
	size_t i;

	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		look_at_entry(d, entries[i].path, entries[i].forbidden);
	look_at_open_door(d);
	look_at_signing_key(d);
	look_at_certificate(d);
	look_at_shared(d);
	look_at_disks(d);
	look_at_providers(d);
}
