/*
 * Called by deploy and load.
 */
#include "fcgi-app/model_parties.h"

#include "lib/json/decode.h"

#define CODE_UNREACHED 100

void
model_parties_ask(struct errand *e, struct json_object *roles,
    const char *const *which, struct json_object *body)
{
	char party[JSON_PARTY_SIZE];

	for (; *which != NULL; which++) {
		struct json_object *list = json_get(roles, *which);

		for (size_t i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++)
			if (json_party_id(
				json_object_array_get_idx(list, i), party))
				errand_add(
				    e, *which, party, json_object_get(body));
	}
}

/* The member of that name, made when it is not there. */
static struct json_object *
within(struct json_object *o, const char *key)
{
	struct json_object *found = json_get(o, key);

	if (found == NULL) {
		found = json_object_new_object();
		json_add(o, key, found);
	}
	return found;
}

void
model_parties_add(struct json_object *data, const struct errand *e)
{
	struct json_object *detail = within(data, "detail"), *one;

	for (size_t i = 0; i < e->n; i++) {
		const struct errand_call *c = &e->calls[i];
		int64_t code =
		    c->reply.silent ? CODE_UNREACHED : c->reply.retcode;

		one = json_object_new_object();
		json_add_int(one, "retcode", code);
		json_add_str(one, "retmsg", c->reply.retmsg);
		json_add(within(detail, c->role), c->party_id, one);
		json_add_int(within(data, c->role), c->party_id, code);
	}
}
