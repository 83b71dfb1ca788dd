/*
 * The client API of a site, as the command line uses it.
 */
#ifndef CLI_API_H
#define CLI_API_H

#include "cli/args.h"
#include "lib/http/client.h"
#include "lib/json/json.h"

struct api;

/*
 * By --url, or by the site.conf of --config; requests are signed with the key
 * of --app-key-file, or are of who has logged in there (session.h), or signed
 * with the key of the site.conf, if there is one: also when the session turns
 * out to be over, which is said.
 */
int api_open(const struct args *, struct api **out);
/*
 * The same for what a person says: a session that is over is not followed by
 * the key of the site.conf, requests fail with ERR_AUTH.
 */
int api_open_person(const struct args *, struct api **out);
/* The same for who is to log in: requests are nobody's. */
int api_open_nobody(const struct args *, struct api **out);
/* The same for who is to log out: requests are the session's or nobody's. */
int api_open_session(const struct args *, struct api **out);
/* Where it is, without a slash at the end. */
const char *api_url(const struct api *);
/* Who has logged in there; NULL when requests are not a session's. */
const char *api_session(const struct api *);
/* By URL, http://HOST:PORT. */
int api_open_url(const char *url, struct api **out);
void api_close(struct api *); /* NULL is fine */

/*
 * POST body (borrowed) to /v1/ + path.  *out is the whole answer, the
 * caller's; its retcode was 0.
 * Errors: ERR_NET, ERR_TIMEOUT, ERR_FORMAT, ERR_REMOTE with the site's text.
 */
int api_post(struct api *, const char *path, struct json_object *body,
    struct json_object **out);

/*
 * Any request, for uploads and downloads; url is /v1/ + path.  A multipart
 * body must not have text fields: they would have to be signed.
 */
int api_fetch(struct api *, const char *path, struct http_request *,
    struct http_reply *out);
/* The answer of api_fetch() as api_post() would give it. */
int api_answer(const struct http_reply *, struct json_object **out);
/* Does it say that the session has ended? */
bool api_session_is_over(const struct http_reply *);
/* The same of a log-in: who did not come in gets no word about keys. */
int api_answer_login(const struct http_reply *, struct json_object **out);

/*
 * The first of a job's rows at the site; *row is borrowed from *answer, which
 * is the caller's whatever is returned, and NULL when there is no such job.
 * Errors: those of api_post(), ERR_FORMAT.
 */
int api_job_row(struct api *, const char *job_id, struct json_object **answer,
    struct json_object **row);

/*
 * What is wrong with a command about a job: r and the recorded error, or, when
 * the site has no such job, that, in the words that all commands use.
 */
int api_about_job(struct api *, const char *job_id, int r);

/* {"job_id": JOB} and, when given, role and party_id from the options. */
struct json_object *api_job_filter(const struct args *, const char *job_id);

/*
 * Put into filter the role and the party id of the member that a command is
 * about: as its options say, else the only one of the job at that site.
 * Errors: those of api_post(), ERR_INVALID (several: the options are needed),
 * ERR_NOT_FOUND (none such, or no such job).
 */
int api_own_member(const struct args *, struct api *, const char *job_id,
    struct json_object *filter);

#endif
