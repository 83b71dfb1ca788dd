/*
 * The parser of RFC 8941, section 4.2, over one header value.  Every byte of
 * it comes from a stranger: the cursor never passes the text's NUL, and all
 * arrays have fixed sizes that are checked.
 */
#include "lib/sign/sfv.h"

#include <string.h>

#include "lib/base/err.h"

#define INTEGER_DIGITS 15 /* RFC 8941, section 3.3.1 */

struct cursor {
	const char *start;
	const char *at;
};

static int
malformed(const struct cursor *c, const char *what)
{
	return err_set(ERR_FORMAT, "%s expected at byte %zu", what,
	    (size_t)(c->at - c->start));
}

static int
too_many(const char *what)
{
	return err_set(ERR_LIMIT, "too many %s", what);
}

/* The locale has no say in a protocol. */
static bool
is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

static bool
is_lower(char ch)
{
	return ch >= 'a' && ch <= 'z';
}

static bool
is_alpha(char ch)
{
	return is_lower(ch) || (ch >= 'A' && ch <= 'Z');
}

static bool
is_one_of(char ch, const char *set)
{
	return ch != '\0' && strchr(set, ch) != NULL;
}

static void
skip_spaces(struct cursor *c)
{
	while (*c->at == ' ')
		c->at++;
}

static void
skip_blanks(struct cursor *c)
{
	while (*c->at == ' ' || *c->at == '\t')
		c->at++;
}

static void
span_end(struct sfv_span *s, const char *end)
{
	s->len = (size_t)(end - s->at);
}

static int
parse_key(struct cursor *c, struct sfv_span *out)
{
	out->at = c->at;
	if (!is_lower(*c->at) && *c->at != '*')
		return malformed(c, "a key");
	while (
	    is_lower(*c->at) || is_digit(*c->at) || is_one_of(*c->at, "_-.*"))
		c->at++;
	span_end(out, c->at);
	return 0;
}

static int
parse_integer(struct cursor *c, struct sfv_value *out)
{
	bool negative = *c->at == '-';
	int64_t value = 0;
	int digits = 0;

	if (negative)
		c->at++;
	for (; is_digit(*c->at); c->at++) {
		if (++digits > INTEGER_DIGITS)
			return malformed(c, "an integer of 15 digits at most");
		value = value * 10 + (*c->at - '0');
	}
	if (digits == 0)
		return malformed(c, "a digit");
	if (*c->at == '.')
		return malformed(c, "an integer, not a decimal,");
	out->type = SFV_INTEGER;
	out->integer = negative ? -value : value;
	return 0;
}

static int
parse_string(struct cursor *c, struct sfv_value *out)
{
	c->at++; /* the opening quote */
	out->type = SFV_STRING;
	out->text.at = c->at;
	while (*c->at != '"') {
		if (*c->at == '\\') {
			c->at++;
			if (*c->at != '"' && *c->at != '\\')
				return malformed(c, "an escaped \" or \\");
		} else if (*c->at < 0x20 || *c->at > 0x7e) {
			/* also the NUL: a string without its end */
			return malformed(c, "a printable character or \"");
		}
		c->at++;
	}
	span_end(&out->text, c->at);
	c->at++;
	return 0;
}

static int
parse_token(struct cursor *c, struct sfv_value *out)
{
	out->type = SFV_TOKEN;
	out->text.at = c->at;
	while (is_alpha(*c->at) || is_digit(*c->at) ||
	       is_one_of(*c->at, "!#$%&'*+-.^_`|~:/"))
		c->at++;
	span_end(&out->text, c->at);
	return 0;
}

static int
parse_bytes(struct cursor *c, struct sfv_value *out)
{
	c->at++; /* the opening colon */
	out->type = SFV_BYTES;
	out->text.at = c->at;
	while (is_alpha(*c->at) || is_digit(*c->at) || is_one_of(*c->at, "+/="))
		c->at++;
	if (*c->at != ':')
		return malformed(c, "base64 or \":\"");
	span_end(&out->text, c->at);
	c->at++;
	return 0;
}

static int
parse_boolean(struct cursor *c, struct sfv_value *out)
{
	c->at++; /* the question mark */
	if (*c->at != '0' && *c->at != '1')
		return malformed(c, "0 or 1");
	out->type = *c->at++ == '1' ? SFV_TRUE : SFV_FALSE;
	return 0;
}

static int
parse_bare_item(struct cursor *c, struct sfv_value *out)
{
	memset(out, 0, sizeof(*out));
	if (*c->at == '-' || is_digit(*c->at))
		return parse_integer(c, out);
	if (*c->at == '"')
		return parse_string(c, out);
	if (*c->at == ':')
		return parse_bytes(c, out);
	if (*c->at == '?')
		return parse_boolean(c, out);
	if (is_alpha(*c->at) || *c->at == '*')
		return parse_token(c, out);
	return malformed(c, "a value");
}

static bool
same_span(const struct sfv_span *a, const struct sfv_span *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}

static int
parse_params(struct cursor *c, struct sfv_params *out)
{
	struct sfv_param *p;
	size_t i;
	int r;

	out->n = 0;
	while (*c->at == ';') {
		c->at++;
		skip_spaces(c);
		if (out->n == SFV_PARAMS_MAX)
			return too_many("parameters");
		p = &out->p[out->n];
		memset(p, 0, sizeof(*p));
		if ((r = parse_key(c, &p->key)) != 0)
			return r;
		p->value.type = SFV_TRUE;
		if (*c->at == '=') {
			c->at++;
			if ((r = parse_bare_item(c, &p->value)) != 0)
				return r;
		}
		for (i = 0; i < out->n; i++)
			if (same_span(&out->p[i].key, &p->key))
				return malformed(c, "another parameter name");
		out->n++;
	}
	return 0;
}

static int
parse_inner_list(struct cursor *c, struct sfv_member *m)
{
	struct sfv_params params;
	struct sfv_item *item;
	int r;

	c->at++; /* the opening parenthesis */
	m->value.type = SFV_INNER_LIST;
	for (;;) {
		skip_spaces(c);
		if (*c->at == ')')
			break;
		if (m->n_items == SFV_ITEMS_MAX)
			return too_many("list items");
		item = &m->items[m->n_items++];
		if ((r = parse_bare_item(c, &item->value)) != 0 ||
		    (r = parse_params(c, &params)) != 0)
			return r;
		item->n_params = params.n;
		if (*c->at != ' ' && *c->at != ')')
			return malformed(c, "a space or \")\"");
	}
	c->at++;
	return 0;
}

static int
parse_member(struct cursor *c, struct sfv_member *m)
{
	int r;

	memset(m, 0, sizeof(*m));
	if ((r = parse_key(c, &m->key)) != 0)
		return r;
	m->whole.at = c->at;
	m->value.type = SFV_TRUE;
	if (*c->at == '=') {
		m->whole.at = ++c->at;
		if (*c->at == '(')
			r = parse_inner_list(c, m);
		else
			r = parse_bare_item(c, &m->value);
		if (r != 0)
			return r;
	}
	if ((r = parse_params(c, &m->params)) != 0)
		return r;
	span_end(&m->whole, c->at);
	return 0;
}

static int
parse_dictionary(struct cursor *c, struct sfv_dictionary *out)
{
	struct sfv_member *m;
	size_t i;
	int r;

	skip_spaces(c);
	while (*c->at != '\0') {
		if (out->n == SFV_MEMBERS_MAX)
			return too_many("members");
		m = &out->members[out->n];
		if ((r = parse_member(c, m)) != 0)
			return r;
		for (i = 0; i < out->n; i++)
			if (same_span(&out->members[i].key, &m->key))
				return malformed(c, "another member name");
		out->n++;
		skip_blanks(c);
		if (*c->at == '\0')
			return 0;
		if (*c->at != ',')
			return malformed(c, "\",\"");
		c->at++;
		skip_blanks(c);
		if (*c->at == '\0')
			return malformed(c, "a member after \",\"");
	}
	return 0;
}

int
sfv_parse(const char *text, struct sfv_dictionary *out)
{
	struct cursor c = { text, text };

	out->n = 0;
	if (strnlen(text, SFV_TEXT_MAX + 1) > SFV_TEXT_MAX)
		return err_set(ERR_LIMIT, "longer than %d bytes", SFV_TEXT_MAX);
	return parse_dictionary(&c, out);
}

const struct sfv_member *
sfv_member(const struct sfv_dictionary *d, const char *key)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (sfv_is(&d->members[i].key, key))
			return &d->members[i];
	return NULL;
}

const struct sfv_value *
sfv_param(const struct sfv_params *params, const char *key)
{
	size_t i;

	for (i = 0; i < params->n; i++)
		if (sfv_is(&params->p[i].key, key))
			return &params->p[i].value;
	return NULL;
}

bool
sfv_is(const struct sfv_span *s, const char *text)
{
	return strlen(text) == s->len && memcmp(text, s->at, s->len) == 0;
}

void
sfv_string(const struct sfv_value *v, struct buf *out)
{
	size_t i;

	for (i = 0; i < v->text.len; i++) {
		if (v->text.at[i] == '\\' && i + 1 < v->text.len)
			i++;
		buf_putc(out, v->text.at[i]);
	}
}
