/*
 * Different names, numbered as they come: tags of a table, columns of a
 * model.  Keyed hashing, for the names are a stranger's choice.
 */
#ifndef EXECUTOR_COMPONENTS_NAME_SET_H
#define EXECUTOR_COMPONENTS_NAME_SET_H

#include <stdbool.h>

#include "lib/engine/storage.h"

struct name_set;

#define NAME_NONE UINT32_MAX

struct name_set *name_set_new(void);
void name_set_free(struct name_set *); /* NULL is fine */
size_t name_set_count(const struct name_set *);
/* The number of a name, a new one when it is not there yet; *is_new says. */
uint32_t name_set_add(struct name_set *, struct span name, bool *is_new);
/* Or NAME_NONE. */
uint32_t name_set_find(const struct name_set *, struct span name);
struct span name_set_get(const struct name_set *, uint32_t number);
/*
 * Number the names anew, in the order of their bytes.
 */
void name_set_sort(struct name_set *);

#endif
