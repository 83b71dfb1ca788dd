/*
 * A circuit breaker in memory that processes share.  Called by hook.c.
 * Each word is atomic, so that no process that dies leaves it half written;
 * one that dies while it tries only makes the others wait for another pause.
 */
#include "lib/hook/gate.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

struct hook_gate {
	_Atomic int failures[HOOK_KINDS];    /* in a row */
	_Atomic int64_t next_ms[HOOK_KINDS]; /* not asked before, when shut */
};

int
hook_gate_new(struct hook_gate **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (p == MAP_FAILED)
		return err_set_errno(ERR_NOMEM, "shared memory");
	*out = p; /* zeroed by the kernel */
	return 0;
}

void
hook_gate_free(struct hook_gate *g)
{
	if (g != NULL)
		(void)munmap(g, sizeof(*g));
}

int
hook_gate_enter(struct hook_gate *g, enum hook_kind kind)
{
	int64_t now = clock_mono_ms(), next;

	if (atomic_load(&g->failures[kind]) < HOOK_TRIES)
		return 0;
	next = atomic_load(&g->next_ms[kind]);
	/* Whoever moves the time on is the one that tries. */
	if (now >= next && atomic_compare_exchange_strong(
			       &g->next_ms[kind], &next, now + HOOK_PAUSE_MS))
		return 0;
	return err_set(ERR_BUSY,
	    "the service for %s did not answer lately and is not asked for %d "
	    "s",
	    hook_name(kind), HOOK_PAUSE_MS / 1000);
}

void
hook_gate_leave(struct hook_gate *g, enum hook_kind kind, bool answered)
{
	int failures;

	if (answered) {
		if (atomic_exchange(&g->failures[kind], 0) >= HOOK_TRIES)
			log_info("the service for %s answers again",
			    hook_name(kind));
		return;
	}
	failures = atomic_fetch_add(&g->failures[kind], 1) + 1;
	atomic_store(&g->next_ms[kind], clock_mono_ms() + HOOK_PAUSE_MS);
	if (failures == HOOK_TRIES)
		log_warn("the service for %s does not answer: what needs it is "
			 "refused",
		    hook_name(kind));
}
