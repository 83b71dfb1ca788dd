/*
 * Commands of the operator.  Called by permit.c, explain.c, cli/grant.c and
 * fcgi-app/api_permission.c.
 */
#include "lib/party/permit_command.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/shell.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

/* Names of partners' choosing are text and no more. */
static bool
is_plain(const char *namespace, const char *name)
{
	return strpbrk(namespace, "[/,' ") == NULL &&
	       strpbrk(name, ",' ") == NULL;
}

static struct json_object *
dataset_json(const char *namespace, const char *name)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "namespace", namespace);
	json_add_str(o, "name", name);
	return o;
}

/* What --datasets takes. */
static void
put_dataset(struct buf *out, const struct db_leaf *l)
{
	struct json_object *o;

	if (str_eq(l->subject, DB_PERMISSION_ANY))
		buf_puts(out, l->subject);
	else if (is_plain(l->subject, l->detail))
		buf_printf(out, "%s/%s", l->subject, l->detail);
	else {
		o = dataset_json(l->subject, l->detail);
		buf_printf(out, "[%s]", json_text(o));
		json_object_put(o);
	}
}

const char *
permit_command(struct arena *a, const char *verb, const struct db_leaf *l)
{
	struct buf text = BUF_INIT, subject = BUF_INIT;
	const char *out;

	if (str_eq(l->kind, permit_kind_name(PERMIT_DATASET)))
		put_dataset(&subject, l);
	else
		buf_puts(&subject, l->subject);
	buf_printf(&text, "sluice %s ", verb);
	shell_put_word(&text, l->party_id);
	if (!str_eq(l->src_role, DB_PERMISSION_ANY)) {
		buf_puts(&text, " --as ");
		shell_put_word(&text, l->src_role);
	}
	buf_printf(&text, " --%ss ", l->kind);
	shell_put_word(&text, buf_str(&subject));
	out = arena_strdup(a, buf_str(&text));
	buf_fini(&text);
	buf_fini(&subject);
	return out;
}

const char *
permit_bound_command(
    struct arena *a, const struct db_leaf *l, const char *value)
{
	struct buf bound = BUF_INIT, text = BUF_INIT;
	const char *out;

	buf_printf(&bound, "%s.%s=[%s]", l->subject, l->detail, value);
	buf_puts(&text, "sluice grant ");
	shell_put_word(&text, l->party_id);
	buf_puts(&text, " --parameter ");
	shell_put_word(&text, buf_str(&bound));
	out = arena_strdup(a, buf_str(&text));
	buf_fini(&text);
	buf_fini(&bound);
	return out;
}

/* --- all that is missing --------------------------------------------------- */

/* Is it missing, and is there a command for it? */
static bool
is_wanted(const struct permit_decision *d, enum permit_kind kind)
{
	return !d->allowed && d->kind == kind && *d->grant != '\0';
}

static void
put_words(struct buf *out, enum permit_kind kind,
    const struct permit_decision *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_wanted(&d[i], kind))
			buf_printf(
			    out, "%s%s", out->len > 0 ? "," : "", d[i].subject);
}

/* A list of words, or of JSON when one of them is no word. */
static void
put_datasets(struct buf *out, const struct permit_decision *d, size_t n)
{
	struct json_object *list = json_object_new_array();
	bool all_plain = true;

	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(&d[i], PERMIT_DATASET))
			continue;
		all_plain &= is_plain(d[i].subject, d[i].detail);
		buf_printf(out, "%s%s/%s", out->len > 0 ? "," : "",
		    d[i].subject, d[i].detail);
		json_object_array_add(
		    list, dataset_json(d[i].subject, d[i].detail));
	}
	if (!all_plain) {
		out->len = 0;
		buf_puts(out, json_text(list));
	}
	json_object_put(list);
}

/* One command for all but parameters; "" when it would name nothing. */
static const char *
joined(struct arena *a, const char *party, const struct permit_decision *d,
    size_t n)
{
	static const enum permit_kind kinds[] = { PERMIT_ROLE, PERMIT_COMMAND,
		PERMIT_COMPONENT, PERMIT_DATASET };
	struct buf text = BUF_INIT, words = BUF_INIT;
	const char *out = "";

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		words.len = 0;
		if (kinds[k] == PERMIT_DATASET)
			put_datasets(&words, d, n);
		else
			put_words(&words, kinds[k], d, n);
		if (words.len == 0)
			continue;
		buf_printf(&text, " --%ss ", permit_kind_name(kinds[k]));
		shell_put_word(&text, buf_str(&words));
	}
	if (text.len > 0)
		out =
		    arena_printf(a, "sluice grant %s%s", party, buf_str(&text));
	buf_fini(&text);
	buf_fini(&words);
	return out;
}

const char **
permit_grants(struct arena *a, const char *party,
    const struct permit_decision *d, size_t n, size_t *n_out)
{
	const char **list = arena_alloc(a, (n + 1) * sizeof(*list));
	struct json_object *seen = json_object_new_object(); /* as keys */

	*n_out = 0;
	list[0] = joined(a, party, d, n);
	if (*list[0] != '\0')
		++*n_out;
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(&d[i], PERMIT_PARAMETER) ||
		    json_has(seen, d[i].grant))
			continue;
		json_add_bool(seen, d[i].grant, true);
		list[(*n_out)++] = d[i].grant;
	}
	json_object_put(seen);
	return list;
}
