/*
 * Refusals are recorded; a flood of them is only counted.
 */
#include "fcgi-app/auth_refusal.h"

#include <stdio.h>

#include "fcgi-app/app.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_audit.h"

#define AUDIT_BURST 20
#define AUDIT_PER_S 1
#define AUDIT_GROUPS 17 /* the first is of all who proved nothing */

#define AUDIT_LATE_MS 5000 /* then the rest is told by itself */
#define UNTOLD_TEXT_SIZE 48

static struct allowance {
	int64_t spent, last_ms, untold;
	int64_t untold_ms;  /* since when */
	char actor[64];	    /* of the last that is untold */
	const char *action; /* a constant */
} allowances[AUDIT_GROUPS];

/*
 * Who proved who it is has an allowance apart from those of strangers, and
 * shares it with few others: a flood of one hides no refusal of another.
 */
static struct allowance *
allowance_of(const struct request *req, const char *actor)
{
	size_t i = 0;

	if (*req->caller.name != '\0') {
		for (; *actor != '\0'; actor++)
			i = i * 31 + (unsigned char)*actor;
		i = 1 + i % (AUDIT_GROUPS - 1);
	}
	return &allowances[i];
}

static bool
may_record(struct allowance *a)
{
	int64_t now = clock_mono_ms();
	int64_t gained = (now - a->last_ms) / 1000 * AUDIT_PER_S;

	if (gained > 0) {
		a->spent = a->spent > gained ? a->spent - gained : 0;
		a->last_ms = now;
	}
	if (a->spent == AUDIT_BURST)
		return false;
	a->spent++;
	return true;
}

static void
leave_untold(struct allowance *a, const char *actor, const char *action)
{
	if (a->untold++ == 0)
		a->untold_ms = clock_mono_ms();
	(void)snprintf(a->actor, sizeof(a->actor), "%s", actor);
	a->action = action;
}

/* What a record says of those before it that have none; "" when all have. */
static void
untold_text(int64_t n, char text[UNTOLD_TEXT_SIZE])
{
	text[0] = '\0';
	if (n > 0)
		(void)snprintf(text, UNTOLD_TEXT_SIZE,
		    "; %lld not recorded before", (long long)n);
}

static void
tell_untold(struct db *db, struct allowance *a)
{
	char before[UNTOLD_TEXT_SIZE], text[80];

	untold_text(a->untold - 1, before);
	(void)snprintf(text, sizeof(text), "the last of a flood%s", before);
	a->untold_ms = clock_mono_ms();
	if (db_audit_add(db, &(struct db_audit){ .actor = a->actor,
				 .action = a->action,
				 .outcome = "refused",
				 .detail = text }) == 0)
		a->untold = 0;
	else
		log_err("refusals not recorded");
}

int
auth_tell_untold(struct db *db, bool all)
{
	int64_t now = clock_mono_ms(), left = -1, wait;

	for (size_t i = 0; i < AUDIT_GROUPS; i++) {
		struct allowance *a = &allowances[i];

		if (a->untold > 0 &&
		    (all || now - a->untold_ms >= AUDIT_LATE_MS))
			tell_untold(db, a);
		wait = a->untold_ms + AUDIT_LATE_MS - now;
		if (a->untold > 0 && (left < 0 || wait < left))
			left = wait > 0 ? wait : 0;
	}
	return (int)left;
}

static int
record_refusal(
    struct request *req, const char *actor, const char *action, int code)
{
	const char *why = arena_strdup(req->arena, err_text());
	const char *from = request_env(req, "REMOTE_ADDR"), *text;
	struct allowance *a = allowance_of(req, actor);
	char before[UNTOLD_TEXT_SIZE];

	if (!may_record(a)) {
		leave_untold(a, actor, action);
		return err_set(code, "%s", why);
	}
	untold_text(a->untold, before);
	text = arena_printf(req->arena, "%s; from %s; request %s%s", why,
	    from != NULL ? from : "?",
	    *log_request_id() != '\0' ? log_request_id() : "?", before);
	log_warn("refused %s %s: %s", req->method, req->path, text);
	/* The refusal stands whether or not it could be written down. */
	if (db_audit_add(req->app->db, &(struct db_audit){ .actor = actor,
					   .action = action,
					   .subject = req->path,
					   .outcome = "refused",
					   .detail = text }) == 0)
		a->untold = 0;
	else {
		leave_untold(a, actor, action);
		log_err("refusal not recorded");
	}
	return err_set(code, "%s", why);
}

int
auth_refused(struct request *req, const char *actor, int code)
{
	return record_refusal(req, actor, "request", code);
}

int
auth_record_refusal(struct request *req, const char *actor, const char *action)
{
	return record_refusal(req, actor, action, err_code());
}
