/*
 * Authentication.  Called by dispatch.c for every request, in two steps:
 * the listener before the body, the caller after it.
 */
#include "fcgi-app/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_client.h"
#include "fcgi-app/auth_monitor.h"
#include "fcgi-app/form.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/partners.h"
#include "fcgi-app/route.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/db/db_admission.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_recover.h"
#include "lib/sign/digest.h"
#include "lib/sign/sign.h"

/* --- audit: refusals are recorded, a flood of them is only counted ------ */

#define AUDIT_BURST 20
#define AUDIT_PER_S 1
#define AUDIT_GROUPS 17 /* the first is of all who proved nothing */

#define AUDIT_LATE_MS 5000 /* then the rest is told by itself */

static struct allowance {
	int64_t spent, last_ms, untold;
	int64_t untold_ms;  /* since when */
	char actor[64];	    /* of the last that is untold */
	const char *action; /* a constant */
} allowances[AUDIT_GROUPS];

/*
 * Who proved who it is has an allowance apart from those of strangers, and
 * shares it with few others: a flood of one hides no refusal of another.
 */
static struct allowance *
allowance_of(const struct request *req, const char *actor)
{
	size_t i = 0;

	if (*req->caller.name != '\0') {
		for (; *actor != '\0'; actor++)
			i = i * 31 + (unsigned char)*actor;
		i = 1 + i % (AUDIT_GROUPS - 1);
	}
	return &allowances[i];
}

static bool
may_record(struct allowance *a)
{
	int64_t now = clock_mono_ms();
	int64_t gained = (now - a->last_ms) / 1000 * AUDIT_PER_S;

	if (gained > 0) {
		a->spent = a->spent > gained ? a->spent - gained : 0;
		a->last_ms = now;
	}
	if (a->spent == AUDIT_BURST)
		return false;
	a->spent++;
	return true;
}

static void
leave_untold(struct allowance *a, const char *actor, const char *action)
{
	if (a->untold++ == 0)
		a->untold_ms = clock_mono_ms();
	(void)snprintf(a->actor, sizeof(a->actor), "%s", actor);
	a->action = action;
}

static void
tell_untold(struct db *db, struct allowance *a)
{
	char text[80];

	(void)snprintf(text, sizeof(text),
	    "the last of a flood; %lld not recorded before",
	    (long long)a->untold - 1);
	a->untold_ms = clock_mono_ms();
	if (db_audit_add(db, &(struct db_audit){ .actor = a->actor,
				 .action = a->action,
				 .outcome = "refused",
				 .detail = text }) == 0)
		a->untold = 0;
	else
		log_err("refusals not recorded");
}

int
auth_tell_untold(struct db *db, bool all)
{
	int64_t now = clock_mono_ms(), left = -1, wait;

	for (size_t i = 0; i < AUDIT_GROUPS; i++) {
		struct allowance *a = &allowances[i];

		if (a->untold > 0 &&
		    (all || now - a->untold_ms >= AUDIT_LATE_MS))
			tell_untold(db, a);
		wait = a->untold_ms + AUDIT_LATE_MS - now;
		if (a->untold > 0 && (left < 0 || wait < left))
			left = wait > 0 ? wait : 0;
	}
	return (int)left;
}

static int
record_refusal(
    struct request *req, const char *actor, const char *action, int code)
{
	const char *why = arena_strdup(req->arena, err_text());
	const char *from = request_env(req, "REMOTE_ADDR"), *text;
	struct allowance *a = allowance_of(req, actor);

	if (!may_record(a)) {
		leave_untold(a, actor, action);
		return err_set(code, "%s", why);
	}
	text = arena_printf(req->arena,
	    "%s; from %s; request %s; %lld not recorded before", why,
	    from != NULL ? from : "?",
	    *log_request_id() != '\0' ? log_request_id() : "?",
	    (long long)a->untold);
	log_warn("refused %s %s: %s", req->method, req->path, text);
	/* The refusal stands whether or not it could be written down. */
	if (db_audit_add(req->app->db, &(struct db_audit){ .actor = actor,
					   .action = action,
					   .subject = req->path,
					   .outcome = "refused",
					   .detail = text }) == 0)
		a->untold = 0;
	else {
		leave_untold(a, actor, action);
		log_err("refusal not recorded");
	}
	return err_set(code, "%s", why);
}

int
auth_refused(struct request *req, const char *actor, int code)
{
	return record_refusal(req, actor, "request", code);
}

int
auth_record_refusal(struct request *req, const char *actor, const char *action)
{
	return record_refusal(req, actor, action, err_code());
}

/* --- partners ----------------------------------------------------------- */

/*
 * One attribute of a subject: type '=' value, up to an unescaped ',' or '+'.
 * Returns where the next begins.
 */
static const char *
next_attribute(
    const char *s, size_t *type_len, const char **value, size_t *value_len)
{
	*type_len = strcspn(s, "=,+");
	s += *type_len;
	if (*s == '=')
		s++;
	*value = s;
	while (*s != '\0' && *s != ',' && *s != '+')
		s += s[0] == '\\' && s[1] != '\0' ? 2 : 1;
	*value_len = (size_t)(s - *value);
	return *s == '\0' ? s : s + 1;
}

int
auth_subject_party(const char *subject, char out[AUTH_PARTY_SIZE])
{
	const char *s = subject, *value;
	size_t type_len, len;
	const char *type;
	int found = 0;

	out[0] = '\0';
	while (*s != '\0') {
		type = s;
		s = next_attribute(s, &type_len, &value, &len);
		if (type_len != 2 || strncasecmp(type, "CN", 2) != 0)
			continue;
		found++;
		if (len < AUTH_PARTY_SIZE)
			(void)snprintf(
			    out, AUTH_PARTY_SIZE, "%.*s", (int)len, value);
	}
	if (found != 1 || !str_is_party_id(out))
		return err_set(ERR_AUTH,
		    "the certificate's subject '%.200s' names no party",
		    subject);
	return 0;
}

static int
check_certificate(struct request *req, const char *party)
{
	const char *verify = request_env(req, "SSL_CLIENT_VERIFY");
	const char *subject = request_env(req, "SSL_CLIENT_S_DN");
	char cn[AUTH_PARTY_SIZE];
	int r;

	if (!str_eq(verify, "SUCCESS") || subject == NULL)
		return err_set(ERR_AUTH, "no verified client certificate");
	if ((r = auth_subject_party(subject, cn)) != 0)
		return r;
	if (strcmp(cn, party) != 0)
		return err_set(ERR_AUTH,
		    "the certificate is party %s's, the "
		    "request says %s",
		    cn, party);
	return 0;
}

/* The bytes that came must be the bytes that were signed. */
static int
check_body(struct request *req, const uint8_t want[DIGEST_SIZE])
{
	uint8_t have[DIGEST_SIZE];
	int fd = -1, r;

	if (req->body_file != NULL) {
		if ((r = request_open_file(req, &fd)) == 0)
			r = digest_fd(fd, (uint64_t)req->body_len, have);
		fd_close(&fd);
	} else {
		r = digest_memory(req->raw.data, req->raw.len, have);
	}
	if (r != 0)
		return r;
	if (memcmp(have, want, sizeof(have)) != 0)
		return err_set(
		    ERR_AUTH, "the body does not have the signed digest");
	return 0;
}

static int
need_header(
    struct request *req, const char *name, const char *shown, const char **out)
{
	if ((*out = request_header(req, name)) == NULL)
		return err_set(ERR_AUTH, "header %s is missing", shown);
	return 0;
}

/* Fresh, and of keys that count at this moment. */
static int
admit(struct request *req, const char *party, const struct partner_proof *keys,
    const struct sign_proof *proof)
{
	int r;

	r = db_partner_admit(
	    req->app->db, &(struct db_admission){ .party_id = party,
			      .sign_digest = keys->sign_digest,
			      .tls_digest = keys->tls_digest,
			      .nonce = proof->nonce,
			      .created_s = proof->created_s,
			      .expires_s = proof->expires_s });
	if (r == ERR_EXISTS)
		return err_set(ERR_AUTH,
		    "replay: the nonce of this request was seen before");
	/* Not wrong, and welcome when it is signed again. */
	if (r == ERR_CONFLICT)
		return err_set(ERR_CLOCK, "%s", err_text());
	if (r != ERR_DENIED)
		return r;
	partners_forget(req->app->partners, party);
	return err_set(ERR_AUTH,
	    "party %s is no partner of this site now, or its key or "
	    "certificate is revoked or has ended",
	    party);
}

static int
verify(struct request *req, const char *party)
{
	struct sign_request sr = { .method = req->method,
		.path = req->raw_path,
		.query = req->query,
		.party = party,
		.destination = req->app->conf->party_id };
	struct sign_proof proof;
	struct partner_proof keys;
	const char *input, *value, *to, *cert;
	char key_id[KEYS_ID_SIZE];
	int r;

	if ((r = need_header(
		 req, "SLUICE_DESTINATION", "Sluice-Destination", &to)) != 0 ||
	    (r = need_header(
		 req, "CONTENT_DIGEST", "Content-Digest", &sr.digest)) != 0 ||
	    (r = need_header(
		 req, "SIGNATURE_INPUT", "Signature-Input", &input)) != 0 ||
	    (r = need_header(req, "SIGNATURE", "Signature", &value)) != 0)
		return r;
	if (strcmp(to, sr.destination) != 0)
		return err_set(ERR_AUTH,
		    "the request is for party %s, this "
		    "is party %s",
		    to, sr.destination);
	if ((cert = request_env(req, "SSL_CLIENT_CERT")) == NULL)
		return err_set(ERR_AUTH,
		    "the front end did not hand over the certificate; its "
		    "operator writes nginx.conf anew: sluice site nginx");
	if ((r = sign_keyid(input, party, key_id)) != 0 ||
	    (r = partners_find(req->app->partners, req->app->db, party, key_id,
		 cert, &keys)) != 0 ||
	    (r = sign_verify(&sr, input, value, keys.key,
		 clock_wall_ms() / 1000, &proof)) != 0 ||
	    (r = check_body(req, proof.digest)) != 0)
		return r;
	/* Last, so that only what is genuine takes room. */
	return admit(req, party, &keys, &proof);
}

static int
auth_partner(struct request *req)
{
	const char *party;
	int r;

	if ((r = need_header(req, "SLUICE_PARTY", "Sluice-Party", &party)) != 0)
		return r;
	if (!str_is_party_id(party))
		return err_set(ERR_AUTH, "Sluice-Party is no party id");
	if ((r = check_certificate(req, party)) != 0 ||
	    (r = verify(req, party)) != 0)
		return r;
	req->caller.party = party;
	req->caller.name = arena_printf(req->arena, "party %s", party);
	return 0;
}

/* --- both steps ----------------------------------------------------------- */

int
auth_listener(struct request *req)
{
	bool partner = req->listener == LISTENER_PARTNER;

	if (req->listener == LISTENER_NONE) {
		err_set(ERR_AUTH, "the front end did not say by which "
				  "listener the request came");
		return auth_refused(req, "?", ERR_AUTH);
	}
	switch (req->route->audience) {
	case AUDIENCE_PUBLIC:
		return 0;
	case AUDIENCE_LOGIN:
	case AUDIENCE_VIEWER:
	case AUDIENCE_MODELER:
	case AUDIENCE_ADMIN:
	case AUDIENCE_MONITOR:
		if (!partner)
			return 0;
		break;
	case AUDIENCE_PARTNER:
		if (partner)
			return 0;
		break;
	}
	err_set(ERR_AUTH, "%s is not for %s", req->path,
	    partner ? "partners" : "this site's users");
	return auth_refused(req, partner ? "partner" : "client", ERR_AUTH);
}

static const char *
claimed_key(struct request *req)
{
	const char *claimed = request_header(req, "APP_KEY");

	return claimed == NULL
		   ? "client"
		   : arena_printf(req->arena, "client, APP_KEY %.64s", claimed);
}

int
auth_caller(struct request *req)
{
	const char *who, *claimed;
	int r;

	/* Times of signatures are judged by the database's. */
	if (req->route->audience != AUDIENCE_PUBLIC)
		db_clock_follow(req->app->db);
	switch (req->route->audience) {
	case AUDIENCE_PUBLIC:
	case AUDIENCE_LOGIN:
		return 0;
	case AUDIENCE_MONITOR:
		if (auth_monitor(req)) {
			req->is_proven = true;
			return 0;
		}
		/* fallthrough */
	case AUDIENCE_VIEWER:
	case AUDIENCE_MODELER:
	case AUDIENCE_ADMIN:
		r = auth_client(req);
		who = claimed_key(req);
		if (r == 0 && (r = auth_role(req)) != 0)
			return auth_refused(req, req->caller.name, r);
		if (r == 0 && (r = hook_ask_client(req)) != 0)
			who = req->caller.name;
		break;
	case AUDIENCE_PARTNER:
		if ((r = auth_partner(req)) == 0)
			r = hook_ask_site(req);
		claimed = request_header(req, "SLUICE_PARTY");
		who = arena_printf(req->arena, "claims to be party %.20s",
		    claimed != NULL ? claimed : "?");
		break;
	default:
		return err_set(ERR_AUTH, "the route has no audience");
	}
	if (r == ERR_AUTH || r == ERR_FORMAT)
		return auth_refused(req, who, ERR_AUTH);
	if (r == ERR_CLOCK)
		return auth_refused(req, who, r);
	if (r == 0) {
		db_set_actor(req->app->db, req->caller.name);
		req->is_proven = true;
	}
	return r;
}

int
auth_early(struct request *req)
{
	int r;

	/* The classic client's uploads say all in the query. */
	if (hook_decides_clients(req) || !auth_client_is_signed(req) ||
	    (form_is_multipart(req) && request_query_is_json(req)))
		return auth_caller(req);
	db_clock_follow(req->app->db);
	if ((r = auth_client_early(req)) == ERR_AUTH)
		return auth_refused(req, claimed_key(req), r);
	return r;
}
