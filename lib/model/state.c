/*
 * The state tables and verdicts.  Pure; used by lib/db, lib/party and the
 * scheduler.
 */
#include "lib/model/state.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/err.h"

#define FROM_SIZE 80 /* all names with commas fit */

struct state_def {
	const char *name;
	unsigned kinds;
	unsigned job_to;
	unsigned task_to;
};

static const struct state_def defs[STATE_COUNT] = {
#define X(name, text, kinds, job_to, task_to)                                  \
	[STATE_##name] = { (text), (kinds), (job_to), (task_to) },
	STATE_LIST(X)
#undef X
};

static char task_from[STATE_COUNT][FROM_SIZE];
static pthread_once_t from_once = PTHREAD_ONCE_INIT;

static bool
is_valid(enum state s)
{
	return s >= 0 && s < STATE_COUNT;
}

const char *
state_name(enum state s)
{
	return is_valid(s) ? defs[s].name : "";
}

int
state_parse(const char *name, enum state *out)
{
	*out = STATE_NONE;
	if (name[0] == '\0')
		return 0;
	for (int s = 0; s < STATE_COUNT; s++) {
		if (strcmp(defs[s].name, name) == 0) {
			*out = (enum state)s;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "unknown state \"%.20s\"", name);
}

unsigned
state_kinds(enum state s)
{
	return is_valid(s) ? defs[s].kinds : 0;
}

bool
state_is_end(enum state s)
{
	return (state_kinds(s) & STATE_END) != 0;
}

bool
state_is_interrupt(enum state s)
{
	return (state_kinds(s) & STATE_INTERRUPT) != 0;
}

bool
state_is_success(enum state s)
{
	return (state_kinds(s) & STATE_SUCCESSFUL) != 0;
}

bool
state_job_may(enum state from, enum state to)
{
	return is_valid(from) && is_valid(to) &&
	       (defs[from].job_to & 1u << to) != 0;
}

bool
state_task_may(enum state from, enum state to)
{
	return is_valid(from) && is_valid(to) &&
	       (defs[from].task_to & 1u << to) != 0;
}

static void
add_name(char list[FROM_SIZE], const char *name)
{
	if (list[0] != '\0')
		strncat(list, ",", FROM_SIZE - strlen(list) - 1);
	strncat(list, name, FROM_SIZE - strlen(list) - 1);
}

static void
make_from(void)
{
	for (int from = 0; from < STATE_COUNT; from++) {
		for (int to = 0; to < STATE_COUNT; to++) {
			if (state_task_may((enum state)from, (enum state)to))
				add_name(task_from[to], defs[from].name);
		}
	}
}

const char *
state_task_from(enum state to)
{
	(void)pthread_once(&from_once, make_from);
	return is_valid(to) ? task_from[to] : "";
}

/* pass counts as success where verdicts are found. */
static enum state
plain(enum state s)
{
	return s == STATE_PASS ? STATE_SUCCESS : s;
}

static unsigned
bit(enum state s)
{
	return is_valid(s) ? 1u << plain(s) : 0;
}

/* The only state of a set, or STATE_NONE. */
static enum state
single(unsigned set)
{
	for (int s = 0; s < STATE_COUNT; s++) {
		if (set == 1u << s)
			return (enum state)s;
	}
	return STATE_NONE;
}

/* The interrupt with the highest level in a set, or STATE_NONE. */
static enum state
worst(unsigned set)
{
	for (int s = STATE_COUNT - 1; s >= 0; s--) {
		if ((set & 1u << s) != 0 && state_is_interrupt((enum state)s))
			return (enum state)s;
	}
	return STATE_NONE;
}

enum state
state_task_verdict(const struct state_member *m, size_t n)
{
	unsigned all = 0, workers = 0;
	enum state s;

	for (size_t i = 0; i < n; i++) {
		all |= bit(m[i].state);
		if (!m[i].is_id_mapping)
			workers |= bit(m[i].state);
	}
	if (workers == STATE_TO(SUCCESS))
		return STATE_SUCCESS;
	if (all == 0)
		return STATE_WAITING;
	if ((s = single(all)) != STATE_NONE)
		return s;
	if ((s = worst(all)) != STATE_NONE)
		return s;
	/* Somebody runs, or some are through and others have not begun. */
	return STATE_RUNNING;
}

enum state
state_job_verdict(
    const enum state *tasks, size_t n, enum state_next next, bool cancel_signal)
{
	unsigned set = 0;
	enum state s;

	for (size_t i = 0; i < n; i++)
		set |= bit(tasks[i]);
	if (set == 0)
		return STATE_SUCCESS;
	if ((s = single(set)) != STATE_NONE) {
		if (s == STATE_WAITING && cancel_signal)
			return STATE_CANCELED;
		return s;
	}
	if ((set & STATE_TO(RUNNING)) != 0)
		return STATE_RUNNING;
	if ((set & STATE_TO(WAITING)) != 0 && next == STATE_HAVE_NEXT)
		return STATE_RUNNING;
	if ((s = worst(set)) != STATE_NONE)
		return s;
	return next == STATE_START_FAILED ? STATE_FAILED : STATE_CANCELED;
}

int
state_progress(const enum state *tasks, size_t n)
{
	size_t ended = 0;

	if (n == 0)
		return 100;
	for (size_t i = 0; i < n; i++)
		ended += state_is_end(tasks[i]);
	return (int)(100 * ended / n);
}
