/*
 * The inputs of a task: which tables and models the DSL's references mean at
 * this member, as folders to bind and messages to send.
 */
#ifndef SUPERVISOR_SHEPHERD_INPUTS_H
#define SUPERVISOR_SHEPHERD_INPUTS_H

#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_table.h"
#include "proto/executor.pb-c.h"
#include "supervisor/shepherd/sandbox.h"
#include "supervisor/shepherd/subject.h"

/* Everything lives in the arena given to inputs_resolve(). */
struct inputs {
	Sluice__Executor__InputTable **tables;
	size_t n_tables;
	Sluice__Executor__InputModel **models;
	size_t n_models;
	struct sandbox_bind *binds;
	size_t n_binds;
	/* One that is kept outside: source_open() has its text.  NULL: none. */
	const struct db_table *outside;
	const char *file; /* inside; "" for none */
	const char *file_outside;
};

/*
 * An upstream component that left no output at this member is no input; what
 * the component makes of that is its own affair.  So it is with the models of
 * the version that a predict job uses; a file that the version's manifest
 * lists must be there and hold what it says.  A table
 * that parameters name (Reader, Writer, Download), a ModelLoader's model, a
 * CacheLoader's cache and an upload's file must be there.
 * Errors: ERR_NOT_FOUND, ERR_DENIED (disabled table), ERR_UNSUPPORTED
 * (another storage engine), ERR_LIMIT (models too large for a frame),
 * ERR_FORMAT (a model file is damaged), ERR_IO, ERR_DB.
 */
int inputs_resolve(struct arena *, struct db *, const struct site_conf *,
    const struct subject *, struct inputs *out);

#endif
