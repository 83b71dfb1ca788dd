/*
 * The classes of all clients' rows: hosts tell the guest theirs, the guest
 * tells everybody what they make up together.  Called by homo_lr.c.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/homo_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

static int
send_classes(struct task *t, const char *name, const char *role,
    const double *v, size_t n)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, v, n);
	r = task_remote_role(t, name, "train", role, b.data, b.len);
	buf_fini(&b);
	return r;
}

/* At most LR_CLASSES_MAX labels, to v. */
static int
receive_classes(struct task *t, const char *name, const char *role,
    size_t index, double *v, size_t *n)
{
	struct object o = { 0 };
	int r;

	if ((r = lr_receive(t, name, "train", role, index,
		 LR_NUMBERS_SIZE(LR_CLASSES_MAX), &o)) != 0)
		return r;
	*n = o.size < LR_HEADER ? 0 : (o.size - LR_HEADER) / sizeof(*v);
	if ((r = lr_get_numbers(o.data, o.size, *n, v)) != 0)
		r = lr_blame(name, role);
	object_free(&o);
	return r;
}

/* Ascending, each once; the new number of them. */
static size_t
sort_unique(double *v, size_t n)
{
	size_t i, k = 0;

	qsort(v, n, sizeof(*v), lr_compare_labels);
	for (i = 0; i < n; i++)
		if (k == 0 || v[k - 1] != v[i])
			v[k++] = v[i];
	return k;
}

static int
other_labels(struct task *t, size_t host)
{
	return err_set(ERR_CONFLICT,
	    "host %s has other labels than we, two as well; HomoLR learns two "
	    "classes, 1 and another, or several, of which a client has more "
	    "than two",
	    task_member(t, "host", host)->party_id);
}

/* Guest: ours and theirs as one list; none when somebody has texts. */
static int
unite_classes(struct task *t, double *v, size_t *n)
{
	size_t h, more, most = *n, hosts = task_role_size(t, "host");
	bool texts = *n == 0;
	int r;

	for (h = 0; h < hosts; h++) {
		if ((r = receive_classes(
			 t, "host_classes", "host", h, v + *n, &more)) != 0)
			return r;
		texts = texts || more == 0;
		most = more > most ? more : most;
		*n = sort_unique(v, *n + more);
		if (*n > LR_CLASSES_MAX)
			return err_set(ERR_UNSUPPORTED,
			    "the clients have more than %d different labels",
			    LR_CLASSES_MAX);
		/* 0 and 1 here, -1 and 1 there are no three classes. */
		if (*n > 2 && most <= 2 && !texts)
			return other_labels(t, h);
	}
	if (texts)
		*n = 0;
	return 0;
}

static int
exchange_classes(struct task *t, double *v, size_t *n)
{
	int r;

	if (!task_is(t, "guest"))
		return (r = send_classes(t, "host_classes", "guest", v, *n)) !=
			       0
			   ? r
			   : receive_classes(
				 t, "aggregate_classes", "guest", 0, v, n);
	if ((r = unite_classes(t, v, n)) != 0)
		return r;
	return send_classes(t, "aggregate_classes", "host", v, *n);
}

static bool
holds_all(const double *all, size_t n, const double *ours, size_t n_ours)
{
	size_t i;

	for (i = 0; i < n_ours; i++)
		if (bsearch(&ours[i], all, n, sizeof(*all),
			lr_compare_labels) == NULL)
			return false;
	return true;
}

/* v has room for two lists: what is united is never longer than one. */
static int
agree(struct task *t, const double *ours, size_t n_ours, double *v, size_t *n)
{
	size_t i;
	int r;

	memcpy(v, ours, n_ours * sizeof(*v));
	*n = n_ours;
	if ((r = exchange_classes(t, v, n)) != 0)
		return r;
	for (i = 1; i < *n; i++)
		if (!(v[i - 1] < v[i]))
			return err_set(ERR_FORMAT, "the guest's classes are "
						   "not in order");
	if (*n > 2 && !holds_all(v, *n, ours, n_ours))
		return err_set(ERR_FORMAT, "the guest's list of classes lacks "
					   "some of ours");
	return 0;
}

int
homo_agree_on_classes(
    struct task *t, const struct lr_data *d, double **classes, size_t *n)
{
	double *ours = mem_array(d->x->rows + 1, sizeof(*ours));
	double *v = mem_array(2 * LR_CLASSES_MAX, sizeof(*v));
	size_t n_ours;
	int r;

	*classes = NULL;
	*n = 0;
	if (ours == NULL || v == NULL)
		r = err_code();
	else if ((r = lr_data_distinct(d, ours, &n_ours)) == 0)
		r = agree(t, ours, n_ours, v, n);
	free(ours);
	if (r == 0 && *n > 2) {
		lr_warn_of_classes(t, *n);
		*classes = v;
		return 0;
	}
	free(v);
	*n = 0;
	return r;
}
