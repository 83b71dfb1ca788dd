/*
 * Filters and paging of the query and list routes.
 */
#ifndef FCGI_APP_FILTER_H
#define FCGI_APP_FILTER_H

#include "fcgi-app/request.h"

/*
 * A field as the database's "any of" list: a scalar, or the elements of an
 * array, with commas between.  NULL when absent, null or []; a value that
 * nothing can have (one with a comma in it) still selects nothing.
 */
const char *filter_any(const struct request *, const char *name);

/* [from, to] in ms, each may be null; a scalar is both.  0: open. */
void filter_range(
    const struct request *, const char *name, int64_t *from, int64_t *to);

struct filter_page {
	int64_t limit; /* 0: no limit */
	int64_t offset;
	int order; /* index in names; -1: not asked for */
	bool descending;
};

/*
 * limit, page, order_by (one of names, NULL at the end), order (asc, desc).
 * Errors: ERR_INVALID saying which is wrong.
 */
int filter_page(
    const struct request *, const char *const *names, struct filter_page *out);

/* Every value of the field must be one of names.  ERR_INVALID. */
int filter_words(
    const struct request *, const char *field, const char *const *names);

struct db_task_filter;

/*
 * Which tasks: job_id, component_name, role, party_id, status, party_status,
 * or task_id.  False when the request names none of them; the rest of the
 * filter is the caller's.
 */
bool filter_tasks(const struct request *, struct db_task_filter *);

#endif
