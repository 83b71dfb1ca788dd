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
	struct lr_mode mode;
	struct homo_session session;
	struct lr_party party;
	const struct task_input *train;
	const struct task_input *validate;
	const struct task_input *test;
	uint32_t *place; /* class of each row, when there are several */
	struct table_writer *out;
};

/* --- clients ------------------------------------------------------------------------- */

/* Each client predicts for itself. */
static int
predict(struct run *x, const struct lr_data *d, const char *type)
{
	return lr_guest_predict(&x->party, d, &x->mode, type, x->out);
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
	return lr_data_same_columns(p->validate, p->data)
		   ? 0
		   : err_set(ERR_INVALID, "validate_data has other columns "
					  "than train_data");
}

/* Each client looks at the common model by its own rows. */
static int
read_schedule(struct run *x)
{
	int r;

	if ((r = lr_schedule_read(x->task, &x->mode.schedule)) != 0)
		return r;
	if (x->mode.schedule.rounds > 0)
		return err_set(ERR_UNSUPPORTED,
		    "early_stopping_rounds is not available in HomoLR, whose "
		    "clients see only their own rows; early_stop and tol are");
	return 0;
}

static int
find_classes(struct run *x)
{
	struct lr_models *m = &x->party.models;
	double *classes;
	size_t n;
	int r;

	if ((r = homo_agree_on_classes(x->task, x->party.data, &classes, &n)) !=
	    0)
		return r;
	x->mode.models = n > 2 ? (unsigned)n : 1;
	if (classes == NULL)
		return 0;
	r = lr_data_places(x->party.data, classes, n, &x->place);
	if (r != 0 || !x->party.has_loaded) {
		m->classes = classes;
		return r;
	}
	r = m->n == n && memcmp(m->classes, classes, n * sizeof(*classes)) == 0
		? 0
		: err_set(ERR_CONFLICT, "the model to go on from is for other "
					"classes than the data has");
	free(classes);
	return r;
}

static unsigned
first_start(const struct lr_party *p)
{
	return p->has_loaded ? p->models.v[0].iters : 0;
}

static int
decide_mode(struct run *x)
{
	struct task *t = x->task;
	int r;

	x->mode.is_training = true;
	if ((r = homo_check_start(&x->conf, first_start(&x->party))) != 0 ||
	    (r = read_schedule(x)) != 0 || (r = find_classes(x)) != 0)
		return r;
	if (task_param_bool(t, "cv_param.need_cv", false))
		x->mode.folds =
		    (unsigned)task_param_int(t, "cv_param.n_splits", 5);
	return task_is(t, "guest") ? homo_tell_arbiter(t, &x->conf, &x->mode,
					 first_start(&x->party))
				   : 0;
}

static int
run_train(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	if ((r = decide_mode(x)) != 0 || (r = load_validation(x)) != 0 ||
	    (r = homo_client_join(p)) != 0)
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

	x->mode.models = (unsigned)x->party.models.n;
	if (task_is(x->task, "guest") &&
	    task_role_size(x->task, "arbiter") > 0 &&
	    (r = homo_tell_arbiter(x->task, &x->conf, &x->mode, 0)) != 0)
		return r;
	return predict(x, x->party.data, "predict");
}

static int
start(struct run *x)
{
	struct lr_party *p = &x->party;
	int r;

	p->task = x->task;
	p->conf = &x->conf.lr;
	p->prefix = "";
	p->best_iteration = -1;
	p->has_labels = p->is_horizontal = true;
	p->train = homo_client_train;
	p->score = homo_client_score;
	p->ctx = &x->session;
	x->session.conf = &x->conf;
	if ((r = lr_data_load(x->task, x->train != NULL ? x->train : x->test,
		 &p->data)) != 0 ||
	    (r = lr_party_init(p, x->conf.lr.fit_intercept)) != 0 ||
	    (task_has_model(x->task, TASK_MODEL) &&
		(r = lr_model_load(p)) != 0))
		return r;
	return task_output_create(x->task, 0, &x->out);
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
	if ((r = start(x)) == 0)
		r = x->train != NULL ? run_train(x) : run_test(x);
	if (r == 0) {
		w = x->out;
		x->out = NULL;
		r = lr_predict_finish(x->task, p->data, w);
	}
	table_writer_free(x->out);
	secagg_free(x->session.agg);
	lr_party_fini(p);
	free(x->place);
	return r;
}

/* --- arbiter --------------------------------------------------------------------------- */

static int
run_arbiter(struct run *x)
{
	int r;

	if ((r = homo_hear_guest(x->task, &x->conf, &x->mode)) != 0 ||
	    !x->mode.is_training)
		return r;
	return homo_arbiter_train(x->task, &x->conf, &x->mode);
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
	r = task_is(t, "arbiter") ? run_arbiter(&x) : run_client(&x);
	lr_mode_fini(&x.mode);
	return r;
}

const struct component component_homo_lr = {
	.module = "HomoLR",
	.roles = "guest host arbiter",
	.run = run,
};
