/*
 * Detectors about the site: its ledger, disks and partners, and what was left
 * over.  Called by detectors.c.
 */
#include <sodium.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/conf/site_disk.h"
#include "lib/db/db_admission.h"
#include "lib/db/db_client_nonce.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_errand.h"
#include "lib/db/db_exchange.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_resource.h"
#include "lib/sign/client_sign.h"
#include "supervisor/detect.h"
#include "supervisor/finding.h"
#include "supervisor/freed.h"
#include "supervisor/leftovers.h"
#include "supervisor/models.h"
#include "supervisor/queue.h"
#include "supervisor/partners.h"
#include "supervisor/sealer.h"

/* A deployment or an import that was staged so long ago was given up. */
#define MODEL_ABANDONED_MS (15 * 60 * INT64_C(1000))
/* Rows of a file that was written lately may be on their way. */
#define MODEL_FILE_AGE_S 3600
/* Ended errands are kept for so long, for people to look at. */
#define ERRAND_KEPT_MS (3600 * INT64_C(1000))
/* A task of a day may read its cache until its end. */
#define CACHE_GRACE_S (24 * 3600)
/* A shepherd makes its folder before and removes it after its attempt. */
#define FOLDER_GRACE_S 600
/* A shepherd that moved its tables waits for a database that is away. */
#define TABLE_GRACE_S (24 * 3600)
/* Who answered so lately need not be asked whether it answers. */
#define QUIET_MS 60000
/* The same of partners in jobs that run. */
#define NEEDED_QUIET_MS 2000
#define NONCE_BATCH 10000
#define NONCE_BITES 10

/* --- resources ------------------------------------------------------------------ */

/* Reserved and never started, or held by jobs that ended. */
int
detect_reservations(struct supervisor *s)
{
	int64_t expired = 0, leftover = 0;
	int r;

	r = db_resource_expire(s->db, &expired);
	detect_note(&r, db_resource_return_ended(s->db, &leftover), "");
	if (expired > 0) {
		log_info("%lld reservations ran out", (long long)expired);
		finding_count(s, "reservations", expired);
	}
	if (leftover > 0)
		(void)finding(s, "reservations", "",
		    "%lld grants of ended jobs were open", (long long)leftover);
	detect_note(&r, freed_look(s), "");
	return r;
}

static int
odd_grant(struct supervisor *s, const struct db_odd_grant *g)
{
	(void)finding(
	    s, "ledger", g->job_id, "%s %s %s", g->role, g->party_id, g->text);
	if (!g->give_back)
		return 0;
	return db_resource_return(
	    s->db, g->job_id, g->role, g->party_id, g->text, NULL);
}

/* Granted plus free is the total, and every grant is somebody's. */
int
detect_ledger(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct db_odd_grant *odd;
	const char **texts;
	size_t n = 0, n_odd = 0;
	int r;

	r = db_detect_ledger(s->db, arena, &texts, &n);
	for (size_t i = 0; i < n; i++)
		(void)finding(s, "ledger", "", "%s", texts[i]);
	detect_note(&r, db_detect_grants(s->db, arena, &odd, &n_odd), "");
	for (size_t i = 0; i < n_odd; i++)
		detect_note(&r, odd_grant(s, &odd[i]), odd[i].job_id);
	if (r == 0)
		metrics_set(s->metrics, METRIC_ledger_broken,
		    (double)(n + n_odd), NULL);
	arena_free(arena);
	return r;
}

/* --- disks -------------------------------------------------------------------- */

int
detect_disks(struct supervisor *s)
{
	struct site_disk disks[SITE_DISKS];
	size_t i;

	site_disks(s->conf, disks);
	for (i = 0; i < SITE_DISKS; i++) {
		metrics_set(s->metrics, METRIC_disk_free_bytes,
		    (double)disks[i].free_bytes, "disk", disks[i].name, NULL);
		if (disks[i].is_full)
			(void)finding(s, "disks", "", "%s is nearly full: %s",
			    disks[i].path, disks[i].need);
	}
	return 0;
}

/* --- partners ------------------------------------------------------------------- */

/* Those that nobody spoke to lately are asked; what all said is kept. */
int
detect_partners(struct supervisor *s)
{
	struct arena *arena = arena_new();
	struct db_partner *rows;
	size_t n = 0;
	int r;

	r = db_partner_list(s->db, arena, &rows, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (rows[i].enabled &&
		    strcmp(rows[i].party_id, s->conf->party_id) != 0)
			partners_probe(s->partners, rows[i].party_id, QUIET_MS);
	arena_free(arena);
	return r;
}

/*
 * Nothing need be said to the partners of a job whose tasks run; that one is
 * gone would be seen when it is needed next.
 */
int
detect_needed_partners(struct supervisor *s)
{
	struct arena *arena = arena_new();
	const char **parties;
	size_t n = 0;
	int r;

	r = db_detect_needed_partners(s->db, arena, &parties, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		partners_probe(s->partners, parties[i], NEEDED_QUIET_MS);
	arena_free(arena);
	return r;
}

/* --- what is left over ------------------------------------------------------------ */

int
detect_nonces(struct supervisor *s)
{
	int64_t n;
	int r, i = 0;

	if ((r = db_client_nonce_purge(s->db, CLIENT_WINDOW_MS, NULL)) == 0)
		r = db_admission_purge(s->db, NULL);
	/* As many as came, whatever their rate; in bites, for others wait. */
	do {
		if (r == 0)
			r = db_nonce_purge(s->db, NONCE_BATCH, &n);
		if (r == 0 && n > 0)
			metrics_add(s->metrics, METRIC_janitor_removed_total,
			    (double)n, "kind", "nonce", NULL);
	} while (r == 0 && n == NONCE_BATCH && ++i < NONCE_BITES);
	return r;
}

/* Uploaded files that outlived their jobs. */
int
detect_uploads(struct supervisor *s)
{
	return leftovers_sweep_uploads(s);
}

/* Versions staged and never sealed. */
int
detect_models(struct supervisor *s)
{
	return models_drop_abandoned(s, MODEL_ABANDONED_MS);
}

/* Files that no version has. */
int
detect_model_files(struct supervisor *s)
{
	return models_sweep_files(s, MODEL_FILE_AGE_S);
}

/* Errands that nobody began in time, and those that are over. */
int
detect_errands(struct supervisor *s)
{
	int64_t expired = 0;
	int r = db_errand_collect(s->db, ERRAND_KEPT_MS, &expired, NULL);

	if (r == 0 && expired > 0)
		(void)finding(s, "errands", "",
		    "%lld errands were not done in time", (long long)expired);
	return r;
}

/* Caches over their time; a task may have begun with one just before. */
int
detect_caches(struct supervisor *s)
{
	return leftovers_sweep_caches(s, CACHE_GRACE_S);
}

/*
 * Work folders and mailboxes of attempts that ended without tidying up.  Of
 * folders of tables one in 256 is looked at, for there may be many.
 */
int
detect_work_folders(struct supervisor *s)
{
	unsigned char prefix;
	int r;

	randombytes_buf(&prefix, sizeof(prefix));
	r = leftovers_sweep_attempts(s, FOLDER_GRACE_S);
	detect_note(&r, leftovers_sweep_tables(s, prefix, TABLE_GRACE_S), "");
	return r;
}

/* Sites that never said what they had to say about a head. */
int
detect_heads(struct supervisor *s)
{
	int64_t n;
	int r = db_exchange_expire(s->db, &n);

	if (r == 0 && n > 0)
		(void)finding(s, "heads", "",
		    "%lld exchanges of heads were given up after a week",
		    (long long)n);
	return r;
}

/* Audit rows that nobody linked. */
int
detect_audit(struct supervisor *s)
{
	return sealer_check(s->sealer);
}

/* Where jobs wait for resources; another supervisor may have had them. */
int
detect_queue(struct supervisor *s)
{
	return queue_refresh(s->queue, false);
}
