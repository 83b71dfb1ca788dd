/*
 * Tidying up after models: versions that were staged and will not be sealed,
 * files that no row names.
 */
#ifndef SUPERVISOR_MODELS_H
#define SUPERVISOR_MODELS_H

#include <stdint.h>

#include "supervisor/supervisor.h"

/*
 * abandoned_ms: how long a version without a job of its own (a deployment, an
 * import) may stay staged; file_age_s: how old a file without a row must be.
 * Errors: ERR_DB, ERR_IO.
 */
int models_sweep(struct supervisor *, int64_t abandoned_ms, int64_t file_age_s);

#endif
