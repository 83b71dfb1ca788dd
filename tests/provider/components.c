/*
 * Components that tests and benchmarks run: one that does nothing, one that
 * fails in a chosen way, one that sends objects to and fro and measures.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/component.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define LONG_TAG 90
#define TAG_SIZE 120

static int
empty_run(struct task *t)
{
	(void)t;
	return 0;
}

const struct component component_test_empty = {
	.module = "TestEmpty",
	.roles = "guest host arbiter",
	.run = empty_run,
};

/* So much time of the CPU, and not a word meanwhile. */
static void
compute(int64_t seconds)
{
	volatile uint64_t sum = 0;
	int64_t until = clock_mono_ms() + seconds * 1000;

	while (clock_mono_ms() < until)
		for (uint64_t i = 0; i < 1000000; i++)
			sum += i * i;
}

static int
fail_run(struct task *t)
{
	struct object o = { 0 };
	const char *what = task_param_string(t, "what", "error");

	if (!task_is(t, task_param_string(t, "who", "host")))
		return 0;
	if (strcmp(what, "crash") == 0)
		abort();
	if (strcmp(what, "exit") == 0)
		_exit(3);
	if (strcmp(what, "hang") == 0)
		for (;;)
			(void)poll(NULL, 0, -1);
	if (strcmp(what, "compute") == 0) {
		compute(task_param_int(t, "seconds", 1));
		return 0;
	}
	if (strcmp(what, "wait") == 0)
		return task_get(t, "word", "never",
		    task_is(t, "host") ? "guest" : "host", 0, &o);
	return err_set(ERR_INVALID, "row 17, column x3: this test fails");
}

const struct component component_test_fail = {
	.module = "TestFail",
	.roles = "guest host arbiter",
	.run = fail_run,
};

/* Word i of every object: both ends can check what arrived, fast. */
static uint64_t
pattern(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void
fill(void *data, size_t bytes)
{
	size_t i, n = bytes / sizeof(uint64_t);
	uint64_t last = pattern(n);

	for (i = 0; i < n; i++)
		((uint64_t *)data)[i] = pattern(i);
	memcpy((char *)data + n * sizeof(last), &last, bytes % sizeof(last));
}

static bool
is_filled(const void *data, size_t bytes)
{
	size_t i, n = bytes / sizeof(uint64_t);
	uint64_t last = pattern(n), wrong = 0;

	for (i = 0; i < n; i++)
		wrong |= ((const uint64_t *)data)[i] ^ pattern(i);
	return wrong == 0 && memcmp((const char *)data + n * sizeof(last),
				 &last, bytes % sizeof(last)) == 0;
}

/* An object ready to leave: made before the clock starts. */
struct letter {
	void *small; /* or */
	int fd;
	size_t bytes;
};

static int
letter_make(struct letter *l, size_t bytes)
{
	void *map;
	int r;

	*l = (struct letter){ .fd = -1, .bytes = bytes };
	if (bytes <= 64 * 1024) {
		l->small = xmalloc(bytes);
		fill(l->small, bytes);
		return 0;
	}
	if ((r = task_memfd(bytes, &l->fd, &map)) != 0)
		return r;
	fill(map, bytes);
	(void)munmap(map, bytes);
	return 0;
}

static int
letter_send(struct task *t, struct letter *l, const char *name, const char *tag,
    const char *role)
{
	int r;

	if (l->small == NULL)
		return task_remote_memfd(
		    t, name, tag, task_member(t, role, 0), 1, l->fd, l->bytes);
	r = task_remote_role(t, name, tag, role, l->small, l->bytes);
	free(l->small);
	return r;
}

static int
check(const struct object *o, size_t bytes)
{
	if (o->size != bytes)
		return err_set(
		    ERR_FORMAT, "%zu bytes arrived, %zu sent", o->size, bytes);
	if (!is_filled(o->data, bytes))
		return err_set(
		    ERR_FORMAT, "other bytes arrived than were sent");
	return 0;
}

/* The guest sends and waits for a byte of answer. */
static int
mail_guest(struct task *t, int64_t round, const char *tag, size_t bytes)
{
	struct letter l;
	struct object o = { 0 };
	int64_t start;
	int r;

	if ((r = letter_make(&l, bytes)) != 0)
		return r;
	start = clock_mono_us();
	if ((r = letter_send(t, &l, "ping", tag, "host")) != 0 ||
	    (r = task_get(t, "pong", tag, "host", 0, &o)) != 0)
		return r;
	r = task_metric_number(t, "test", "round_trip_us", (double)round,
	    (double)(clock_mono_us() - start));
	object_free(&o);
	return r;
}

static int
mail_host(struct task *t, const char *tag, size_t bytes)
{
	struct letter l;
	struct object o = { 0 };
	int r;

	if ((r = letter_make(&l, 1)) != 0 ||
	    (r = task_get(t, "ping", tag, "guest", 0, &o)) != 0 ||
	    (r = letter_send(t, &l, "pong", tag, "guest")) != 0)
		return r;
	r = check(&o, bytes);
	object_free(&o);
	return r;
}

static int
mail_run(struct task *t)
{
	size_t bytes = (size_t)task_param_int(t, "bytes", 1024);
	int64_t rounds = task_param_int(t, "rounds", 1), i;
	int r = 0;

	for (i = 0; i < rounds && r == 0; i++) {
		char tag[24];

		(void)snprintf(tag, sizeof(tag), "%" PRId64, i);
		r = task_is(t, "guest") ? mail_guest(t, i, tag, bytes)
					: mail_host(t, tag, bytes);
	}
	return r;
}

const struct component component_test_mail = {
	.module = "TestMail",
	.roles = "guest host",
	.run = mail_run,
};

/* Numbers; with as much before them as the manifest's pattern has. */
static void
make_tag(char tag[TAG_SIZE], int64_t i, bool is_long)
{
	size_t n = is_long ? LONG_TAG : 0;

	memset(tag, 'x', n);
	(void)snprintf(tag + n, TAG_SIZE - n, "%" PRId64, i);
}

/*
 * Sends what it can as fast as it can, like a component that gives data away:
 * as content, or in tags of objects without content.
 */
static int
leak(struct task *t, const char *to, size_t bytes, int64_t rounds, bool in_tags)
{
	char *data = xmalloc(bytes + 1);
	int r = 0;

	for (int64_t i = 0; i < rounds && r == 0; i++) {
		char tag[TAG_SIZE];

		fill(data, bytes);
		make_tag(tag, i, in_tags);
		r = task_remote_role(
		    t, "leak", tag, to, data, in_tags ? 0 : bytes);
	}
	free(data);
	return r;
}

/* Three objects whose tags the manifest foresees, and one as asked for. */
static int
leak_by_tag(struct task *t, const char *who, const char *odd)
{
	const char *const tags[] = { "0", "4711", "f3.last", odd };
	const char *to = strcmp(who, "host") == 0 ? "guest" : "host";
	struct object o = { 0 };
	int r = 0;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]) && r == 0; i++) {
		if (task_is(t, who))
			r = task_remote_role(
			    t, "numbered", tags[i], to, "x", 1);
		else
			r = task_get(t, "numbered", tags[i], who, 0, &o);
		object_free(&o);
	}
	return r;
}

static int
leak_run(struct task *t)
{
	const char *who = task_param_string(t, "who", "host");
	const char *odd = task_param_string(t, "odd_tag", "");
	bool in_tags = task_param_bool(t, "in_tags", false);
	size_t bytes = (size_t)task_param_int(t, "bytes", 1024);
	int64_t rounds = task_param_int(t, "rounds", 1), i;
	struct object o = { 0 };
	char tag[TAG_SIZE];
	int r = 0;

	if (*odd != '\0')
		return leak_by_tag(t, who, odd);
	if (task_is(t, who))
		return leak(t, task_is(t, "host") ? "guest" : "host", bytes,
		    rounds, in_tags);
	for (i = 0; i < rounds && r == 0; i++) {
		make_tag(tag, i, in_tags);
		r = task_get(t, "leak", tag, who, 0, &o);
		object_free(&o);
	}
	return r;
}

const struct component component_test_leak = {
	.module = "TestLeak",
	.roles = "guest host",
	.run = leak_run,
};
