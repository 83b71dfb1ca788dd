/*
 * Looks at a model that is being trained, and the best one kept for the end.
 * Called by the training loops of guest and host; the arbiter only hears
 * what the guest decided.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define VERDICT_NUMBERS 2 /* best, stop */

/* --- the guest's metrics --------------------------------------------------------- */

void
lr_columns_fini(struct lr_columns *c)
{
	free(c->label);
	free(c->result);
	free(c->score);
	free(c->is_positive);
}

int
lr_columns_init(struct lr_columns *c, size_t n, const char *ns)
{
	memset(c, 0, sizeof(*c));
	c->label = mem_array(n + 1, sizeof(*c->label));
	c->result = mem_array(n + 1, sizeof(*c->result));
	c->score = mem_array(n + 1, sizeof(*c->score));
	c->is_positive = mem_array(n + 1, 1);
	c->s = (struct lr_scored){ .ns = ns,
		.n = n,
		.label = c->label,
		.is_positive = c->is_positive,
		.result = c->result,
		.score = c->score };
	return c->label == NULL || c->result == NULL || c->score == NULL ||
		       c->is_positive == NULL
		   ? err_code()
		   : 0;
}

bool
lr_is_positive(const struct lr_party *p, const struct lr_data *d, size_t i)
{
	const struct lr_sample *s = &d->samples[i];
	char label[32];

	if (p->class_label != NULL)
		return s->flags == ROW_LABEL && s->label == *p->class_label;
	lr_label_text(d, s, label, sizeof(label));
	return strcmp(label, "1") == 0;
}

/* One binary model is looked at, whatever the number of classes. */
static int
look_at(struct lr_party *p, const struct lr_data *d, const char *ns, unsigned t)
{
	struct lr_columns c;
	char tag[LR_TAG];
	size_t i;
	int r;

	lr_tag(tag, p->prefix, "%s.%u", ns, t);
	if (!p->has_labels)
		return lr_host_scores(p, d, tag);
	if ((r = lr_columns_init(&c, d->x->rows, ns)) == 0 &&
	    (r = p->score(p, d, tag, c.score)) == 0) {
		for (i = 0; i < c.s.n; i++) {
			c.score[i] = lr_sigmoid(c.score[i]);
			c.label[i] = c.is_positive[i] = lr_is_positive(p, d, i);
			c.result[i] = c.score[i] > p->conf->threshold;
		}
		r = lr_watch_look(p->watch, t, &c.s);
	}
	lr_columns_fini(&c);
	return r;
}

/* --- early stopping ----------------------------------------------------------------- */

static int
send_verdict(struct lr_party *p, const char *tag, bool is_best, bool stop)
{
	double v[VERDICT_NUMBERS] = { is_best, stop };
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, v, VERDICT_NUMBERS);
	if ((r = task_remote_role(p->task, "validation_status", tag, "host",
		 b.data, b.len)) == 0)
		r = task_remote_role(p->task, "validation_status", tag,
		    "arbiter", b.data, b.len);
	buf_fini(&b);
	return r;
}

int
lr_look_verdict(struct task *task, const struct lr_schedule *s,
    const char *prefix, unsigned t, bool *is_best, bool *stop)
{
	double v[VERDICT_NUMBERS] = { 0 };
	struct object o = { 0 };
	char tag[LR_TAG];
	int r;

	*is_best = *stop = false;
	if (s->rounds == 0 || !lr_schedule_due(s, t))
		return 0;
	lr_tag(tag, prefix, "%u", t);
	if ((r = lr_receive(task, "validation_status", tag, "guest", 0,
		 LR_NUMBERS_SIZE(VERDICT_NUMBERS), &o)) != 0)
		return r;
	if ((r = lr_get_numbers(o.data, o.size, VERDICT_NUMBERS, v)) != 0)
		r = lr_blame("validation_status", "guest");
	object_free(&o);
	*is_best = v[0] != 0;
	*stop = v[1] != 0;
	return r;
}

static int
decide(struct lr_party *p, unsigned t, bool *is_best, bool *stop)
{
	char tag[LR_TAG];

	if (!p->has_labels)
		return lr_look_verdict(
		    p->task, p->schedule, p->prefix, t, is_best, stop);
	lr_watch_decide(p->watch, is_best, stop);
	lr_tag(tag, p->prefix, "%u", t);
	return p->schedule->rounds > 0 ? send_verdict(p, tag, *is_best, *stop)
				       : 0;
}

static int
keep_best(struct lr_party *p, unsigned t)
{
	if (p->best == NULL)
		p->best = mem_array(p->n_weights + 1, sizeof(*p->best));
	if (p->best == NULL)
		return err_code();
	memcpy(p->best, p->w, p->n_weights * sizeof(*p->best));
	p->best_iteration = (int)t;
	return 0;
}

int
lr_look(struct lr_party *p, unsigned t)
{
	bool is_best, stop;
	int r;

	if (!lr_schedule_due(p->schedule, t))
		return 0;
	if ((r = look_at(p, p->data, "train", t)) != 0 ||
	    (p->validate != NULL &&
		(r = look_at(p, p->validate, "validate", t)) != 0) ||
	    (r = decide(p, t, &is_best, &stop)) != 0)
		return r;
	if (p->schedule->rounds == 0)
		return 0;
	p->is_stopped = stop;
	if (stop)
		task_log(p->task, TASK_INFO,
		    "iteration %u: no progress for %u looks, the model of "
		    "iteration %d stays",
		    t, p->schedule->rounds, p->best_iteration);
	return is_best ? keep_best(p, t) : 0;
}

void
lr_look_restore(struct lr_party *p)
{
	if (p->best != NULL && p->best_iteration >= 0)
		memcpy(p->w, p->best, p->n_weights * sizeof(*p->w));
}
