/*
 * What nginx refuses by itself (a certificate, too many requests, a malformed
 * one, …) no program of the site hears of.  It stands in logs/refused.log;
 * here it is counted, for the metrics at once, and recorded: a row of the
 * audit for each listener, reason and partner, once a minute at most, with how
 * many there were.
 *
 * How far the log was read, what is counted and what is recorded change in one
 * transaction: a line counts once, whoever is killed when.
 */
#ifndef SUPERVISOR_REFUSALS_H
#define SUPERVISOR_REFUSALS_H

#include "supervisor/supervisor.h"

struct refusals;

/*
 * TLS handshakes that fail have no request, and so no line there: of those
 * nginx tells in nginx-tls.log, for which there is another of these.
 */
enum refusals_of { REFUSALS_REQUESTS, REFUSALS_HANDSHAKES };
struct refusals *refusals_new(struct supervisor *, enum refusals_of);
void refusals_free(struct refusals *); /* NULL is fine */

/* One bite; *more: there is more to read now. */
int refusals_look(struct refusals *, bool *more);

#endif
