/*
 * Why a job or task waits, as a row of the API says it.
 */
#ifndef CLI_WAITS_H
#define CLI_WAITS_H

#include "lib/json/json.h"

/*
 * wait is a row's f_wait (wait, in a list), NULL when it waits for nothing.
 *
 * "waiting_resources, host 10000": the caller's; "" for nothing.
 */
char *waits_short(struct json_object *wait);
/* The same with the words, numbers and what clears it, on one line. */
char *waits_long(struct json_object *wait);
/* Does it pass by itself within a moment, most often? */
bool waits_is_brief(struct json_object *wait);

#endif
