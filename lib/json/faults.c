/*
 * Lists of faults and the pointers that say where.  Filled by every check of
 * a document, rendered once for the answer.
 */
#include "lib/json/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define VALUE_MAX 120	    /* bytes of a quoted value */
#define POINTER_KEY_MAX 200 /* bytes of one name in a pointer */
#define HINT_NAMES_MAX 2000 /* compared at most */
#define HINT_LENGTH_MAX 100

/* The length of s cut to max bytes, not inside a character. */
static size_t
cut(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static void
append_key(struct buf *out, const char *key)
{
	size_t i, len = strlen(key), n = cut(key, len, POINTER_KEY_MAX);

	for (i = 0; i < n; i++) {
		if (key[i] == '~')
			buf_puts(out, "~0");
		else if (key[i] == '/')
			buf_puts(out, "~1");
		else
			buf_putc(out, key[i]);
	}
	if (n < len)
		buf_puts(out, "…");
}

void
json_path_text(const struct json_path *path, struct buf *out)
{
	if (path == NULL)
		return;
	json_path_text(path->up, out);
	buf_putc(out, '/');
	if (path->key != NULL)
		append_key(out, path->key);
	else
		buf_printf(out, "%zu", path->index);
}

void
faults_init(struct faults *f)
{
	memset(f, 0, sizeof(*f));
}

void
faults_fini(struct faults *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		free(f->items[i].pointer);
		free(f->items[i].message);
		free(f->items[i].value);
	}
	free(f->items);
	faults_init(f);
}

bool
faults_any(const struct faults *f)
{
	return f->n > 0;
}

size_t
faults_count(const struct faults *f)
{
	return f->n + f->dropped;
}

/* The next free entry with its pointer set, or NULL when the list is full. */
static struct fault *
next_fault(struct faults *f, const struct json_path *path)
{
	struct buf pointer = BUF_INIT;

	if (f->n == FAULTS_MAX) {
		f->dropped++;
		return NULL;
	}
	if (f->n == f->cap) {
		f->cap = f->cap != 0 ? 2 * f->cap : 8;
		f->items = xrealloc(f->items, f->cap * sizeof(*f->items));
	}
	json_path_text(path, &pointer);
	f->items[f->n] = (struct fault){ .pointer = buf_steal(&pointer) };
	return &f->items[f->n++];
}

/* Printing a large document for each of its faults would be quadratic. */
static bool
is_short(struct json_object *value)
{
	size_t i, n;

	if (json_is_object(value))
		return json_object_object_length(value) == 0;
	if (!json_is_array(value))
		return true;
	if ((n = json_object_array_length(value)) > 8)
		return false;
	for (i = 0; i < n; i++) {
		struct json_object *x = json_object_array_get_idx(value, i);

		if (json_is_object(x) || json_is_array(x))
			return false;
	}
	return true;
}

static char *
excerpt(struct json_object *value)
{
	const char *text;
	size_t len, n;

	if (!is_short(value))
		return json_is_object(value)
			   ? xasprintf("an object of %d members",
				 json_object_object_length(value))
			   : xasprintf("an array of %zu elements",
				 json_object_array_length(value));
	text = json_text(value);
	len = strlen(text);
	n = cut(text, len, VALUE_MAX);
	return xasprintf("%.*s%s", (int)n, text, n < len ? "…" : "");
}

void
faults_add(struct faults *f, const struct json_path *path, const char *fmt, ...)
{
	struct fault *fault = next_fault(f, path);
	va_list ap;

	if (fault == NULL)
		return;
	va_start(ap, fmt);
	fault->message = xvasprintf(fmt, ap);
	va_end(ap);
}

void
faults_add_value(struct faults *f, const struct json_path *path,
    struct json_object *value, const char *fmt, ...)
{
	struct fault *fault = next_fault(f, path);
	va_list ap;

	if (fault == NULL)
		return;
	va_start(ap, fmt);
	fault->message = xvasprintf(fmt, ap);
	va_end(ap);
	fault->value = excerpt(value);
}

const char *
faults_hint(const struct faults *f, const char *s, const char *const *names,
    size_t n, char out[FAULTS_HINT_SIZE])
{
	const char *near;

	out[0] = '\0';
	/* Comparing costs; nobody reads the hints of a long list. */
	if (f->n >= FAULTS_HINTS || strlen(s) > HINT_LENGTH_MAX)
		return out;
	near = str_nearest(s, names, n < HINT_NAMES_MAX ? n : HINT_NAMES_MAX);
	if (near != NULL)
		snprintf(out, FAULTS_HINT_SIZE, "; did you mean \"%s\"?", near);
	return out;
}

void
faults_text(const struct faults *f, struct buf *out)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct fault *x = &f->items[i];

		if (i > 0)
			buf_putc(out, '\n');
		buf_printf(out, "%s: %s",
		    x->pointer[0] != '\0' ? x->pointer : "document",
		    x->message);
		if (x->value != NULL)
			buf_printf(out, " (found %s)", x->value);
	}
	if (f->dropped > 0)
		buf_printf(out, "\n… and %zu more", f->dropped);
}

struct json_object *
faults_json(const struct faults *f)
{
	struct json_object *list = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < f->n; i++) {
		o = json_object_new_object();
		json_add_str(o, "pointer", f->items[i].pointer);
		json_add_str(o, "message", f->items[i].message);
		if (f->items[i].value != NULL)
			json_add_str(o, "value", f->items[i].value);
		json_object_array_add(list, o);
	}
	return list;
}

int
faults_err(const struct faults *f, const char *what)
{
	struct buf text = BUF_INIT;

	/* Who asks has decided that something is wrong: it is not to go on. */
	if (!faults_any(f))
		return err_set(
		    ERR_INTERNAL, "%s: refused without a fault", what);
	faults_text(f, &text);
	err_set(ERR_INVALID, "%s: %zu fault%s\n%s", what, faults_count(f),
	    faults_count(f) == 1 ? "" : "s", buf_str(&text));
	buf_fini(&text);
	return ERR_INVALID;
}
