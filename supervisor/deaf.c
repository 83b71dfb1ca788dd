/*
 * Who refuses us since when.
 */
#include "supervisor/deaf.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

struct deaf {
	char *party;
	int64_t since_ms, last_ms;
	struct deaf *next;
};

/* Where it is, or where the list ends. */
static struct deaf **
find(struct deaf **list, const char *party)
{
	while (*list != NULL && !str_eq((*list)->party, party))
		list = &(*list)->next;
	return list;
}

static void
drop(struct deaf **at)
{
	struct deaf *x = *at;

	*at = x->next;
	free(x->party);
	free(x);
}

int64_t
deaf_refused(struct deaf **list, const char *party, int64_t now_ms)
{
	struct deaf **at = find(list, party), *x;

	if ((x = *at) == NULL) {
		x = *at = xcalloc(1, sizeof(*x));
		x->party = xstrdup(party);
		x->since_ms = now_ms;
	} else if (now_ms - x->last_ms > DEAF_APART_MS) {
		/* It was not asked meanwhile, and may have answered others. */
		x->since_ms = now_ms;
	}
	x->last_ms = now_ms;
	return now_ms - x->since_ms;
}

void
deaf_heard(struct deaf **list, const char *party)
{
	struct deaf **at = find(list, party);

	if (*at != NULL)
		drop(at);
}

void
deaf_free(struct deaf **list)
{
	while (*list != NULL)
		drop(list);
}
