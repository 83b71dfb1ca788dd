/*
 * A secret that somebody gives to a command: typed, or in a file, never an
 * argument, which other users of the machine could read.
 */
#ifndef CLI_SECRET_INPUT_H
#define CLI_SECRET_INPUT_H

#include "cli/args.h"

/* For the command's table; at most one of them is given. */
#define OPTIONS_SECRET                                                         \
	{ "password-file", "FILE",                                             \
		"first line of a file that nobody else can read", false },     \
	{                                                                      \
		"password-fd", "N", "or of this open descriptor", false        \
	}

/*
 * The first line of what the options name; without them it is typed twice at
 * the terminal, unseen.  Ownership: *out is the caller's; end it with
 * secret_input_free().
 * Errors: ERR_INVALID (no terminal, two that differ, two options), ERR_DENIED
 * (others can read the file), ERR_IO.
 */
int secret_input(const struct args *, const char *prompt, char **out);
/* The same of one that there is already: it is typed once. */
int secret_input_known(const struct args *, const char *prompt, char **out);
void secret_input_free(char *); /* wipes; NULL is fine */

#endif
