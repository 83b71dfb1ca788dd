/*
 * The component HeteroLR: what a task is asked to do (train, go on training,
 * predict), for each role, and the order of its steps.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"

struct run {
	struct task *task;
	struct lr_conf conf;
	struct lr_party party;
	const struct task_input *train;
	const struct task_input *validate;
	const struct task_input *test;
	struct table_writer *out; /* guest only */
};

static bool
is_guest(const struct run *x)
{
	return task_is(x->task, "guest");
}

static int
finish_output(struct run *x)
{
	struct table_writer *w = x->out;

	x->out = NULL;
	return w == NULL ? 0 : lr_predict_finish(x->task, x->party.data, w);
}

/*
 * Scores of one table, which hosts bring into the guest's order first.  The
 * training data is in that order already.
 */
static int
predict(struct run *x, struct lr_data *d, const char *type, bool is_ordered)
{
	int r = 0;

	if (is_guest(x)) {
		if (!is_ordered)
			r = lr_data_announce(x->task, d, type);
		return r != 0 ? r
			      : lr_guest_predict(&x->party, d, type, x->out);
	}
	if (!is_ordered)
		r = lr_data_follow(x->task, d, type);
	return r != 0 ? r : lr_host_predict(&x->party, d, type);
}

static int
predict_validation(struct run *x)
{
	struct lr_data *d;
	int r;

	if ((r = lr_data_load(x->task, x->validate, &d)) != 0)
		return r;
	if (!lr_data_same_columns(d, x->party.data))
		r = err_set(ERR_INVALID, "validate_data has other columns "
					 "than train_data");
	else
		r = predict(x, d, "validate", false);
	lr_data_free(d);
	return r;
}

/* --- training and prediction ---------------------------------------------------------- */

static int
save(struct run *x)
{
	struct lr_result res = { .party = &x->party,
		.iters = x->party.iters,
		.is_converged = x->party.is_converged };
	int r;

	if ((r = lr_model_save(x->task, &x->conf, &res)) != 0)
		return r;
	return lr_summary(x->task, &res);
}

/* Warm start: weights and the count of iterations of an earlier model. */
static int
go_on(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = lr_model_load(p)) != 0)
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
	if ((r = is_guest(x) ? lr_guest_train(p) : lr_host_train(p)) != 0 ||
	    (r = predict(x, p->data, "train", true)) != 0 ||
	    (x->validate != NULL && (r = predict_validation(x)) != 0))
		return r;
	return save(x);
}

static int
run_test(struct run *x)
{
	int r;

	if ((r = lr_model_load(&x->party)) != 0)
		return r;
	return predict(x, x->party.data, "predict", false);
}

static int
run_party(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	p->task = x->task;
	p->conf = &x->conf;
	p->gradient_name = is_guest(x) ? "guest_gradient" : "host_gradient";
	p->reply_name =
	    is_guest(x) ? "guest_optim_gradient" : "host_optim_gradient";
	p->pool = parallel_new(task_cores(x->task));
	if ((r = lr_data_load(x->task, x->train != NULL ? x->train : x->test,
		 &p->data)) == 0 &&
	    (r = lr_party_init(p, is_guest(x) && x->conf.fit_intercept)) == 0 &&
	    (!is_guest(x) ||
		(r = task_output_create(x->task, 0, &x->out)) == 0))
		r = x->train != NULL ? run_train(x) : run_test(x);
	if (r == 0)
		r = finish_output(x);
	table_writer_free(x->out);
	parallel_free(p->pool);
	lr_party_fini(p);
	return r;
}

/*
 * The arbiter has no tables to see from whether there is something to learn:
 * the guest says so.
 */
static int
tell_arbiter(struct run *x)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_flag(&b, x->train != NULL);
	r = task_remote_role(
	    x->task, "batch_info", "mode", "arbiter", b.data, b.len);
	buf_fini(&b);
	return r;
}

static int
run_arbiter(struct run *x)
{
	struct object o = { 0 };
	struct parallel *pool;
	bool is_training;
	int r;

	if ((r = lr_receive(x->task, "batch_info", "mode", "guest", 0,
		 LR_FLAG_SIZE, &o)) != 0)
		return r;
	if ((r = lr_get_flag(o.data, o.size, &is_training)) != 0)
		r = lr_blame("batch_info", "guest");
	object_free(&o);
	if (r != 0 || !is_training)
		return r;
	pool = parallel_new(task_cores(x->task));
	r = lr_arbiter_train(x->task, &x->conf, pool);
	parallel_free(pool);
	return r;
}

static int
run(struct task *t)
{
	struct run x = { .task = t };
	int r;

	x.train = task_input(t, "train_data");
	x.validate = task_input(t, "validate_data");
	x.test = task_input(t, "test_data");
	if ((r = lr_conf_read(t, &x.conf)) != 0)
		return r;
	if (task_is(t, "arbiter"))
		return run_arbiter(&x);
	if (x.train == NULL && x.test == NULL)
		return err_set(ERR_INVALID, "HeteroLR needs train_data, or "
					    "test_data and a model");
	if (x.train == NULL && !task_has_model(t, TASK_MODEL))
		return err_set(ERR_INVALID, "test_data needs the model of a "
					    "training");
	if (is_guest(&x) && (r = tell_arbiter(&x)) != 0)
		return r;
	return run_party(&x);
}

const struct component component_hetero_lr = { "HeteroLR", "guest host arbiter",
	run };
