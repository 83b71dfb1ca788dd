/*
 * RFC 9421's formats; no keys and no clock here.  Called by sign.c.
 */
#include "lib/sign/signature.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static int
write_string(struct buf *out, const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\')
			return err_set(ERR_INVALID,
			    "a signature's strings are plain text");
	buf_printf(out, "\"%s\"", s);
	return 0;
}

static int
write_string_param(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return 0;
	buf_printf(out, ";%s=", name);
	return write_string(out, value);
}

int
signature_write_params(const struct signature_part *parts, size_t n,
    const struct signature_params *params, struct buf *out)
{
	size_t i;
	int r;

	buf_putc(out, '(');
	for (i = 0; i < n; i++) {
		if (i != 0)
			buf_putc(out, ' ');
		if ((r = write_string(out, parts[i].name)) != 0)
			return r;
	}
	buf_putc(out, ')');
	if (params->created_s != 0)
		buf_printf(out, ";created=%" PRId64, params->created_s);
	if (params->expires_s != 0)
		buf_printf(out, ";expires=%" PRId64, params->expires_s);
	if ((r = write_string_param(out, "nonce", params->nonce)) != 0 ||
	    (r = write_string_param(out, "keyid", params->keyid)) != 0 ||
	    (r = write_string_param(out, "alg", params->alg)) != 0 ||
	    (r = write_string_param(out, "tag", params->tag)) != 0)
		return r;
	return 0;
}

void
signature_base(const struct signature_part *parts, size_t n, const char *params,
    size_t params_len, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_printf(out, "\"%s\": %s\n", parts[i].name, parts[i].value);
	buf_puts(out, "\"@signature-params\": ");
	buf_append(out, params, params_len);
}

static int
check_input(const struct sfv_member *m)
{
	size_t i;

	if (m->value.type != SFV_INNER_LIST)
		return err_set(ERR_FORMAT, "a list of components expected");
	for (i = 0; i < m->n_items; i++)
		if (m->items[i].value.type != SFV_STRING ||
		    m->items[i].n_params != 0)
			return err_set(
			    ERR_FORMAT, "component %zu is not a plain name", i);
	return 0;
}

static const struct sfv_member *
only_member(const struct sfv_dictionary *d, const char *label)
{
	return d->n == 1 ? sfv_member(d, label) : NULL;
}

static int
parse_input(const char *text, const char *label, struct signature *s)
{
	int r;

	if ((r = sfv_parse(text, s->fields)) != 0)
		return err_wrap("Signature-Input");
	if ((s->input = only_member(s->fields, label)) == NULL)
		return err_set(
		    ERR_FORMAT, "Signature-Input: only \"%s\" expected", label);
	if ((r = check_input(s->input)) != 0)
		return err_wrap("Signature-Input");
	return 0;
}

static int
parse_value(const char *text, const char *label, uint8_t bytes[64])
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	const struct sfv_member *m;
	struct buf b = BUF_INIT;
	int r;

	if ((r = sfv_parse(text, d)) != 0)
		goto out;
	m = only_member(d, label);
	if (m == NULL || m->value.type != SFV_BYTES || m->params.n != 0) {
		r = err_set(ERR_FORMAT, "only bytes of \"%s\" expected", label);
		goto out;
	}
	r = str_unbase64(&b, m->value.text.at, m->value.text.len);
	if (r == 0 && b.len != 64)
		r = err_set(ERR_FORMAT, "%zu bytes instead of 64", b.len);
	if (r == 0)
		memcpy(bytes, b.data, 64);
out:
	buf_fini(&b);
	free(d);
	return r == 0 ? 0 : err_wrap("Signature");
}

int
signature_parse(const char *input, const char *value, const char *label,
    struct signature *out)
{
	int r;

	memset(out, 0, sizeof(*out));
	out->fields = xcalloc(1, sizeof(*out->fields));
	if ((r = parse_input(input, label, out)) != 0 ||
	    (r = parse_value(value, label, out->bytes)) != 0)
		signature_fini(out);
	return r;
}

void
signature_fini(struct signature *s)
{
	free(s->fields);
	memset(s, 0, sizeof(*s));
}

bool
signature_covers(
    const struct signature *s, const struct signature_part *parts, size_t n)
{
	size_t i;

	if (s->input->n_items != n)
		return false;
	for (i = 0; i < n; i++)
		if (!sfv_is(&s->input->items[i].value.text, parts[i].name))
			return false;
	return true;
}

bool
signature_has_params(
    const struct signature *s, const char *const *names, size_t n)
{
	size_t i;

	/* No name is there twice, so the right number of hits is all. */
	if (s->input->params.n != n)
		return false;
	for (i = 0; i < n; i++)
		if (sfv_param(&s->input->params, names[i]) == NULL)
			return false;
	return true;
}

int
signature_integer(const struct signature *s, const char *name, int64_t *out)
{
	const struct sfv_value *v = sfv_param(&s->input->params, name);

	if (v == NULL || v->type != SFV_INTEGER)
		return err_set(ERR_FORMAT,
		    "parameter \"%s\": a number "
		    "expected",
		    name);
	*out = v->integer;
	return 0;
}

int
signature_string(
    const struct signature *s, const char *name, char *out, size_t size)
{
	const struct sfv_value *v = sfv_param(&s->input->params, name);
	struct buf b = BUF_INIT;
	int r = 0;

	if (v == NULL || v->type != SFV_STRING)
		return err_set(ERR_FORMAT,
		    "parameter \"%s\": a string "
		    "expected",
		    name);
	sfv_string(v, &b);
	if (b.len >= size)
		r = err_set(ERR_FORMAT,
		    "parameter \"%s\" is longer than "
		    "%zu",
		    name, size - 1);
	else
		memcpy(out, buf_str(&b), b.len + 1);
	buf_fini(&b);
	return r;
}
