/*
 * Pages of jobs: marks first, which say what is at hand; then rows without
 * documents; then with them.
 */
#include "fcgi-app/job_page.h"

#include "fcgi-app/app.h"
#include "fcgi-app/text_cache.h"
#include "fcgi-app/view.h"
#include "fcgi-app/waits.h"
#include "lib/base/mem.h"

/*
 * By then no statement is under way that began, by the database's clock, when
 * the job was last changed (they wait for locks 5 s at most): what it changes
 * from here on gives the job another updated_ms.
 */
#define STILL_MS 60000
/* Where jobs run the page is of rows that change: marks would be for nothing
 * and are not asked for at each. */
#define PAGES_WITHOUT_MARKS 15

/*
 * A job's documents change with its revision alone, and most of the work of
 * a page is to read and send them.
 */
static const char *
documents_key(struct request *req, const struct db_job_row *row)
{
	return arena_printf(req->arena, "job/%s/%s/%s/%lld/%lld",
	    row->job.job_id, row->party.role, row->party.party_id,
	    (long long)row->job.created_ms, (long long)row->job.revision);
}

/*
 * Whatever happens to a job that has ended and gave back what it had (a rerun,
 * other notes) is written in its row, too.
 */
static bool
is_still(const struct db_job_row *row)
{
	return state_is_end(row->job.status) && row->job.ended_ms != 0 &&
	       !row->resource_in_use && row->unchanged_ms > STILL_MS;
}

static const char *
still_key(struct request *req, const struct db_job_row *row)
{
	return arena_printf(req->arena, "still/%s/%s/%s/%lld/%lld",
	    row->job.job_id, row->party.role, row->party.party_id,
	    (long long)row->job.created_ms, (long long)row->job.updated_ms);
}

static void
put(struct request *req, const struct db_job_row *row, const char *documents,
    struct buf *out)
{
	size_t start = out->len;

	view_job_beside(row, VIEW_LIST, documents, out);
	if (is_still(row))
		text_cache_put(
		    req->app->texts, still_key(req, row), buf_str(out) + start);
}

/* A row with its documents: shown whole, and they are kept. */
static void
put_whole(struct request *req, const struct db_job_row *row, struct buf *out)
{
	struct buf documents = BUF_INIT;

	view_job_documents(row, VIEW_LIST, &documents);
	/* What a member has of its own may come later than the job. */
	if (row->party.party_conf != NULL) {
		text_cache_put(req->app->texts, documents_key(req, row),
		    buf_str(&documents));
		put(req, row, buf_str(&documents), out);
	} else {
		view_job_beside(row, VIEW_LIST, buf_str(&documents), out);
	}
	buf_fini(&documents);
}

static bool
put_kept(struct request *req, const struct db_job_row *row, struct buf *out)
{
	const char *kept = text_cache_get(req->app->texts, still_key(req, row));

	if (kept != NULL)
		buf_puts(out, kept);
	return kept != NULL;
}

/* False when what the row leaves out is not at hand. */
static bool
put_row(struct request *req, const struct db_job_row *row, struct buf *out)
{
	const char *documents;

	if (row->job.status == STATE_NONE)
		return put_kept(req, row, out);
	if (row->job.dsl != NULL) {
		put_whole(req, row, out);
		return true;
	}
	if (is_still(row) && put_kept(req, row, out))
		return true;
	documents = text_cache_get(req->app->texts, documents_key(req, row));
	if (documents != NULL)
		put(req, row, documents, out);
	return documents != NULL;
}

static bool
put_rows(struct request *req, const struct db_job_row *rows, size_t n,
    int64_t total, struct buf *text)
{
	text->len = 0;
	buf_puts(text, "{\"jobs\":[");
	for (size_t i = 0; i < n; i++) {
		buf_puts(text, i > 0 ? "," : "");
		if (!put_row(req, &rows[i], text))
			return false;
	}
	buf_printf(text, "],\"count\":%lld}", (long long)total);
	return true;
}

/* *shown: was all at hand that the rows leave out? */
static int
put_page(struct request *req, struct db_job_filter *f,
    enum db_job_detail detail, struct buf *text, bool *shown)
{
	struct db_job_row *rows;
	int64_t total;
	size_t n;
	int r;

	f->detail = detail;
	if ((r = db_job_list(req->app->db, req->arena, f, &rows, &n, &total)) ==
		0 &&
	    (r = waits_of_jobs(req, rows, n)) == 0)
		*shown = put_rows(req, rows, n, total, text);
	return r;
}

int
job_page(struct request *req, struct db_job_filter *f, struct buf *text)
{
	unsigned *rest = &req->app->pages_without_marks;
	bool shown = false;
	int r = 0;

	if (f->offset == 0 && *rest > 0) {
		--*rest;
	} else if (f->offset == 0) {
		r = put_page(req, f, DB_JOB_MARK, text, &shown);
		*rest = shown ? 0 : PAGES_WITHOUT_MARKS;
	}
	if (r == 0 && !shown)
		r = put_page(req, f, DB_JOB_BRIEF, text, &shown);
	if (r == 0 && !shown)
		r = put_page(req, f, DB_JOB_WHOLE, text, &shown);
	return r;
}
