/*
 * A log-in that the command line keeps: one for each site and account of
 * this machine, in ~/.local/state/sluice (XDG_STATE_HOME), mode 0600.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

struct session {
	char *name;   /* of the user */
	char *cookie; /* NAME=VALUE */
	char *token;  /* what goes with it in X-CSRF-TOKEN */
};

/*
 * By the site's URL, as commands were told it.  End with session_fini() in
 * any case.  Errors: ERR_NOT_FOUND (nobody has logged in there), ERR_DENIED
 * when others may read it, ERR_FORMAT, ERR_IO.
 */
int session_load(const char *url, struct session *);
int session_store(const char *url, const struct session *);
int session_remove(const char *url); /* of none: 0 */
void session_fini(struct session *); /* wipes */

#endif
