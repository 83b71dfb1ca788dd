/*
 * When the site's organisation has services that decide with it (lib/hook):
 * what they are asked, and what is recorded of what they said.
 *
 * Each returns 0 at once when there is no such service.  A worker that waits
 * for one holds a turn; one worker is always left for others.
 * Errors: ERR_AUTH or ERR_DENIED with what the service says, for the caller to
 * record as any refusal; ERR_BUSY when there is no answer (503).
 */
#ifndef FCGI_APP_HOOK_ASK_H
#define FCGI_APP_HOOK_ASK_H

#include "fcgi-app/request.h"
#include "lib/party/permit.h"

/* A user that this site knows, before the request is looked into. */
int hook_ask_client(struct request *);

/*
 * A user of whom the service alone knows who it is ([hooks]
 * client_auth_url_decides_alone): fills request.caller with the name and role
 * it answers.
 */
bool hook_decides_clients(const struct request *);
int hook_ask_who(struct request *);

/* A partner whose certificate and signature are right. */
int hook_ask_site(struct request *);

/* What the rules allow to a partner's job: the wishes are from there. */
int hook_ask_permission(struct request *, const struct permit_ask *,
    const struct permit_decision *wishes, size_t n);

/*
 * The same for who explains what would be decided: no answer is a word of its
 * own, and the question says "explain": true.  NULL when there is no service;
 * in the request's arena.
 */
const struct permit_service *hook_explains(struct request *);

#endif
