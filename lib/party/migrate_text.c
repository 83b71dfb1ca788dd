/*
 * Called by model_migrate.c.
 */
#include "lib/party/migrate_text.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"

const char *
migrate_party(struct arena *a, struct json_object *old_roles,
    struct json_object *new_roles, const char *role, const char *party)
{
	struct json_object *was = json_get(old_roles, role);
	struct json_object *is = json_get(new_roles, role);
	char id[JSON_PARTY_SIZE];
	size_t n = json_is_array(was) ? json_object_array_length(was) : 0;

	for (size_t i = 0; i < n; i++)
		if (json_party_id(json_object_array_get_idx(was, i), id) &&
		    str_eq(id, party) && json_is_array(is) &&
		    json_party_id(json_object_array_get_idx(is, i), id))
			return arena_strdup(a, id);
	return NULL;
}

struct rewriting {
	struct arena *arena;
	struct json_object *old_roles, *new_roles;
};

/* The new text, by malloc(), or NULL when it names no old member. */
static char *
rewritten(const struct rewriting *w, const char *s)
{
	size_t role_len = strcspn(s, "_:"), party_len;
	const char *rest = s + role_len, *party;
	char *role, *id;

	if (*rest == '\0')
		return NULL;
	party_len = strspn(rest + 1, "0123456789");
	if (party_len == 0 ||
	    rest[1 + party_len] != (*rest == '_' ? '_' : '\0'))
		return NULL;
	role = arena_strndup(w->arena, s, role_len);
	id = arena_strndup(w->arena, rest + 1, party_len);
	party = migrate_party(w->arena, w->old_roles, w->new_roles, role, id);
	if (party == NULL)
		return NULL;
	return xasprintf("%s%c%s%s", role, *rest, party, rest + 1 + party_len);
}

static void rewrite(const struct rewriting *, ProtobufCMessage *);

static void
rewrite_one(
    const struct rewriting *w, const ProtobufCFieldDescriptor *f, void *member)
{
	char **text = member, *fresh;

	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		if (*(ProtobufCMessage **)member != NULL)
			rewrite(w, *(ProtobufCMessage **)member);
		return;
	}
	if (*text == NULL || (fresh = rewritten(w, *text)) == NULL)
		return;
	/* A default is not the message's own. */
	if (*text != f->default_value &&
	    *text != (const char *)&protobuf_c_empty_string)
		free(*text);
	*text = fresh;
}

static void
rewrite(const struct rewriting *w, ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		char *member = (char *)m + f->offset;
		bool is_case = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
		size_t n;

		if (f->type != PROTOBUF_C_TYPE_STRING &&
		    f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (is_case &&
		    *(uint32_t *)(void *)((char *)m + f->quantifier_offset) !=
			f->id)
			continue;
		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			rewrite_one(w, f, member);
			continue;
		}
		n = *(size_t *)(void *)((char *)m + f->quantifier_offset);
		for (size_t k = 0; k < n; k++)
			rewrite_one(w, f, &(*(void ***)(void *)member)[k]);
	}
}

int
migrate_message(const ProtobufCMessageDescriptor *d, const void *data,
    size_t len, struct json_object *old_roles, struct json_object *new_roles,
    struct buf *out)
{
	struct rewriting w = { arena_new(), old_roles, new_roles };
	ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, len, data);
	size_t n;

	if (m == NULL) {
		arena_free(w.arena);
		return err_set(ERR_FORMAT, "this is no %s", d->short_name);
	}
	rewrite(&w, m);
	n = protobuf_c_message_get_packed_size(m);
	(void)protobuf_c_message_pack(m, buf_reserve(out, n + 1));
	out->len += n;
	out->data[out->len] = '\0';
	protobuf_c_message_free_unpacked(m, NULL);
	arena_free(w.arena);
	return 0;
}
