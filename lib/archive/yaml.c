/*
 * Called for define_meta.yaml of models, both ways.
 */
#include "lib/archive/yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

struct level {
	size_t indent;
	struct json_object *map; /* borrowed from its parent */
};

struct reading {
	struct level levels[YAML_DEPTH];
	size_t depth; /* levels in use */
	/* A key without a value: the next deeper line begins its mapping. */
	char *open;
	size_t line;
};

static int
bad(const struct reading *rd, const char *why)
{
	return err_set(ERR_FORMAT, "line %zu: %s", rd->line, why);
}

/* Letters that begin something else than a plain scalar. */
static bool
is_plain(const char *s, size_t n)
{
	if (n == 0 || strchr("!&*?|>%@`\"'#{}[],-:", s[0]) != NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((s[i] == '#' && s[i - 1] == ' ') ||
		    (s[i] == ':' && (i + 1 == n || s[i + 1] == ' ')))
			return false;
	}
	return true;
}

/* A scalar from the n bytes at s; *out is the caller's. */
static int
scalar(const struct reading *rd, const char *s, size_t n, char **out)
{
	char quote;

	if (n >= 2 && (s[0] == '\'' || s[0] == '"') && s[n - 1] == s[0]) {
		quote = s[0];
		if (memchr(s + 1, quote, n - 2) != NULL ||
		    memchr(s + 1, '\\', n - 2) != NULL)
			return bad(rd, "escapes in quotes are not read here");
		*out = xstrndup(s + 1, n - 2);
		return 0;
	}
	if (!is_plain(s, n))
		return bad(rd, "this is no plain key or value");
	*out = xstrndup(s, n);
	return 0;
}

/* Where the key ends: at a colon behind which nothing or a blank stands. */
static const char *
key_end(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == ':' && (i + 1 == n || s[i + 1] == ' '))
			return s + i;
	return NULL;
}

/* Find the mapping that a line of that indentation belongs to. */
static int
enter(struct reading *rd, size_t indent)
{
	struct level *top = &rd->levels[rd->depth - 1];
	struct json_object *map;

	if (rd->open != NULL && indent > top->indent) {
		if (rd->depth == YAML_DEPTH)
			return err_set(ERR_LIMIT,
			    "line %zu: more than %d levels", rd->line,
			    YAML_DEPTH);
		map = json_object_new_object();
		json_add(top->map, rd->open, map);
		rd->levels[rd->depth++] = (struct level){ indent, map };
	}
	free(rd->open);
	rd->open = NULL;
	while (rd->depth > 1 && rd->levels[rd->depth - 1].indent > indent)
		rd->depth--;
	return rd->levels[rd->depth - 1].indent == indent
		   ? 0
		   : bad(rd, "its indentation belongs to nothing above");
}

static int
take_value(struct reading *rd, char *key, const char *s, size_t n)
{
	struct json_object *map = rd->levels[rd->depth - 1].map;
	char *value;
	int r;

	if (json_has(map, key))
		return bad(rd, "a key stands there twice");
	if (n == 0 || (n == 2 && memcmp(s, "{}", 2) == 0)) {
		json_add(map, key, json_object_new_object());
		if (n == 0)
			rd->open = xstrdup(key);
		return 0;
	}
	if ((r = scalar(rd, s, n, &value)) != 0)
		return r;
	json_add_str(map, key, value);
	free(value);
	return 0;
}

static int
take_line(struct reading *rd, const char *s, size_t n)
{
	const char *colon;
	size_t indent = 0;
	char *key = NULL;
	int r;

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\r'))
		n--;
	while (indent < n && s[indent] == ' ')
		indent++;
	s += indent;
	n -= indent;
	if (n == 0 || s[0] == '#' ||
	    (rd->line == 1 && n == 3 && memcmp(s, "---", 3) == 0))
		return 0;
	if (memchr(s, '\t', n) != NULL || memchr(s, '\0', n) != NULL ||
	    !str_is_utf8(s, n))
		return bad(rd, "it has a tab, a NUL or no UTF-8 in it");
	if ((r = enter(rd, indent)) != 0)
		return r;
	if ((colon = key_end(s, n)) == NULL)
		return bad(rd, "\"key: value\" is wanted");
	if ((r = scalar(rd, s, (size_t)(colon - s), &key)) != 0)
		return r;
	n -= (size_t)(colon + 1 - s);
	for (s = colon + 1; n > 0 && *s == ' '; n--)
		s++;
	r = take_value(rd, key, s, n);
	free(key);
	return r;
}

int
yaml_parse(const char *text, size_t len, struct json_object **out)
{
	struct json_object *root = json_object_new_object();
	struct reading rd = { .levels = { { 0, root } }, .depth = 1 };
	const char *end;
	size_t n;
	int r = 0;

	*out = NULL;
	while (r == 0 && len > 0) {
		rd.line++;
		end = memchr(text, '\n', len);
		n = end != NULL ? (size_t)(end - text) : len;
		r = take_line(&rd, text, n);
		n += end != NULL;
		text += n;
		len -= n;
	}
	free(rd.open);
	if (r != 0)
		json_object_put(root);
	else
		*out = root;
	return r;
}

/* --- writing ---------------------------------------------------------------------- */

static void
write_scalar(const char *s, struct buf *out)
{
	if (is_plain(s, strlen(s)))
		buf_puts(out, s);
	else
		buf_printf(out, "'%s'", s);
}

static void
write_map(struct json_object *map, int depth, struct buf *out)
{
	json_object_object_foreach(map, key, value)
	{
		buf_printf(out, "%*s", 2 * depth, "");
		write_scalar(key, out);
		buf_putc(out, ':');
		if (!json_is_object(value)) {
			buf_putc(out, ' ');
			write_scalar(json_object_get_string(value), out);
			buf_putc(out, '\n');
		} else if (json_object_object_length(value) == 0) {
			buf_puts(out, " {}\n");
		} else {
			buf_putc(out, '\n');
			write_map(value, depth + 1, out);
		}
	}
}

void
yaml_write(struct json_object *map, struct buf *out)
{
	write_map(map, 0, out);
}
