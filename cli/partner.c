/*
 * sluice key, sluice partner: who this site is and whom it knows.  The
 * partner tables are what fcgi-app and supervisor read; keys/partners.pem is
 * the same for TLS, written anew after every change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/partner.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/http/tls_cert.h"
#include "lib/party/withdraw.h"

#define STATE_TEXT 64
#define CERT_MAX (64 * 1024)

static void
print_taken(const struct args *args, const struct bundle *b,
    const struct partner_prints *p)
{
	struct json_object *o;

	if (!args_json(args)) {
		output_line("partner %s at %s", b->party_id, b->url);
		(void)printf("  signing key      %s\n"
			     "  TLS certificate  %s\n"
			     "compare both with the other side by another "
			     "way, such as a telephone\n",
		    p->sign, p->tls);
		return;
	}
	o = bundle_json(b);
	json_add_str(o, "fingerprint", p->sign);
	json_add_str(o, "tls_fingerprint", p->tls);
	output_json(o);
	json_object_put(o);
}

static void
print_pair(const char *what, const struct partner_prints *p)
{
	(void)printf("  %ssigning key      %s\n"
		     "  %sTLS certificate  %s\n",
	    what, p->sign, what, p->tls);
}

/* What a file would have this site trust; nothing is changed. */
static int
run_show(const struct args *args)
{
	struct partner_prints now, next;
	struct json_object *o;
	struct bundle b;
	bool changes;
	int r;

	if ((r = bundle_read(args_operand(args, 0), &b)) != 0)
		return r;
	changes = b.next.tls_cert != NULL;
	if ((r = partner_prints(b.sign_key, b.tls_cert, &now)) == 0 && changes)
		r = partner_prints(b.next.sign_key, b.next.tls_cert, &next);
	if (r == 0 && args_json(args)) {
		o = bundle_json(&b);
		json_add_str(o, "fingerprint", now.sign);
		json_add_str(o, "tls_fingerprint", now.tls);
		if (changes) {
			json_add_str(o, "next_fingerprint", next.sign);
			json_add_str(o, "next_tls_fingerprint", next.tls);
		}
		output_json(o);
		json_object_put(o);
	} else if (r == 0) {
		output_line("party %s at %s", b.party_id, b.url);
		print_pair("", &now);
		if (changes)
			print_pair("next ", &next);
		(void)printf("not trusted by this: compare with what sluice "
			     "key fingerprint shows there, then sluice partner "
			     "import\n");
	}
	bundle_fini(&b);
	return r;
}

/* Keys are one thing, and whether it is heard another. */
static void
note_disabled(struct site *s, const char *party)
{
	struct db_partner *p;

	if (db_partner_get(s->db, s->arena, party, &p) != 0)
		err_clear();
	else if (!p->enabled)
		(void)fprintf(stderr,
		    "sluice partner: note: party %s is disabled still; "
		    "\"sluice partner enable %s --config %s\" ends that\n",
		    party, party, s->conf->path);
}

static int
put_partner(const struct args *args, const struct bundle *b)
{
	struct partner_prints prints;
	struct site s;
	int r;

	r = site_open(args, &s);
	if (r == 0)
		r = partner_take(&s, b, args_flag(args, "replace"));
	if (r == 0)
		note_disabled(&s, b->party_id);
	site_close(&s);
	if (r == 0)
		r = b->next.tls_cert != NULL
			? partner_prints(
			      b->next.sign_key, b->next.tls_cert, &prints)
			: partner_prints(b->sign_key, b->tls_cert, &prints);
	if (r == 0)
		print_taken(args, b, &prints);
	return r;
}

static int
run_import(const struct args *args)
{
	const char *url = args_text(args, "url");
	struct bundle b;
	int r;

	if ((r = bundle_read(args_operand(args, 0), &b)) != 0)
		return r;
	if (url != NULL) {
		free(b.url);
		b.url = xstrdup(url);
		r = bundle_check(&b);
	}
	if (r == 0)
		r = put_partner(args, &b);
	bundle_fini(&b);
	return r;
}

static int
run_add(const struct args *args)
{
	const char *name = args_text(args, "name");
	struct buf cert = BUF_INIT;
	struct bundle b = {
		.party_id = xstrdup(args_text(args, "party")),
		.name = xstrdup(name != NULL ? name : ""),
		.url = xstrdup(args_text(args, "url")),
	};
	int r;

	if ((r = keys_public_parse(args_text(args, "key"), b.sign_key)) == 0)
		r = buf_read_file(&cert, args_text(args, "cert"), CERT_MAX);
	b.tls_cert = buf_steal(&cert);
	if (r == 0 && (r = bundle_check(&b)) == 0)
		r = put_partner(args, &b);
	bundle_fini(&b);
	return r;
}

static int
run_export(const struct args *args)
{
	const char *out = args_text(args, "output");
	struct site_conf *conf = NULL;
	struct json_object *o;
	struct bundle b;
	const char *text;
	int r;

	r = site_conf_load(args_text(args, "config"), &conf);
	if (r != 0)
		return r;
	if ((r = bundle_of_site(conf, &b)) == 0) {
		o = bundle_json(&b);
		text = json_object_to_json_string_ext(o,
		    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
		if (out != NULL)
			r = output_file(args, out, text, strlen(text), 0644);
		else
			(void)printf("%s\n", text);
		json_object_put(o);
		bundle_fini(&b);
	}
	site_conf_free(conf);
	return r;
}

/* Whether it answers this site's supervisor; NULL: it was never asked. */
static const struct db_partner_state *
state_of(const struct db_partner_state *states, size_t n, const char *party)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(states[i].party_id, party))
			return &states[i];
	return NULL;
}

static void
show_state(const struct db_partner_state *st, struct json_object *o,
    char text[STATE_TEXT])
{
	time_t since;
	struct tm tm;
	char when[32];

	(void)snprintf(text, STATE_TEXT, "-");
	if (st == NULL)
		return;
	since = (time_t)(st->since_ms / 1000);
	(void)gmtime_r(&since, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)snprintf(
	    text, STATE_TEXT, "%s, since %s", st->answers ? "yes" : "no", when);
	json_add_bool(o, "answers", st->answers);
	json_add_int(o, "answers_since", st->since_ms);
	json_add_str(o, "silent_because", st->reason);
}

static int
print_partners(struct site *s, const struct args *args,
    const struct db_partner *rows, size_t n,
    const struct db_partner_state *states, size_t n_states)
{
	static const char *const head[] = {
		"party",
		"url",
		"signing key",
		"TLS certificate",
		"name",
		"enabled",
		"keys count",
		"answers",
	};
	struct output_table *t = output_table_new(8);
	char answers[STATE_TEXT];
	struct json_object *list = json_object_new_array();
	struct partner_prints p;
	const char *lacks;
	size_t i;
	int r;

	output_table_row(t, head);
	for (i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();

		json_object_array_add(list, o);
		if ((r = partner_prints(
			 rows[i].sign_key, rows[i].tls_cert, &p)) != 0 ||
		    (r = db_partner_key_lack(
			 s->db, s->arena, rows[i].party_id, &lacks)) != 0) {
			output_table_free(t);
			json_object_put(list);
			return r;
		}
		show_state(
		    state_of(states, n_states, rows[i].party_id), o, answers);
		output_table_row(
		    t, (const char *const[]){ rows[i].party_id, rows[i].url,
			   p.sign, p.tls, rows[i].name,
			   rows[i].enabled ? "yes" : "no",
			   *lacks != '\0' ? "NO" : "yes", answers });
		json_add_str(o, "party_id", rows[i].party_id);
		json_add_str(o, "url", rows[i].url);
		json_add_str(o, "fingerprint", p.sign);
		json_add_str(o, "tls_fingerprint", p.tls);
		json_add_str(o, "name", rows[i].name);
		json_add_bool(o, "enabled", rows[i].enabled);
		json_add_bool(o, "keys_count", *lacks == '\0');
		if (*lacks != '\0')
			json_add_str(o, "keys_count_not_because", lacks);
	}
	output_list(args, t, list);
	return 0;
}

static int
run_list(const struct args *args)
{
	struct db_partner_state *states;
	struct db_partner *rows;
	size_t n, n_states;
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0 &&
	    (r = db_partner_list(s.db, s.arena, &rows, &n)) == 0 &&
	    (r = db_partner_state_list(s.db, s.arena, &states, &n_states)) == 0)
		r = print_partners(&s, args, rows, n, states, n_states);
	site_close(&s);
	return r;
}

static int
remove_tx(struct db *db, void *ctx)
{
	const char *party = ctx;
	int r = db_partner_delete(db, party);

	return r != 0 ? r : withdraw_jobs(db, party, WITHDRAW_REMOVED);
}

static int
run_remove(const struct args *args)
{
	char *party = (char *)args_operand(args, 0);
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0) {
		r = site_do(&s, remove_tx, party,
		    &(struct site_deed){ "partner", party, "removed" });
		r = partner_settle(&s, party, r);
		if (r == 0)
			output_done(args,
			    "party %s is no partner any more; jobs with it end",
			    party);
	}
	site_close(&s);
	return r;
}

/* --- this site's own keys ------------------------------------------------------- */

static int
run_key(const struct args *args)
{
	struct site_conf *conf;
	struct json_object *o;
	struct bundle b;
	char key[KEYS_TEXT_SIZE];
	struct partner_prints p;
	char tls[TLS_CERT_FINGERPRINT_SIZE];
	bool whole = args_command(args) == &command_key_show;
	int r;

	r = site_conf_load(args_text(args, "config"), &conf);
	if (r != 0)
		return r;
	if ((r = bundle_of_site(conf, &b)) == 0 &&
	    (r = tls_cert_fingerprint(b.tls_cert, tls)) == 0 &&
	    (r = partner_prints(b.sign_key, b.tls_cert, &p)) == 0) {
		keys_public_text(b.sign_key, key);
		o = json_object_new_object();
		json_add_str(o, "party_id", conf->party_id);
		json_add_str(o, "fingerprint", p.sign);
		json_add_str(o, "tls_fingerprint", p.tls);
		json_add_str(o, "tls_sha256", tls);
		json_add_str(o, "sign_key", key);
		if (args_json(args))
			output_json(o);
		else if (whole)
			(void)printf("%s\n", key);
		else
			(void)printf("party %s\n"
				     "  signing key      %s\n"
				     "  TLS certificate  %s\n"
				     "  (its SHA-256     %s)\n",
			    conf->party_id, p.sign, p.tls, tls);
		json_object_put(o);
	}
	bundle_fini(&b);
	site_conf_free(conf);
	return r;
}

static const struct option_def config_only[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_END,
};

const struct command command_key_show = {
	"key show",
	"",
	0,
	"Show this site's public signing key.",
	config_only,
	run_key,
};

const struct command command_key_fingerprint = {
	"key fingerprint",
	"",
	0,
	"Show what two people read to each other "
	"before they trust a key.",
	config_only,
	run_key,
};

#define OPTION_REPLACE                                                         \
	{                                                                      \
		"replace", NULL,                                               \
		    "the keys known so far end at once (compare first)", false \
	}

static const struct option_def add_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "party", "ID", "party id", true },
	{ "url", "URL", "where it listens, https://HOST:PORT", true },
	{ "key", "TEXT", "its public key, ed25519:…", true },
	{ "cert", "FILE", "its TLS certificate, PEM", true },
	{ "name", "TEXT", "a name for people", false },
	OPTION_REPLACE,
	OPTION_END,
};

const struct command command_partner_add = {
	"partner add",
	"",
	0,
	"Trust a partner, part by part.",
	add_options,
	run_add,
};

const struct command command_partner_list = {
	"partner list",
	"",
	0,
	"List the partners.",
	config_only,
	run_list,
};

const struct command command_partner_remove = {
	"partner remove",
	"PARTY",
	1,
	"Trust a partner no longer.",
	config_only,
	run_remove,
};

static const struct option_def export_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "output", "FILE", "write there instead of standard output", false },
	OPTION_FORCE,
	OPTION_END,
};

const struct command command_partner_export = {
	"partner export",
	"",
	0,
	"Write what partners need to know of this "
	"site.",
	export_options,
	run_export,
};

static const struct option_def no_options[] = { OPTION_END };

const struct command command_partner_show = {
	"partner show",
	"FILE",
	1,
	"Show whose partner file it is and its fingerprints; trust nothing.",
	no_options,
	run_show,
};

static const struct option_def import_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "url", "URL", "where it listens, if not as its file says", false },
	OPTION_REPLACE,
	OPTION_END,
};

const struct command command_partner_import = {
	"partner import",
	"FILE",
	1,
	"Trust the partner whose export FILE is.",
	import_options,
	run_import,
};
