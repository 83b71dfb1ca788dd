/*
 * What commands between sites have in common: who is named in the path, what
 * the body may say, and how they are answered.
 *
 * Errors, unless said: ERR_INVALID with what is wrong.
 */
#ifndef FCGI_APP_PARTY_COMMAND_H
#define FCGI_APP_PARTY_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "fcgi-app/wake.h"
#include "lib/json/decode.h"
#include "lib/party/party.h"

#define COMMAND_REASON_MAX 16384

/* The member in the path; all that is read is the request's. */
int command_member(const struct request *, struct party_member *out);
/* It must be of this site.  Also ERR_DENIED. */
int command_is_local(const struct request *, const struct party_member *);
int command_local_member(const struct request *, struct party_member *out);
int command_task(const struct request *, struct db_task_key *out);
/* Also ERR_DENIED. */
int command_local_task(const struct request *, struct db_task_key *out);
int command_status(const struct request *, enum state *out);

/* Fill the struct that fields describe; keys that are none of them are faults.
 */
int command_body(
    struct request *, const struct json_field *fields, size_t n, void *out);
/*
 * What every command may say of itself, in a struct with the fields run (-1:
 * not said) and fence (0: not said), both int64_t.
 */
#define COMMAND_SELF(type)                                                     \
	JSON_INT(type, run, 0, INT32_MAX, 0),                                  \
	    JSON_INT(type, fence, 0, INT64_MAX, 0)
/* run is borrowed. */
void command_self(struct party_caller *, const int64_t *run, int64_t fence);
/*
 * Bodies of that alone, of nothing, and of that and a cause, in which what is
 * "this site" to the partner has its party's name.
 */
int command_plain(struct request *, struct party_caller *);
int command_nothing(struct request *);
int command_cause(struct request *, struct party_caller *, const char **reason);

/* A job's end, wished by who calls: path and body. */
struct command_end {
	struct party_caller who;
	struct party_member member;
	enum state to;
	const char *reason;
};
int command_end(struct request *, struct command_end *out);

struct party_caller command_caller(struct request *);

/*
 * NAME: [[component, version], …], tasks of member m (borrowed); in the
 * request's arena.
 */
int command_tasks(struct request *, const char *name, struct json_object *list,
    const struct party_member *m, const struct db_task_key **out, size_t *n);
/* "succeeded": those whose success is told with a command. */
int command_succeeded(struct request *, struct json_object *list,
    const struct party_member *m, struct party_caller *);

/*
 * The command was carried out: 0, or 10 when it had no effect, as the platform
 * answers.  In both cases the supervisor looks whether it has what to do
 * (enum site_wake), unless there never is.
 */
#define COMMAND_SILENT UINT_MAX
int command_answer(
    struct request *, struct reply *, bool effective, unsigned what);
/*
 * Of a command that ended with r: what the platform's clients are told of a
 * permission that is missing.  Returns r, or 0 when the reply says all.
 */
int command_refused(struct reply *, enum permit_kind, int r);
/* Why a member has to be asked again: {"wait": {"code", "numbers"}}; returns r.
 */
int command_not_now(struct reply *, const struct wait *why, int r);

#endif
