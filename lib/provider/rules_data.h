/*
 * Rules of the components that read and write tables; see rules.h.
 */
#ifndef LIB_PROVIDER_RULES_DATA_H
#define LIB_PROVIDER_RULES_DATA_H

#include "lib/json/faults.h"
#include "lib/json/json.h"

/* A table is named by itself or by the task that made it. */
void rules_reader(
    struct json_object *params, const struct json_path *path, struct faults *);
/*
 * One source, one target; no password in clear, for what a job says is read
 * by all its members.
 */
void rules_writer(
    struct json_object *params, const struct json_path *path, struct faults *);

#endif
