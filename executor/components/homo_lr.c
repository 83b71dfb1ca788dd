/*
 * The component HomoLR: what a task is asked to do (train, go on training,
 * predict), for each role, and the order of its steps.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/homo_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct run {
	struct task *task;
	struct homo_conf conf;
	struct lr_party party;
	struct homo_losses losses;
	struct lr_schedule schedule;
	const struct task_input *train;
	const struct task_input *validate;
	const struct task_input *test;
	struct table_writer *out;
};

/* --- prediction: each client for itself ------------------------------------------- */

static int
predict(struct run *x, const struct lr_data *d, const char *type)
{
	const struct lr_party *p = &x->party;
	double bias = p->n_weights > p->n_features ? p->w[p->n_features] : 0;
	double *z = mem_array(d->x->rows + 1, sizeof(*z));
	size_t i;
	int r;

	if (z == NULL)
		return err_code();
	dense_times(d->x, NULL, d->x->rows, p->w, z);
	for (i = 0; i < d->x->rows; i++)
		z[i] += bias;
	r = lr_predict_rows(p, d, z, type, x->out);
	free(z);
	return r;
}

static int
load_validation(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if (x->validate == NULL)
		return 0;
	if ((r = lr_data_load(x->task, x->validate, &p->validate)) != 0)
		return r;
	return lr_data_same_columns(p->validate, p->data)
		   ? 0
		   : err_set(ERR_INVALID, "validate_data has other columns "
					  "than train_data");
}

/* Each client looks at the common model by its own rows. */
static int
begin_looks(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = lr_schedule_read(x->task, &x->schedule)) != 0)
		return r;
	if (x->schedule.rounds > 0)
		return err_set(ERR_UNSUPPORTED,
		    "early_stopping_rounds is not available in HomoLR, whose "
		    "clients see only their own rows; early_stop and tol are");
	p->schedule = &x->schedule;
	return lr_watch_new(x->task, p->schedule, 2, "", &p->watch);
}

/* --- clients ------------------------------------------------------------------------- */

static int
save(struct run *x)
{
	struct lr_result res = { .party = &x->party,
		.iters = x->party.iters,
		.is_converged = x->party.is_converged,
		.best_iteration = -1,
		.losses = x->losses.v,
		.n_losses = x->losses.n };
	int r;

	if ((r = lr_model_save(x->task, &x->conf.lr, &res)) != 0)
		return r;
	return lr_summary(x->task, &res, x->party.history);
}

static int
check_start(const struct homo_conf *c, unsigned start)
{
	return start <= c->lr.max_iter ? 0
				       : err_set(ERR_INVALID,
					     "the model has %u iterations, "
					     "more than max_iter, which is %u",
					     start, c->lr.max_iter);
}

static int
load_model(struct lr_party *p)
{
	int r;

	if ((r = lr_model_load(p)) != 0)
		return r;
	return p->models.n == 1
		   ? 0
		   : err_set(ERR_UNSUPPORTED,
			 "the model is for %zu classes; HomoLR learns two",
			 p->models.n);
}

/* Warm start: weights and the count of iterations of an earlier model. */
static int
go_on(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = load_model(p)) != 0 ||
	    (r = check_start(&x->conf, p->iters)) != 0)
		return r;
	return lr_go_on(p);
}

static int
run_train(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if (task_has_model(x->task, TASK_MODEL) && (r = go_on(x)) != 0)
		return r;
	if (task_is(x->task, "guest") &&
	    (r = homo_tell_arbiter(x->task, &x->conf, true, p->start)) != 0)
		return r;
	if ((r = load_validation(x)) != 0 || (r = begin_looks(x)) != 0 ||
	    (r = homo_losses_init(&x->losses, x->task, &x->conf)) != 0 ||
	    (r = homo_client_train(p, &x->conf, &x->losses)) != 0 ||
	    (r = predict(x, p->data, "train")) != 0 ||
	    (p->validate != NULL &&
		(r = predict(x, p->validate, "validate")) != 0))
		return r;
	p->history = lr_watch_history(p->watch);
	return save(x);
}

static int
run_test(struct run *x)
{
	int r;

	if (task_is(x->task, "guest") &&
	    (r = homo_tell_arbiter(x->task, &x->conf, false, 0)) != 0)
		return r;
	if ((r = load_model(&x->party)) != 0)
		return r;
	return predict(x, x->party.data, "predict");
}

static int
run_client(struct run *x)
{
	struct lr_party *p = &x->party;
	struct table_writer *w;
	int r;

	if (x->train == NULL && x->test == NULL)
		return err_set(ERR_INVALID, "HomoLR needs train_data, or "
					    "test_data and a model");
	if (x->train == NULL && !task_has_model(x->task, TASK_MODEL))
		return err_set(ERR_INVALID, "test_data needs the model of a "
					    "training");
	p->task = x->task;
	p->conf = &x->conf.lr;
	if ((r = lr_data_load(x->task, x->train != NULL ? x->train : x->test,
		 &p->data)) == 0 &&
	    (r = lr_party_init(p, x->conf.lr.fit_intercept)) == 0 &&
	    (r = task_output_create(x->task, 0, &x->out)) == 0)
		r = x->train != NULL ? run_train(x) : run_test(x);
	if (r == 0) {
		w = x->out;
		x->out = NULL;
		r = lr_predict_finish(x->task, p->data, w);
	}
	table_writer_free(x->out);
	free(x->losses.v);
	lr_schedule_fini(&x->schedule);
	lr_party_fini(p);
	return r;
}

/* --- arbiter --------------------------------------------------------------------------- */

static int
run_arbiter(struct run *x)
{
	bool is_training;
	unsigned start;
	int r;

	if ((r = lr_model_iters(x->task, 0, 1, &start)) != 0 ||
	    (r = homo_hear_guest(x->task, &x->conf, start, &is_training)) !=
		0 ||
	    !is_training || (r = check_start(&x->conf, start)) != 0)
		return r;
	return homo_arbiter_train(x->task, &x->conf, start);
}

static int
run(struct task *t)
{
	struct run x = { .task = t };
	int r;

	x.train = task_input(t, "train_data");
	x.validate = task_input(t, "validate_data");
	x.test = task_input(t, "test_data");
	if ((r = homo_conf_read(t, &x.conf)) != 0)
		return r;
	return task_is(t, "arbiter") ? run_arbiter(&x) : run_client(&x);
}

const struct component component_homo_lr = { "HomoLR", "guest host arbiter",
	run };
