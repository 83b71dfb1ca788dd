/*
 * The secure aggregation's protocol.  Used by the horizontal learners.
 */
#include "executor/components/secure_aggregation.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/ring_wire.h"
#include "executor/math/mask.h"
#include "executor/math/ring.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define KEY_TAG "keys"
#define HELLO_VERSION 1
#define HELLO_SIZE (4 + MASK_PUBLIC + SECAGG_NOTE)

struct secagg {
	struct task *task;
	struct mask *mask; /* NULL at the arbiter */
	uint64_t round;
	size_t clients;
};

/* --- who takes part ------------------------------------------------------------- */

size_t
secagg_clients(struct task *t)
{
	return task_role_size(t, "guest") + task_role_size(t, "host");
}

/* Client number i and its index within its role. */
static const struct task_party *
client_at(struct task *t, size_t i, size_t *index)
{
	size_t guests = task_role_size(t, "guest");

	*index = i < guests ? i : i - guests;
	return task_member(t, i < guests ? "guest" : "host", *index);
}

static size_t
own_place(struct task *t)
{
	return task_index(t) +
	       (task_is(t, "guest") ? 0 : task_role_size(t, "guest"));
}

/* The task and all its clients: masks are good for this and nothing else. */
static char *
context(struct task *t)
{
	const struct task_party *p;
	struct buf b = BUF_INIT;
	char *s;
	size_t i, index;

	buf_printf(&b, "%s %s %s %u", task_job_id(t), task_component(t),
	    task_module(t), task_version(t));
	for (i = 0; i < secagg_clients(t); i++) {
		p = client_at(t, i, &index);
		buf_printf(&b, " %s:%s", p->role, p->party_id);
	}
	s = xstrdup(buf_str(&b));
	buf_fini(&b);
	return s;
}

/* --- keys -------------------------------------------------------------------------- */

static const char *
hello_name(const char *role)
{
	return str_eq(role, "guest") ? "dh_ciphertext_guest"
				     : "dh_ciphertext_host";
}

static int
send_hello(struct secagg *a, const unsigned char *note)
{
	const char *name = hello_name(task_role(a->task));
	unsigned char m[HELLO_SIZE] = { HELLO_VERSION };
	int r;

	memcpy(m + 4, mask_public(a->mask), MASK_PUBLIC);
	memcpy(m + 4 + MASK_PUBLIC, note, SECAGG_NOTE);
	if ((r = task_remote_role(
		 a->task, name, KEY_TAG, "guest", m, sizeof(m))) != 0)
		return r;
	return task_remote_role(a->task, name, KEY_TAG, "host", m, sizeof(m));
}

static int
receive_hello(
    struct secagg *a, size_t place, secagg_check *check, const void *ctx)
{
	static const unsigned char head[4] = { HELLO_VERSION };
	const struct task_party *p;
	const unsigned char *m;
	struct object o = { 0 };
	size_t index;
	int r;

	p = client_at(a->task, place, &index);
	if ((r = task_get_max(a->task, hello_name(p->role), KEY_TAG, p->role,
		 index, HELLO_SIZE, &o)) != 0)
		return err_wrap("key of %s %s", p->role, p->party_id);
	m = o.data;
	if (o.size != HELLO_SIZE || memcmp(m, head, sizeof(head)) != 0)
		r = err_set(ERR_FORMAT, "a key message of %zu bytes", o.size);
	else
		r = mask_peer(a->mask, place, m + 4);
	if (r != 0)
		r = err_wrap("key of %s %s", p->role, p->party_id);
	else
		r = check(ctx, p, m + 4 + MASK_PUBLIC);
	object_free(&o);
	return r;
}

static int
exchange_keys(struct secagg *a, const unsigned char *note, secagg_check *check,
    const void *ctx)
{
	size_t i, self = own_place(a->task);
	int r;

	if ((r = send_hello(a, note)) != 0)
		return r;
	for (i = 0; i < a->clients && r == 0; i++)
		if (i != self)
			r = receive_hello(a, i, check, ctx);
	return r;
}

struct secagg *
secagg_arbiter(struct task *t)
{
	struct secagg *a = xcalloc(1, sizeof(*a));

	a->task = t;
	a->clients = secagg_clients(t);
	return a;
}

int
secagg_join(struct task *t, const unsigned char note[SECAGG_NOTE],
    secagg_check *check, const void *ctx, struct secagg **out)
{
	struct secagg *a = secagg_arbiter(t);
	char *text = context(t);
	int r;

	*out = NULL;
	a->mask = mask_new(own_place(t), a->clients, text);
	free(text);
	r = a->mask == NULL ? err_code() : exchange_keys(a, note, check, ctx);
	if (r != 0) {
		secagg_free(a);
		return err_wrap("secure aggregation");
	}
	*out = a;
	return 0;
}

void
secagg_free(struct secagg *a)
{
	if (a == NULL)
		return;
	mask_free(a->mask);
	free(a);
}

/* --- a round, client ------------------------------------------------------------------ */

int
secagg_send(struct secagg *a, const char *name, const char *tag,
    const double *v, size_t n, unsigned frac, unsigned bits)
{
	const struct task_party *arbiter = task_member(a->task, "arbiter", 0);
	uint64_t *m = mem_array(n + 1, sizeof(*m));
	char full[48];
	struct buf b = BUF_INIT;
	size_t i;
	int r = m == NULL ? err_code() : 0;

	snprintf(full, sizeof(full), "%s_%s", task_role(a->task), name);
	for (i = 0; i < n && r == 0; i++)
		r = ring_encode(v[i], frac, bits, &m[i]);
	if (r == 0) {
		m[n] = 1;
		r = mask_apply(a->mask, a->round++, m, n + 1);
	}
	if (r == 0) {
		ring_put(&b, m, n + 1, frac);
		r = task_remote(a->task, full, tag, arbiter, 1, b.data, b.len);
	}
	if (m != NULL)
		sodium_memzero(m, (n + 1) * sizeof(*m));
	free(m);
	buf_fini(&b);
	return r == 0 ? 0 : err_wrap("%s", full);
}

/* --- a round, arbiter ------------------------------------------------------------------- */

/* The first vector says how long all are. */
static int
add_vector(const struct object *o, unsigned frac, uint64_t **sum, size_t *n)
{
	uint64_t *v;
	size_t count;
	int r;

	if ((r = ring_count(o->data, o->size, &count)) != 0)
		return r;
	if (*n == 0)
		*n = count;
	if (count != *n || count < 2 || count > SECAGG_MAX + 1)
		return err_set(
		    ERR_FORMAT, "%zu items where %zu are due", count, *n);
	if ((v = mem_array(count, sizeof(*v))) == NULL)
		return err_code();
	r = ring_get(o->data, o->size, count, frac, v);
	if (r == 0 && *sum == NULL) {
		*sum = v;
		return 0;
	}
	if (r == 0)
		ring_add(*sum, v, count);
	free(v);
	return r;
}

static int
add_client(struct secagg *a, const char *name, const char *tag, size_t place,
    unsigned frac, uint64_t **sum, size_t *n)
{
	const struct task_party *p;
	struct object o = { 0 };
	char full[48];
	size_t index;
	int r;

	p = client_at(a->task, place, &index);
	snprintf(full, sizeof(full), "%s_%s", p->role, name);
	if ((r = task_get_max(a->task, full, tag, p->role, index,
		 RING_WIRE_SIZE(*n > 0 ? *n : SECAGG_MAX + 1), &o)) != 0)
		return err_wrap("%s of %s %s, without which there is no sum",
		    full, p->role, p->party_id);
	if ((r = add_vector(&o, frac, sum, n)) != 0)
		r = err_wrap("%s from %s %s", full, p->role, p->party_id);
	object_free(&o);
	return r;
}

static int
decode(const uint64_t *sum, size_t n, unsigned frac, double **out)
{
	size_t i;

	if ((*out = mem_array(n, sizeof(**out))) == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		(*out)[i] = ring_decode(sum[i], frac);
	return 0;
}

int
secagg_sum(struct secagg *a, const char *name, const char *tag, size_t want,
    unsigned frac, double **out, size_t *n)
{
	uint64_t *sum = NULL;
	size_t i, count = want > 0 ? want + 1 : 0;
	int r = 0;

	*out = NULL;
	*n = 0;
	for (i = 0; i < a->clients && r == 0; i++)
		r = add_client(a, name, tag, i, frac, &sum, &count);
	if (r == 0 && sum == NULL)
		r = err_set(ERR_INVALID, "there are no clients");
	if (r == 0 && sum[count - 1] != a->clients)
		r = err_set(ERR_CONFLICT,
		    "the masks of %s %s do not cancel: "
		    "a member took part with other keys",
		    name, tag);
	if (r == 0 && (r = decode(sum, count - 1, frac, out)) == 0)
		*n = count - 1;
	free(sum);
	return r;
}
