/*
 * Path and body of the request by which a partner is told a command.
 */
#ifndef SUPERVISOR_COMMAND_BODY_H
#define SUPERVISOR_COMMAND_BODY_H

#include "supervisor/answer.h"

char *command_path(const struct command *); /* the caller's */

/* *out is the caller's.  Errors: ERR_DB. */
int command_body_make(struct command *, char **out);

#endif
