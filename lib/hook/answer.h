/*
 * Private to lib/hook: reading what a service answers.
 */
#ifndef LIB_HOOK_ANSWER_H
#define LIB_HOOK_ANSWER_H

#include "lib/hook/hook.h"
#include "lib/http/client.h"

#define HOOK_ANSWER_MAX (64 * 1024) /* bytes */

/* 0: allowed, ERR_DENIED: refused, others: that is no answer. */
int hook_answer_read(const struct http_reply *, struct hook_answer *out);
/* The message is that, cut where a character begins. */
void hook_answer_say(struct hook_answer *out, const char *text);

#endif
