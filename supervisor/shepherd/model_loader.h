/*
 * What a ModelLoader loads: a component's model of a sealed version, or a
 * checkpoint of it.
 */
#ifndef SUPERVISOR_SHEPHERD_MODEL_LOADER_H
#define SUPERVISOR_SHEPHERD_MODEL_LOADER_H

#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/db/db_model.h"
#include "supervisor/shepherd/subject.h"

/*
 * The parts that the task's parameters mean, in the arena.  With step_index
 * or step_name: those of that checkpoint.  Else the model of the sealed
 * version, and when there is none of the component, its newest checkpoint.
 * None at all is no error at an arbiter.
 *
 * A job of a partner may load what its initiator took part in; of anything
 * else it hears that it is not there.
 * Errors: ERR_NOT_FOUND, ERR_FORMAT, ERR_DB.
 */
int model_loader_parts(struct arena *, struct db *, const struct subject *,
    const struct db_model_part ***parts, size_t *n);

#endif
