/*
 * The texts that stand for contracts and decisions.  Called by supervisors
 * (sign) and by whoever holds a signature against rows (verify).
 */
#include "lib/sign/contract_sign.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* Lines that no other use of the key begins with. */
#define CONTRACT_DOMAIN "sluice job contract 1\n"
#define DECISION_DOMAIN "sluice decision 1\n"

static void
add_statement(struct buf *out, const struct contract_statement *s)
{
	char hex[2 * CONTRACT_SIGN_HASH_SIZE + 1];

	str_to_hex(s->hash, CONTRACT_SIGN_HASH_SIZE, hex);
	buf_printf(out,
	    "job %s\nrevision %lld\nmember %s %s\nat %lld\nsha-256 %s\n",
	    s->job_id, (long long)s->revision, s->role, s->party_id,
	    (long long)s->signed_s, hex);
}

static void
contract_text(struct buf *out, const struct contract_statement *s)
{
	buf_puts(out, CONTRACT_DOMAIN);
	add_statement(out, s);
}

/* What people wrote comes last and with its length: no line can be forged. */
static void
decision_text(struct buf *out, const struct decision_statement *s)
{
	buf_puts(out, DECISION_DOMAIN);
	add_statement(out, &s->contract);
	buf_printf(out, "rule %lld\n%s\nof %zu %s\nby %zu %s\nnote %zu %s\n",
	    (long long)s->rule, s->decision, strlen(s->subject), s->subject,
	    strlen(s->decided_by), s->decided_by, strlen(s->note), s->note);
}

/* Both free the text. */
static void
sign(const struct keys *k, struct buf *text,
    uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	keys_sign(k, text->data, text->len, signature);
	buf_fini(text);
}

static int
verify(const uint8_t public_key[KEYS_PUBLIC_SIZE], struct buf *text,
    const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	int r = keys_verify(public_key, text->data, text->len, signature);

	buf_fini(text);
	return r;
}

void
contract_sign(const struct keys *k, const struct contract_statement *s,
    uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf text = BUF_INIT;

	contract_text(&text, s);
	sign(k, &text, signature);
}

int
contract_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const struct contract_statement *s,
    const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf text = BUF_INIT;

	contract_text(&text, s);
	return verify(public_key, &text, signature);
}

void
decision_sign(const struct keys *k, const struct decision_statement *s,
    uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf text = BUF_INIT;

	decision_text(&text, s);
	sign(k, &text, signature);
}

int
decision_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const struct decision_statement *s,
    const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf text = BUF_INIT;

	decision_text(&text, s);
	return verify(public_key, &text, signature);
}
