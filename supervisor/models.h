/*
 * Tidying up after models: versions that were staged and will not be sealed,
 * files that no row names.
 */
#ifndef SUPERVISOR_MODELS_H
#define SUPERVISOR_MODELS_H

#include <stdint.h>

#include "supervisor/supervisor.h"

/*
 * age_ms: how long a version without a job of its own (a deployment, an
 * import) may stay staged.  Errors: ERR_DB.
 */
int models_drop_abandoned(struct supervisor *, int64_t age_ms);

/*
 * age_s: how old a file without a row must be.  One query for each older
 * file of the site, so this is not for every minute.
 * Errors: ERR_DB, ERR_IO.
 */
int models_sweep_files(struct supervisor *, int64_t age_s);

#endif
