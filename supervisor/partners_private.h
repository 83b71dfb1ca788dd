/*
 * What partners.c and partners_send.c share.
 */
#ifndef SUPERVISOR_PARTNERS_PRIVATE_H
#define SUPERVISOR_PARTNERS_PRIVATE_H

#include "supervisor/outbox.h"
#include "supervisor/partners.h"

struct partner {
	char *party;
	char *url; /* NULL: not known or not enabled */
	int64_t url_until_ms;
	int64_t plain_until_ms; /* partners_wants_plain_starts() */
	int64_t shut_until_ms;	/* is_shut() need not look again before */
	char *shut_why;
	int64_t failing_since_ms; /* 0: it answers */
	int64_t answered_ms;	  /* when it did last; 0: never yet */
	bool is_probed;		  /* a question whether it answers */
	bool refuses;		  /* it did when it answered last */
	int64_t pause_ms;
	int64_t next_try_ms;
	bool trying; /* one command tests whether it is back */
	char *why;
	struct outbox outbox;
	struct post *anew; /* those that rest until they are signed again */
	struct partner *next;
};

struct partners {
	struct supervisor *super;
	struct http_client *http;
	struct partner *list;
};

/* That party's, made when there is none yet. */
struct partner *partners_get(struct partners *, const char *party);
/*
 * p->url as it is now, or was a moment ago.  ERR_NOT_FOUND (no partner),
 * ERR_DENIED (disabled), ERR_DB.
 */
int partners_find_address(struct partners *, struct partner *p);
/*
 * Its address was known a moment ago, and no certificate that it may show:
 * ERR_DENIED or ERR_NOT_FOUND says why.
 */
int partners_no_certificate(struct partners *, struct partner *p);
/* Nothing can be sent, for the recorded error: partners_is_shut() says so. */
void partners_shut(struct partner *);
/* It has answered; refuses: that it takes nothing from this site. */
void partners_answered(struct partners *, struct partner *p, bool refuses);
/* It has not: it is left alone for a while. */
void partners_failed(struct partners *, struct partner *p, const char *why);
/*
 * Refused for when it was signed, and not for good: its database has just been
 * started, or one of the clocks was set.
 */
bool partners_is_stale(const struct partner_reply *);
/* All that waits for it, unanswered. */
void partners_drop_posts(struct partner *);

#endif
