/*
 * No state without somebody responsible for its next step: for each state
 * that is not an end, who takes the next step, and which detector notices
 * when nobody does.  Read by people and by a test that knows all states.
 */
#ifndef SUPERVISOR_OWNERS_H
#define SUPERVISOR_OWNERS_H

#include <stddef.h>

#include "lib/model/state.h"

enum owned {
	OWNED_JOB,	   /* at its initiator */
	OWNED_PARTNER_JOB, /* at another member */
	OWNED_TASK	   /* a member's own row, where it runs */
};

struct owner {
	enum owned what;
	enum state state; /* or an end: then `when` says what is left to do */
	const char *when; /* "" for always; else what tells the rows apart */
	const char *who;
	const char *detector; /* its name in the table of detectors.c */
};

const struct owner *owners_table(size_t *n);

#endif
