/*
 * What would be decided about a job, without running it: by this site about
 * a partner's, by every member's site about one of this site's own.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/deployed.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/own_data.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_partner_key.h"
#include "lib/party/explain.h"

struct explain {
	struct request *req;
	struct reply *rp;
	const struct job_spec *spec;
	const char *party;	     /* who would initiate it */
	struct json_object *members; /* borrowed from the answer */
	const char *barred; /* why nothing of it is heard at all, or "" */
	bool allowed;
	bool refused;	     /* somebody would not take it in */
	const char *unknown; /* whose word is missing, and why; or "" */
};

/*
 * said is explain_member()'s, and the answer's from now on.  That somebody is
 * silent is seen here: nobody says so of itself.
 */
static void
add_member(struct explain *x, const char *role, const char *party_id,
    struct json_object *said, bool silent)
{
	bool allowed = json_get_bool(said, "allowed", false);

	json_add_str(said, "role", role);
	json_add_str(said, "party_id", party_id);
	json_object_object_del(said, "silent");
	if (silent)
		json_add_bool(said, "silent", true);
	x->allowed &= allowed;
	x->refused |= !allowed && !silent;
	json_object_array_add(x->members, said);
}

static void
member_rows(const struct explain *x, const struct job_member *m,
    struct party_member *pm, struct db_job_new *job)
{
	*pm = (struct party_member){ x->spec->job_id, m->role, m->party_id };
	submit_rows(x->req, x->spec, m, job);
	job->initiator_party = x->party;
}

/*
 * *why nothing of a partner is heard at this site, nor anything said to it, or
 * "".  Of a stranger *is_known is false and *why says so.
 */
static int
look_at_partner(const struct explain *x, const char *party, bool *is_known,
    const char **why)
{
	struct arena *arena = x->req->arena;
	struct db *db = x->req->app->db;
	struct db_partner *p;
	int r;

	*why = "";
	r = db_partner_get(db, arena, party, &p);
	*is_known = r == 0;
	if (r == ERR_NOT_FOUND) {
		err_clear();
		*why = submit_stranger_text(arena, party);
		return 0;
	}
	if (r != 0)
		return r;
	if (p->enabled)
		return db_partner_key_lack(db, arena, party, why);
	*why = arena_printf(arena, "party %s is disabled at this site", party);
	return 0;
}

/* --- here --- */

static int
explain_here(struct explain *x)
{
	const struct job_member *m;
	struct json_object *said;
	struct party_member pm;
	struct db_job_new job;
	int r = 0;

	for (size_t i = 0; i < x->spec->n_members && r == 0; i++) {
		m = &x->spec->members[i];
		if (!m->is_local)
			continue;
		member_rows(x, m, &pm, &job);
		if ((r = explain_member(x->req->app->db, x->req->arena, &pm,
			 &job, hook_explains(x->req), false, &said)) == 0)
			add_member(x, m->role, m->party_id, said, false);
	}
	return r;
}

/* --- at partners --- */

/* Who cannot be heard has allowed nothing. */
static void
take_answer(struct explain *x, const struct errand_call *c)
{
	struct json_object *said = NULL;

	if (c->reply.retcode == 0 && json_is_object(c->reply.data) &&
	    json_is_array(json_get(c->reply.data, "decisions"))) {
		said = json_object_get(c->reply.data);
	} else {
		said = json_object_new_object();
		json_add_bool(said, "allowed", false);
		json_add(said, "decisions", json_object_new_array());
		json_add_str(said, "error",
		    c->reply.retcode == 0 ? "its answer is none"
					  : c->reply.retmsg);
		if (c->reply.silent)
			x->unknown = arena_printf(x->req->arena,
			    "%s%s%s %s does not answer", x->unknown,
			    *x->unknown == '\0' ? "" : ", ", c->role,
			    c->party_id);
	}
	add_member(x, c->role, c->party_id, said, c->reply.silent);
}

/* Who is asked nothing would refuse, as far as this site is concerned. */
static void
add_unasked(struct explain *x, const struct job_member *m, const char *why)
{
	struct json_object *said = json_object_new_object();

	json_add_bool(said, "allowed", false);
	json_add(said, "decisions", json_object_new_array());
	json_add_str(said, "error", why);
	add_member(x, m->role, m->party_id, said, false);
}

static int
add_question(struct explain *x, const struct job_member *m, struct errand *e)
{
	struct party_member pm;
	struct db_job_new job;
	const char *why;
	bool is_known;
	int r;

	if ((r = look_at_partner(x, m->party_id, &is_known, &why)) != 0)
		return r;
	if (*why != '\0') {
		add_unasked(x, m, why);
		return 0;
	}
	member_rows(x, m, &pm, &job);
	errand_add(e, m->role, m->party_id, explain_body(&pm, &job));
	return 0;
}

static int
explain_there(struct explain *x)
{
	struct errand e;
	int r = 0;

	errand_init(&e, x->req, PERMIT_EXPLAIN);
	for (size_t i = 0; i < x->spec->n_members && r == 0; i++)
		if (!x->spec->members[i].is_local)
			r = add_question(x, &x->spec->members[i], &e);
	if (r == 0 && e.n > 0 && (r = errand_run(&e)) != 0)
		r = errand_error(x->rp, r);
	else if (r == 0)
		for (size_t i = 0; i < e.n; i++)
			take_answer(x, &e.calls[i]);
	errand_fini(&e);
	return r;
}

/* --- the answer --- */

static const char *
note(const struct explain *x, bool own)
{
	if (*x->barred != '\0')
		return x->barred;
	if (own)
		return "this site's own members are not asked for permission";
	return json_object_array_length(x->members) == 0
		   ? "no member of the job is at this site"
		   : "";
}

static int
explain(struct request *req, struct reply *rp, const struct job_spec *spec)
{
	struct explain x = { .req = req,
		.rp = rp,
		.spec = spec,
		.party = request_text(req, "party_id"),
		.barred = "",
		.unknown = "",
		.allowed = true };
	struct json_object *data;
	bool own, is_known;
	int r;

	if (x.party == NULL)
		x.party = spec->initiator_party;
	if (!str_is_party_id(x.party))
		return err_set(ERR_INVALID, "party_id must be 1 to 10 digits");
	data = json_object_new_object();
	x.members = json_object_new_array();
	json_add(data, "members", x.members);
	own = str_eq(x.party, req->app->conf->party_id);
	/* Rules may be there before the partner is. */
	r = own ? 0 : look_at_partner(&x, x.party, &is_known, &x.barred);
	if (r == 0 && !own && !is_known)
		x.barred = "";
	x.allowed = *x.barred == '\0';
	if (r == 0)
		r = own ? explain_there(&x) : explain_here(&x);
	json_add_str(data, "party_id", x.party);
	json_add_str(data, "initiator_role", spec->initiator_role);
	json_add_bool(data, "allowed", x.allowed);
	/* Nobody refused, and somebody was not heard: it is not known. */
	if (!x.refused && *x.unknown != '\0')
		json_add_str(data, "unknown", x.unknown);
	json_add_str(data, "note", note(&x, own));
	if (r == 0 && rp->retcode == 0)
		(void)reply_data(rp, data);
	else
		json_object_put(data);
	return r;
}

static bool
is_initiated_here(const struct job_spec_input *in)
{
	struct json_object *from = json_get(in->conf, "initiator");
	char party[JSON_PARTY_SIZE];

	return json_party_id(json_get(from, "party_id"), party) &&
	       str_eq(party, in->local_party);
}

/* Is it asked about as a job of this site, and not as if a partner's? */
static bool
is_own(struct request *req, const struct job_spec_input *in)
{
	const char *party = request_text(req, "party_id");

	return party == NULL ? is_initiated_here(in)
			     : str_eq(party, in->local_party);
}

/* A predict job's tasks follow from the model that this site has. */
static int
find_model(struct request *req, struct job_spec_input *in,
    struct faults *faults, struct job_model **out)
{
	const struct deployed_for own = { NULL, NULL, NULL };
	int r;

	if (!is_initiated_here(in))
		return 0;
	r = deployed_find(
	    req, in->dsl, in->conf, &own, in->conf_path, faults, out);
	in->model = *out;
	return r;
}

int
api_permission_explain(struct request *req, struct reply *rp)
{
	struct job_defaults defaults;
	struct faults faults = FAULTS_INIT;
	struct job_model *model = NULL;
	struct job_spec *spec = NULL;
	struct own_data own = { req, 0, NULL };
	struct job_spec_input in = {
		.job_id = EXPLAIN_JOB_ID,
		.local_party = req->app->conf->party_id,
		.dsl = request_field(req, "job_dsl"),
		.conf = request_field(req, "job_runtime_conf"),
		.providers = req->app->providers,
		.defaults = &defaults,
		.dsl_path = JSON_PATH_KEY(NULL, "job_dsl"),
		.conf_path = JSON_PATH_KEY(NULL, "job_runtime_conf"),
	};
	int r;

	if ((r = request_require(req, "job_dsl,job_runtime_conf")) != 0 ||
	    (r = submit_defaults(req, &defaults)) != 0)
		return r;
	if (is_own(req, &in)) {
		in.look = own_data_look;
		in.look_ctx = &own;
	}
	if ((r = find_model(req, &in, &faults, &model)) == 0)
		r = job_spec_build(&in, &faults, &spec);
	if (r == 0)
		r = own.error;
	if (faults_any(&faults)) {
		rp->errors = faults_json(&faults);
		r = faults_err(&faults, "job");
	}
	if (r == 0)
		r = explain(req, rp, spec);
	job_spec_free(spec);
	deployed_free(model);
	faults_fini(&faults);
	return r;
}
