/*
 * sluice partner keys, revoke, disable, enable: which keys of whom count, and
 * their end before their time.  A withdrawal holds for the next request: see
 * db_partner_admit().
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/partner.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_tx.h"
#include "lib/http/tls_cert.h"
#include "lib/party/withdraw.h"

/* Id and fingerprint of a row. */
struct key_names {
	char id[KEYS_ID_SIZE];
	char spoken[KEYS_FINGERPRINT_SIZE];
};

static int
name_key(const struct db_partner_key *k, struct key_names *out)
{
	uint8_t key[KEYS_PUBLIC_SIZE], sum[32];
	int r;

	if (str_eq(k->kind, DB_KEY_SIGN)) {
		if ((r = keys_public_parse(k->material, key)) != 0)
			return r;
		keys_id(key, out->id);
		keys_fingerprint(key, out->spoken);
		return 0;
	}
	if ((r = tls_cert_digest(k->material, sum)) != 0)
		return r;
	str_to_hex(sum, 8, out->id);
	keys_spoken(sum, out->spoken);
	return 0;
}

static const char *
day(struct arena *a, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	char text[32];
	struct tm tm;

	if (ms == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
		return "";
	return arena_strdup(a, text);
}

static void
list_key(struct site *s, const struct db_partner_key *k,
    const struct key_names *names, struct output_table *t,
    struct json_object *list)
{
	struct json_object *o = json_object_new_object();
	const char *state = db_partner_key_state(k);

	output_table_row(
	    t, (const char *const[]){ k->party_id, k->kind, names->id,
		   names->spoken, state, day(s->arena, k->valid_from_ms),
		   day(s->arena,
		       k->revoked_ms != 0 ? k->revoked_ms : k->valid_until_ms),
		   k->reason });
	json_add_str(o, "party_id", k->party_id);
	json_add_str(o, "kind", k->kind);
	json_add_str(o, "key_id", names->id);
	json_add_str(o, "fingerprint", names->spoken);
	json_add_str(o, "state", state);
	json_add_int(o, "valid_from", k->valid_from_ms);
	json_add_int(o, "valid_until", k->valid_until_ms);
	json_add_int(o, "revoked_at", k->revoked_ms);
	json_add_str(o, "reason", k->reason);
	json_object_array_add(list, o);
}

static int
run_keys(const struct args *args)
{
	static const char *const head[] = { "party", "kind", "id",
		"fingerprint", "state", "since (UTC)", "until (UTC)",
		"reason" };
	struct output_table *t = output_table_new(8);
	struct json_object *list = json_object_new_array();
	struct db_partner_key *rows;
	struct key_names names;
	struct site s;
	size_t i, n = 0;
	int r;

	output_table_row(t, head);
	if ((r = site_open(args, &s)) == 0)
		r = db_partner_key_list(
		    s.db, s.arena, args_text(args, "party"), false, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		if ((r = name_key(&rows[i], &names)) == 0)
			list_key(&s, &rows[i], &names, t, list);
	if (r == 0) {
		output_list(args, t, list);
	} else {
		output_table_free(t);
		json_object_put(list);
	}
	site_close(&s);
	return r;
}

/* The one key that is meant: ID or PARTY:ID. */
static int
find_key(struct site *s, const char *wanted, const struct db_partner_key **out)
{
	const char *colon = strchr(wanted, ':');
	const char *id = colon != NULL ? colon + 1 : wanted;
	struct db_partner_key *rows;
	struct key_names names;
	size_t i, n;
	int r;

	*out = NULL;
	if ((r = db_partner_key_list(
		 s->db, s->arena, NULL, false, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if ((r = name_key(&rows[i], &names)) != 0)
			return r;
		if (!str_eq(names.id, id) ||
		    (colon != NULL &&
			(strncmp(rows[i].party_id, wanted,
			     (size_t)(colon - wanted)) != 0 ||
			    rows[i].party_id[colon - wanted] != '\0')))
			continue;
		if (*out != NULL)
			return err_set(ERR_INVALID,
			    "several parties have key %s: say PARTY:%s", id,
			    id);
		*out = &rows[i];
	}
	if (*out == NULL)
		return err_set(ERR_NOT_FOUND,
		    "no key %s; \"sluice partner keys --config %s\" lists "
		    "them",
		    wanted, s->conf->path);
	if (str_eq((*out)->party_id, s->conf->party_id))
		return err_set(ERR_DENIED,
		    "that key is this site's own: \"sluice site rotate-key "
		    "--output FILE --config %s\" replaces it",
		    s->conf->path);
	return 0;
}

struct revoking {
	struct arena *arena;
	const struct db_partner_key *key;
	const char *reason;
};

/*
 * Who has no key or no certificate left proves nothing any more.  The ends of
 * jobs in the same transaction: else they end for what follows from it, first.
 */
static int
revoke_tx(struct db *db, void *ctx)
{
	const struct revoking *rv = ctx;
	const char *kind = rv->key->kind;
	struct db_partner_key *rows;
	size_t i, n;
	int r;

	/* Of two who revoke the last two keys, one comes second. */
	if ((r = db_partner_lock(db, rv->key->party_id)) != 0 ||
	    (r = db_partner_key_revoke(db, rv->key, rv->reason)) != 0 ||
	    (r = db_partner_key_list(
		 db, rv->arena, rv->key->party_id, false, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (rows[i].is_valid && str_eq(rows[i].kind, kind))
			return 0;
	return withdraw_jobs(db, rv->key->party_id,
	    str_eq(kind, DB_KEY_SIGN) ? WITHDRAW_SIGN_KEY : WITHDRAW_TLS_CERT);
}

static int
run_revoke(const struct args *args)
{
	const char *reason = args_text(args, "reason");
	const struct db_partner_key *k;
	struct revoking rv;
	struct site s;
	int r;

	if (reason == NULL)
		reason = "";
	if (strlen(reason) > 500)
		return args_wrong("--reason: 500 bytes at most");
	if ((r = site_open(args, &s)) == 0 &&
	    (r = find_key(&s, args_operand(args, 0), &k)) == 0) {
		rv = (struct revoking){ s.arena, k, reason };
		r = site_do(&s, revoke_tx, &rv,
		    &(struct site_deed){ "partner", k->party_id,
			arena_printf(s.arena, "%s key %s revoked; %s", k->kind,
			    args_operand(args, 0), reason) });
		r = partner_settle(&s, k->party_id, r);
		if (r == 0)
			output_done(args, "%s key %s of party %s is revoked",
			    k->kind, args_operand(args, 0), k->party_id);
	}
	site_close(&s);
	return r;
}

struct enabling {
	const char *party;
	bool enable;
};

static int
enable_tx(struct db *db, void *ctx)
{
	const struct enabling *e = ctx;
	int r = db_partner_enable(db, e->party, e->enable);

	return r == 0 && !e->enable
		   ? withdraw_jobs(db, e->party, WITHDRAW_DISABLED)
		   : r;
}

static int
run_enable(const struct args *args)
{
	bool enable = args_command(args) == &command_partner_enable;
	const char *party = args_operand(args, 0);
	struct enabling e = { party, enable };
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0 && !enable &&
	    str_eq(party, s.conf->party_id))
		r = err_set(ERR_INVALID, "party %s is this site itself", party);
	/* What was withdrawn ends, also if it is trusted again meanwhile. */
	if (r == 0 && (!enable || (r = withdraw_rest(s.db, party)) == 0)) {
		r = site_do(&s, enable_tx, &e,
		    &(struct site_deed){
			"partner", party, enable ? "enabled" : "disabled" });
		if (r == 0)
			r = partner_settle(&s, party, r);
		if (r == 0)
			output_done(args, "partner %s is %s", party,
			    enable ? "enabled" : "disabled; jobs with it end");
	}
	site_close(&s);
	return r;
}

static const struct option_def keys_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "party", "ID", "of this party only", false },
	OPTION_END,
};

const struct command command_partner_keys = {
	"partner keys",
	"",
	0,
	"List the keys and certificates of partners and of this site, those "
	"that are over included.",
	keys_options,
	run_keys,
};

static const struct option_def revoke_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "reason", "TEXT", "kept with it", false },
	OPTION_END,
};

const struct command command_partner_revoke = {
	"partner revoke",
	"KEYID",
	1,
	"A partner's key or certificate proves nothing from now on; with the "
	"last one the jobs shared with that partner end.",
	revoke_options,
	run_revoke,
};

static const struct option_def config_only[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_END,
};

const struct command command_partner_disable = {
	"partner disable",
	"PARTY",
	1,
	"Refuse all that a partner asks from now on, and end the jobs shared "
	"with it.",
	config_only,
	run_enable,
};

const struct command command_partner_enable = {
	"partner enable",
	"PARTY",
	1,
	"Hear a partner again that was disabled.",
	config_only,
	run_enable,
};
