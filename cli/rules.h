/*
 * Rules of the permission tree as the operator writes them on a command line.
 */
#ifndef CLI_RULES_H
#define CLI_RULES_H

#include "cli/args.h"
#include "cli/site.h"
#include "lib/db/db_permission.h"

struct rules {
	struct db_permission *list; /* in the arena */
	size_t n;
};

/*
 * From PARTY[,PARTY…] (the first operand) and the options --as, --roles,
 * --commands, --components, --datasets, --parameter, and for grants --from,
 * --until, --uses.  Components must be ones that this site's
 * providers have.
 * Errors: ERR_INVALID with the option at fault.
 */
int rules_parse(const struct args *, const struct site *, struct rules *out);

#define OPTIONS_RULES                                                          \
	{ "as", "ROLE", "only when it initiates as this role (any)", false },  \
	    { "roles", "LIST", "roles it may ask this site for, or '*'",       \
		    false },                                                   \
	    { "commands", "LIST", "create, rerun, or '*'", false },            \
	    { "components", "LIST", "module names, or '*'", false },           \
	    { "datasets", "LIST",                                              \
		    "NAMESPACE/NAME, NAMESPACE/* or '*', or JSON: "            \
		    "[{\"namespace\":…,\"name\":…}]",                          \
		    false },                                                   \
	{                                                                      \
		"parameter", "RULE",                                           \
		    "MODULE.PATH=MIN..MAX or =[values]: bounds a value", false \
	}

#endif
