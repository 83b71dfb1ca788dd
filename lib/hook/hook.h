/*
 * Services of the site's organisation that have a say in who may do what
 * (site.conf's [hooks]): asked by HTTP, in addition to this site's own checks.
 *
 * A question is a JSON object, sent by POST; the answer to it is status 200
 * and an object whose member "code" is the number 0: allowed, or another
 * number: refused, for what "message" says.  Anything else is no answer, and
 * without an answer nothing is allowed.
 *
 * With a secret the question is signed: X-Sluice-Timestamp is the time in
 * seconds, X-Sluice-Signature the hex HMAC-SHA256 over it, a newline and the
 * body.
 */
#ifndef LIB_HOOK_HOOK_H
#define LIB_HOOK_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"

struct json_object;

enum hook_kind {
	HOOK_CLIENT,	 /* may this user ask that */
	HOOK_SITE,	 /* may this partner ask that */
	HOOK_PERMISSION, /* may a partner's job do that here */
	HOOK_KINDS
};

/* "client_authentication", … as in questions and audit rows. */
const char *hook_name(enum hook_kind);

/*
 * Which services do not answer, shared by the processes that ask them: after
 * HOOK_TRIES failures in a row a service is left alone for HOOK_PAUSE_MS,
 * then one process tries, and the others wait for how that ends.
 */
#define HOOK_TRIES 3
#define HOOK_PAUSE_MS 5000
struct hook_gate;
/* Before the processes are forked.  ERR_NOMEM. */
int hook_gate_new(struct hook_gate **out);
void hook_gate_free(struct hook_gate *); /* NULL is fine */

struct hooks;
/*
 * conf and gate are borrowed.  *out is NULL when the site has no services.
 * Errors: ERR_IO, ERR_DENIED (the secret's file is open to others), ERR_NET.
 */
int hooks_new(
    const struct site_conf *, struct hook_gate *gate, struct hooks **out);
void hooks_free(struct hooks *); /* NULL is fine; wipes the secret */

/* Is there a service for that?  NULL has none. */
bool hooks_have(const struct hooks *, enum hook_kind);

struct hook_answer {
	char message[200]; /* what the service said, or what went wrong */
	char name[65];	   /* "data": {"name", "role"}, "" when absent */
	char role[16];
	bool remembered; /* the same was allowed a moment ago */
	int64_t elapsed_us;
};

/*
 * Ask, and wait for at most [hooks] timeout_ms.  The very same question that
 * was allowed within remember_s is not asked again, unless fresh: what must
 * count once has to be asked each time.
 * Returns 0 when it is allowed.  Errors: ERR_DENIED with what the service
 * says; ERR_BUSY when there is no answer: the caller may try again later.
 */
int hook_ask(struct hooks *, enum hook_kind, struct json_object *question,
    bool fresh, struct hook_answer *out);

#endif
