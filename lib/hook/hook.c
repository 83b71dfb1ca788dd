/*
 * Asking services.  Called by fcgi-app, in a worker that waits.
 */
#include "lib/hook/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/hook/answer.h"
#include "lib/hook/gate.h"
#include "lib/http/client.h"
#include "lib/json/json.h"

#define SECRET_MAX 512
#define SECRET_MIN 16
#define REMEMBERED 64 /* questions; more only means more asking */

struct remembered {
	uint8_t question[32];
	int64_t until_ms; /* 0: nothing */
	struct hook_answer answer;
};

struct hooks {
	const struct site_conf *conf;
	struct hook_gate *gate;
	struct http_client *client;
	char *secret; /* sodium_malloc; NULL without one */
	struct remembered table[REMEMBERED];
	size_t next; /* the one to be replaced */
};

static const char *const names[HOOK_KINDS] = {
	[HOOK_CLIENT] = "client_authentication",
	[HOOK_SITE] = "site_authentication",
	[HOOK_PERMISSION] = "permission",
};

const char *
hook_name(enum hook_kind kind)
{
	return names[kind];
}

static const char *
url_of(const struct site_conf *c, enum hook_kind kind)
{
	switch (kind) {
	case HOOK_CLIENT:
		return c->hook_client_url;
	case HOOK_SITE:
		return c->hook_site_url;
	case HOOK_PERMISSION:
	case HOOK_KINDS:
		break;
	}
	return c->hook_permission_url;
}

bool
hooks_have(const struct hooks *h, enum hook_kind kind)
{
	return h != NULL && url_of(h->conf, kind)[0] != '\0';
}

/* --- the secret ------------------------------------------------------------- */

static int
read_secret(int fd, const char *path, char *out)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "%s", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(ERR_DENIED,
		    "%s: mode %04o lets others in, 0600 is needed", path,
		    (unsigned)(st.st_mode & 07777));
	while ((n = read(fd, out, SECRET_MAX)) < 0 && errno == EINTR)
		continue;
	if (n < 0)
		return err_set_errno(ERR_IO, "%s", path);
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	if (strlen(out) < SECRET_MIN)
		return err_set(ERR_INVALID,
		    "%s: a secret has at least %d bytes on its first line",
		    path, SECRET_MIN);
	return 0;
}

static int
load_secret(struct hooks *h)
{
	const char *path = h->conf->hook_secret_file;
	int fd, r;

	if (path[0] == '\0')
		return 0;
	if (sodium_init() < 0 ||
	    (h->secret = sodium_malloc(SECRET_MAX + 1)) == NULL)
		return err_set(ERR_NOMEM, "guarded memory for a secret");
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(ERR_IO, "%s", path);
	r = read_secret(fd, path, h->secret);
	fd_close(&fd);
	if (r == 0)
		(void)sodium_mprotect_readonly(h->secret);
	return r;
}

/* The headers that sign a question, as http_request wants them. */
static char *
sign(const struct hooks *h, const char *body)
{
	uint8_t mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof(mac) + 1], *text, *headers;
	crypto_auth_hmacsha256_state state;
	int64_t now = clock_wall_ms() / 1000;

	if (h->secret == NULL)
		return NULL;
	text = xasprintf("%" PRId64 "\n", now);
	(void)crypto_auth_hmacsha256_init(
	    &state, (const unsigned char *)h->secret, strlen(h->secret));
	(void)crypto_auth_hmacsha256_update(
	    &state, (const unsigned char *)text, strlen(text));
	(void)crypto_auth_hmacsha256_update(
	    &state, (const unsigned char *)body, strlen(body));
	(void)crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof(state));
	str_to_hex(mac, sizeof(mac), hex);
	headers =
	    xasprintf("X-Sluice-Timestamp: %" PRId64 "\nX-Sluice-Signature: %s",
		now, hex);
	free(text);
	return headers;
}

/* --- making one -------------------------------------------------------------- */

static const char *
or_null(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

int
hooks_new(
    const struct site_conf *conf, struct hook_gate *gate, struct hooks **out)
{
	struct http_client_conf hc = { .ca_file = or_null(conf->hook_ca_file),
		.tls_cert = or_null(conf->hook_cert_file),
		.tls_key = or_null(conf->hook_key_file) };
	struct hooks *h;
	int r;

	*out = NULL;
	if (conf->hook_client_url[0] == '\0' &&
	    conf->hook_site_url[0] == '\0' &&
	    conf->hook_permission_url[0] == '\0')
		return 0;
	h = xcalloc(1, sizeof(*h));
	h->conf = conf;
	h->gate = gate;
	if ((r = load_secret(h)) != 0 ||
	    (r = http_client_new(NULL, &hc, &h->client)) != 0) {
		hooks_free(h);
		return err_wrap("[hooks]");
	}
	*out = h;
	return 0;
}

void
hooks_free(struct hooks *h)
{
	if (h == NULL)
		return;
	http_client_free(h->client);
	sodium_free(h->secret); /* wipes; NULL is fine */
	free(h);
}

/* --- what was allowed a moment ago -------------------------------------------- */

static void
fingerprint(enum hook_kind kind, const char *body, uint8_t out[32])
{
	crypto_generichash_state state;
	uint8_t k = (uint8_t)kind;

	(void)crypto_generichash_init(&state, NULL, 0, 32);
	(void)crypto_generichash_update(&state, &k, 1);
	(void)crypto_generichash_update(
	    &state, (const unsigned char *)body, strlen(body));
	(void)crypto_generichash_final(&state, out, 32);
}

static bool
recall(struct hooks *h, const uint8_t question[32], struct hook_answer *out)
{
	int64_t now = clock_mono_ms();
	size_t i;

	for (i = 0; i < REMEMBERED; i++)
		if (h->table[i].until_ms > now &&
		    memcmp(h->table[i].question, question, 32) == 0) {
			*out = h->table[i].answer;
			out->remembered = true;
			return true;
		}
	return false;
}

static void
remember(struct hooks *h, const uint8_t question[32],
    const struct hook_answer *answer)
{
	struct remembered *m = &h->table[h->next++ % REMEMBERED];

	if (h->conf->hook_remember_s == 0)
		return;
	memcpy(m->question, question, 32);
	m->answer = *answer;
	m->until_ms = clock_mono_ms() + h->conf->hook_remember_s * 1000;
}

/* --- asking ------------------------------------------------------------------- */

static int
fetch(struct hooks *h, enum hook_kind kind, const char *body,
    struct hook_answer *out)
{
	char *headers = sign(h, body);
	struct http_request req = { .url = url_of(h->conf, kind),
		.headers = headers,
		.body = body,
		.body_len = strlen(body),
		.timeout_ms = h->conf->hook_timeout_ms,
		.reply_max = HOOK_ANSWER_MAX };
	struct http_reply reply = { 0 };
	int r;

	if ((r = http_fetch(h->client, &req, &reply)) == 0)
		r = hook_answer_read(&reply, out);
	out->elapsed_us = reply.elapsed_us;
	http_reply_fini(&reply);
	free(headers);
	return r;
}

int
hook_ask(struct hooks *h, enum hook_kind kind, struct json_object *question,
    bool fresh, struct hook_answer *out)
{
	const char *body = json_text(question);
	uint8_t fp[32];
	int r;

	memset(out, 0, sizeof(*out));
	fingerprint(kind, body, fp);
	if (!fresh && recall(h, fp, out))
		return 0;
	if ((r = hook_gate_enter(h->gate, kind)) != 0)
		return r;
	r = fetch(h, kind, body, out);
	hook_gate_leave(h->gate, kind, r == 0 || r == ERR_DENIED);
	if (r == 0) {
		if (!fresh)
			remember(h, fp, out);
		return 0;
	}
	if (r == ERR_DENIED)
		return err_set(r, "the service for %s refuses: %s",
		    hook_name(kind), out->message);
	r = err_set(ERR_BUSY,
	    "the service for %s gives no answer (%s), so nothing is "
	    "allowed; try again later",
	    hook_name(kind), err_text());
	hook_answer_say(out, err_text());
	return r;
}
