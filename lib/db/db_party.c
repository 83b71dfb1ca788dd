/*
 * Members of jobs: reading, and how far each has come.  Written by the
 * initiator's scheduler and lib/party.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_job.h"
#include "lib/db/db_often.h"

static const struct db_col party_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_party, field) },
	PARTY_COLS(COL, , "")
#undef COL
};
static const struct db_shape party_shape =
    DB_SHAPE(struct db_party, party_cols);

static const struct db_col brief_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_party, field) },
	PARTY_BRIEF_COLS(COL, , "")
#undef COL
};
static const struct db_shape brief_shape =
    DB_SHAPE(struct db_party, brief_cols);

/* Ordered here: cheaper than having it sorted at every look. */
static const struct db_stmt list = { "job_party.list", "s",
	"SELECT 1" PARTY_BRIEF_COLS(
	    DB_SQL, , "") " FROM job_party WHERE job_id = ?" };
static const struct db_stmt get = { "job_party.get", "sss",
	"SELECT 1" PARTY_COLS(
	    DB_SQL, , "") " FROM job_party"
			  " WHERE job_id = ? AND role = ? AND party_id = ?" };

struct member_row {
	struct db_job job;
	struct db_party party;
};
static const struct db_col member_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct member_row, field) },
	JOB_COLS(COL, job., "j.") PARTY_BRIEF_COLS(COL, party., "p.")
#undef COL
};
static const struct db_shape member_shape =
    DB_SHAPE(struct member_row, member_cols);

/* The job's row is locked first: it is read to find the other. */
#define MEMBER                                                                 \
	"SELECT 1" JOB_COLS(DB_SQL, , "j.") PARTY_BRIEF_COLS(DB_SQL, ,         \
	    "p.") " FROM job j LEFT JOIN job_party p"                          \
		  " ON p.job_id = j.job_id AND p.role = ? AND p.party_id = ?"  \
		  " WHERE j.job_id = ?"
static const struct db_stmt get_member = { "job_party.member", "sss", MEMBER };
static const struct db_stmt lock_member = { "job_party.lock_member", "sss",
	MEMBER " FOR UPDATE" };

int
db_job_get_member(struct db *db, struct arena *a, const char *job_id,
    const char *role, const char *party_id, bool lock, struct db_job **job,
    struct db_party **party)
{
	struct member_row *row;
	int r;

	*job = NULL;
	*party = NULL;
	r = db_select_one(db, lock ? &lock_member : &get_member, &member_shape,
	    a, &row, role, party_id, job_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no job %.30s", job_id);
	if (r != 0)
		return r;
	*job = &row->job;
	if (row->party.role != NULL)
		*party = &row->party;
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct db_party *x = a, *y = b;
	int c;

	if ((c = strcmp(x->role, y->role)) != 0)
		return c;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return strcmp(x->party_id, y->party_id);
}

void
db_party_sort(struct db_party *rows, size_t n)
{
	if (n > 1)
		qsort(rows, n, sizeof(*rows), by_place);
}

int
db_party_list(struct db *db, struct arena *a, const char *job_id,
    struct db_party **rows, size_t *n)
{
	int r = db_select(db, &list, &brief_shape, a, rows, n, job_id);

	if (r == 0)
		db_party_sort(*rows, *n);
	return r;
}

int
db_party_get(struct db *db, struct arena *a, const char *job_id,
    const char *role, const char *party_id, struct db_party **out)
{
	int r;

	r = db_select_one(
	    db, &get, &party_shape, a, out, job_id, role, party_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "%.20s %.10s is not in job %.30s", role,
		    party_id, job_id);
	return r;
}

/*
 * The lease is looked at in the statement itself: a scheduler that lost it
 * changes nothing.
 */
#define FENCED                                                                 \
	" AND EXISTS (SELECT 1 FROM job j WHERE j.job_id = job_party.job_id"   \
	" AND j.lease_fence = ?)"
#define MARK(set)                                                              \
	"UPDATE job_party SET " set ","                                        \
	" last_error = COALESCE(LEFT(?, 4000), last_error)"                    \
	" WHERE job_id = ? AND role = ? AND party_id = ?"
/* [with a lease?] */
#define MARKS(flag, set)                                                       \
	{                                                                      \
		{ "job_party." flag, "iesss", MARK(set) },                     \
		{                                                              \
			"job_party." flag, "iesssi", MARK(set) FENCED          \
		}                                                              \
	}
static const struct db_stmt marks[][2] = {
	[DB_PARTY_CREATED] = MARKS("created", "created = ?"),
	[DB_PARTY_RESERVED] = MARKS("reserved", "reserved = ?"),
	/* Set one after the other: who has started has reserved. */
	[DB_PARTY_STARTED] =
	    MARKS("started", "started = ?, reserved = reserved OR started"),
	[DB_PARTY_ENDED] = MARKS("ended", "ended = ?"),
};

static const struct db_stmt set_manifest = { "job_party.manifest", "bsssii",
	"UPDATE job_party SET manifest_hash = ?"
	" WHERE job_id = ? AND role = ? AND party_id = ? AND (? = 0 OR"
	" EXISTS (SELECT 1 FROM job j WHERE j.job_id = job_party.job_id"
	" AND j.lease_fence = ?))" };

static const struct db_stmt forget_manifests = { "job_party.no_manifests",
	"sii",
	"UPDATE job_party SET manifest_hash = NULL WHERE job_id = ? AND (? = 0"
	" OR EXISTS (SELECT 1 FROM job j WHERE j.job_id = job_party.job_id"
	" AND j.lease_fence = ?))" };

#define CLEAR(flag)                                                            \
	"UPDATE job_party SET " flag " = 0 WHERE job_id = ? AND (? = 0 OR"     \
	" EXISTS (SELECT 1 FROM job j WHERE j.job_id = job_party.job_id"       \
	" AND j.lease_fence = ?))"
static const struct db_stmt clears[] = {
	[DB_PARTY_CREATED] = { "job_party.clear_created", "sii",
	    CLEAR("created") },
	[DB_PARTY_RESERVED] = { "job_party.clear_reserved", "sii",
	    CLEAR("reserved") },
	[DB_PARTY_STARTED] = { "job_party.clear_started", "sii",
	    CLEAR("started") },
	[DB_PARTY_ENDED] = { "job_party.clear_ended", "sii", CLEAR("ended") },
};

static int
marked(int64_t n, const char *job_id, const char *role, const char *party_id,
    int64_t fence)
{
	return n == 1 ? 0
		      : err_set(ERR_CONFLICT,
			    "lease %lld on job %s was "
			    "lost, or %s %s is not in it",
			    (long long)fence, job_id, role, party_id);
}

int
db_party_mark(struct db *db, const char *job_id, const char *role,
    const char *party_id, enum db_party_flag flag, bool value,
    const char *error, int64_t fence)
{
	const struct db_stmt *stmt = &marks[flag][fence != 0];
	int64_t n;
	int r;

	r = fence != 0 ? db_exec(db, stmt, &n, (int64_t)value, error, job_id,
			     role, party_id, fence)
		       : db_exec(db, stmt, &n, (int64_t)value, error, job_id,
			     role, party_id);
	if (r != 0)
		return r;
	return marked(n, job_id, role, party_id, fence);
}

int
db_party_set_manifest(struct db *db, const char *job_id, const char *role,
    const char *party_id, const unsigned char hash[DB_HASH_SIZE], int64_t fence)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &set_manifest, &n, (const void *)hash,
		 (size_t)DB_HASH_SIZE, job_id, role, party_id, fence, fence)) !=
	    0)
		return r;
	return marked(n, job_id, role, party_id, fence);
}

int
db_party_forget_manifests(struct db *db, const char *job_id, int64_t fence)
{
	return db_exec(db, &forget_manifests, NULL, job_id, fence, fence);
}

static const struct db_stmt end_own = { "job_party.end_own", "s",
	"UPDATE job_party SET ended = 1 WHERE job_id = ? AND is_local = 1" };

int
db_party_end_own(struct db *db, const char *job_id)
{
	return db_exec(db, &end_own, NULL, job_id);
}

int
db_party_clear(
    struct db *db, const char *job_id, enum db_party_flag flag, int64_t fence)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &clears[flag], &n, job_id, fence, fence)) != 0)
		return r;
	return n > 0 ? 0
		     : err_set(ERR_CONFLICT,
			   "lease %lld on job %s was "
			   "lost",
			   (long long)fence, job_id);
}

const struct db_stmt *const db_party_often[] = { &get_member, NULL };
