/*
 * A job's progress for people: components down, members across.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdio.h>

#include "lib/json/json.h"

struct screen;

/* Redraws in place when the stream is a terminal. */
struct screen *screen_new(FILE *);
void screen_free(struct screen *); /* NULL is fine */
/* Rows of job/query and job/task/query; NULL screen does nothing. */
void screen_show(
    struct screen *, struct json_object *job, struct json_object *tasks);

#endif
