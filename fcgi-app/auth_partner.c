/*
 * Authentication of partners.  Called by auth.c with the body read.
 */
#include "fcgi-app/auth_partner.h"

#include <stdio.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/partners.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_admission.h"
#include "lib/sign/digest.h"
#include "lib/sign/sign.h"

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

int
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
