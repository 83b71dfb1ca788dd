/*
 * The table of reasons to wait.
 */
#include "lib/model/wait.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/json/json.h"

static const struct code {
	const char *name;
	bool brief;
	const char *words;
	const char *clears;
} codes[] = { [WAIT_NONE] = { "", false, "", "" },
#define X(name, text, brief, words, clears)                                    \
	[WAIT_##name] = { text, brief, words, clears },
	WAIT_LIST(X)
#undef X
};

static const char *const numbers[] = {
#define X(name, text) [WAIT_N_##name] = text,
	WAIT_NUMBERS(X)
#undef X
};

const char *
wait_name(enum wait_code code)
{
	return codes[code].name;
}

enum wait_code
wait_parse(const char *name)
{
	for (int i = 0; i < WAIT_CODES; i++)
		if (str_eq(codes[i].name, name))
			return (enum wait_code)i;
	return WAIT_NONE;
}

bool
wait_is_brief(enum wait_code code)
{
	return codes[code].brief;
}

const char *
wait_words(enum wait_code code)
{
	return codes[code].words;
}

const char *
wait_clears(enum wait_code code)
{
	return codes[code].clears;
}

struct wait
wait_of(enum wait_code code)
{
	return (struct wait){ .code = code, .role = "", .party = "", .on = "" };
}

void
wait_set(struct wait *w, enum wait_number which, int64_t value)
{
	w->have |= 1u << which;
	w->n[which] = value;
}

struct json_object *
wait_numbers_json(const struct wait *w)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < WAIT_N_COUNT; i++)
		if (w->have & 1u << i)
			json_add_int(o, numbers[i], w->n[i]);
	return o;
}

void
wait_numbers_read(struct wait *w, struct json_object *o)
{
	struct json_object *v;

	for (int i = 0; i < WAIT_N_COUNT; i++) {
		v = json_get(o, numbers[i]);
		if (json_object_is_type(v, json_type_int))
			wait_set(
			    w, (enum wait_number)i, json_object_get_int64(v));
	}
}

struct json_object *
wait_answer_json(const struct wait *w)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "code", wait_name(w->code));
	json_add(o, "numbers", wait_numbers_json(w));
	return o;
}

static bool
is_answer(enum wait_code code)
{
	return code == WAIT_APPROVAL || code == WAIT_WAITING_RESOURCES ||
	       code == WAIT_QUOTA || code == WAIT_SITE_NOT_READY;
}

struct wait
wait_answer_read(struct json_object *o)
{
	struct wait w = wait_of(wait_parse(json_get_str(o, "code", "")));

	if (!is_answer(w.code))
		return wait_of(WAIT_NONE);
	wait_numbers_read(&w, json_get(o, "numbers"));
	return w;
}
