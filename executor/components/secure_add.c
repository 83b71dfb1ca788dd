/*
 * The component SecureAddExample: two parties add their numbers without
 * showing them, which tells whether a federation works from end to end.
 *
 * Each side has data_num ones and splits them into two shares, uniform
 * modulo 2^64, that add up to them.  It keeps one and gives the other away;
 * each side sums what it then holds, and only the two sums meet:
 *
 *   guest -> host   guest_share   the guest's second shares
 *   host -> guest   host_share    the host's second shares
 *   host -> guest   host_sum      sum of the host's first and guest_share
 *
 * The guest's log lines begin with secure_add_guest: clients look for that
 * word in INFO.log.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor/component.h"
#include "executor/components/ring_wire.h"
#include "executor/math/ring.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define FRAC 32 /* fraction bits; 2 * DATA_MAX needs 25 more */
#define DATA_MAX 10000000
#define TOLERANCE 1e-6
#define TAG "0"

struct adder {
	struct task *task;
	const char *name; /* of this half, in the log */
	const char *peer; /* role */
	size_t n;
	uint64_t *kept;
	uint64_t *given; /* then what the peer gave */
};

static int
split_ones(struct adder *a)
{
	uint64_t one;
	size_t i;
	int r;

	a->kept = mem_array(a->n, sizeof(*a->kept));
	a->given = mem_array(a->n, sizeof(*a->given));
	if (a->kept == NULL || a->given == NULL)
		return err_code();
	if ((r = ring_encode(1, FRAC, FRAC + 1, &one)) != 0)
		return r;
	ring_random(a->given, a->n);
	for (i = 0; i < a->n; i++)
		a->kept[i] = one - a->given[i];
	task_log(a->task, TASK_INFO,
	    "%s: split %zu numbers into two random "
	    "shares",
	    a->name, a->n);
	return 0;
}

static int
send(struct adder *a, const char *name, const uint64_t *v, size_t n)
{
	struct buf b = BUF_INIT;
	int r;

	ring_put(&b, v, n, FRAC);
	r = task_remote(a->task, name, TAG, task_member(a->task, a->peer, 0), 1,
	    b.data, b.len);
	buf_fini(&b);
	return r;
}

/* Whichever side looks first tells its user what to compare. */
static int
other_length(struct adder *a, const char *name, int r)
{
	if (r != ERR_LIMIT && r != ERR_FORMAT)
		return r;
	return err_wrap(
	    "%s from %s; data_num is the same at both?", name, a->peer);
}

static int
receive(struct adder *a, const char *name, uint64_t *v, size_t n)
{
	struct object o = { 0 };
	int r;

	if ((r = task_get_max(
		 a->task, name, TAG, a->peer, 0, RING_WIRE_SIZE(n), &o)) == 0)
		r = ring_get(o.data, o.size, n, FRAC, v);
	object_free(&o);
	return other_length(a, name, r);
}

/* Shares across; *sum is that of what we hold then. */
static int
exchange(struct adder *a, const char *ours, const char *theirs, uint64_t *sum)
{
	int r;

	if ((r = split_ones(a)) != 0 ||
	    (r = send(a, ours, a->given, a->n)) != 0)
		return r;
	task_log(a->task, TASK_INFO, "%s: gave one share to the %s", a->name,
	    a->peer);
	if ((r = receive(a, theirs, a->given, a->n)) != 0)
		return r;
	task_log(a->task, TASK_INFO, "%s: got one share from the %s", a->name,
	    a->peer);
	*sum = ring_sum(a->kept, a->n) + ring_sum(a->given, a->n);
	return 0;
}

static int
report(struct adder *a, double got)
{
	double want = 2.0 * (double)a->n;

	if (!(fabs(got - want) < TOLERANCE))
		return err_set(ERR_CONFLICT,
		    "the sum is %.4f where %.4f is "
		    "due",
		    got, want);
	task_log(
	    a->task, TASK_INFO, "%s: Secure Add Result is %.4f", a->name, got);
	return 0;
}

static int
run_guest(struct adder *a)
{
	uint64_t sum, host_sum;
	int r;

	if ((r = exchange(a, "guest_share", "host_share", &sum)) != 0 ||
	    (r = receive(a, "host_sum", &host_sum, 1)) != 0)
		return r;
	/* Uniform each, as the shares are: they tell nothing alone. */
	task_log(a->task, TASK_INFO, "%s: host sum is %.4f", a->name,
	    ring_decode(host_sum, FRAC));
	task_log(a->task, TASK_INFO, "%s: guest sum is %.4f", a->name,
	    ring_decode(sum, FRAC));
	return report(a, ring_decode(sum + host_sum, FRAC));
}

static int
run_host(struct adder *a)
{
	uint64_t sum;
	int r;

	if ((r = exchange(a, "host_share", "guest_share", &sum)) != 0 ||
	    (r = send(a, "host_sum", &sum, 1)) != 0)
		return r;
	task_log(a->task, TASK_INFO, "%s: sent the sum of the shares", a->name);
	return 0;
}

static int
check(struct task *t, struct adder *a)
{
	int64_t n = task_param_int(t, "data_num", 1000);

	if (n < 1 || n > DATA_MAX)
		return err_set(ERR_INVALID, "data_num is 1 to %d", DATA_MAX);
	if (task_role_size(t, "guest") != 1 || task_role_size(t, "host") != 1)
		return err_set(ERR_INVALID, "SecureAddExample is made for one "
					    "guest and one host");
	a->n = (size_t)n;
	if (task_param(t, "seed") != NULL)
		task_log(t, TASK_INFO,
		    "%s: seed is not used; shares come from "
		    "the system's generator",
		    a->name);
	return 0;
}

static int
run(struct task *t)
{
	bool is_guest = task_is(t, "guest");
	struct adder a = { .task = t,
		.name = is_guest ? "secure_add_guest" : "secure_add_host",
		.peer = is_guest ? "host" : "guest" };
	int r;

	if ((r = check(t, &a)) == 0)
		r = is_guest ? run_guest(&a) : run_host(&a);
	free(a.kept);
	free(a.given);
	return r;
}

const struct component component_secure_add = {
	.module = "SecureAddExample",
	.roles = "guest host",
	.run = run,
};
