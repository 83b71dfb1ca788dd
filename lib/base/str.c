/*
 * Strict parsing of small texts.
 */
#include "lib/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

int
str_to_int64(const char *s, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long v;

	*out = 0;
	if (s == NULL || (!isdigit((unsigned char)s[0]) && s[0] != '-'))
		return err_set(ERR_INVALID, "'%.40s' is not a whole number",
		    s != NULL ? s : "");
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*end != '\0' || end == s)
		return err_set(ERR_INVALID, "'%.40s' is not a whole number", s);
	if (errno == ERANGE || v < min || v > max)
		return err_set(ERR_INVALID, "%.40s is outside %lld..%lld", s,
		    (long long)min, (long long)max);
	*out = v;
	return 0;
}

int
str_to_double(const char *s, double *out)
{
	char *end;

	*out = 0;
	if (s == NULL || s[0] == '\0' || isspace((unsigned char)s[0]))
		return err_set(
		    ERR_INVALID, "'%.40s' is not a number", s != NULL ? s : "");
	*out = strtod(s, &end);
	if (*end != '\0')
		return err_set(ERR_INVALID, "'%.40s' is not a number", s);
	return 0;
}

int
str_to_bool(const char *s, bool *out)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };
	size_t i;

	for (i = 0; i < 4; i++) {
		if (strcasecmp(s, yes[i]) == 0 || strcasecmp(s, no[i]) == 0) {
			*out = strcasecmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "'%.40s' is neither true nor false", s);
}

bool
str_is_name(const char *s, size_t max)
{
	size_t i;

	if (s == NULL)
		return false;
	for (i = 0; s[i] != '\0'; i++) {
		unsigned char c = (unsigned char)s[i];

		/* Not isalnum(): its answer depends on the locale. */
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return i >= 1 && i <= max;
}

static bool
all_digits(const char *s, size_t min, size_t max)
{
	size_t i;

	if (s == NULL)
		return false;
	for (i = 0; s[i] != '\0'; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return i >= min && i <= max;
}

bool
str_is_party_id(const char *s)
{
	return all_digits(s, 1, 10) && (s[0] != '0' || s[1] == '\0');
}

bool
str_is_job_id(const char *s)
{
	return all_digits(s, 14, 25);
}

bool
str_eq(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool
str_in_list(const char *list, const char *s)
{
	size_t len = strlen(s), n;

	for (;; list += n + 1) {
		n = strcspn(list, ",");
		if (n == len && memcmp(list, s, n) == 0)
			return true;
		if (list[n] == '\0')
			return false;
	}
}

size_t
str_distance(const char *a, const char *b)
{
	size_t n = strlen(b), i, j, diagonal, above, best;
	size_t *row = xcalloc(n + 1, sizeof(*row));

	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= n; j++) {
			above = row[j];
			best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	best = row[n];
	free(row);
	return best;
}

const char *
str_nearest(const char *s, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	size_t best, d, i;

	if (strlen(s) > 128) /* a stranger's text: bound the work */
		return NULL;
	best = strlen(s) / 3 + 2;
	for (i = 0; i < n; i++) {
		if ((d = str_distance(s, names[i])) < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}

void
str_to_hex(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
str_from_hex(const char *hex, void *out, size_t len)
{
	unsigned char *p = out;
	size_t i;
	int hi, lo;

	if (hex == NULL || strlen(hex) != 2 * len)
		return err_set(ERR_FORMAT, "not %zu hex digits", 2 * len);
	for (i = 0; i < len; i++) {
		hi = hex_digit(hex[2 * i]);
		lo = hex_digit(hex[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return err_set(
			    ERR_FORMAT, "not %zu hex digits", 2 * len);
		p[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
str_base64(struct buf *out, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		buf_putc(out, base64_digits[v >> 18]);
		buf_putc(out, base64_digits[v >> 12 & 63]);
		buf_putc(out, i + 1 < len ? base64_digits[v >> 6 & 63] : '=');
		buf_putc(out, i + 2 < len ? base64_digits[v & 63] : '=');
	}
}

int
str_unbase64(struct buf *out, const char *text, size_t len)
{
	size_t i, j, pad;

	if (len % 4 != 0)
		return err_set(
		    ERR_FORMAT, "base64 text of %zu characters", len);
	for (i = 0; i < len; i += 4) {
		uint32_t v = 0;
		char bytes[3];

		pad = 0;
		for (j = 0; j < 4; j++) {
			const char *d = NULL;
			char c = text[i + j];

			if (c == '=' && i + 4 == len && j >= 2)
				pad++;
			else if (c == '\0' || pad != 0 ||
				 (d = strchr(base64_digits, c)) == NULL)
				return err_set(ERR_FORMAT,
				    "character %zu is not base64", i + j);
			v = v << 6 |
			    (d != NULL ? (uint32_t)(d - base64_digits) : 0);
		}
		/* One encoding per value: unused bits must be zero. */
		if ((pad == 1 && (v & 0xff) != 0) ||
		    (pad == 2 && (v & 0xffff) != 0))
			return err_set(ERR_FORMAT, "base64 with stray bits");
		bytes[0] = (char)(v >> 16);
		bytes[1] = (char)(v >> 8);
		bytes[2] = (char)v;
		buf_append(out, bytes, 3 - pad);
	}
	return 0;
}

void
str_percent_decode(struct buf *out, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len && hex_digit(s[i + 1]) >= 0 &&
		    hex_digit(s[i + 2]) >= 0) {
			buf_putc(out, (char)(hex_digit(s[i + 1]) << 4 |
					     hex_digit(s[i + 2])));
			i += 2;
		} else {
			buf_putc(out, s[i]);
		}
	}
}

void
str_percent_encode(struct buf *out, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("-._~", c) != NULL))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

bool
str_is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, n, j;

	while (i < len) {
		uint32_t c = p[i];

		if (c < 0x80) {
			i++;
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf)
			n = 1;
		else if (c >= 0xe0 && c <= 0xef)
			n = 2;
		else if (c >= 0xf0 && c <= 0xf4)
			n = 3;
		else
			return false;
		if (i + n >= len)
			return false;
		c &= 0x3fu >> n;
		for (j = 1; j <= n; j++) {
			if ((p[i + j] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i + j] & 0x3f);
		}
		/* Overlong forms, surrogates, beyond Unicode. */
		if ((n == 2 && c < 0x800) || (n == 3 && c < 0x10000) ||
		    (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
			return false;
		i += n + 1;
	}
	return true;
}

bool
str_tame(char *s, const char *keep)
{
	unsigned char *p = (unsigned char *)s;
	bool found = false;

	for (; *p != '\0'; p++) {
		if (strchr(keep, *p) != NULL)
			continue;
		if (*p < 0x20 || *p == 0x7f) {
			*p = '?';
			found = true;
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			*p++ = '?';
			*p = '?';
			found = true;
		}
	}
	return found;
}
