/*
 * The sweep over models.  Called by detectors.c.
 */
#include "supervisor/models.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_model.h"
#include "lib/model/model_object.h"
#include "supervisor/detect.h"
#include "supervisor/finding.h"

int
models_drop_abandoned(struct supervisor *s, int64_t age_ms)
{
	struct arena *arena = arena_new();
	struct db_model *rows;
	size_t n = 0;
	int r;

	r = db_model_abandoned(s->db, arena, age_ms, &rows, &n);
	for (size_t i = 0; i < n; i++) {
		const struct db_model_key key = { rows[i].model_id,
			rows[i].model_version, rows[i].role, rows[i].party_id };
		int dropped = db_model_drop_staged(s->db, &key);

		detect_note(&r, dropped, key.model_version);
		if (dropped == 0)
			(void)finding(s, "models", key.model_version,
			    "its version of %s %s was staged and not sealed: "
			    "dropped",
			    key.role, key.party_id);
	}
	arena_free(arena);
	return r;
}

static int
is_used(void *ctx, const unsigned char sha256[DB_HASH_SIZE], bool *used)
{
	struct supervisor *s = ctx;

	return db_model_object_used(s->db, sha256, used);
}

int
models_sweep_files(struct supervisor *s, int64_t age_s)
{
	size_t removed = 0;
	int r = model_object_sweep(s->conf, age_s, is_used, s, &removed);

	if (removed > 0) {
		log_info("%zu model files without a row removed", removed);
		metrics_add(s->metrics, METRIC_janitor_removed_total,
		    (double)removed, "kind", "model file", NULL);
	}
	return r;
}
