/*
 * What is found, as lines or as JSON.  Called by the files that look; doctor.c
 * prints the end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor.h"
#include "cli/output.h"
#include "lib/base/err.h"

static const char *const words[] = { "ok", "warn", "FAIL" };

void
doctor_say(struct doctor *d, enum health h, const char *what, const char *mend,
    const char *fmt, ...)
{
	struct json_object *o;
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = output_tamed(fmt, ap);
	va_end(ap);
	d->counts[h]++;
	if (!args_json(d->args))
		(void)printf("%-4s  %-22s %s\n", words[h], what, text);
	if (!args_json(d->args) && mend != NULL)
		(void)printf("      mend: %s\n", mend);
	o = json_object_new_object();
	json_add_str(o, "health", words[h]);
	json_add_str(o, "what", what);
	json_add_str(o, "text", text);
	json_add_str(o, "mend", mend);
	json_object_array_add(d->list, o);
	free(text);
}

void
doctor_result(struct doctor *d, int r, const char *what, const char *mend)
{
	if (r == 0)
		doctor_say(d, HEALTH_OK, what, NULL, "as it should be");
	else
		doctor_say(d, HEALTH_FAIL, what, mend, "%s", err_text());
}

const char *
doctor_command(struct doctor *d, const char *fmt, ...)
{
	const char *out;
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	out = arena_strdup(d->arena, text);
	free(text);
	return out;
}
