/*
 * Does the database answer, and soon?  Asked on a connection of its own whose
 * patience is short: who watches over the site hears of a server that hangs
 * long before requests under way are given up, and none of them is.
 */
#ifndef FCGI_APP_PROBE_H
#define FCGI_APP_PROBE_H

#include "fcgi-app/app.h"

#define PROBE_ANSWER_S 2

struct probe;

/* Makes app->probe at the first question.  Errors: ERR_DB. */
int probe_database(struct app *);
void probe_free(struct probe *); /* NULL is fine */

#endif
