/*
 * What partners may do here, for this site's admins in the platform's words.
 */
#include <ctype.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_permission.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/approval.h"
#include "lib/party/party.h"
#include "lib/party/permit_command.h"
#include "lib/party/permit_still.h"
#include "lib/provider/manifest.h"

#define LEAVES_MAX 4096
#define NAME_MAX_LEN 255

/* --- the request ------------------------------------------------------------ */

struct change {
	struct request *req;
	const char *party;
	bool revoke;
	struct db_leaf *leaves;
	size_t n;
	bool all_datasets; /* of a revocation */
	const char *approval_by;
	int64_t approval_within_s; /* 0: nobody has to approve */
};

static int
add(struct change *c, enum permit_kind kind, const char *subject,
    const char *detail)
{
	if (c->n == LEAVES_MAX)
		return err_set(ERR_LIMIT, "more than %d names", LEAVES_MAX);
	c->leaves[c->n++] = (struct db_leaf){ c->party, DB_PERMISSION_ANY,
		permit_kind_name(kind), subject, detail };
	return 0;
}

static const char *
lower(struct request *req, const char *s, size_t len)
{
	char *copy = arena_strndup(req->arena, s, len), *p;

	for (p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* As the platform does it: "*" is every component that there is now. */
static int
add_every_component(struct change *c)
{
	const struct providers *all = c->req->app->providers;
	const struct provider *p;
	const char *name;
	size_t i, k;
	int r;

	for (i = 0; i < providers_count(all); i++) {
		p = providers_at(all, i);
		for (k = 0; k < p->n_modules; k++) {
			name = p->modules[k].name;
			if ((r = add(c, PERMIT_COMPONENT,
				 lower(c->req, name, strlen(name)), "")) != 0)
				return r;
		}
	}
	/* A wildcard of the operator's command goes with a revocation too. */
	return c->revoke ? add(c, PERMIT_COMPONENT, DB_PERMISSION_ANY, "") : 0;
}

static int
add_component(struct change *c, const char *s, size_t len)
{
	const struct providers *all = c->req->app->providers;
	const char *name, *near;
	const struct module *m;

	while (len > 0 && *s == ' ') {
		s++;
		len--;
	}
	while (len > 0 && s[len - 1] == ' ')
		len--;
	name = arena_strndup(c->req->arena, s, len);
	if (str_eq(name, DB_PERMISSION_ANY))
		return add_every_component(c);
	if ((m = providers_module(all, name)) == NULL) {
		near = providers_nearest_module(all, name);
		return err_set(ERR_UNSUPPORTED,
		    "component: %.100s is not known here%s%s%s", name,
		    near != NULL ? ", did you mean " : "",
		    near != NULL ? near : "", near != NULL ? "?" : "");
	}
	return add(
	    c, PERMIT_COMPONENT, lower(c->req, m->name, strlen(m->name)), "");
}

static int
take_components(struct change *c)
{
	const char *s = request_text(c->req, "component");
	size_t len;
	int r = 0;

	if (s == NULL && request_field(c->req, "component") != NULL)
		return err_set(ERR_INVALID,
		    "component must be a text: names with commas between, "
		    "or *");
	for (; s != NULL && r == 0 && *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		r = add_component(c, s, len);
	}
	return r;
}

static int
add_dataset(struct change *c, struct json_object *o)
{
	const char *space = json_get_str(o, "namespace", NULL);
	const char *name = json_get_str(o, "name", NULL);

	if (space == NULL || name == NULL)
		return err_set(ERR_INVALID,
		    "dataset must be {\"namespace\": …, \"name\": …} or a "
		    "list of them");
	if (strlen(space) - 1 >= NAME_MAX_LEN ||
	    strlen(name) - 1 >= NAME_MAX_LEN)
		return err_set(ERR_INVALID,
		    "dataset: namespace and name have 1 to %d bytes",
		    NAME_MAX_LEN);
	return add(c, PERMIT_DATASET, arena_strdup(c->req->arena, space),
	    arena_strdup(c->req->arena, name));
}

static int
take_datasets(struct change *c)
{
	struct json_object *o = request_field(c->req, "dataset");
	size_t i;
	int r = 0;

	if (o == NULL)
		return 0;
	if (json_is_string(o) &&
	    str_eq(json_object_get_string(o), DB_PERMISSION_ANY)) {
		c->all_datasets = c->revoke;
		return c->revoke
			   ? 0
			   : err_set(ERR_UNSUPPORTED,
				 "dataset: every dataset cannot be granted "
				 "here, name them (the operator's command can: "
				 "sluice grant %s --datasets '*')",
				 c->party);
	}
	if (!json_is_array(o))
		return add_dataset(c, o);
	for (i = 0; r == 0 && i < json_object_array_length(o); i++)
		r = add_dataset(c, json_object_array_get_idx(o, i));
	return r;
}

/* Each job under what is granted here needs a person's word. */
static int
take_approval(struct change *c)
{
	const char *within = request_text(c->req, "approval_within");
	int r;

	c->approval_by = request_text(c->req, "approval_by");
	if (request_field(c->req, "approval_by") == NULL &&
	    request_field(c->req, "approval_within") == NULL)
		return 0;
	if (within == NULL)
		return err_set(ERR_INVALID,
		    "approval_within must be a text such as \"48h\"");
	if (c->approval_by == NULL)
		c->approval_by = APPROVAL_ADMIN;
	if ((r = approval_name(c->req->app->db, c->req->arena,
		 c->req->app->conf, c->approval_by)) != 0)
		return err_wrap("approval_by");
	return approval_within(within, &c->approval_within_s);
}

static int
take_party(struct request *req, const char **out)
{
	const char *party;
	int r;

	if ((r = request_require(req, "party_id")) != 0)
		return r;
	party = request_text(req, "party_id");
	if (party == NULL || !str_is_party_id(party))
		return err_set(ERR_INVALID, "party_id must be 1 to 10 digits");
	*out = party;
	return 0;
}

/* --- grant and delete ----------------------------------------------------------- */

static bool
has_kind(const struct db_permission *rows, size_t n, enum permit_kind kind)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(rows[i].leaf.kind, permit_kind_name(kind)))
			return true;
	return false;
}

/*
 * The platform knows no rules about roles and commands: a party that is
 * granted something by its words may have any role and command, unless the
 * operator has said which.
 */
static int
open_branches(struct db *db, struct change *c)
{
	static const enum permit_kind kinds[] = { PERMIT_ROLE, PERMIT_COMMAND };
	struct db_permission *rows;
	size_t i, n;
	int r;

	if ((r = db_permission_list(db, c->req->arena, c->party, &rows, &n)) !=
	    0)
		return r;
	for (i = 0; i < 2; i++) {
		if (has_kind(rows, n, kinds[i]))
			continue;
		r = db_permission_put(db,
		    &(struct db_permission){
			.leaf = { c->party, DB_PERMISSION_ANY,
			    permit_kind_name(kinds[i]), DB_PERMISSION_ANY, "" },
			.created_by = c->req->caller.name });
		if (r != 0)
			return r;
	}
	return 0;
}

static int
delete_datasets(struct db *db, struct change *c)
{
	struct db_permission *rows;
	size_t i, n;
	int r;

	if ((r = db_permission_list(db, c->req->arena, c->party, &rows, &n)) !=
	    0)
		return r;
	for (i = 0; i < n && r == 0; i++)
		if (str_eq(rows[i].leaf.kind, permit_kind_name(PERMIT_DATASET)))
			r = db_permission_delete(db, &rows[i].leaf, NULL);
	return r;
}

static int
change_tx(struct db *db, void *ctx)
{
	struct change *c = ctx;
	size_t i;
	int r = 0;

	if (c->all_datasets && (r = delete_datasets(db, c)) != 0)
		return r;
	if (!c->revoke && c->n > 0 && (r = open_branches(db, c)) != 0)
		return r;
	for (i = 0; i < c->n && r == 0; i++) {
		if (c->revoke)
			r = db_permission_delete(db, &c->leaves[i], NULL);
		else
			r = db_permission_put(
			    db, &(struct db_permission){ .leaf = c->leaves[i],
				    .approval_by = c->approval_by,
				    .approval_within_s = c->approval_within_s,
				    .created_by = c->req->caller.name });
	}
	return r == 0 ? db_audit_add(db,
			    &(struct db_audit){ .actor = c->req->caller.name,
				.action = c->revoke ? "revoke" : "grant",
				.subject = c->party,
				.outcome = "ok",
				.detail = json_text(c->req->json) })
		      : r;
}

/* What other rules allow of what was taken away; the platform has no word. */
static int
reply_still(struct change *c, struct reply *rp)
{
	struct json_object *data, *list, *o;
	struct db_permission *rows;
	size_t i, n;
	int r;

	if ((r = permit_still(c->req->app->db, c->req->arena, c->leaves, c->n,
		 &rows, &n)) != 0 ||
	    n == 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_int(o, "rule", rows[i].id);
		json_add_str(o, "party_id", rows[i].leaf.party_id);
		json_add_str(o, "kind", rows[i].leaf.kind);
		json_add_str(o, "subject", rows[i].leaf.subject);
		json_add_str(o, "detail", rows[i].leaf.detail);
		json_add_str(o, "revoke",
		    permit_command(c->req->arena, "revoke", &rows[i].leaf));
		json_object_array_add(list, o);
	}
	data = json_object_new_object();
	json_add(data, "still_allowed", list);
	return reply_data(rp, data);
}

static int
change(struct request *req, struct reply *rp, bool revoke)
{
	struct change c = { .req = req, .revoke = revoke };
	int r;

	if ((r = take_party(req, &c.party)) != 0)
		return r;
	c.leaves =
	    arena_alloc(req->arena, (LEAVES_MAX + 1) * sizeof(*c.leaves));
	if ((r = take_components(&c)) != 0 || (r = take_datasets(&c)) != 0 ||
	    (!revoke && (r = take_approval(&c)) != 0) ||
	    (r = db_tx(req->app->db, change_tx, &c)) != 0 || !revoke)
		return r;
	if (c.all_datasets)
		c.leaves[c.n++] = (struct db_leaf){ c.party, DB_PERMISSION_ANY,
			permit_kind_name(PERMIT_DATASET), DB_PERMISSION_ANY,
			DB_PERMISSION_ANY };
	return reply_still(&c, rp);
}

int
api_permission_grant(struct request *req, struct reply *rp)
{
	return change(req, rp, false);
}

int
api_permission_delete(struct request *req, struct reply *rp)
{
	return change(req, rp, true);
}

/* --- query --------------------------------------------------------------------- */

int
api_permission_query(struct request *req, struct reply *rp)
{
	struct json_object *data, *components, *datasets, *o;
	struct db_permission *rows;
	const char *party;
	size_t i, n;
	int r;

	if ((r = take_party(req, &party)) != 0 ||
	    (r = db_permission_list(
		 req->app->db, req->arena, party, &rows, &n)) != 0)
		return r;
	data = json_object_new_object();
	components = json_object_new_array();
	datasets = json_object_new_array();
	for (i = 0; i < n; i++) {
		const struct db_leaf *l = &rows[i].leaf;

		if (rows[i].is_late)
			continue;
		if (str_eq(l->kind, permit_kind_name(PERMIT_COMPONENT))) {
			json_object_array_add(
			    components, json_object_new_string(l->subject));
		} else if (str_eq(l->kind, permit_kind_name(PERMIT_DATASET))) {
			o = json_object_new_object();
			json_add_str(o, "namespace", l->subject);
			json_add_str(o, "name", l->detail);
			json_object_array_add(datasets, o);
		}
	}
	json_add(data, "component", components);
	json_add(data, "dataset", datasets);
	return reply_data(rp, data);
}
