/*
 * The wait of a task that runs.  Called by lease.c.
 */
#include "supervisor/shepherd/blocked.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_wait.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/shepherd.h"

/* Room comes and goes as a receiver works; that is nothing to tell. */
#define TELL_MS 1000

static int
set(struct shepherd *s, const struct courier_full *full)
{
	struct wait w = wait_of(WAIT_NONE);
	char *text = NULL;
	int r;

	if (full != NULL) {
		w = wait_of(WAIT_PARTNER_FULL);
		w.role = full->role;
		w.party = full->party_id;
		w.on = full->name;
		text = xasprintf("%s %s has no room for %s: %s", full->role,
		    full->party_id, full->name, full->why);
		w.text = text;
	}
	r = db_wait_set_running(s->db, subject_key(s->subject), &w);
	free(text);
	return r;
}

void
blocked_look(struct shepherd *s, bool *told)
{
	struct courier_full full;
	int64_t since;
	bool is_full;

	if (s->courier == NULL || s->phase < PHASE_RUNNING ||
	    s->phase > PHASE_ENDING)
		return; /* at its end the row is another one's to write */
	since = courier_full_since(s->courier, &full);
	is_full = since != 0 && clock_mono_ms() - since >= TELL_MS;
	if (is_full == *told)
		return;
	if (set(s, is_full ? &full : NULL) != 0) {
		log_err("wait not written");
		err_clear();
		return;
	}
	*told = is_full;
}
