/*
 * Lists of jobs as this site's members see them: job/query and list/job of
 * the API.  The statements are constants; predicates that are not wanted get
 * NULL and are folded away by the server's optimizer.  That folding takes
 * longer than the rest of a small query, so what clients ask for every second
 * has statements of its own: one job, and the pages of all jobs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_job.h"
#include "lib/db/db_private.h"

#define GRANT_COLS(X)                                                          \
	X(BOOL, resource_in_use,                                               \
	    "g.job_id IS NOT NULL AND g.returned_at IS NULL")                  \
	X(MS, applied_ms, "g.granted_at")                                      \
	X(MS, returned_ms, "g.returned_at")
#define AGE_COLS(X)                                                            \
	X(INT, unchanged_ms,                                                   \
	    "TIMESTAMPDIFF(MICROSECOND, j.updated_at, NOW(6)) DIV 1000")
#define ROW_COLS(X)                                                            \
	JOB_COLS(X, job., "j.")                                                \
	JOB_SHOWN_COLS(X, job., "j.")                                          \
	PARTY_COLS(X, party., "p.")                                            \
	GRANT_COLS(X)                                                          \
	AGE_COLS(X)

static const struct db_col row_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_row, field) },
	ROW_COLS(COL)
#undef COL
};
static const struct db_shape row_shape = DB_SHAPE(struct db_job_row, row_cols);

/* What a list shows beside the documents, and what tells their version. */
#define BRIEF_COLS(X)                                                          \
	X(STR, job.job_id, "j.job_id")                                         \
	X(STATE, job.status, "j.status")                                       \
	X(STR, job.tag, "j.tag")                                               \
	X(STR, job.name, "j.name")                                             \
	X(STR, job.description, "j.description")                               \
	X(BOOL, job.is_initiator, "j.is_initiator")                            \
	X(STR, job.initiator_role, "j.initiator_role")                         \
	X(STR, job.initiator_party, "j.initiator_party")                       \
	X(INT, job.progress, "j.progress")                                     \
	X(BOOL, job.cancel_signal, "j.cancel_signal")                          \
	X(INT, job.revision, "j.revision")                                     \
	X(STR, job.reason, "j.reason")                                         \
	X(BOOL, job.settled, "j.settled")                                      \
	X(MS, job.created_ms, "j.created_at")                                  \
	X(MS, job.updated_ms, "j.updated_at")                                  \
	X(MS, job.started_ms, "j.started_at")                                  \
	X(MS, job.ended_ms, "j.ended_at")                                      \
	X(STR, job.wait.code, "j.wait_code")                                   \
	X(STR, party.role, "p.role")                                           \
	X(STR, party.party_id, "p.party_id")                                   \
	X(INT, party.cores, "p.cores")                                         \
	X(INT, party.memory_mb, "p.memory_mb")                                 \
	GRANT_COLS(X)                                                          \
	AGE_COLS(X)

static const struct db_col brief_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_row, field) },
	BRIEF_COLS(COL)
#undef COL
};
static const struct db_shape brief_shape =
    DB_SHAPE(struct db_job_row, brief_cols);

#define GRANT_OF(hint)                                                         \
	" LEFT JOIN resource_grant g" hint " ON g.job_id = p.job_id"           \
	" AND g.role = p.role AND g.party_id = p.party_id"
#define GRANT GRANT_OF("")
#define GRANT_BY_KEY GRANT_OF(" FORCE INDEX (PRIMARY)")
/* Those of a job j, off an index. */
#define LOCAL_MEMBERS                                                          \
	" STRAIGHT_JOIN job_party p FORCE INDEX (job_party_local)"             \
	" ON p.job_id = j.job_id AND p.is_local = 1"
#define OF_MEMBERS " FROM job j FORCE INDEX (job_created)" LOCAL_MEMBERS
#define FROM                                                                   \
	" FROM job j JOIN job_party p"                                         \
	" ON p.job_id = j.job_id AND p.is_local = 1" GRANT
#define FROM_WHERE                                                             \
	FROM " WHERE (? IS NULL OR j.job_id = ?)"                              \
	     " AND (? IS NULL OR FIND_IN_SET(j.job_id, ?) > 0)"                \
	     " AND (? IS NULL OR LOCATE(?, j.job_id) > 0)"                     \
	     " AND (? IS NULL OR LOCATE(?, j.description) > 0)"                \
	     " AND (? IS NULL OR LOCATE(?, p.party_id) > 0)"                   \
	     " AND (? IS NULL OR FIND_IN_SET(p.role, ?) > 0)"                  \
	     " AND (? IS NULL OR FIND_IN_SET(p.party_id, ?) > 0)"              \
	     " AND (? IS NULL OR FIND_IN_SET(j.status, ?) > 0)"                \
	     " AND (? IS NULL OR EXISTS (SELECT 1 FROM job_party o"            \
	     "   WHERE o.job_id = j.job_id AND o.party_id = ?))"               \
	     " AND (? IS NULL OR j.name = ?)"                                  \
	     " AND (? IS NULL OR j.tag = ?)"                                   \
	     " AND (? IS NULL OR j.tag <> ?)"                                  \
	     " AND (? IS NULL OR j.model_id = ?)"                              \
	     " AND (? IS NULL OR j.model_version = ?)"                         \
	     " AND (? IS NULL OR j.initiator_role = ?)"                        \
	     " AND (? IS NULL OR j.initiator_party = ?)"                       \
	     " AND (? IS NULL OR j.is_initiator = ?)"                          \
	     " AND (? IS NULL OR j.created_at >= ?)"                           \
	     " AND (? IS NULL OR j.created_at < ?)"                            \
	     " AND (? IS NULL OR j.started_at >= ?)"                           \
	     " AND (? IS NULL OR j.started_at < ?)"                            \
	     " AND (? IS NULL OR j.ended_at >= ?)"                             \
	     " AND (? IS NULL OR j.ended_at < ?)"
#define PREDICATE_PARAMS "ssssssssssssssssssssssssssssssssIItttttttttttt"

#define ELAPSED                                                                \
	"TIMESTAMPDIFF(MICROSECOND, j.started_at, COALESCE(j.ended_at, "       \
	"NOW(6)))"
#define LIST(order)                                                            \
	{                                                                      \
		"job.list", PREDICATE_PARAMS "ii",                             \
		    "SELECT 1" ROW_COLS(DB_SQL) FROM_WHERE                     \
		    " ORDER BY " order ", p.role, p.position LIMIT ? OFFSET ?" \
	}

static const struct db_stmt lists[DB_JOB_ORDERS][2] = {
	[DB_JOB_BY_CREATED] = { LIST("j.created_at, j.job_id"),
	    LIST("j.created_at DESC, j.job_id DESC") },
	[DB_JOB_BY_JOB_ID] = { LIST("j.job_id"), LIST("j.job_id DESC") },
	[DB_JOB_BY_STARTED] = { LIST("j.started_at, j.job_id"),
	    LIST("j.started_at DESC, j.job_id DESC") },
	[DB_JOB_BY_ENDED] = { LIST("j.ended_at, j.job_id"),
	    LIST("j.ended_at DESC, j.job_id DESC") },
	[DB_JOB_BY_ELAPSED] = { LIST(ELAPSED ", j.job_id"),
	    LIST(ELAPSED " DESC, j.job_id DESC") },
};
static const struct db_stmt count = { "job.count", PREDICATE_PARAMS,
	"SELECT COUNT(*)" FROM_WHERE };

#define TWICE(v) (v), (v)
/* Times are asked for in ms and kept in us: all of the last ms belongs. */
#define BEHIND(ms) ((ms) != 0 ? (ms) + 1 : 0)
#define PREDICATE_ARGS(f)                                                      \
	TWICE((f)->job_id), TWICE((f)->job_ids), TWICE((f)->job_id_part),      \
	    TWICE((f)->description_part), TWICE((f)->party_part),              \
	    TWICE((f)->roles), TWICE((f)->parties), TWICE((f)->statuses),      \
	    TWICE((f)->partner), TWICE((f)->name), TWICE((f)->tag),            \
	    TWICE((f)->without_tag), TWICE((f)->model_id),                     \
	    TWICE((f)->model_version), TWICE((f)->initiator_role),             \
	    TWICE((f)->initiator_party), TWICE((f)->is_initiator),             \
	    TWICE((f)->created_from_ms), TWICE(BEHIND((f)->created_to_ms)),    \
	    TWICE((f)->started_from_ms), TWICE(BEHIND((f)->started_to_ms)),    \
	    TWICE((f)->ended_from_ms), TWICE(BEHIND((f)->ended_to_ms))

/* --- one job --------------------------------------------------------------- */

static const struct db_stmt of_job = { "job.of_job", "s",
	"SELECT 1" ROW_COLS(DB_SQL) FROM
	" WHERE j.job_id = ? ORDER BY p.role, p.party_id" };

/* Is anything asked for that only the statements with all filters know? */
static bool
is_unusual(const struct db_job_filter *f)
{
	return f->job_ids != NULL || f->job_id_part != NULL ||
	       f->description_part != NULL || f->party_part != NULL ||
	       f->partner != NULL || f->name != NULL || f->tag != NULL ||
	       f->model_id != NULL || f->model_version != NULL ||
	       f->initiator_role != NULL || f->initiator_party != NULL ||
	       f->is_initiator != NULL || f->created_from_ms != 0 ||
	       f->created_to_ms != 0 || f->started_from_ms != 0 ||
	       f->started_to_ms != 0 || f->ended_from_ms != 0 ||
	       f->ended_to_ms != 0;
}

static bool
is_wanted(const struct db_job_filter *f, const struct db_job_row *row)
{
	return (f->roles == NULL || str_in_list(f->roles, row->party.role)) &&
	       (f->parties == NULL ||
		   str_in_list(f->parties, row->party.party_id)) &&
	       (f->statuses == NULL ||
		   str_in_list(f->statuses, state_name(row->job.status))) &&
	       (f->without_tag == NULL ||
		   strcmp(f->without_tag, row->job.tag) != 0);
}

/* The members of one job are few: they are chosen here. */
static int
list_of_job(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	size_t all, i, seen = 0;
	int r;

	if ((r = db_select(
		 db, &of_job, &row_shape, a, rows, &all, f->job_id)) != 0)
		return r;
	for (i = 0; i < all; i++) {
		if (!is_wanted(f, &(*rows)[i]))
			continue;
		if ((int64_t)seen++ >= f->offset &&
		    (f->limit <= 0 || (int64_t)*n < f->limit))
			(*rows)[(*n)++] = (*rows)[i];
	}
	if (total != NULL)
		*total = (int64_t)seen;
	return 0;
}

/* --- a page of all jobs ------------------------------------------------------ */

/*
 * Each table's way is named: after many jobs at once the server decides by
 * counts of before, and a page's twenty rows then cost a look at all.
 *
 * The page's keys come off an index, which a sort by columns of both tables
 * would not.  Only then the documents are read, and the rows put in order
 * here: the server would write documents to disk to sort them.
 */
#define KEYS(dir, keys, from)                                                  \
	"(SELECT " keys " FROM job j FORCE INDEX (job_created)" from           \
	" WHERE (? IS NULL OR j.tag <> ?)"                                     \
	" ORDER BY j.created_at" dir ", j.job_id" dir " LIMIT ? OFFSET ?) k"
#define PAGE(cols, keys, member)                                               \
	{                                                                      \
		"job.page", "ssii",                                            \
		    "SELECT 1" cols(                                           \
			DB_SQL) " FROM " keys                                  \
				" STRAIGHT_JOIN job j FORCE INDEX (PRIMARY)"   \
				" ON j.job_id = k.job_id"                      \
				" STRAIGHT_JOIN job_party p" member            \
				    GRANT_BY_KEY                               \
	}
#define MEMBERS(dir) KEYS(dir, "j.job_id, p.role, p.party_id", LOCAL_MEMBERS)
#define BY_MEMBER                                                              \
	" FORCE INDEX (PRIMARY) ON p.job_id = k.job_id"                        \
	" AND p.role = k.role AND p.party_id = k.party_id"

/* Where each job has one member here, the jobs before the page need no look
 * at theirs. */
#define SINGLES(dir) KEYS(dir, "j.job_id", "")
#define ONLY_MEMBER                                                            \
	" FORCE INDEX (job_party_local) ON p.job_id = k.job_id"                \
	" AND p.is_local = 1"
#define PAGES(cols)                                                            \
	{                                                                      \
		{ PAGE(cols, MEMBERS(""), BY_MEMBER),                          \
			PAGE(cols, MEMBERS(" DESC"), BY_MEMBER) },             \
		{                                                              \
			PAGE(cols, SINGLES(""), ONLY_MEMBER),                  \
			    PAGE(cols, SINGLES(" DESC"), ONLY_MEMBER)          \
		}                                                              \
	}

/* [is each job's member the only one?][newest first?] */
static const struct db_stmt pages[2][2] = PAGES(ROW_COLS);
static const struct db_stmt brief_pages[2][2] = PAGES(BRIEF_COLS);
/* A first page of brief rows needs no keys first: they come in order. */
#define FIRST(dir)                                                             \
	{                                                                      \
		"job.first_page", "ssi",                                       \
		    "SELECT 1" BRIEF_COLS(DB_SQL) OF_MEMBERS GRANT_BY_KEY      \
		    " WHERE (? IS NULL OR j.tag <> ?)"                         \
		    " ORDER BY j.created_at" dir ", j.job_id" dir " LIMIT ?"   \
	}
static const struct db_stmt first_pages[2] = { FIRST(""), FIRST(" DESC") };

#define OF_JOBS " FROM job j FORCE INDEX (job_created)"
#define COUNT_OLD(name, of)                                                    \
	{                                                                      \
		name, "t", "SELECT COUNT(*)" of " WHERE j.created_at < ?"      \
	}
/* Those made since, less the few with the tag. */
#define COUNT_NEW(name, of, tagged)                                            \
	{                                                                      \
		name, "ts",                                                    \
		    "SELECT (SELECT COUNT(*)" of " WHERE j.created_at >= ?)"   \
		    " - (SELECT COUNT(*)" tagged " WHERE j.tag = ?)"           \
	}
static const struct db_stmt old_members =
    COUNT_OLD("job.old_members", OF_MEMBERS);
static const struct db_stmt old_jobs = COUNT_OLD("job.old_jobs", OF_JOBS);
static const struct db_stmt new_members = COUNT_NEW("job.new_members",
    OF_MEMBERS, " FROM job j FORCE INDEX (job_tag)" LOCAL_MEMBERS);
static const struct db_stmt new_jobs =
    COUNT_NEW("job.new_jobs", OF_JOBS, " FROM job j FORCE INDEX (job_tag)");
static const struct db_stmt a_while_ago = { "job.a_while_ago", "i",
	"SELECT " DB_SQL_MS("NOW(6) - INTERVAL ? SECOND") };

#define OLD_S 300 /* no transaction is open for so long */

/*
 * Counting all jobs reads them all.  They are never removed, and none is made
 * in the past: those from before some minutes ago are counted once in so many
 * minutes, the newer ones each time.
 */
static int
count_old(struct db *db, const struct db_counted **out)
{
	struct db_counted *c = &db->jobs_counted;
	int64_t now = clock_mono_ms();
	int r;

	*out = c;
	if (c->at_ms != 0 && now - c->at_ms < OLD_S * 1000)
		return 0;
	c->at_ms = 0;
	if ((r = db_query_int(
		 db, &a_while_ago, &c->before_ms, (int64_t)OLD_S)) != 0 ||
	    (r = db_query_int(db, &old_members, &c->rows, c->before_ms)) != 0 ||
	    (r = db_query_int(db, &old_jobs, &c->jobs, c->before_ms)) != 0)
		return r;
	c->at_ms = now;
	return 0;
}

static int
count_members(struct db *db, const char *without_tag, int64_t *out)
{
	const struct db_counted *old;
	int r;

	if ((r = count_old(db, &old)) != 0 ||
	    (r = db_query_int(
		 db, &new_members, out, old->before_ms, without_tag)) != 0)
		return r;
	*out += old->rows;
	return 0;
}

static int
count_jobs(struct db *db, const char *without_tag, int64_t *out)
{
	const struct db_counted *old;
	int r;

	if ((r = count_old(db, &old)) != 0 ||
	    (r = db_query_int(
		 db, &new_jobs, out, old->before_ms, without_tag)) != 0)
		return r;
	*out += old->jobs;
	return 0;
}

/* --- the first page: marks ------------------------------------------------- */

/* The counts of all rows are those of count_members(), in the same statement:
 * when no job has the tag they need no other. */
struct mark {
	struct db_job_row row;
	int64_t recent;
	int64_t tagged;
};
#define MARK_COLS(X)                                                           \
	X(STR, row.job.job_id, "j.job_id")                                     \
	X(MS, row.job.created_ms, "j.created_at")                              \
	X(MS, row.job.updated_ms, "j.updated_at")                              \
	X(STR, row.party.role, "p.role")                                       \
	X(STR, row.party.party_id, "p.party_id")                               \
	X(INT, recent,                                                         \
	    "(SELECT COUNT(*)" OF_MEMBERS " WHERE j.created_at >= ?)")         \
	X(INT, tagged,                                                         \
	    "(SELECT COUNT(*) FROM job FORCE INDEX (job_tag) WHERE tag = ?)")

static const struct db_col mark_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct mark, field) },
	MARK_COLS(COL)
#undef COL
};
static const struct db_shape mark_shape = DB_SHAPE(struct mark, mark_cols);

#define MARKS(dir)                                                             \
	{                                                                      \
		"job.marks", "tsssi",                                          \
		    "SELECT 1" MARK_COLS(DB_SQL) OF_MEMBERS                    \
		    " WHERE (? IS NULL OR j.tag <> ?)"                         \
		    " ORDER BY j.created_at" dir ", j.job_id" dir " LIMIT ?"   \
	}
static const struct db_stmt marks[2] = { MARKS(""), MARKS(" DESC") };

static int
read_marks(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	const struct db_counted *old;
	struct mark *all;
	int r;

	if ((r = count_old(db, &old)) != 0 ||
	    (r = db_select(db, &marks[f->descending], &mark_shape, a, &all, n,
		 old->before_ms, f->without_tag, f->without_tag, f->without_tag,
		 f->limit)) != 0)
		return r;
	*rows = arena_alloc(a, *n * sizeof(**rows));
	for (size_t i = 0; i < *n; i++) {
		(*rows)[i] = all[i].row;
		(*rows)[i].job.status = STATE_NONE;
	}
	if ((int64_t)*n < f->limit)
		*total = (int64_t)*n;
	else if (all[0].tagged > 0)
		return count_members(db, f->without_tag, total);
	else
		*total = old->rows + all[0].recent;
	return 0;
}

/* --- all of it ------------------------------------------------------------- */

static int
by_age(const void *a, const void *b, void *ctx)
{
	const struct db_job_row *x = a, *y = b;
	const bool *descending = ctx;
	int c;

	if (x->job.created_ms != y->job.created_ms)
		c = x->job.created_ms < y->job.created_ms ? -1 : 1;
	else
		c = strcmp(x->job.job_id, y->job.job_id);
	if (c != 0)
		return *descending ? -c : c;
	if ((c = strcmp(x->party.role, y->party.role)) != 0)
		return c;
	return strcmp(x->party.party_id, y->party.party_id);
}

static int
read_first_page(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n)
{
	if (f->detail != DB_JOB_WHOLE)
		return db_select(db, &first_pages[f->descending], &brief_shape,
		    a, rows, n, f->without_tag, f->without_tag, f->limit);
	return db_select(db, &pages[false][f->descending], &row_shape, a, rows,
	    n, f->without_tag, f->without_tag, f->limit, (int64_t)0);
}

static int
read_later_page(struct db *db, struct arena *a, const struct db_job_filter *f,
    int64_t members, struct db_job_row **rows, size_t *n)
{
	bool brief = f->detail != DB_JOB_WHOLE;
	const struct db_stmt(*list)[2] = brief ? brief_pages : pages;
	int64_t jobs;
	int r;

	if ((r = count_jobs(db, f->without_tag, &jobs)) != 0)
		return r;
	return db_select(db, &list[members == jobs][f->descending],
	    brief ? &brief_shape : &row_shape, a, rows, n, f->without_tag,
	    f->without_tag, f->limit, f->offset);
}

static int
read_page(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	bool is_first = f->offset == 0;
	int64_t members = 0;
	int r;

	if (is_first && total != NULL && f->detail == DB_JOB_MARK)
		return read_marks(db, a, f, rows, n, total);
	if ((total != NULL || !is_first) &&
	    (r = count_members(db, f->without_tag, &members)) != 0)
		return r;
	r = is_first ? read_first_page(db, a, f, rows, n)
		     : read_later_page(db, a, f, members, rows, n);
	if (r == 0 && total != NULL)
		*total =
		    is_first && (int64_t)*n < f->limit ? (int64_t)*n : members;
	return r;
}

static int
list_page(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	bool descending = f->descending;
	int r = read_page(db, a, f, rows, n, total);

	if (r == 0 && *n > 1)
		qsort_r(*rows, *n, sizeof(**rows), by_age, &descending);
	return r;
}

/* --- any list ------------------------------------------------------------------ */

static int
list_filtered(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	int64_t limit = f->limit > 0 ? f->limit : INT64_MAX;
	int r;

	if ((r = db_select(db, &lists[f->order][f->descending], &row_shape, a,
		 rows, n, PREDICATE_ARGS(f), limit, f->offset)) != 0)
		return r;
	if (total == NULL)
		return 0;
	/* A list from its start that was not cut is its own count. */
	if (f->offset == 0 && (int64_t)*n < limit) {
		*total = (int64_t)*n;
		return 0;
	}
	return db_query_int(db, &count, total, PREDICATE_ARGS(f));
}

int
db_job_list(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	*rows = NULL;
	*n = 0;
	if (total != NULL)
		*total = 0;
	if (f->order >= DB_JOB_ORDERS || f->offset < 0)
		return err_set(ERR_INVALID, "order or offset of a job list");
	if (is_unusual(f))
		return list_filtered(db, a, f, rows, n, total);
	if (f->job_id != NULL)
		return list_of_job(db, a, f, rows, n, total);
	if (f->roles == NULL && f->parties == NULL && f->statuses == NULL &&
	    f->order == DB_JOB_BY_CREATED && f->limit > 0)
		return list_page(db, a, f, rows, n, total);
	return list_filtered(db, a, f, rows, n, total);
}
