/*
 * One errand without a body, asked of a partner at once, for commands that
 * want to know what it says.
 */
#ifndef CLI_PARTNER_ASK_H
#define CLI_PARTNER_ASK_H

#include "lib/db/db_partner.h"
#include "lib/http/client.h"
#include "lib/http/partner.h"

/* What an answer says of who asked. */
enum partner_word {
	PARTNER_HEARD,
	PARTNER_NOT_NOW, /* a signature for this moment only */
	PARTNER_BUSY,	 /* nothing: it has no room, or trouble of its own */
	PARTNER_REFUSES, /* it does not take who asks for a partner */
	PARTNER_UNREACHABLE, /* there is none; http.error says why */
	PARTNER_STRANGE,     /* it is not a site's, or of another version */
};

struct partner_asked {
	struct http_reply http;
	struct partner_reply reply; /* when it was heard */
	struct json_object *root;
	const char *said; /* its words, or why there are none */
	enum partner_word word;
};

/*
 * A signature that is refused for the moment only (the partner's database has
 * just been started, or clocks differ) is made anew, a few times.
 * What reply and said borrow is the answer's, or err_text(), until
 * fini.
 */
int partner_ask(struct http_client *, const struct db_partner *,
    const char *errand, struct partner_asked *out);
void partner_asked_fini(struct partner_asked *);

#endif
