/*
 * Canonical JSON (RFC 8785) and ECMAScript's spelling of numbers.  Called
 * for job contracts and wherever a hash has to stand for a document.
 */
#include "lib/json/canon.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* Documents made by programs may wrap parsed ones, so a little more. */
#define CANON_MAX_DEPTH (JSON_MAX_DEPTH + 16)

/* Significant digits of a positive number: 0.d1d2… × 10^point. */
struct decimal {
	char digits[20];
	int n;
	int point;
};

/* The digits of d rounded to n of them. */
static void
decimal_round(double d, int n, struct decimal *out)
{
	char text[40];
	char *e;

	snprintf(text, sizeof(text), "%.*e", n - 1, d);
	e = strchr(text, 'e');
	out->point = atoi(e + 1) + 1;
	out->digits[0] = text[0];
	memcpy(out->digits + 1, text + 2, (size_t)(n - 1));
	out->n = n;
}

static double
decimal_value(const struct decimal *x)
{
	char text[40];

	snprintf(text, sizeof(text), "0.%.*se%d", x->n, x->digits, x->point);
	return strtod(text, NULL);
}

/* One unit of the last digit more. */
static void
decimal_increment(struct decimal *x)
{
	int i = x->n - 1;

	while (i >= 0 && x->digits[i] == '9')
		x->digits[i--] = '0';
	if (i >= 0) {
		x->digits[i]++;
		return;
	}
	x->digits[0] = '1';
	x->point++;
}

/*
 * The fewest digits that read back as d > 0, of those the nearest to d.
 * 15 digits always survive a normal double, so fewer need no search; a
 * subnormal one has less precision.  Below a power of two neighbours are
 * closer than above: the nearest decimal may miss d while the next one up
 * does not (2^-44), hence the second try.
 */
static void
decimal_shortest(double d, struct decimal *out)
{
	int n;

	for (n = d < DBL_MIN ? 1 : 15; n < 17; n++) {
		decimal_round(d, n, out);
		if (decimal_value(out) == d)
			break;
		decimal_increment(out);
		if (decimal_value(out) == d)
			break;
	}
	if (n == 17)
		decimal_round(d, n, out);
	while (out->n > 1 && out->digits[out->n - 1] == '0')
		out->n--;
}

/* ECMA-262, Number::toString: where the point goes, when there is an "e". */
static void
decimal_layout(const struct decimal *x, char *out, size_t size)
{
	int rest = x->n - x->point;

	if (x->n <= x->point && x->point <= 21)
		snprintf(out, size, "%.*s%.*s", x->n, x->digits, -rest,
		    "00000000000000000000");
	else if (0 < x->point && x->point < x->n)
		snprintf(out, size, "%.*s.%.*s", x->point, x->digits, rest,
		    x->digits + x->point);
	else if (-6 < x->point && x->point <= 0)
		snprintf(out, size, "0.%.*s%.*s", -x->point, "000000", x->n,
		    x->digits);
	else
		snprintf(out, size, "%c%s%.*se%+d", x->digits[0],
		    x->n > 1 ? "." : "", x->n - 1, x->digits + 1, x->point - 1);
}

void
json_number_text(double d, char out[JSON_NUMBER_SIZE])
{
	struct decimal x;

	if (d == 0) { /* -0 too */
		snprintf(out, JSON_NUMBER_SIZE, "0");
		return;
	}
	decimal_shortest(fabs(d), &x);
	if (d < 0)
		*out = '-';
	decimal_layout(&x, out + (d < 0), JSON_NUMBER_SIZE - 1);
}

int
json_canon_text(const char *s, size_t len, struct buf *out)
{
	static const char shorts[] = "\b\t\n\f\r\"\\";
	static const char letters[] = "btnfr\"\\";
	const char *found;
	size_t i, run = 0;

	if (!str_is_utf8(s, len))
		return err_set(ERR_FORMAT, "text that is not UTF-8");
	buf_putc(out, '"');
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_append(out, s + run, i - run);
		run = i + 1;
		if (c != 0 && (found = strchr(shorts, c)) != NULL)
			buf_printf(out, "\\%c", letters[found - shorts]);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_append(out, s + run, len - run);
	buf_putc(out, '"');
	return 0;
}

/*
 * Order by UTF-16 code units.  UTF-8 bytes order like code points, which is
 * the same but for one case: characters beyond U+FFFF (lead byte F0 and up)
 * are surrogates there and come before U+E000..U+FFFF (lead EE, EF).
 */
static int
compare_names(const void *va, const void *vb)
{
	const unsigned char *a = *(const unsigned char *const *)va;
	const unsigned char *b = *(const unsigned char *const *)vb;

	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	if (*a >= 0xee && *b >= 0xee && (*a >= 0xf0) != (*b >= 0xf0))
		return *a >= 0xf0 ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

static int canon_value(struct json_object *, int depth, struct buf *);

static int
canon_object(struct json_object *o, int depth, struct buf *out)
{
	size_t n = (size_t)json_object_object_length(o), i = 0;
	const char **names;
	int r = 0;

	if ((names = mem_array(n + 1, sizeof(*names))) == NULL)
		return ERR_NOMEM;
	json_object_object_foreach(o, key, unused)
	{
		(void)unused;
		names[i++] = key;
	}
	qsort(names, n, sizeof(*names), compare_names);
	buf_putc(out, '{');
	for (i = 0; i < n && r == 0; i++) {
		if (i > 0)
			buf_putc(out, ',');
		if ((r = json_canon_text(names[i], strlen(names[i]), out)) != 0)
			break;
		buf_putc(out, ':');
		r = canon_value(json_get(o, names[i]), depth, out);
	}
	buf_putc(out, '}');
	free(names);
	return r;
}

static int
canon_array(struct json_object *o, int depth, struct buf *out)
{
	size_t i, n = json_object_array_length(o);
	int r = 0;

	buf_putc(out, '[');
	for (i = 0; i < n && r == 0; i++) {
		if (i > 0)
			buf_putc(out, ',');
		r = canon_value(json_object_array_get_idx(o, i), depth, out);
	}
	buf_putc(out, ']');
	return r;
}

static int
canon_number(double d, struct buf *out)
{
	char text[JSON_NUMBER_SIZE];

	if (!isfinite(d))
		return err_set(ERR_FORMAT, "a number that is not finite");
	json_number_text(d, text);
	buf_puts(out, text);
	return 0;
}

static int
canon_value(struct json_object *o, int depth, struct buf *out)
{
	if (depth > CANON_MAX_DEPTH)
		return err_set(ERR_LIMIT, "JSON is nested deeper than %d",
		    CANON_MAX_DEPTH);
	switch (json_object_get_type(o)) {
	case json_type_null:
		buf_puts(out, "null");
		return 0;
	case json_type_boolean:
		buf_puts(out, json_object_get_boolean(o) ? "true" : "false");
		return 0;
	case json_type_int:
	case json_type_double:
		return canon_number(json_object_get_double(o), out);
	case json_type_string:
		return json_canon_text(json_object_get_string(o),
		    (size_t)json_object_get_string_len(o), out);
	case json_type_array:
		return canon_array(o, depth + 1, out);
	case json_type_object:
		return canon_object(o, depth + 1, out);
	}
	return err_set(ERR_INTERNAL, "unknown kind of JSON value");
}

int
json_canon(struct json_object *o, struct buf *out)
{
	return canon_value(o, 0, out);
}
