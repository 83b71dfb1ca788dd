/*
 * The schedule of looks, their metrics, and early stopping.  Called by the
 * learners' training loops.
 */
#include "executor/components/lr_watch.h"

#include <stdlib.h>
#include <string.h>

#include "executor/components/evaluation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

/* --- parameters ---------------------------------------------------------------- */

static bool
has_callback(struct task *t, const char *name)
{
	struct json_object *list = task_param(t, "callback_param.callbacks");
	size_t i;

	for (i = 0; json_is_array(list) && i < json_object_array_length(list);
	     i++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			name))
			return true;
	return false;
}

static bool
uses_callbacks(struct task *t)
{
	return has_callback(t, "PerformanceEvaluate") ||
	       has_callback(t, "EarlyStopping");
}

/* A parameter of callback_param where that is used, else the older one. */
static struct json_object *
watch_param(struct task *t, const char *name)
{
	struct json_object *v = NULL;
	char *path;

	if (uses_callbacks(t)) {
		path = xasprintf("callback_param.%s", name);
		v = task_param(t, path);
		free(path);
	}
	return v != NULL ? v : task_param(t, name);
}

static int
read_epochs(struct json_object *list, struct lr_schedule *s)
{
	size_t i, n = json_object_array_length(list);
	int64_t v;

	if (n > LR_WATCH_EPOCHS_MAX)
		return err_set(ERR_INVALID,
		    "validation_freqs lists %zu iterations, at most %d", n,
		    LR_WATCH_EPOCHS_MAX);
	if ((s->epochs = mem_array(n + 1, sizeof(*s->epochs))) == NULL)
		return err_code();
	for (i = 0; i < n; i++) {
		v = json_object_get_int64(json_object_array_get_idx(list, i));
		if (v < 0 || v > 1000000)
			return err_set(ERR_INVALID, "validation_freqs lists "
						    "iterations from 0");
		s->epochs[s->n_epochs++] = (unsigned)v;
	}
	return 0;
}

int
lr_schedule_read(struct task *t, struct lr_schedule *s)
{
	struct json_object *freqs = watch_param(t, "validation_freqs");
	struct json_object *rounds = watch_param(t, "early_stopping_rounds");
	int r;

	memset(s, 0, sizeof(*s));
	if (json_is_array(freqs)) {
		if ((r = read_epochs(freqs, s)) != 0) {
			lr_schedule_fini(s);
			return r;
		}
	} else if (freqs != NULL)
		s->every = (unsigned)json_object_get_int64(freqs);
	if (rounds == NULL)
		return 0;
	if (s->every == 0 && s->n_epochs == 0)
		return err_set(ERR_INVALID, "early_stopping_rounds needs "
					    "validation_freqs");
	s->rounds = (unsigned)json_object_get_int64(rounds);
	return 0;
}

void
lr_schedule_fini(struct lr_schedule *s)
{
	free(s->epochs);
	memset(s, 0, sizeof(*s));
}

bool
lr_schedule_due(const struct lr_schedule *s, unsigned iteration)
{
	size_t i;

	if (s->every > 0)
		return (iteration + 1) % s->every == 0;
	for (i = 0; i < s->n_epochs; i++)
		if (s->epochs[i] == iteration)
			return true;
	return false;
}

unsigned
lr_checkpoint_freq(struct task *t)
{
	if (!has_callback(t, "ModelCheckpoint"))
		return 0;
	return (unsigned)task_param_int(t, "callback_param.save_freq", 1);
}

/* --- metrics -------------------------------------------------------------------- */

#define BIT(m) (1u << (m))
/* Those that are one number, in which larger is better. */
#define BINARY_NUMBERS (BIT(M_AUC) | BIT(M_KS))
#define MULTI_NUMBERS (BIT(M_ACCURACY) | BIT(M_PRECISION) | BIT(M_RECALL))

struct lr_watch {
	struct task *task;
	const struct lr_schedule *schedule;
	bool is_multi;
	bool first_only;
	char *prefix;
	unsigned metrics;
	struct json_object *history; /* ns → metric → [number] */
	struct json_object *latest;  /* of the newest look: metric → number */
	struct json_object *best;    /* metric → number */
	struct json_object *stale;   /* metric → looks since then */
};

/* Metrics that several classes have not are left out, like the default auc. */
static int
read_metrics(struct lr_watch *w)
{
	struct json_object *list = watch_param(w->task, "metrics");
	unsigned numbers = w->is_multi ? MULTI_NUMBERS : BINARY_NUMBERS;
	int r;

	if (w->is_multi)
		w->metrics = MULTI_NUMBERS;
	else if (list == NULL)
		w->metrics = BINARY_NUMBERS;
	else if ((r = evaluation_metrics("binary", list, &w->metrics)) != 0)
		return r;
	w->metrics &= numbers;
	if (w->schedule->rounds > 0 && w->metrics == 0)
		return err_set(ERR_INVALID,
		    "early_stopping_rounds needs auc or ks among metrics");
	return 0;
}

int
lr_watch_new(struct task *t, const struct lr_schedule *s, size_t classes,
    const char *prefix, struct lr_watch **out)
{
	struct lr_watch *w = xcalloc(1, sizeof(*w));
	struct json_object *first = watch_param(t, "use_first_metric_only");
	int r;

	*out = NULL;
	w->task = t;
	w->schedule = s;
	w->is_multi = classes > 2;
	w->first_only = first != NULL && json_object_get_boolean(first);
	w->prefix = xstrdup(prefix);
	w->best = json_object_new_object();
	w->stale = json_object_new_object();
	if ((r = read_metrics(w)) != 0) {
		lr_watch_free(w);
		return r;
	}
	*out = w;
	return 0;
}

void
lr_watch_free(struct lr_watch *w)
{
	if (w == NULL)
		return;
	free(w->prefix);
	json_object_put(w->history);
	json_object_put(w->latest);
	json_object_put(w->best);
	json_object_put(w->stale);
	free(w);
}

static struct json_object *
member(struct json_object *o, const char *key, bool is_list)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v)) {
		v = is_list ? json_object_new_array()
			    : json_object_new_object();
		json_add(o, key, v);
	}
	return v;
}

static void
remember(struct lr_watch *w, const char *ns, struct json_object *values)
{
	struct json_object *of;

	if (w->history == NULL)
		w->history = json_object_new_object();
	of = member(w->history, ns, false);
	json_object_object_foreach(values, metric, v)
	{
		json_object_array_add(
		    member(of, metric, true), json_object_get(v));
	}
	json_object_put(w->latest);
	w->latest = json_object_get(values);
}

/* All of one class have no auc: said once, not an end of the training. */
static bool
can_judge(const struct lr_watch *w, const struct lr_scored *s)
{
	size_t i, positive = 0;

	if (w->is_multi)
		return s->n > 0;
	for (i = 0; i < s->n; i++)
		positive += s->is_positive[i] != 0;
	return positive > 0 && positive < s->n;
}

int
lr_watch_measure(struct lr_watch *w, const char *name,
    const struct lr_scored *s, struct json_object **out)
{
	struct evaluation e = {
		.task = w->task, .metrics = w->metrics, .is_brief = true
	};
	struct group g = { .data_type = (char *)(uintptr_t)name,
		.ns = (char *)(uintptr_t)s->ns,
		.n = s->n,
		.label = (double *)(uintptr_t)s->label,
		.is_positive = (unsigned char *)(uintptr_t)s->is_positive,
		.result = (double *)(uintptr_t)s->result,
		.score = (double *)(uintptr_t)s->score };
	int r = 0;

	*out = NULL;
	e.summary = json_object_new_object();
	if (!can_judge(w, s))
		task_log(w->task, TASK_WARNING,
		    "%s: the %s rows are all of one class, which has no "
		    "metrics",
		    name, s->ns);
	else if ((r = w->is_multi ? evaluate_multi(&e, &g)
				  : evaluate_binary(&e, &g)) == 0)
		*out =
		    json_object_get(json_get(json_get(e.summary, name), s->ns));
	json_object_put(e.summary);
	return r;
}

int
lr_watch_look(struct lr_watch *w, unsigned t, const struct lr_scored *s)
{
	char *name = xasprintf("%siteration_%u", w->prefix, t);
	struct json_object *values;
	int r;

	r = lr_watch_measure(w, name, s, &values);
	if (r == 0 && values != NULL)
		remember(w, s->ns, values);
	json_object_put(values);
	free(name);
	return r;
}

/* --- early stopping ----------------------------------------------------------------- */

/* One metric's new value: how many looks ago was its best? */
static int64_t
note_value(struct lr_watch *w, const char *metric, struct json_object *value)
{
	struct json_object *best = json_get(w->best, metric);
	int64_t stale = 0;

	if (best == NULL ||
	    json_object_get_double(value) > json_object_get_double(best))
		json_object_object_add(w->best, metric, json_object_get(value));
	else
		stale = json_get_int(w->stale, metric, 0) + 1;
	json_object_object_add(w->stale, metric, json_object_new_int64(stale));
	return stale;
}

void
lr_watch_decide(struct lr_watch *w, bool *is_best, bool *stop)
{
	int64_t stale;
	bool is_first = true;

	*stop = false;
	*is_best = w->latest != NULL;
	if (w->latest == NULL)
		return;
	json_object_object_foreach(w->latest, metric, v)
	{
		stale = note_value(w, metric, v);
		if (!is_first && w->first_only)
			continue;
		is_first = false;
		*is_best = *is_best && stale == 0;
		*stop = *stop || (w->schedule->rounds > 0 &&
				     stale >= (int64_t)w->schedule->rounds);
	}
}

struct json_object *
lr_watch_history(struct lr_watch *w)
{
	return w == NULL || w->history == NULL ? NULL
					       : json_object_get(w->history);
}
