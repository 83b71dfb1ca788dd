/*
 * Whether the site can take work: asked before a request that brings some is
 * read, and by probes.
 */
#ifndef FCGI_APP_INTAKE_H
#define FCGI_APP_INTAKE_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"

/*
 * Refuse a request that brings work when a disk is full: 503, Retry-After,
 * and what is full.  True when the reply says so.  Partners hear "not now"
 * (103) in the envelope and come again.
 */
bool intake_refuses(struct request *, struct reply *);

/* What readiness looks at. */
struct intake_check {
	const char *name;
	bool ok;
	const char *detail; /* what is wrong, or "" */
};
#define INTAKE_CHECKS 6
/* Details live in the request's arena. */
void intake_checks(struct request *, struct intake_check out[INTAKE_CHECKS]);

#endif
