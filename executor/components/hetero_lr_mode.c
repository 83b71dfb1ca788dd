/*
 * What the guest wants: it alone has labels and says how many models there
 * are, whether they are cross validated and when to look at them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

#define FIXED 5 /* numbers before the list of iterations */
#define NUMBERS_MAX (FIXED + LR_WATCH_EPOCHS_MAX)

int
lr_mode_send(struct task *t, const struct lr_mode *m)
{
	size_t i, n = FIXED + m->schedule.n_epochs;
	double *v = mem_array(n, sizeof(*v));
	struct buf b = BUF_INIT;
	int r;

	if (v == NULL)
		return err_code();
	v[0] = m->is_training;
	v[1] = m->models;
	v[2] = m->folds;
	v[3] = m->schedule.every;
	v[4] = m->schedule.rounds;
	for (i = 0; i < m->schedule.n_epochs; i++)
		v[FIXED + i] = m->schedule.epochs[i];
	lr_put_numbers(&b, v, n);
	if ((r = task_remote_role(
		 t, "batch_info", "mode", "host", b.data, b.len)) == 0)
		r = task_remote_role(
		    t, "batch_info", "mode", "arbiter", b.data, b.len);
	buf_fini(&b);
	free(v);
	return r;
}

static bool
is_count(double v, double min, double max)
{
	return v >= min && v <= max && v == (double)(unsigned)v;
}

static int
read_mode(const double *v, size_t n, struct lr_mode *out)
{
	size_t i;

	if (!is_count(v[0], 0, 1) || !is_count(v[1], 1, LR_CLASSES_MAX) ||
	    !is_count(v[2], 0, LR_FOLDS_MAX) || !is_count(v[3], 0, 1e9) ||
	    !is_count(v[4], 0, 1e9))
		return err_set(ERR_FORMAT, "a mode of nonsense");
	out->is_training = v[0] != 0;
	out->models = (unsigned)v[1];
	out->folds = (unsigned)v[2];
	out->schedule.every = (unsigned)v[3];
	out->schedule.rounds = (unsigned)v[4];
	out->schedule.epochs = mem_array(n, sizeof(unsigned));
	if (out->schedule.epochs == NULL)
		return err_code();
	for (i = FIXED; i < n; i++) {
		if (!is_count(v[i], 0, 1e6))
			return err_set(ERR_FORMAT, "a mode of nonsense");
		out->schedule.epochs[out->schedule.n_epochs++] = (unsigned)v[i];
	}
	return 0;
}

int
lr_mode_receive(struct task *t, struct lr_mode *out)
{
	struct object o = { 0 };
	double *v = NULL;
	size_t n;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = lr_receive(t, "batch_info", "mode", "guest", 0,
		 LR_NUMBERS_SIZE(NUMBERS_MAX), &o)) != 0)
		return r;
	n = o.size < LR_HEADER ? 0 : (o.size - LR_HEADER) / sizeof(*v);
	if (n < FIXED)
		r = err_set(
		    ERR_FORMAT, "%zu numbers, not %d or more", n, FIXED);
	else if ((v = mem_array(n, sizeof(*v))) == NULL)
		r = err_code();
	else if ((r = lr_get_numbers(o.data, o.size, n, v)) == 0)
		r = read_mode(v, n, out);
	if (r != 0) {
		lr_mode_fini(out);
		r = lr_blame("batch_info", "guest");
	}
	object_free(&o);
	free(v);
	return r;
}

void
lr_mode_fini(struct lr_mode *m)
{
	lr_schedule_fini(&m->schedule);
}

unsigned
lr_mode_checkpoints(struct task *t, const struct lr_mode *m)
{
	unsigned every = lr_checkpoint_freq(t);

	if (every == 0 || (m->models == 1 && m->folds == 0))
		return every;
	task_log(t, TASK_WARNING,
	    "ModelCheckpoint does nothing with more than two classes and in "
	    "cross validation");
	return 0;
}

void
lr_mode_prefix(
    const struct lr_mode *m, int fold, unsigned model, char out[LR_PREFIX])
{
	size_t at = 0;

	out[0] = '\0';
	if (fold >= 0)
		at = (size_t)snprintf(out, LR_PREFIX, "f%d.", fold);
	if (m->models > 1)
		(void)snprintf(out + at, LR_PREFIX - at, "m%u.", model);
}

void
lr_loss_name(const char *prefix, char out[LR_TAG])
{
	size_t n = strlen(prefix);

	if (n == 0)
		lr_tag(out, "loss", "%s", "");
	else
		lr_tag(out, "loss.", "%.*s", (int)n - 1, prefix);
}

int
lr_loss_meta(struct task *t, const char *prefix)
{
	struct json_object *extra = json_object_new_object();
	char name[LR_TAG];
	int r;

	lr_loss_name(prefix, name);
	json_add_str(extra, "unit_name", "iters");
	r = task_metric_meta(t, "train", name, "train", "LOSS", extra);
	json_object_put(extra);
	return r;
}

struct lr_round
lr_mode_round(const struct lr_mode *m, int fold, unsigned model)
{
	return (struct lr_round){
		.number = (fold < 0 ? 0 : (unsigned)fold) * m->models + model,
		.of = (m->folds == 0 ? 1 : m->folds) * m->models
	};
}

void
lr_iterated(struct task *t, const struct lr_round *round, const char *prefix,
    unsigned iteration, unsigned max)
{
	const uint64_t of = max == 0 ? 1 : max;
	uint64_t done = iteration + 1 < of ? iteration + 1 : of;

	task_log(t, TASK_INFO, "%siteration %u of at most %u is done", prefix,
	    iteration, max);
	task_progress(t, round->number * of + done, round->of * of, "training");
}
