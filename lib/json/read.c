/*
 * Text to objects: a recursive descent over RFC 8259 that is stricter than
 * json-c's own tokener (duplicate names, U+0000, lone surrogates, numbers
 * that overflow) and bounds what a small text may cost in memory.
 */
#include "lib/json/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/*
 * An empty object is two bytes of text and some 800 bytes of memory, so the
 * number of objects and arrays is limited beside the size of the text.
 */
#define CONTAINERS_MAX 300000
/* "0," becomes some 70 bytes, a member's name about as much again. */
#define VALUES_MAX 4500000
#define NUMBER_MAX_BYTES 1000
#define OWN_TEXT_MAX ((size_t)64 << 20)

struct reader {
	const char *start;
	const char *p;
	const char *end;
	int depth;
	size_t containers;
	size_t values;	 /* and names of members */
	struct buf text; /* the string or number being read */
};

static int read_value(struct reader *, struct json_object **);

static int
fail(struct reader *r, const char *what)
{
	size_t line = 1, column = 1;
	const char *p;

	for (p = r->start; p < r->p; p++) {
		/* Continuation bytes of UTF-8 are no columns. */
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80)
			column++;
	}
	return err_set(
	    ERR_FORMAT, "JSON line %zu, column %zu: %s", line, column, what);
}

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' ||
				    *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

static bool
at(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == c;
}

static bool
at_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static int
read_hex4(struct reader *r, unsigned int *out)
{
	unsigned char pair[2];
	char digits[5] = { 0 };

	if (r->end - r->p < 4)
		return fail(r, "\\u needs four hex digits");
	memcpy(digits, r->p, 4);
	if (str_from_hex(digits, pair, 2) != 0)
		return fail(r, "\\u needs four hex digits");
	r->p += 4;
	*out = (unsigned int)pair[0] << 8 | pair[1];
	return 0;
}

static void
append_utf8(struct buf *b, unsigned int c)
{
	if (c < 0x80) {
		buf_putc(b, (char)c);
	} else if (c < 0x800) {
		buf_putc(b, (char)(0xc0 | c >> 6));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(b, (char)(0xe0 | c >> 12));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | c >> 18));
		buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* Behind "\u". */
static int
read_unicode_escape(struct reader *r)
{
	unsigned int c, low;
	int rc;

	if ((rc = read_hex4(r, &c)) != 0)
		return rc;
	if (c == 0)
		return fail(r, "\\u0000 is not accepted in text");
	if (c >= 0xdc00 && c <= 0xdfff)
		return fail(r, "a low surrogate without a high one");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
			return fail(r, "a high surrogate without a low one");
		r->p += 2;
		if ((rc = read_hex4(r, &low)) != 0)
			return rc;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(r, "a high surrogate without a low one");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	append_utf8(&r->text, c);
	return 0;
}

/* Behind the backslash. */
static int
read_escape(struct reader *r)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (r->p >= r->end)
		return fail(r, "the text ends inside a string");
	if (*r->p == 'u') {
		r->p++;
		return read_unicode_escape(r);
	}
	if (*r->p == '\0' || (found = strchr(from, *r->p)) == NULL)
		return fail(r, "unknown escape in a string");
	buf_putc(&r->text, to[found - from]);
	r->p++;
	return 0;
}

/* From the opening quote to behind the closing one, decoded into r->text. */
static int
read_string(struct reader *r)
{
	const char *run;
	int rc;

	buf_clear(&r->text);
	r->p++;
	for (;;) {
		run = r->p;
		while (r->p < r->end && *r->p != '"' && *r->p != '\\' &&
		       (unsigned char)*r->p >= 0x20)
			r->p++;
		buf_append(&r->text, run, (size_t)(r->p - run));
		if (r->p >= r->end)
			return fail(r, "the text ends inside a string");
		if (*r->p == '"') {
			r->p++;
			return 0;
		}
		if (*r->p != '\\')
			return fail(r, "a control character inside a string");
		r->p++;
		if ((rc = read_escape(r)) != 0)
			return rc;
	}
}

/* The grammar of a number; *whole when it has neither fraction nor exponent. */
static int
scan_number(struct reader *r, bool *whole)
{
	*whole = true;
	if (at(r, '-'))
		r->p++;
	if (!at_digit(r))
		return fail(r, "a value was expected");
	if (at(r, '0')) {
		r->p++;
		if (at_digit(r))
			return fail(r, "a number may not begin with 0");
	}
	while (at_digit(r))
		r->p++;
	if (at(r, '.')) {
		*whole = false;
		r->p++;
		if (!at_digit(r))
			return fail(r, "digits are missing behind the point");
		while (at_digit(r))
			r->p++;
	}
	if (at(r, 'e') || at(r, 'E')) {
		*whole = false;
		r->p++;
		if (at(r, '+') || at(r, '-'))
			r->p++;
		if (!at_digit(r))
			return fail(r, "digits are missing in the exponent");
		while (at_digit(r))
			r->p++;
	}
	return 0;
}

static int
read_number(struct reader *r, struct json_object **out)
{
	const char *from = r->p;
	bool whole;
	double d;
	long long i;
	int rc;

	if ((rc = scan_number(r, &whole)) != 0)
		return rc;
	if (r->p - from > NUMBER_MAX_BYTES)
		return fail(r, "the number has too many digits");
	buf_clear(&r->text);
	buf_append(&r->text, from, (size_t)(r->p - from));
	errno = 0;
	if (whole) {
		i = strtoll(r->text.data, NULL, 10);
		if (errno == 0) {
			*out = json_object_new_int64(i);
			return 0;
		}
	}
	d = strtod(r->text.data, NULL);
	if (!isfinite(d))
		return fail(r, "the number is too large for a double");
	/* The spelling is kept: what was 0.0001 prints as 0.0001. */
	*out = json_object_new_double_s(d, r->text.data);
	return 0;
}

static int
enter(struct reader *r)
{
	if (++r->depth > JSON_MAX_DEPTH)
		return err_set(
		    ERR_LIMIT, "JSON is nested deeper than %d", JSON_MAX_DEPTH);
	if (++r->containers > CONTAINERS_MAX)
		return err_set(ERR_LIMIT,
		    "JSON has more than %d objects and arrays", CONTAINERS_MAX);
	r->p++;
	skip_blanks(r);
	return 0;
}

/* Behind a member or element: the separator, or the end. */
static int
next_item(struct reader *r, char close, bool *more)
{
	skip_blanks(r);
	*more = at(r, ',');
	if (!*more && !at(r, close))
		return fail(r, close == '}' ? "',' or '}' was expected"
					    : "',' or ']' was expected");
	r->p++;
	if (*more)
		skip_blanks(r);
	else
		r->depth--;
	return 0;
}

static int
read_array(struct reader *r, struct json_object **out)
{
	struct json_object *item;
	bool more = true;
	int rc;

	if ((rc = enter(r)) != 0)
		return rc;
	/* json-c's own first size is 32 elements. */
	if ((*out = json_object_new_array_ext(4)) == NULL)
		return err_set(ERR_NOMEM, "JSON array");
	if (at(r, ']')) {
		r->p++;
		r->depth--;
		return 0;
	}
	while (more) {
		if ((rc = read_value(r, &item)) != 0)
			return rc;
		if (json_object_array_add(*out, item) != 0) {
			json_object_put(item);
			return err_set(ERR_NOMEM, "JSON array");
		}
		if ((rc = next_item(r, ']', &more)) != 0)
			return rc;
	}
	return 0;
}

static int
count_value(struct reader *r)
{
	if (++r->values > VALUES_MAX)
		return err_set(ERR_LIMIT,
		    "JSON has more than %d values and names", VALUES_MAX);
	return 0;
}

static int
read_member(struct reader *r, struct json_object *o)
{
	struct json_object *value;
	char *key = NULL;
	int rc;

	if (!at(r, '"'))
		return fail(r, "a member name in quotes was expected");
	if ((rc = count_value(r)) != 0 || (rc = read_string(r)) != 0)
		return rc;
	if (json_object_object_get_ex(o, buf_str(&r->text), NULL))
		return fail(r, "the member name occurs twice in its object");
	key = buf_steal(&r->text);
	skip_blanks(r);
	if (!at(r, ':')) {
		rc = fail(r, "':' was expected");
		goto out;
	}
	r->p++;
	skip_blanks(r);
	if ((rc = read_value(r, &value)) != 0)
		goto out;
	if (json_object_object_add_ex(
		o, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0) {
		json_object_put(value);
		rc = err_set(ERR_NOMEM, "JSON object");
	}
out:
	free(key);
	return rc;
}

static int
read_object(struct reader *r, struct json_object **out)
{
	bool more = true;
	int rc;

	if ((rc = enter(r)) != 0)
		return rc;
	if ((*out = json_object_new_object()) == NULL)
		return err_set(ERR_NOMEM, "JSON object");
	if (at(r, '}')) {
		r->p++;
		r->depth--;
		return 0;
	}
	while (more) {
		if ((rc = read_member(r, *out)) != 0)
			return rc;
		if ((rc = next_item(r, '}', &more)) != 0)
			return rc;
	}
	return 0;
}

static bool
take_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static int
read_scalar(struct reader *r, struct json_object **out)
{
	int rc;

	if ((rc = count_value(r)) != 0)
		return rc;
	if (at(r, '"')) {
		if ((rc = read_string(r)) != 0)
			return rc;
		*out = json_object_new_string_len(
		    buf_str(&r->text), (int)r->text.len);
	} else if (take_word(r, "true")) {
		*out = json_object_new_boolean(1);
	} else if (take_word(r, "false")) {
		*out = json_object_new_boolean(0);
	} else if (take_word(r, "null")) {
		return 0;
	} else if ((rc = read_number(r, out)) != 0)
		return rc;
	return *out != NULL ? 0 : err_set(ERR_NOMEM, "JSON value");
}

/* On failure nothing is left behind in *out. */
static int
read_value(struct reader *r, struct json_object **out)
{
	int rc;

	*out = NULL;
	if (at(r, '{'))
		rc = read_object(r, out);
	else if (at(r, '['))
		rc = read_array(r, out);
	else
		rc = read_scalar(r, out);
	if (rc != 0) {
		json_object_put(*out);
		*out = NULL;
	}
	return rc;
}

int
json_parse(
    const char *text, size_t len, size_t max_bytes, struct json_object **out)
{
	struct reader r = {
		.start = text, .p = text, .end = text + len, .text = BUF_INIT
	};
	int rc;

	*out = NULL;
	if (len > max_bytes || len > INT32_MAX)
		return err_set(ERR_LIMIT, "JSON of %zu bytes, at most %zu", len,
		    max_bytes);
	if (len == 0)
		return fail(&r, "the text is empty");
	if (!str_is_utf8(text, len))
		return err_set(ERR_FORMAT, "JSON is not UTF-8");
	skip_blanks(&r);
	if ((rc = read_value(&r, out)) != 0)
		goto out;
	skip_blanks(&r);
	if (r.p != r.end) {
		json_object_put(*out);
		*out = NULL;
		rc = fail(&r, "something follows the value");
	}
out:
	buf_fini(&r.text);
	return rc;
}

int
json_parse_text(const char *text, struct json_object **out)
{
	return json_parse(text, strlen(text), OWN_TEXT_MAX, out);
}

int
json_parse_file(const char *path, size_t max_bytes, struct json_object **out)
{
	struct buf b = BUF_INIT;
	int r;

	*out = NULL;
	if ((r = buf_read_file(&b, path, max_bytes)) == 0 &&
	    (r = json_parse(buf_str(&b), b.len, max_bytes, out)) != 0)
		r = err_wrap("%s", path);
	buf_fini(&b);
	return r;
}
