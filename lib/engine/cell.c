/*
 * Cells of text rows.  Called by DataTransform for every cell of a table, so
 * that common numbers must not go through strtod().
 */
#include "lib/engine/cell.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/engine/csv.h"

size_t
cell_split(
    struct span text, const char *delimiter, struct span *out, size_t max)
{
	size_t len = strlen(delimiter), n = 0;
	const char *p = text.data, *end = p + text.len, *q;

	for (;;) {
		q = p < end ? len == 1
				  ? memchr(p, delimiter[0], (size_t)(end - p))
				  : memmem(p, (size_t)(end - p), delimiter, len)
			    : NULL;
		if (n < max)
			out[n] = span_trim((struct span){
			    p, (size_t)((q != NULL ? q : end) - p) });
		n++;
		if (q == NULL)
			return n;
		p = q + len;
	}
}

/* Everything the short way cannot do exactly. */
static bool
number_by_libc(struct span s, double *out)
{
	char text[128], *end;
	size_t i;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	for (i = 0; i < s.len; i++)
		if (strchr("0123456789+-.eE", s.data[i]) == NULL ||
		    s.data[i] == '\0')
			return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	*out = strtod(text, &end);
	return *end == '\0' && end != text && isfinite(*out);
}

/*
 * Up to 19 digits with a point: a mantissa below 2^53 times or over a power
 * of ten below 10^23 is one correctly rounded operation (Clinger 1990).
 */
bool
cell_number(struct span s, double *out)
{
	static const double powers[] = {
		1e0,
		1e1,
		1e2,
		1e3,
		1e4,
		1e5,
		1e6,
		1e7,
		1e8,
		1e9,
		1e10,
		1e11,
		1e12,
		1e13,
		1e14,
		1e15,
		1e16,
		1e17,
		1e18,
		1e19,
		1e20,
		1e21,
		1e22,
	};
	const char *p = s.data, *end = p + s.len;
	uint64_t mantissa = 0;
	int digits = 0, fraction = 0;
	bool is_negative = false, has_point = false;

	if (p < end && (*p == '-' || *p == '+'))
		is_negative = *p++ == '-';
	for (; p < end; p++) {
		if (*p == '.' && !has_point) {
			has_point = true;
		} else if (*p >= '0' && *p <= '9' && digits < 19) {
			mantissa = mantissa * 10 + (uint64_t)(*p - '0');
			digits++;
			fraction += has_point;
		} else {
			return number_by_libc(s, out);
		}
	}
	if (digits == 0)
		return false;
	if (mantissa > (UINT64_C(1) << 53))
		return number_by_libc(s, out);
	*out = (double)mantissa / powers[fraction];
	if (is_negative)
		*out = -*out;
	return true;
}

bool
cell_equals(struct span s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.data, text, s.len) == 0;
}

void
cell_set_add(struct cell_set *set, const char *text)
{
	struct cell_value *v;

	set->values =
	    xrealloc(set->values, (set->n + 1) * sizeof(set->values[0]));
	v = &set->values[set->n++];
	v->text = xstrdup(text);
	v->number = 0;
	v->is_number =
	    cell_number((struct span){ text, strlen(text) }, &v->number);
}

void
cell_set_add_json(struct cell_set *set, struct json_object *o)
{
	size_t i;

	if (o == NULL)
		return;
	if (!json_object_is_type(o, json_type_array)) {
		cell_set_add(set, json_object_get_string(o));
		return;
	}
	for (i = 0; i < json_object_array_length(o); i++) {
		struct json_object *v = json_object_array_get_idx(o, i);

		cell_set_add(
		    set, v != NULL ? json_object_get_string(v) : "None");
	}
}

void
cell_set_fini(struct cell_set *set)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		free(set->values[i].text);
	free(set->values);
	set->values = NULL;
	set->n = 0;
}

bool
cell_set_has(const struct cell_set *set, struct span cell)
{
	double number;
	bool is_parsed = false, is_number = false;
	size_t i;

	for (i = 0; i < set->n; i++) {
		if (cell_equals(cell, set->values[i].text))
			return true;
		if (!set->values[i].is_number)
			continue;
		if (!is_parsed)
			is_number = cell_number(cell, &number);
		is_parsed = true;
		if (is_number && number == set->values[i].number)
			return true;
	}
	return false;
}

bool
cell_set_has_number(const struct cell_set *set, double number)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->values[i].is_number && set->values[i].number == number)
			return true;
	return false;
}
