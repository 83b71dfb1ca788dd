/*
 * A version for other parties.  Members are asked twice: first whether they
 * can and what their half would be, then, when all can, to write it.  When
 * they are all of the model's members, the root of the new version is known
 * and stands in each archive.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/model_parties.h"
#include "fcgi-app/model_rows.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/model/job_spec.h"
#include "lib/model/model_version.h"
#include "lib/party/migrate_text.h"
#include "lib/party/model_migrate.h"

struct moving {
	struct request *req;
	struct json_object *role, *migrate_role, *execute; /* borrowed */
	struct json_object *body;    /* of the first question; owned */
	struct json_object *members; /* of the second; owned */
	const char *model_id;	     /* the new one */
	char version[ID_JOB_SIZE];
	size_t asked, total; /* members: those asked, all */
};

/* --- what is asked for --- */

static size_t
count(struct json_object *roles)
{
	size_t n = 0;

	json_object_object_foreach(roles, role, list)
	{
		(void)role;
		n += json_is_array(list) ? json_object_array_length(list) : 0;
	}
	return n;
}

/* Same roles with as many members each, and another somewhere. */
static int
check_roles(const struct moving *mv)
{
	char was[JSON_PARTY_SIZE], is[JSON_PARTY_SIZE];
	bool differs = false;

	if (json_object_object_length(mv->role) !=
	    json_object_object_length(mv->migrate_role))
		return err_set(ERR_INVALID,
		    "role and migrate_role must have the same roles");
	json_object_object_foreach(mv->role, name, list)
	{
		struct json_object *other = json_get(mv->migrate_role, name);

		if (!json_is_array(list) || !json_is_array(other) ||
		    json_object_array_length(list) !=
			json_object_array_length(other))
			return err_set(ERR_INVALID,
			    "migrate_role must have as many members in the "
			    "role %s as role has",
			    name);
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			if (!json_party_id(
				json_object_array_get_idx(list, i), was) ||
			    !json_party_id(
				json_object_array_get_idx(other, i), is))
				return err_set(ERR_INVALID,
				    "member %zu of the role %s is no party id",
				    i, name);
			differs = differs || !str_eq(was, is);
		}
	}
	return differs ? 0
		       : err_set(ERR_INVALID,
			     "role and migrate_role are the same: there is "
			     "nothing to migrate");
}

/* Who does it must be members, as texts or as numbers. */
static int
check_execute(struct moving *mv)
{
	char party[JSON_PARTY_SIZE];

	json_object_object_foreach(mv->execute, name, list)
	{
		if (!json_is_array(list))
			return err_set(ERR_INVALID,
			    "execute_party: %.20s must be a list of party ids",
			    name);
		for (size_t i = 0; i < json_object_array_length(list);
		     i++, mv->asked++)
			if (!json_party_id(
				json_object_array_get_idx(list, i), party) ||
			    migrate_party(mv->req->arena, mv->role,
				mv->migrate_role, name, party) == NULL)
				return err_set(ERR_INVALID,
				    "execute_party: member %zu of the role %s "
				    "is not in role",
				    i, name);
	}
	mv->total = count(mv->role);
	return mv->asked > 0
		   ? 0
		   : err_set(ERR_INVALID, "execute_party names nobody");
}

static int
take_version(struct moving *mv)
{
	const char *given = request_text(mv->req, "unify_model_version");

	id_job(mv->version);
	if (given == NULL)
		return 0;
	if (!str_is_job_id(given))
		return err_set(ERR_INVALID,
		    "unify_model_version: '%.100s' has not the form of a job's "
		    "id, 14 to 25 digits",
		    given);
	memcpy(mv->version, given, strlen(given) + 1);
	return 0;
}

/* The root is that of any half that is here. */
static int
make_body(struct moving *mv)
{
	struct request *req = mv->req;
	struct json_object *initiator = request_field(req, "migrate_initiator");
	char hex[MODEL_HEX_SIZE], party[JSON_PARTY_SIZE];
	struct db_model *row;
	int r;

	if (!json_party_id(json_get(initiator, "party_id"), party) ||
	    migrate_party(req->arena, mv->migrate_role, mv->migrate_role,
		json_get_str(initiator, "role", ""), party) == NULL)
		return err_set(ERR_INVALID,
		    "migrate_initiator must be a member of migrate_role");
	if ((r = model_rows_find(req, request_text(req, "model_id"),
		 request_text(req, "model_version"), NULL, NULL, &row)) != 0)
		return r;
	str_to_hex(row->root_hash, sizeof(row->root_hash), hex);
	mv->body = json_object_new_object();
	json_add_str(mv->body, "model_id", row->model_id);
	json_add_str(mv->body, "model_version", row->model_version);
	json_add_str(mv->body, "root", hex);
	json_add_str(mv->body, "new_version", mv->version);
	json_add_str(
	    mv->body, "initiator_role", json_get_str(initiator, "role", ""));
	json_add_str(mv->body, "initiator_party", party);
	json_add(mv->body, "role", json_copy(mv->role));
	json_add(mv->body, "migrate_role", json_copy(mv->migrate_role));
	json_add_bool(mv->body, "write", false);
	return 0;
}

/* --- asking --- */

static void
ask_all(struct moving *mv, struct errand *e, struct json_object *body)
{
	char party[JSON_PARTY_SIZE];

	errand_init(e, mv->req, MODEL_MIGRATE);
	json_object_object_foreach(mv->execute, role, list)
	{
		for (size_t i = 0; i < json_object_array_length(list); i++)
			if (json_party_id(
				json_object_array_get_idx(list, i), party))
				errand_add(e,
				    arena_strdup(mv->req->arena, role),
				    arena_strdup(mv->req->arena, party),
				    json_object_get(body));
	}
}

/* New member → the hash that the old one answered. */
static void
collect(struct moving *mv, const struct errand *e)
{
	mv->members = json_object_new_object();
	for (size_t i = 0; i < e->n; i++) {
		const struct errand_call *c = &e->calls[i];
		struct json_object *of = json_get(mv->members, c->role);

		if (of == NULL) {
			of = json_object_new_object();
			json_add(mv->members, c->role, of);
		}
		json_add_str(of,
		    migrate_party(mv->req->arena, mv->role, mv->migrate_role,
			c->role, c->party_id),
		    json_get_str(c->reply.data, "manifest_hash", ""));
	}
}

static void
say_written(struct moving *mv, struct errand *e)
{
	for (size_t i = 0; i < e->n; i++) {
		struct errand_reply *reply = &e->calls[i].reply;

		if (reply->retcode == 0 && !reply->silent)
			reply->retmsg = arena_printf(mv->req->arena,
			    "model id %s, version %s: archive %s in the "
			    "folder of its site%s",
			    mv->model_id, mv->version,
			    json_get_str(reply->data, "path", "?"),
			    mv->members == NULL
				? "; not all members migrate, so its root is "
				  "unknown"
				: "");
	}
}

/* Nobody has written anything: those who could are told as such. */
static void
say_not_done(struct errand *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->calls[i].reply.retcode != 0)
			continue;
		e->calls[i].reply.retcode = 100;
		e->calls[i].reply.retmsg =
		    "not done, because another member did not agree";
	}
}

static int
answer_with(struct reply *rp, const struct errand *e)
{
	struct json_object *data = json_object_new_object();
	bool silent = false;

	model_parties_add(data, e);
	reply_data(rp, data);
	for (size_t i = 0; i < e->n; i++)
		silent = silent || e->calls[i].reply.silent;
	return silent ? reply_fault(rp, 101, "failed") : 0;
}

static int
write_all(struct moving *mv, struct reply *rp)
{
	struct json_object *body = json_copy(mv->body);
	struct errand e;
	int r;

	json_add_bool(body, "write", true);
	if (mv->members != NULL)
		json_add(body, "members", json_object_get(mv->members));
	ask_all(mv, &e, body);
	json_object_put(body);
	if ((r = errand_run(&e)) == 0) {
		say_written(mv, &e);
		r = answer_with(rp, &e);
	} else {
		r = errand_error(rp, r);
	}
	errand_fini(&e);
	return r;
}

static int
migrate(struct moving *mv, struct reply *rp)
{
	struct errand e;
	int r;

	ask_all(mv, &e, mv->body);
	if ((r = errand_run(&e)) != 0) {
		r = errand_error(rp, r);
	} else if (errand_failures(&e) > 0) {
		say_not_done(&e);
		r = answer_with(rp, &e);
	} else {
		if (mv->asked == mv->total)
			collect(mv, &e);
		r = write_all(mv, rp);
	}
	errand_fini(&e);
	return r;
}

int
api_model_migrate(struct request *req, struct reply *rp)
{
	struct moving mv = { .req = req };
	char *id;
	int r;

	if ((r = request_require(req,
		 "migrate_initiator,role,migrate_role,model_id,model_version,"
		 "execute_party,job_parameters")) != 0)
		return r;
	mv.role = request_field(req, "role");
	mv.migrate_role = request_field(req, "migrate_role");
	mv.execute = request_field(req, "execute_party");
	if (!json_is_object(mv.role) || !json_is_object(mv.migrate_role) ||
	    !json_is_object(mv.execute))
		return reply_fault(rp, 100,
		    "role, migrate_role and execute_party must be objects: "
		    "role to list of party ids");
	if ((r = check_roles(&mv)) == 0 && (r = check_execute(&mv)) == 0 &&
	    (r = take_version(&mv)) == 0)
		r = make_body(&mv);
	if (r == ERR_INVALID || r == ERR_NOT_FOUND)
		return reply_fault(rp, 100, "%s", err_text());
	if (r == 0) {
		id = job_model_id(mv.migrate_role);
		mv.model_id = arena_strdup(req->arena, id);
		free(id);
		rp->job_id = xstrdup(mv.version);
		r = migrate(&mv, rp);
	}
	json_object_put(mv.body);
	json_object_put(mv.members);
	return r;
}
