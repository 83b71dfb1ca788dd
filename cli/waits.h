/*
 * Why a job or task waits, as a row of the API says it.
 */
#ifndef CLI_WAITS_H
#define CLI_WAITS_H

#include "lib/json/json.h"

/* "waiting_resources, host 10000": the caller's; "" when it waits for nothing. */
char *waits_short(struct json_object *row);
/* The same with the words, numbers and what clears it, on one line. */
char *waits_long(struct json_object *row);

#endif
