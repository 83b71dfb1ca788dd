/*
 * Partners: each is asked over mutual TLS with a signed request, and says
 * what it knows of us.  Called by doctor.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/partner_ask.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_permission.h"
#include "lib/http/client.h"
#include "lib/http/tls_cert.h"
#include "lib/provider/measure.h"
#include "lib/sign/keys.h"

#define SOON_DAYS 30
#define SKEW_MS 5000
#define ALIVE_MS 30000 /* so old may a supervisor's sign of life be */
#define RISE_MS 15000  /* so long a site may not answer as it starts */
#define TIME_MAX (INT64_C(1) << 52) /* ms */

static void
look_at_its_certificate(
    struct doctor *d, const struct db_partner *p, const char *what)
{
	const char *mend = doctor_command(d,
	    "let party %s send a new sluice partner export, and import it",
	    p->party_id);
	int64_t days = 0;
	int r;

	if ((r = tls_cert_check(p->tls_cert, p->party_id)) == 0)
		r = tls_cert_days(p->tls_cert, &days);
	if (r != 0)
		doctor_result(d, r, what, mend);
	else if (days < SOON_DAYS)
		doctor_say(d, HEALTH_WARN, what, mend,
		    "its certificate ends in %lld days", (long long)days);
}

/* Can it prove here who it is?  Whether we reach it is another matter. */
static bool
look_at_its_keys(struct doctor *d, const struct db_partner *p, const char *what)
{
	const char *lacks;

	if (db_partner_key_lack(d->db, d->arena, p->party_id, &lacks) != 0) {
		doctor_result(d, err_code(), what, NULL);
		return false;
	}
	if (*lacks == '\0')
		return true;
	doctor_say(d, HEALTH_FAIL, what,
	    doctor_command(d,
		"let party %s make new keys (sluice site rotate-key, then the "
		"same with --switch --force) and send what sluice partner export "
		"writes then; here: sluice partner import FILE --replace "
		"--config %s",
		p->party_id, d->conf->path),
	    "%s", lacks);
	return false;
}

/* A version of a provider is the same program everywhere, or jobs end. */
static void
look_at_its_providers(
    struct doctor *d, const char *what, struct json_object *theirs)
{
	char mine[PROVIDER_DIGEST_SIZE];
	size_t i, n = d->providers != NULL ? providers_count(d->providers) : 0;

	for (i = 0; i < n; i++) {
		const struct provider *p = providers_at(d->providers, i);
		const char *other = json_get_str(theirs,
		    doctor_command(d, "%s@%s", p->name, p->version), NULL);

		if (other == NULL || provider_digest(p, mine) != 0 ||
		    str_eq(other, mine))
			continue;
		doctor_say(d, HEALTH_FAIL, what,
		    doctor_command(d,
			"install the same build of it at both sites (here: "
			"below %s)",
			d->conf->providers_dir),
		    "its provider %s %s is another program (sha256 %.16s…) "
		    "than here (%.16s…): tasks of it are refused",
		    p->name, p->version, other, mine);
	}
}

/*
 * What it remembers is of before this site, or itself, was started; or of
 * while this one was on its way up.
 */
static bool
is_old(struct doctor *d, struct json_object *you)
{
	int64_t checked_ms = json_get_int(you, "checked_ago_ms", 0);
	int64_t ran_ms = 0;

	if (db_supervisor_ran_ms(d->db, ALIVE_MS, &ran_ms) != 0)
		err_clear();
	return (ran_ms > 0 && checked_ms > ran_ms - RISE_MS) ||
	       checked_ms > json_get_int(you, "ran_ms", INT64_MAX);
}

static const char *
in_a_minute(struct doctor *d)
{
	return doctor_command(
	    d, "sluice doctor --config %s, in a minute", d->conf->path);
}

/* Its clock, its providers, and whether it reaches us. */
static void
look_at_answer(struct doctor *d, const struct db_partner *p, const char *what,
    const struct partner_reply *reply, int64_t asked_ms, int64_t took_ms,
    bool is_heard)
{
	struct json_object *you = json_get(reply->data, "you");
	int64_t theirs = json_get_int(reply->data, "time_ms", 0), skew;

	doctor_say(d, HEALTH_OK, what, NULL,
	    "answers in %lld ms, signature and certificate taken",
	    (long long)took_ms);
	/* It may say any number. */
	theirs = theirs < 0 ? 1 : theirs > TIME_MAX ? TIME_MAX : theirs;
	skew = theirs - asked_ms - took_ms / 2;
	if (theirs != 0 && llabs(skew) > SKEW_MS + took_ms)
		doctor_say(d, HEALTH_FAIL, what,
		    "let both machines follow the right time (NTP): signed "
		    "requests are refused beyond some minutes",
		    "its clock differs by %lld ms", (long long)skew);
	look_at_its_providers(d, what, json_get(reply->data, "providers"));
	if (you == NULL || !is_heard)
		return;
	if (json_object_get_boolean(json_get(you, "answers")))
		doctor_say(
		    d, HEALTH_OK, what, NULL, "reaches this site as well");
	else if (is_old(d, you))
		doctor_say(d, HEALTH_WARN, what, in_a_minute(d),
		    "has not asked this site yet since both run well; what it "
		    "remembers is %lld s old",
		    (long long)(json_get_int(you, "checked_ago_ms", 0) / 1000));
	else
		doctor_say(d, HEALTH_FAIL, what,
		    doctor_command(d,
			"[listen] partner_url must be reachable from there "
			"(%s), and party %s must have imported what this "
			"writes: sluice partner export --config %s",
			d->conf->partner_url, p->party_id, d->conf->path),
		    "does not reach this site");
}

/* A key that was revoked there cannot come back: another takes its place. */
static const char *
new_keys(struct doctor *d, const struct db_partner *p)
{
	return doctor_command(d,
	    "sluice site rotate-key --output FILE --config %s, FILE to the "
	    "other partners, then the same with --switch --force; what sluice "
	    "partner export --config %s writes then, party %s imports with "
	    "--replace",
	    d->conf->path, d->conf->path, p->party_id);
}

static const char *
what_may_be_wrong(
    struct doctor *d, const struct db_partner *p, const struct partner_asked *a)
{
	/* Its program's words, or those of its nginx. */
	if (strstr(a->said, "is revoked or has ended") != NULL ||
	    strstr(a->said, "is not one of a partner") != NULL)
		return doctor_command(d,
		    "party %s looks: sluice partner list, sluice partner keys "
		    "--party %s; what is disabled: sluice partner enable %s "
		    "there; what is not there: sluice partner import there of "
		    "what sluice partner export --config %s writes; what is "
		    "revoked or has ended: %s",
		    p->party_id, d->conf->party_id, d->conf->party_id,
		    d->conf->path, new_keys(d, p));
	if (strstr(a->said, "is revoked") != NULL)
		return new_keys(d, p);
	if (a->http.error == ERR_AUTH)
		return doctor_command(d,
		    "sluice partner import FILE --config %s, FILE being what "
		    "\"sluice partner export\" writes at party %s now",
		    d->conf->path, p->party_id);
	if (a->http.error != 0)
		return doctor_command(d,
		    "is %s right, up, and open for this machine? sluice "
		    "partner import FILE --config %s changes it",
		    p->url, d->conf->path);
	if (a->word == PARTNER_STRANGE)
		return doctor_command(d,
		    "is %s where party %s hears its partners? sluice partner "
		    "import FILE --config %s changes it; if it is, the versions "
		    "of both sites may be too far apart",
		    p->url, p->party_id, d->conf->path);
	return doctor_command(d,
	    "party %s must import what this writes: sluice partner export "
	    "--config %s; if it has revoked this site's keys (sluice partner "
	    "keys there), sluice site rotate-key here first",
	    p->party_id, d->conf->path);
}

static void
ask(struct doctor *d, struct http_client *client, const struct db_partner *p,
    const char *what, bool is_heard)
{
	int64_t asked = clock_wall_ms(), begin = clock_mono_ms();
	struct partner_asked a;

	if (partner_ask(client, p, "info", &a) == 0)
		look_at_answer(d, p, what, &a.reply, asked,
		    clock_mono_ms() - begin, is_heard);
	else if (a.word == PARTNER_NOT_NOW)
		doctor_say(d, HEALTH_WARN, what, in_a_minute(d),
		    "takes no signature at this moment: %s", a.said);
	else if (a.word == PARTNER_BUSY)
		doctor_say(d, HEALTH_WARN, what,
		    doctor_command(d,
			"%s; if it lasts, party %s looks: sluice doctor there",
			in_a_minute(d), p->party_id),
		    "is there and answers nothing at this moment (status "
		    "%d): %s",
		    a.http.status, a.said);
	else
		doctor_say(d, HEALTH_FAIL, what, what_may_be_wrong(d, p, &a),
		    "%s", a.said);
	partner_asked_fini(&a);
}

static void
look_at_grants(struct doctor *d, const struct db_partner *p, const char *what)
{
	struct db_permission *rows;
	size_t n = 0, any = 0;

	if (db_permission_list(d->db, d->arena, p->party_id, &rows, &n) != 0 ||
	    db_permission_list(
		d->db, d->arena, DB_PERMISSION_ANY, &rows, &any) != 0) {
		doctor_result(d, err_code(), what, NULL);
		return;
	}
	if (n + any == 0)
		doctor_say(d, HEALTH_WARN, what,
		    doctor_command(d,
			"sluice grant %s --roles host --commands create "
			"--components … --datasets … --config %s",
			p->party_id, d->conf->path),
		    "has no grant: all of its jobs are refused here");
	else
		doctor_say(d, HEALTH_OK, what, NULL, "%zu grants", n + any);
}

static void
look_at(struct doctor *d, struct http_client *client,
    const struct db_partner *p, const char *what)
{
	if (!p->enabled) {
		doctor_say(d, HEALTH_WARN, what,
		    doctor_command(d, "sluice partner enable %s --config %s",
			p->party_id, d->conf->path),
		    "is disabled here: nothing is sent to it, and what it "
		    "says is refused");
		return;
	}
	look_at_its_certificate(d, p, what);
	ask(d, client, p, what, look_at_its_keys(d, p, what));
	look_at_grants(d, p, what);
}

void
doctor_partners(struct doctor *d)
{
	char *key = site_path(d->conf, SITE_KEYS "/sign.key");
	struct http_client *client = NULL;
	struct keys *keys = NULL;
	struct db_partner *rows;
	size_t i, n = 0;

	if (d->db == NULL || keys_load(key, &keys) != 0 ||
	    http_client_new_site(NULL, d->conf, keys, &client) != 0 ||
	    db_partner_list(d->db, d->arena, &rows, &n) != 0)
		n = 0; /* what is missing was told above */
	for (i = 0; i < n; i++)
		if (!str_eq(rows[i].party_id, d->conf->party_id))
			look_at(d, client, &rows[i],
			    doctor_command(d, "partner %s", rows[i].party_id));
	http_client_free(client);
	keys_free(keys);
	free(key);
}
