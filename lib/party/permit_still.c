/*
 * Called by cli/grant.c and fcgi-app/api_permission.c; commands by permit.c.
 */
#include "lib/party/permit_still.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/shell.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/party/permit.h"

static bool
parts_meet(const char *a, const char *b)
{
	return str_eq(a, b) || str_eq(a, DB_PERMISSION_ANY) ||
	       str_eq(b, DB_PERMISSION_ANY);
}

static bool
leaves_meet(const struct db_leaf *a, const struct db_leaf *b)
{
	return str_eq(a->kind, b->kind) &&
	       parts_meet(a->party_id, b->party_id) &&
	       parts_meet(a->src_role, b->src_role) &&
	       parts_meet(a->subject, b->subject) &&
	       parts_meet(a->detail, b->detail);
}

static bool
allows(const struct db_permission *p)
{
	return !p->is_late && (!p->has_uses || p->uses_left > 0) &&
	       !str_eq(p->leaf.kind, permit_kind_name(PERMIT_PARAMETER));
}

int
permit_still(struct db *db, struct arena *a, const struct db_leaf *gone,
    size_t n_gone, struct db_permission **rows, size_t *n)
{
	size_t i, j, all;
	int r;

	*n = 0;
	if ((r = db_permission_list(db, a, NULL, rows, &all)) != 0)
		return r;
	for (i = 0; i < all; i++) {
		const struct db_permission *p = &(*rows)[i];

		for (j = 0; allows(p) && j < n_gone; j++)
			if (leaves_meet(&p->leaf, &gone[j])) {
				(*rows)[(*n)++] = *p;
				break;
			}
	}
	return 0;
}

/* What --datasets takes; names of partners' choosing are text and no more. */
static void
put_dataset(struct buf *out, const struct db_leaf *l)
{
	struct json_object *o;

	if (str_eq(l->subject, DB_PERMISSION_ANY))
		buf_puts(out, l->subject);
	else if (strpbrk(l->subject, "[/,' ") == NULL &&
		 strpbrk(l->detail, ",' ") == NULL)
		buf_printf(out, "%s/%s", l->subject, l->detail);
	else {
		o = json_object_new_object();
		json_add_str(o, "namespace", l->subject);
		json_add_str(o, "name", l->detail);
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
