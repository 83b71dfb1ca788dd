/*
 * Two words that processes share.  Called by db.c.
 */
#include "lib/db/db_gate.h"

#include <stddef.h>
#include <sys/mman.h>

#include "lib/base/err.h"

/* Between two questions: a quarter of the silence so far, within these. */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 5000

int
db_gate_new(struct db_gate **out)
{
	void *p = mmap(NULL, sizeof(struct db_gate), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (p == MAP_FAILED)
		return err_set_errno(ERR_NOMEM, "shared memory");
	*out = p; /* zeroed by the kernel */
	return 0;
}

void
db_gate_free(struct db_gate *g)
{
	if (g != NULL)
		(void)munmap(g, sizeof(*g));
}

bool
db_gate_is_silent(const struct db_gate *g)
{
	return atomic_load(&g->silent_ms) != 0;
}

bool
db_gate_enter(struct db_gate *g, int64_t now_ms, int64_t hold_ms)
{
	int64_t due;

	if (!db_gate_is_silent(g))
		return true;
	due = atomic_load(&g->ask_ms);
	/* Of those that come at the same time one gets in. */
	return now_ms >= due && atomic_compare_exchange_strong(
				    &g->ask_ms, &due, now_ms + hold_ms);
}

void
db_gate_silent(struct db_gate *g, int64_t now_ms)
{
	int64_t since = 0, pause;

	(void)atomic_compare_exchange_strong(&g->silent_ms, &since, now_ms);
	pause = since == 0 ? PAUSE_MIN_MS : (now_ms - since) / 4;
	if (pause < PAUSE_MIN_MS)
		pause = PAUSE_MIN_MS;
	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	atomic_store(&g->ask_ms, now_ms + pause);
}

void
db_gate_answers(struct db_gate *g)
{
	if (db_gate_is_silent(g))
		atomic_store(&g->silent_ms, 0);
}
