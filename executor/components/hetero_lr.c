/*
 * The component HeteroLR: what a task is asked to do (train, go on training,
 * predict), for each role, and the order of its steps.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/hetero_lr_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct run {
	struct task *task;
	struct lr_conf conf;
	struct lr_mode mode;
	struct lr_party party;
	const struct task_input *train;
	const struct task_input *validate;
	const struct task_input *test;
	uint32_t *place;	  /* guest: class of each row, of several */
	struct table_writer *out; /* guest only */
};

static bool
is_guest(const struct run *x)
{
	return task_is(x->task, "guest");
}

/* --- what there is to do ------------------------------------------------------------ */

/* The classes of the training rows, when there are more than two. */
static int
find_classes(struct run *x)
{
	struct lr_models *m = &x->party.models;
	double *classes;
	size_t n;
	int r;

	if ((r = lr_data_classes(x->party.data, &classes, &n, &x->place)) != 0)
		return r;
	x->mode.models = n > 2 ? (unsigned)n : 1;
	lr_warn_of_classes(x->task, n);
	if (classes == NULL)
		return 0;
	if (!x->party.has_loaded) {
		m->classes = classes;
		return 0;
	}
	r = m->n == n && memcmp(m->classes, classes, n * sizeof(*classes)) == 0
		? 0
		: err_set(ERR_CONFLICT, "the model to go on from is for other "
					"classes than the data has");
	free(classes);
	return r;
}

static int
decide_mode(struct run *x)
{
	struct task *t = x->task;
	int r;

	x->mode.is_training = x->train != NULL;
	x->mode.models = (unsigned)x->party.models.n;
	if (x->train == NULL)
		return 0;
	if ((r = lr_schedule_read(t, &x->mode.schedule)) != 0 ||
	    (r = find_classes(x)) != 0)
		return r;
	if (task_param_bool(t, "cv_param.need_cv", false))
		x->mode.folds =
		    (unsigned)task_param_int(t, "cv_param.n_splits", 5);
	if (x->mode.schedule.rounds > 0 && x->validate == NULL &&
	    x->mode.folds == 0)
		return err_set(ERR_INVALID, "early_stopping_rounds needs "
					    "validate_data");
	return 0;
}

static int
agree_on_mode(struct run *x)
{
	int r;

	if (is_guest(x))
		return (r = decide_mode(x)) != 0
			   ? r
			   : lr_mode_send(x->task, &x->mode);
	if ((r = lr_mode_receive(x->task, &x->mode)) != 0)
		return r;
	if (x->mode.is_training != (x->train != NULL))
		return err_set(ERR_CONFLICT, "guest and host do not agree on "
					     "whether there is train_data");
	if (x->party.has_loaded && x->mode.models != x->party.models.n)
		return err_set(ERR_CONFLICT,
		    "the guest has %u models, we have %zu", x->mode.models,
		    x->party.models.n);
	return 0;
}

/* --- data ------------------------------------------------------------------------------ */

/* Bring the rows of all parties into the guest's order. */
static int
align(struct run *x, struct lr_data *d, const char *tag)
{
	return is_guest(x) ? lr_data_announce(x->task, d, tag)
			   : lr_data_follow(x->task, d, tag);
}

static int
load_validation(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if (x->validate == NULL || x->mode.folds > 0)
		return 0;
	if ((r = lr_data_load(x->task, x->validate, &p->validate)) != 0)
		return r;
	if (!lr_data_same_columns(p->validate, p->data))
		return err_set(ERR_INVALID, "validate_data has other columns "
					    "than train_data");
	return align(x, p->validate, "validate");
}

/* --- training and prediction ---------------------------------------------------------- */

static int
predict(struct run *x, const struct lr_data *d, const char *type)
{
	return is_guest(x)
		   ? lr_guest_predict(&x->party, d, &x->mode, type, x->out)
		   : lr_host_predict(&x->party, d, &x->mode, -1, type);
}

static int
run_train(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = align(x, p->data, "train")) != 0 ||
	    (r = load_validation(x)) != 0)
		return r;
	if (x->mode.folds > 0)
		return lr_cross_validate(p, &x->mode, x->place, x->out);
	if ((r = lr_train_models(p, &x->mode, x->place, -1)) != 0 ||
	    (r = predict(x, p->data, "train")) != 0 ||
	    (p->validate != NULL &&
		(r = predict(x, p->validate, "validate")) != 0))
		return r;
	return lr_save_models(p);
}

static int
run_test(struct run *x)
{
	int r;

	if ((r = align(x, x->party.data, "predict")) != 0)
		return r;
	return predict(x, x->party.data, "predict");
}

static int
start(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	p->task = x->task;
	p->conf = &x->conf;
	p->prefix = "";
	p->best_iteration = -1;
	p->has_labels = is_guest(x);
	p->train = is_guest(x) ? lr_guest_train : lr_host_train;
	p->score = lr_guest_scores;
	p->gradient_name = is_guest(x) ? "guest_gradient" : "host_gradient";
	p->reply_name =
	    is_guest(x) ? "guest_optim_gradient" : "host_optim_gradient";
	p->pool = parallel_new(task_cores(x->task));
	if ((r = lr_data_load(x->task, x->train != NULL ? x->train : x->test,
		 &p->data)) != 0 ||
	    (r = lr_party_init(p, is_guest(x) && x->conf.fit_intercept)) != 0 ||
	    (task_has_model(x->task, TASK_MODEL) &&
		(r = lr_model_load(p)) != 0))
		return r;
	return is_guest(x) ? task_output_create(x->task, 0, &x->out) : 0;
}

static int
finish_output(struct run *x)
{
	struct table_writer *w = x->out;

	x->out = NULL;
	return w == NULL ? 0 : lr_predict_finish(x->task, x->party.data, w);
}

static int
run_party(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = start(x)) == 0 && (r = agree_on_mode(x)) == 0)
		r = x->train != NULL ? run_train(x) : run_test(x);
	if (r == 0)
		r = finish_output(x);
	table_writer_free(x->out);
	parallel_free(p->pool);
	lr_party_fini(p);
	free(x->place);
	return r;
}

/* The arbiter has no tables; the guest says whether there is a training. */
static int
run_arbiter(struct run *x)
{
	struct parallel *pool;
	int r;

	if ((r = lr_mode_receive(x->task, &x->mode)) != 0 ||
	    !x->mode.is_training)
		return r;
	pool = parallel_new(task_cores(x->task));
	r = lr_arbiter_train(x->task, &x->conf, &x->mode, pool);
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
		r = run_arbiter(&x);
	else if (x.train == NULL && x.test == NULL)
		r = err_set(ERR_INVALID, "HeteroLR needs train_data, or "
					 "test_data and a model");
	else if (x.train == NULL && !task_has_model(t, TASK_MODEL))
		r = err_set(ERR_INVALID, "test_data needs the model of a "
					 "training");
	else
		r = run_party(&x);
	lr_mode_fini(&x.mode);
	return r;
}

const struct component component_hetero_lr = {
	.module = "HeteroLR",
	.roles = "guest host arbiter",
	.run = run,
};
