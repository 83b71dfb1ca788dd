/*
 * The operator's commands about rules, as they are told to whoever needs them.
 */
#ifndef LIB_PARTY_PERMIT_COMMAND_H
#define LIB_PARTY_PERMIT_COMMAND_H

#include "lib/party/permit.h"

/* The operator's command (grant, revoke) about a leaf, as a shell takes it. */
const char *permit_command(
    struct arena *, const char *verb, const struct db_leaf *);

/* That allows a parameter to be what a partner set, value as JSON text. */
const char *permit_bound_command(
    struct arena *, const struct db_leaf *, const char *value);

/*
 * What would allow all of the decisions that are refused: one command for all
 * that a command can name together, and one for each bound of a parameter.
 * What no command allows is in none.  The list and its texts are the arena's.
 */
const char **permit_grants(struct arena *, const char *party,
    const struct permit_decision *, size_t n, size_t *n_out);

#endif
