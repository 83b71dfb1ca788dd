/*
 * Progress of an executor; looked at by lease.c, marked by session.c.
 */
#include "supervisor/shepherd/pulse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/inbox.h"
#include "supervisor/shepherd/relay.h"
#include "supervisor/shepherd/shepherd.h"

/* Threads that only wake up now and then use less in any silence. */
#define CPU_STEP_MS 200
#define MAX_FILE 4096
/* Fields of /proc/PID/stat behind the name, counted from the state. */
#define STAT_UTIME 11
#define STAT_FIELDS 15 /* utime, stime, and those of waited-for children */

struct pulse {
	struct shepherd *shepherd;
	int64_t count;
	int64_t seen;	  /* the count at the last look */
	int64_t moved_ms; /* monotonic, when it last grew */
	int64_t began_ms;
	int64_t cpu_ms; /* when CPU time last counted */
};

struct pulse *
pulse_new(struct shepherd *s)
{
	struct pulse *p = xcalloc(1, sizeof(*p));

	p->shepherd = s;
	p->began_ms = p->moved_ms = clock_mono_ms();
	return p;
}

void
pulse_free(struct pulse *p)
{
	free(p);
}

void
pulse_mark(struct pulse *p)
{
	if (p != NULL)
		p->count++;
}

/* --- CPU time --------------------------------------------------------------- */

static int64_t
process_ticks(pid_t pid)
{
	struct buf b = BUF_INIT;
	char path[64], *s, *save;
	int64_t ticks = 0;
	int i;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (buf_read_file(&b, path, MAX_FILE) != 0)
		buf_clear(&b);
	/* The name may hold blanks and parentheses. */
	s = b.len > 0 ? strrchr(buf_str(&b), ')') : NULL;
	s = s != NULL ? strtok_r(s + 1, " ", &save) : NULL;
	for (i = 0; s != NULL && i < STAT_FIELDS; i++) {
		if (i >= STAT_UTIME)
			ticks += strtoll(s, NULL, 10);
		s = strtok_r(NULL, " ", &save);
	}
	buf_fini(&b);
	return ticks;
}

int64_t
pulse_cpu_ms(pid_t pid)
{
	struct buf b = BUF_INIT;
	int64_t ticks = process_ticks(pid);
	char path[64], *s, *end;
	long child;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)pid, (int)pid);
	if (buf_read_file(&b, path, MAX_FILE) != 0)
		buf_clear(&b);
	for (s = b.data; s != NULL && *s != '\0'; s = end) {
		child = strtol(s, &end, 10);
		if (end == s)
			break;
		ticks += process_ticks((pid_t)child);
	}
	buf_fini(&b);
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static void
look_at_cpu(struct pulse *p)
{
	struct shepherd *s = p->shepherd;
	pid_t pid = s->child.inner > 0 ? s->child.inner : s->child.pid;
	int64_t cpu = pulse_cpu_ms(pid);

	if (cpu < p->cpu_ms) /* a child has ended */
		p->cpu_ms = cpu;
	if (cpu - p->cpu_ms < CPU_STEP_MS)
		return;
	p->cpu_ms = cpu;
	p->count++;
}

/* --- judgement ---------------------------------------------------------------- */

static void
end(struct shepherd *s, enum state to, enum fault_kind fault, char *why)
{
	log_warn("detector=progress %s", why);
	control_end(s, to, fault, why);
	free(why);
}

static void
judge_silence(struct pulse *p, int64_t now)
{
	struct shepherd *s = p->shepherd;
	int64_t limit_s = s->conf->no_progress_s;

	if (limit_s == 0 || now - p->moved_ms < limit_s * 1000)
		return;
	end(s, STATE_FAILED, FAULT_HOST,
	    xasprintf("the executor hangs: it neither said nor computed "
		      "anything for %lld s ([executor] no_progress_s)",
		(long long)((now - p->moved_ms) / 1000)));
}

static void
judge_waiting(struct pulse *p, int64_t waited_ms, const char *what)
{
	struct shepherd *s = p->shepherd;
	int64_t limit_s = s->conf->partner_wait_s;

	if (limit_s == 0 || waited_ms < limit_s * 1000)
		return;
	end(s, STATE_FAILED, FAULT_PARTNER,
	    xasprintf("waited %lld s for %s, which did not come "
		      "([executor] partner_wait_s)",
		(long long)(waited_ms / 1000), what));
}

static void
judge_time(struct pulse *p, int64_t now)
{
	struct shepherd *s = p->shepherd;
	int64_t limit_s = s->subject->task_timeout_s;

	if (limit_s == 0 || now - p->began_ms < limit_s * 1000)
		return;
	end(s, STATE_TIMEOUT, FAULT_TIMEOUT,
	    xasprintf("the task ran longer than the %lld s that its job "
		      "allows (job parameter task_timeout)",
		(long long)limit_s));
}

int64_t
pulse_look(struct pulse *p)
{
	struct shepherd *s = p->shepherd;
	int64_t now = clock_mono_ms(), waited_ms = 0;
	const char *what = NULL;
	char text[INBOX_TEXT_SIZE];

	if (s->phase != PHASE_RUNNING || !s->has_child)
		return p->count;
	look_at_cpu(p);
	if (s->inbox != NULL)
		waited_ms = inbox_waits(s->inbox, text, &what);
	/* What waits for us or for others is no silence of the executor. */
	if (p->count != p->seen || what != NULL ||
	    !courier_is_idle(s->courier) || !relay_is_idle(s->relay))
		p->moved_ms = now;
	p->seen = p->count;
	judge_time(p, now);
	if (what != NULL)
		judge_waiting(p, waited_ms, what);
	else
		judge_silence(p, now);
	return p->count;
}
