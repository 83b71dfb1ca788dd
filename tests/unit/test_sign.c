/*
 * Keys, structured fields, digests and signed requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/digest.h"
#include "lib/sign/keys.h"
#include "lib/sign/sfv.h"
#include "lib/sign/sign.h"
#include "lib/sign/signature.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 9421, appendix B.1.4: the seed inside test-key-ed25519, its public
 * half; appendix B.2.6: what is signed with it and what comes out. */
#define RFC_SEED "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="
#define RFC_PUBLIC "ed25519:JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
#define RFC_INPUT                                                              \
	"(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "     \
	"\"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
#define RFC_SIGNATURE                                                          \
	"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPi"      \
	"u4A0w6vuQv5lIp5WPpBKRCw=="

static struct keys *
rfc_keys(void)
{
	struct keys *keys;
	struct buf seed = BUF_INIT;

	assert_int_equal(str_unbase64(&seed, RFC_SEED, strlen(RFC_SEED)), 0);
	assert_int_equal(seed.len, 32);
	assert_int_equal(keys_from_seed((const uint8_t *)seed.data, &keys), 0);
	buf_fini(&seed);
	return keys;
}

static void
published_example_gives_the_published_signature(void **state)
{
	static const struct signature_part parts[] = {
		{ "date", "Tue, 20 Apr 2021 02:07:55 GMT" },
		{ "@method", "POST" },
		{ "@path", "/foo" },
		{ "@authority", "example.com" },
		{ "content-type", "application/json" },
		{ "content-length", "18" },
	};
	static const struct signature_params params = {
		.created_s = 1618884473,
		.keyid = "test-key-ed25519",
	};
	struct keys *keys = rfc_keys();
	struct buf text = BUF_INIT, base = BUF_INIT, b64 = BUF_INIT;
	uint8_t sig[64];
	char public_text[KEYS_TEXT_SIZE];

	(void)state;
	keys_public_text(keys_public(keys), public_text);
	assert_string_equal(public_text, RFC_PUBLIC);
	assert_int_equal(
	    signature_write_params(parts, N(parts), &params, &text), 0);
	assert_string_equal(buf_str(&text), RFC_INPUT);
	signature_base(parts, N(parts), buf_str(&text), text.len, &base);
	assert_string_equal(buf_str(&base),
	    "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
	    "\"@method\": POST\n"
	    "\"@path\": /foo\n"
	    "\"@authority\": example.com\n"
	    "\"content-type\": application/json\n"
	    "\"content-length\": 18\n"
	    "\"@signature-params\": " RFC_INPUT);
	keys_sign(keys, buf_str(&base), base.len, sig);
	str_base64(&b64, sig, sizeof(sig));
	assert_string_equal(buf_str(&b64), RFC_SIGNATURE);
	assert_int_equal(
	    keys_verify(keys_public(keys), buf_str(&base), base.len, sig), 0);
	buf_fini(&text);
	buf_fini(&base);
	buf_fini(&b64);
	keys_free(keys);
}

static void
published_example_is_parsed(void **state)
{
	static const struct signature_part parts[] = {
		{ "date", NULL },
		{ "@method", NULL },
		{ "@path", NULL },
		{ "@authority", NULL },
		{ "content-type", NULL },
		{ "content-length", NULL },
	};
	struct signature s;
	char keyid[32];
	int64_t created;

	(void)state;
	assert_int_equal(signature_parse("sig-b26=" RFC_INPUT,
			     "sig-b26=:" RFC_SIGNATURE ":", "sig-b26", &s),
	    0);
	assert_true(signature_covers(&s, parts, N(parts)));
	assert_false(signature_covers(&s, parts, N(parts) - 1));
	assert_int_equal(signature_integer(&s, "created", &created), 0);
	assert_int_equal(created, 1618884473);
	assert_int_equal(
	    signature_string(&s, "keyid", keyid, sizeof(keyid)), 0);
	assert_string_equal(keyid, "test-key-ed25519");
	assert_int_equal(signature_string(&s, "keyid", keyid, 8), ERR_FORMAT);
	assert_int_equal(signature_integer(&s, "keyid", &created), ERR_FORMAT);
	signature_fini(&s);
}

/* --- keys ------------------------------------------------------------------ */

static char *
scratch_folder(void)
{
	char template[] = "/tmp/sluice-sign-XXXXXX";

	assert_non_null(mkdtemp(template));
	return xstrdup(template);
}

static void
saved_keys_come_back_and_are_private(void **state)
{
	char *folder = scratch_folder();
	char *path = xasprintf("%s/sign.key", folder);
	struct keys *made, *loaded;
	struct stat st;

	(void)state;
	assert_int_equal(keys_generate(&made), 0);
	assert_int_equal(keys_save(made, path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keys_save(made, path), ERR_EXISTS);
	assert_int_equal(keys_load(path, &loaded), 0);
	assert_memory_equal(keys_public(made), keys_public(loaded), 32);
	keys_free(loaded);

	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(keys_load(path, &loaded), ERR_DENIED);
	assert_null(loaded);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(keys_load(path, &loaded), ERR_DENIED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 30), 0);
	assert_int_equal(keys_load(path, &loaded), ERR_FORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keys_load(path, &loaded), ERR_NOT_FOUND);

	keys_free(made);
	assert_int_equal(fd_remove_tree(folder), 0);
	free(folder);
	free(path);
}

static void
public_key_text_is_strict(void **state)
{
	static const char *const bad[] = {
		"",
		"ed25519:",
		"JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=",
		RFC_PUBLIC " ",
		"ED25519:JrQLj5P/89iXES9+vFgrIy29clF9CC/"
		"oPPsw3c5D0bs=",
		"ed25519:JrQLj5P_89iXES9-vFgrIy29clF9CC_"
		"oPPsw3c5D0bs=",
		"ed25519:JrQLj5P/89iXES9+vFgrIy29clF9CC/"
		"oPPsw3c5D0bt=",
	};
	uint8_t key[32];
	char text[KEYS_TEXT_SIZE], finger[KEYS_FINGERPRINT_SIZE];
	char id[KEYS_ID_SIZE];
	size_t i;

	(void)state;
	assert_int_equal(keys_public_parse(RFC_PUBLIC, key), 0);
	keys_public_text(key, text);
	assert_string_equal(text, RFC_PUBLIC);
	keys_fingerprint(key, finger);
	keys_id(key, id);
	assert_int_equal(strlen(id), 16);
	/* The first four bytes as a number end with the first group. */
	assert_int_equal(strlen(finger), 47);
	assert_int_equal(strspn(finger, "0123456789 "), 47);
	id[8] = '\0';
	assert_int_equal(
	    strtoul(id, NULL, 16) % 100000, strtoul(finger, NULL, 10));
	for (i = 0; i < N(bad); i++)
		assert_int_equal(keys_public_parse(bad[i], key), ERR_FORMAT);
}

/* --- structured fields -------------------------------------------------------- */

static void
structured_fields_are_taken_apart(void **state)
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	const struct sfv_member *m;
	const struct sfv_value *v;
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(sfv_parse("  a=(\"x\";q  \"y\" );n=-15;t=tok/en;"
				   " f=?0 ,\t b=:aGk=:, c, d;p=\"q\\\"\\\\\"",
			     d),
	    0);
	assert_int_equal(d->n, 4);
	m = sfv_member(d, "a");
	assert_non_null(m);
	assert_int_equal(m->value.type, SFV_INNER_LIST);
	assert_int_equal(m->n_items, 2);
	assert_int_equal(m->items[0].n_params, 1);
	assert_true(sfv_is(&m->items[1].value.text, "y"));
	assert_true(
	    sfv_is(&m->whole, "(\"x\";q  \"y\" );n=-15;t=tok/en; f=?0"));
	v = sfv_param(&m->params, "n");
	assert_int_equal(v->type, SFV_INTEGER);
	assert_int_equal(v->integer, -15);
	assert_int_equal(sfv_param(&m->params, "t")->type, SFV_TOKEN);
	assert_int_equal(sfv_param(&m->params, "f")->type, SFV_FALSE);
	assert_null(sfv_param(&m->params, "zz"));
	assert_true(sfv_is(&sfv_member(d, "b")->value.text, "aGk="));
	assert_int_equal(sfv_member(d, "c")->value.type, SFV_TRUE);
	sfv_string(sfv_param(&sfv_member(d, "d")->params, "p"), &b);
	assert_string_equal(buf_str(&b), "q\"\\");
	assert_int_equal(sfv_parse("", d), 0);
	assert_int_equal(d->n, 0);
	buf_fini(&b);
	free(d);
}

static void
malformed_structured_fields_are_refused(void **state)
{
	static const char *const bad[] = {
		"A=1",
		"=1",
		"1a=1",
		"a=",
		"a=1,",
		"a=1,,b=2",
		"a=1;",
		"a=1 ;b",
		"a=1;B",
		"a=(",
		"a=(1",
		"a=(1 ",
		"a=(1,2)",
		"a=(\"x\"\"y\")",
		"a=\"x",
		"a=\"\\x\"",
		"a=\"\\",
		"a=\"\x7f\"",
		"a=\"\x01\"",
		"a=\"\xc3\xa9\"",
		"a=:aGk=",
		"a=:a k:",
		"a=?2",
		"a=?",
		"a=-",
		"a=1.5",
		"a=1234567890123456",
		"a=1 b=2",
		"a=1;p=1;p=2",
		"a=1, a=2",
		"a=((1))",
		"a=@12",
		"\ta=1",
		"a=1\n",
		"a=1;\tb",
		"a=(\t1)",
		"a=)",
		"a=1;=2",
	};
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		if (sfv_parse(bad[i], d) != ERR_FORMAT)
			fail_msg("accepted: %s", bad[i]);
	free(d);
}

static void
too_much_of_anything_is_refused(void **state)
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	for (i = 0; i <= SFV_MEMBERS_MAX; i++)
		buf_printf(&b, "%sm%d", i != 0 ? "," : "", i);
	assert_int_equal(sfv_parse(buf_str(&b), d), ERR_LIMIT);
	buf_clear(&b);
	buf_puts(&b, "a");
	for (i = 0; i <= SFV_PARAMS_MAX; i++)
		buf_printf(&b, ";p%d", i);
	assert_int_equal(sfv_parse(buf_str(&b), d), ERR_LIMIT);
	buf_clear(&b);
	buf_puts(&b, "a=(");
	for (i = 0; i <= SFV_ITEMS_MAX; i++)
		buf_puts(&b, "1 ");
	buf_putc(&b, ')');
	assert_int_equal(sfv_parse(buf_str(&b), d), ERR_LIMIT);
	buf_clear(&b);
	for (i = 0; i <= SFV_TEXT_MAX; i++)
		buf_putc(&b, ' ');
	assert_int_equal(sfv_parse(buf_str(&b), d), ERR_LIMIT);
	buf_fini(&b);
	free(d);
}

/* --- digests -------------------------------------------------------------------- */

/* RFC 9530, appendix B.1: the digest of this content. */
#define RFC_CONTENT "{\"hello\": \"world\"}\n"
#define RFC_DIGEST "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"

static void
content_digest_matches_the_published_one(void **state)
{
	uint8_t sum[32], parsed[32];
	char text[DIGEST_TEXT_SIZE];
	struct digest *d;
	int fd;

	(void)state;
	assert_int_equal(
	    digest_memory(RFC_CONTENT, strlen(RFC_CONTENT), sum), 0);
	digest_text(sum, text);
	assert_string_equal(text, RFC_DIGEST);
	assert_int_equal(digest_parse(RFC_DIGEST, parsed), 0);
	assert_memory_equal(parsed, sum, 32);

	assert_int_equal(
	    fd_memfd("t", "xx" RFC_CONTENT, 2 + strlen(RFC_CONTENT), &fd), 0);
	assert_int_equal(digest_begin(&d), 0);
	assert_int_equal(digest_add_fd(d, fd, 2, 4), 0);
	assert_int_equal(
	    digest_add(d, &RFC_CONTENT[4], strlen(RFC_CONTENT) - 4), 0);
	assert_int_equal(digest_end(d, parsed), 0);
	assert_memory_equal(parsed, sum, 32);
	assert_int_equal(digest_fd(fd, 1000, parsed), ERR_CLOSED);
	fd_close(&fd);
}

static void
content_digest_without_sha_256_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"sha-256",
		"sha-256=abc",
		"sha-256=::",
		"sha-256=:AAAA:",
		"sha-512=:AAAA:",
		"SHA-256=:AAAA:",
		"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:",
		"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDh=:",
		RFC_DIGEST ", " RFC_DIGEST,
	};
	uint8_t sum[32];
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		if (digest_parse(bad[i], sum) != ERR_FORMAT)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(digest_parse("sha-512=:AAAA:, " RFC_DIGEST, sum), 0);
}

/* --- signed requests ---------------------------------------------------------------- */

#define NOW 1900000000
#define NONCE "0123456789abcdef0123456789abcdef"

static const struct sign_request good = {
	.method = "POST",
	.path = "/v1/party/1/guest/9999/create",
	.query = "a=1&b=%20",
	.digest = RFC_DIGEST,
	.party = "9999",
	.destination = "10000",
};

static void
signed_request_is_verified(void **state)
{
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	struct sign_proof proof;
	uint8_t sum[32];

	(void)state;
	assert_int_equal(sign_request_at(keys, &good, NOW, NONCE, &h), 0);
	assert_int_equal(sign_verify(&good, h.input, h.value, keys_public(keys),
			     NOW, &proof),
	    0);
	assert_string_equal(proof.party, "9999");
	/* The nonce goes to the store, which refuses it a second time. */
	assert_string_equal(proof.nonce, NONCE);
	assert_int_equal(proof.created_s, NOW);
	assert_int_equal(proof.expires_s, NOW + SIGN_LIFETIME_S + SIGN_SKEW_S);
	assert_int_equal(digest_parse(RFC_DIGEST, sum), 0);
	assert_memory_equal(proof.digest, sum, 32);
	keys_free(keys);
}

static void
every_try_has_its_own_nonce(void **state)
{
	struct keys *keys = rfc_keys();
	struct sign_headers a, b;
	struct sign_proof pa, pb;
	int64_t now = time(NULL);

	(void)state;
	assert_int_equal(sign_request(keys, &good, &a), 0);
	assert_int_equal(sign_request(keys, &good, &b), 0);
	assert_int_equal(
	    sign_verify(&good, a.input, a.value, keys_public(keys), now, &pa),
	    0);
	assert_int_equal(
	    sign_verify(&good, b.input, b.value, keys_public(keys), now, &pb),
	    0);
	assert_string_not_equal(pa.nonce, pb.nonce);
	keys_free(keys);
}

static void
changing_any_covered_part_breaks_the_signature(void **state)
{
	struct sign_request forged[8];
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	struct sign_proof proof;
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < N(forged); i++)
		forged[i] = good;
	forged[n++].method = "PUT";
	forged[n++].path = "/v1/party/1/guest/9999/creatf";
	forged[n++].query = "a=1&b=%21";
	forged[n++].query = NULL;
	forged[n++].digest =
	    "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDk=:";
	forged[n++].digest = RFC_DIGEST ", sha-512=:AAAA:";
	forged[n++].party = "9998";
	forged[n++].destination = "10001";
	assert_int_equal(n, N(forged));
	assert_int_equal(sign_request_at(keys, &good, NOW, NONCE, &h), 0);
	for (i = 0; i < n; i++) {
		assert_int_equal(sign_verify(&forged[i], h.input, h.value,
				     keys_public(keys), NOW, &proof),
		    ERR_AUTH);
		assert_string_equal(proof.party, "");
	}
	keys_free(keys);
}

static void
changing_any_parameter_breaks_the_signature(void **state)
{
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	struct sign_proof proof;
	size_t i;

	(void)state;
	assert_int_equal(sign_request_at(keys, &good, NOW, NONCE, &h), 0);
	/* Every single byte of both values matters. */
	for (i = 0; h.input[i] != '\0'; i++) {
		struct sign_headers f = h;

		f.input[i] ^= 1;
		assert_int_not_equal(sign_verify(&good, f.input, f.value,
					 keys_public(keys), NOW, &proof),
		    0);
	}
	for (i = 0; h.value[i] != '\0'; i++) {
		struct sign_headers f = h;

		f.value[i] ^= 1;
		assert_int_not_equal(sign_verify(&good, f.input, f.value,
					 keys_public(keys), NOW, &proof),
		    0);
	}
	keys_free(keys);
}

static void
another_key_is_refused(void **state)
{
	struct keys *keys = rfc_keys(), *other;
	struct sign_headers h;
	struct sign_proof proof;

	(void)state;
	assert_int_equal(keys_generate(&other), 0);
	assert_int_equal(sign_request_at(other, &good, NOW, NONCE, &h), 0);
	assert_int_equal(sign_verify(&good, h.input, h.value, keys_public(keys),
			     NOW, &proof),
	    ERR_AUTH);
	keys_free(keys);
	keys_free(other);
}

static void
time_window_is_kept(void **state)
{
	static const struct {
		int64_t now;
		int result;
	} cases[] = {
		{ NOW - SIGN_SKEW_S - 1, ERR_CLOCK },
		{ NOW - SIGN_SKEW_S, 0 },
		{ NOW + SIGN_LIFETIME_S + SIGN_SKEW_S, 0 },
		{ NOW + SIGN_LIFETIME_S + SIGN_SKEW_S + 1, ERR_CLOCK },
	};
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	struct sign_proof proof;
	size_t i;

	(void)state;
	assert_int_equal(sign_request_at(keys, &good, NOW, NONCE, &h), 0);
	for (i = 0; i < N(cases); i++)
		assert_int_equal(sign_verify(&good, h.input, h.value,
				     keys_public(keys), cases[i].now, &proof),
		    cases[i].result);
	keys_free(keys);
}

/* A correct signature over claims that this federation does not accept. */
static int
verify_claims(const char *list, const char *params)
{
	struct keys *keys = rfc_keys();
	const struct signature_part parts[] = {
		{ "@method", good.method },
		{ "@path", good.path },
		{ "@query", "?a=1&b=%20" },
		{ "content-digest", good.digest },
		{ "sluice-party", good.party },
		{ "sluice-destination", good.destination },
	};
	struct buf text = BUF_INIT, base = BUF_INIT;
	struct buf input = BUF_INIT, value = BUF_INIT;
	struct sign_proof proof;
	uint8_t sig[64];
	int r;

	buf_printf(&text, "%s%s", list, params);
	signature_base(parts, N(parts), buf_str(&text), text.len, &base);
	keys_sign(keys, buf_str(&base), base.len, sig);
	buf_printf(&input, "sig1=%s", buf_str(&text));
	buf_puts(&value, "sig1=:");
	str_base64(&value, sig, sizeof(sig));
	buf_putc(&value, ':');
	r = sign_verify(&good, buf_str(&input), buf_str(&value),
	    keys_public(keys), NOW, &proof);
	buf_fini(&text);
	buf_fini(&base);
	buf_fini(&input);
	buf_fini(&value);
	keys_free(keys);
	return r;
}

#define LIST                                                                   \
	"(\"@method\" \"@path\" \"@query\" \"content-digest\" "                \
	"\"sluice-party\" \"sluice-destination\")"
#define TIMES ";created=1900000000;expires=1900000060"
#define KEYID ";keyid=\"9999:%s\""
#define REST ";alg=\"ed25519\";tag=\"sluice\""

static int
verify_params(const char *times, const char *nonce, const char *rest)
{
	struct keys *keys = rfc_keys();
	char id[KEYS_ID_SIZE];
	char *params;
	int r;

	keys_id(keys_public(keys), id);
	params = xasprintf("%s%s" KEYID "%s", times, nonce, id, rest);
	r = verify_claims(LIST, params);
	free(params);
	keys_free(keys);
	return r;
}

static void
well_signed_but_wrong_claims_are_refused(void **state)
{
	static const char nonce[] = ";nonce=\"" NONCE "\"";

	(void)state;
	assert_int_equal(verify_params(TIMES, nonce, REST), 0);
	assert_int_equal(verify_params(TIMES, "", REST), ERR_AUTH);
	assert_int_equal(
	    verify_params(TIMES, ";nonce=\"short\"", REST), ERR_AUTH);
	assert_int_equal(
	    verify_params(
		TIMES, ";nonce=\"0123456789abcdef 123456789abcdef\"", REST),
	    ERR_AUTH);
	assert_int_equal(verify_params(TIMES, ";nonce=5", REST), ERR_FORMAT);
	assert_int_equal(
	    verify_params(";created=1900000000", nonce, REST), ERR_AUTH);
	assert_int_equal(
	    verify_params(";expires=1900000060", nonce, REST), ERR_AUTH);
	/* too long a life, none at all */
	assert_int_equal(verify_params(";created=1900000000;expires=1900000061",
			     nonce, REST),
	    ERR_AUTH);
	assert_int_equal(verify_params(";created=1900000000;expires=1900000000",
			     nonce, REST),
	    ERR_AUTH);
	assert_int_equal(
	    verify_params(";created=-999999999999999;expires=999999999999999",
		nonce, REST),
	    ERR_AUTH);
	assert_int_equal(
	    verify_params(TIMES, nonce, ";alg=\"hmac-sha256\";tag=\"sluice\""),
	    ERR_AUTH);
	assert_int_equal(
	    verify_params(TIMES, nonce, ";alg=\"ed25519\";tag=\"other\""),
	    ERR_AUTH);
	assert_int_equal(
	    verify_params(TIMES, nonce, ";alg=\"ed25519\""), ERR_AUTH);
	assert_int_equal(verify_params(TIMES, nonce, REST ";more=1"), ERR_AUTH);
	assert_int_equal(
	    verify_claims(LIST, TIMES ";nonce=\"" NONCE "\""
				      ";keyid=\"9999:0000000000000000\"" REST),
	    ERR_AUTH);
}

static void
fewer_or_reordered_components_are_refused(void **state)
{
	static const char *const lists[] = {
		"()",
		"(\"@method\" \"@path\" \"@query\" \"sluice-party\" "
		"\"sluice-destination\")",
		"(\"@path\" \"@method\" \"@query\" \"content-digest\" "
		"\"sluice-party\" \"sluice-destination\")",
		"(\"@method\" \"@path\" \"@query\" \"content-digest\" "
		"\"sluice-party\" \"sluice-destination\" \"date\")",
	};
	size_t i;

	(void)state;
	for (i = 0; i < N(lists); i++)
		assert_int_equal(
		    verify_claims(lists[i],
			TIMES ";nonce=\"" NONCE "\";keyid=\"9999:x\"" REST),
		    ERR_AUTH);
	/* Parameters of a component change what it means. */
	assert_int_equal(
	    verify_claims(
		"(\"@method\";req \"@path\" \"@query\" "
		"\"content-digest\" \"sluice-party\" \"sluice-destination\")",
		TIMES ";nonce=\"" NONCE "\";keyid=\"9999:x\"" REST),
	    ERR_FORMAT);
}

static void
other_labels_are_refused(void **state)
{
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	struct sign_proof proof;
	char *two;

	(void)state;
	assert_int_equal(sign_request_at(keys, &good, NOW, NONCE, &h), 0);
	two = xasprintf("%s, sig2=()", h.input);
	assert_int_equal(
	    sign_verify(&good, two, h.value, keys_public(keys), NOW, &proof),
	    ERR_FORMAT);
	free(two);
	h.input[3] = '2';
	h.value[3] = '2';
	assert_int_equal(sign_verify(&good, h.input, h.value, keys_public(keys),
			     NOW, &proof),
	    ERR_FORMAT);
	keys_free(keys);
}

static void
unsignable_requests_are_refused(void **state)
{
	struct sign_request bad[7];
	struct keys *keys = rfc_keys();
	struct sign_headers h;
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++)
		bad[i] = good;
	bad[0].method = "PO ST";
	bad[1].path = "v1";
	bad[2].path = "/v1 x";
	bad[3].path = "/v1\n\"sluice-party\": 1";
	bad[4].query = "a b";
	bad[5].party = "guest";
	bad[6].digest = "x\ny";
	for (i = 0; i < N(bad); i++)
		assert_int_equal(sign_request_at(keys, &bad[i], NOW, NONCE, &h),
		    ERR_INVALID);
	assert_int_equal(
	    sign_request_at(keys, &good, NOW, "a\"b", &h), ERR_INVALID);
	keys_free(keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    published_example_gives_the_published_signature),
		cmocka_unit_test(published_example_is_parsed),
		cmocka_unit_test(saved_keys_come_back_and_are_private),
		cmocka_unit_test(public_key_text_is_strict),
		cmocka_unit_test(structured_fields_are_taken_apart),
		cmocka_unit_test(malformed_structured_fields_are_refused),
		cmocka_unit_test(too_much_of_anything_is_refused),
		cmocka_unit_test(content_digest_matches_the_published_one),
		cmocka_unit_test(content_digest_without_sha_256_is_refused),
		cmocka_unit_test(signed_request_is_verified),
		cmocka_unit_test(every_try_has_its_own_nonce),
		cmocka_unit_test(
		    changing_any_covered_part_breaks_the_signature),
		cmocka_unit_test(changing_any_parameter_breaks_the_signature),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(time_window_is_kept),
		cmocka_unit_test(well_signed_but_wrong_claims_are_refused),
		cmocka_unit_test(fewer_or_reordered_components_are_refused),
		cmocka_unit_test(other_labels_are_refused),
		cmocka_unit_test(unsignable_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
