/*
 * What is asked of a job that was built, and the warnings about it.
 */
#include "lib/model/job_spec.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

#define WARNINGS_MAX 50

const struct job_member *
job_spec_member(
    const struct job_spec *spec, const char *role, const char *party_id)
{
	size_t i;

	for (i = 0; i < spec->n_members; i++)
		if (strcmp(spec->members[i].role, role) == 0 &&
		    strcmp(spec->members[i].party_id, party_id) == 0)
			return &spec->members[i];
	return NULL;
}

size_t
job_spec_component(const struct job_spec *spec, const char *name)
{
	size_t i = dsl_find(spec->dsl, name);

	return i == (size_t)-1 ? i : spec->dsl->components[i].seq;
}

void
job_spec_warn(struct job_spec *spec, const char *fmt, ...)
{
	char *message, *text;
	va_list ap;
	size_t i;

	/* A stranger's names: a bounded list. */
	if (spec->n_warnings >= WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	message = xvasprintf(fmt, ap);
	va_end(ap);
	text = xasprintf("[WARN]%s", message);
	free(message);
	for (i = 0; i < spec->n_warnings; i++)
		if (strcmp(spec->warnings[i], text) == 0) {
			free(text);
			return;
		}
	spec->warnings = xrealloc(
	    spec->warnings, (spec->n_warnings + 1) * sizeof(*spec->warnings));
	spec->warnings[spec->n_warnings++] = text;
}

char *
job_spec_warning_text(const struct job_spec *spec)
{
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < spec->n_warnings; i++)
		buf_printf(&text, "%s%s", i > 0 ? "; " : "", spec->warnings[i]);
	return buf_steal(&text);
}
