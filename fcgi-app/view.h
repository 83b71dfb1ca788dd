/*
 * Rows of jobs and tasks as the platform's clients know them: the same keys
 * with and without "f_" in front.
 */
#ifndef FCGI_APP_VIEW_H
#define FCGI_APP_VIEW_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/db/db_job.h"
#include "lib/db/db_table.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"

/* "f_" for the query routes, "" for the list routes. */
#define VIEW_QUERY "f_"
#define VIEW_LIST ""

/*
 * The list form has party_id as an integer and "partners".  All results are
 * the caller's; those of jobs and tasks borrow the row's texts until they
 * are printed.
 */
struct json_object *view_job(const struct db_job_row *, const char *prefix);
/*
 * The same from its two halves, each appended to out: the members that show
 * documents, as they stand in the text; and the whole around such a text.
 */
void view_job_documents(
    const struct db_job_row *, const char *prefix, struct buf *out);
void view_job_beside(const struct db_job_row *, const char *prefix,
    const char *documents, struct buf *out);
struct json_object *view_task(const struct db_task_row *, const char *prefix);
struct json_object *view_output(const struct db_output *);

/* A column's JSON; an empty object when it is NULL or damaged. */
struct json_object *view_document(const char *text);
/* Milliseconds since the epoch; null for 0. */
struct json_object *view_time(int64_t ms);
/* "YYYY-MM-DD HH:MM:SS" local time; null for 0. */
struct json_object *view_date(int64_t ms);
/* An integer where the text is one, else the text. */
struct json_object *view_party(const char *party_id);

#endif
