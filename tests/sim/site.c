/*
 * Sites: their databases and folders, made once; their supervisors, started
 * again whenever they are gone; their fcgi-app, one routine for each request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/sign/keys.h"
#include "lib/db/db_permission.h"
#include "lib/db/migrate.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"
#include "supervisor/supervisor.h"
#include "tests/lib/fcgi_call.h"
#include "tests/lib/mariadb.h"
#include "tests/sim/world.h"
#include "tests/sim/wrap.h"

#define MANIFEST "tests/provider/manifest.json"
#define MODULE "testempty"
#define FIRST_PARTY 10001
#define APPROVAL_S 200
#define RESTART_MIN (50 * MS)
#define RESTART_MAX (6 * SECOND)

struct site sites[SITES_MAX];
int nsites;

static struct host hosts[SITES_MAX][HOSTS_MAX];
static char parties[SITES_MAX][12];
static struct providers *providers;
static struct instance *instances; /* of this seed, the dead ones too */

#define TABLES_MAX 80

/* What a run may leave rows in: all tables but those of make_rows(). */
static char tables[TABLES_MAX][64];
static size_t ntables;

__attribute__((noreturn)) static void
give_up(const char *what)
{
	(void)fprintf(stderr, "simulation: %s: %s\n", what, err_text());
	exit(2);
}

static void
must(int r, const char *what)
{
	if (r != 0)
		give_up(what);
}

/* --- made once ------------------------------------------------------------------- */

static void
make_folders(const char *home)
{
	static const char *const folders[] = { "run/m", "logs", "jobs", "keys",
		SITE_SPOOL "/upload", SITE_MODELS "/objects" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = xasprintf("%s/%s", home, folders[i]);

		must(fd_mkdirs(path, 0700), path);
		free(path);
	}
}

static struct site_conf *
make_conf(int number, int host)
{
	const struct site_conf *db = mariadb_conf();
	struct site_conf *conf;
	char *home = xasprintf("%s/s%d-%d", mariadb_folder(), number, host);
	char *path = xasprintf("%s/site.conf", home);
	char *text = xasprintf("[site]\nparty_id = %d\nhome = %s\n"
			       "[database]\nsocket = %s\nname = sim_%d\n"
			       "user = %s\n"
			       "[fcgi]\nclient_auth_off_on_loopback = yes\n"
			       "[executor]\nshepherd_program = %s/shepherd\n"
			       "[mailbox]\nmemory_dir = %s/memory\n",
	    FIRST_PARTY + number, home, db->db_socket, number, db->db_user,
	    home, home);

	make_folders(home);
	must(fd_replace_file(path, text, strlen(text), 0600), path);
	must(site_conf_load(path, &conf), path);
	free(text);
	free(path);
	free(home);
	return conf;
}

static void
run_sql(struct db *db, const char *sql)
{
	must(db_run_script_statement(db, sql, strlen(sql)), sql);
}

static void
allow(struct db *db, const char *kind, const char *subject)
{
	struct db_permission p = { .leaf = { "*", "*", kind, subject, "" } };

	must(db_permission_put(db, &p), "permission");
}

/* What a site signs contracts with; the same in every run. */
static struct keys *
keys_of(const char *party)
{
	static struct keys *keys[SITES_MAX];
	int64_t i = 0;
	uint8_t seed[32] = { 0 };

	must(str_to_int64(party, FIRST_PARTY, FIRST_PARTY + SITES_MAX - 1, &i),
	    "party");
	i -= FIRST_PARTY;
	seed[0] = (uint8_t)(i + 1);
	if (keys[i] == NULL)
		must(keys_from_seed(seed, &keys[i]), "keys");
	return keys[i];
}

/* Partners of each other, who may run the one component there is. */
static void
make_rows(struct site *s, struct db *db)
{
	static const char *const roles[] = { "guest", "host", "arbiter" };

	for (int i = 0; i < nsites; i++) {
		struct db_partner p = { .party_id = parties[i],
			.name = "simulated",
			.url = "https://simulated",
			.tls_cert = "",
			.enabled = true };

		memcpy(p.sign_key, keys_public(keys_of(parties[i])),
		    sizeof(p.sign_key));
		if (i != s->number)
			must(db_partner_put(db, &p), "partner");
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		allow(db, "role", roles[i]);
	allow(db, "command", "create");
	allow(db, "command", "rerun");
	allow(db, "component", MODULE);
}

static void
add_table(struct site *s, char **row, void *ctx)
{
	(void)s, (void)ctx;
	if (ntables < TABLES_MAX)
		(void)snprintf(
		    tables[ntables++], sizeof(tables[0]), "%s", row[0]);
}

static void
find_tables(struct site *s)
{
	site_rows(s,
	    "SELECT table_name FROM information_schema.tables"
	    " WHERE table_schema = DATABASE() AND table_name NOT IN"
	    " ('partner', 'partner_key', 'permission', 'schema_migration',"
	    " 'client_nonce_since', 'partner_nonce_since') ORDER BY table_name",
	    add_table, NULL);
}

static void
make_site(int number)
{
	struct site *s = &sites[number];
	struct db *db = mariadb_connect();
	int applied;
	char sql[80];

	(void)snprintf(sql, sizeof(sql),
	    "CREATE DATABASE sim_%d CHARACTER SET utf8mb4", number);
	run_sql(db, sql);
	db_close(db);
	s->number = number;
	s->party = parties[number];
	for (int h = 0; h < HOSTS_MAX; h++) {
		struct host *host = &hosts[number][h];

		host->site = s;
		host->conf = make_conf(number, h);
		(void)snprintf(
		    host->name, sizeof(host->name), "s%d-%c", number, 'a' + h);
		s->hosts[h] = host;
	}
	s->conf = s->hosts[0]->conf;
	must(db_open(s->conf, &db), "database");
	must(db_migrate(db, "sql", &applied), "migrate");
	make_rows(s, db);
	db_close(db);
}

void
sites_make(int n)
{
	struct buf text = BUF_INIT;
	struct json_object *manifest;

	must(buf_read_file(&text, MANIFEST, 1 << 20), MANIFEST);
	must(json_parse_text(buf_str(&text), &manifest), MANIFEST);
	providers = providers_new();
	must(providers_add(providers, manifest, "/nowhere"), MANIFEST);
	buf_fini(&text);
	nsites = n;
	for (int i = 0; i < n; i++)
		(void)snprintf(
		    parties[i], sizeof(parties[i]), "%d", FIRST_PARTY + i);
	for (int i = 0; i < n; i++)
		make_site(i);
	find_tables(&sites[0]);
}

/* --- a seed's beginning -------------------------------------------------------------- */

/* Longer than all that is done takes. */
#define TOLD_POLL_MS 600000

/* What its partners may have here: enough for any one job of theirs. */
static void
set_quotas(const struct site *s, struct site_conf *c)
{
	bool any = sim_pick("quota", s->number, 3) == 0;

	c->partner_cores = any ? 3 + sim_pick("quota cores", s->number, 3) : 0;
	c->partner_running_jobs =
	    any ? sim_pick("quota jobs", s->number, 3) : 0;
}

static void
set_numbers(struct site *s)
{
	static const int64_t polls[] = { 200, 1000, 2000 };
	int64_t poll = polls[sim_draw(3)], reserve = sim_between(10, 30) * 1000;

	s->cores = sim_between(2, 6);
	if (world.is_tight)
		s->cores = 2;
	for (int h = 0; h < HOSTS_MAX; h++) {
		struct site_conf *c = s->hosts[h]->conf;

		c->poll_ms = world.is_told ? TOLD_POLL_MS : poll;
		c->cores = s->cores;
		c->memory_mb = 100000;
		c->lease_ms = 5000;
		c->heartbeat_ms = 1000;
		c->reservation_ms = reserve;
		c->partner_timeout_ms = 3000;
		set_quotas(s, c);
		c->partner_outage_s = 60;
	}
}

/* In a quarter of the sites a person approves, within what is long enough. */
static void
set_rules(struct site *s, struct db *db)
{
	struct db_permission p = { .leaf = {
				       "*", "*", "component", MODULE, "" } };

	s->has_approvals = nsites <= STORY_SITES && !world.is_told &&
			   sim_pick("approvals", s->number, 4) == 0;
	if (s->has_approvals) {
		p.approval_by = "admin";
		p.approval_within_s = APPROVAL_S;
	}
	must(db_permission_put(db, &p), "permission");
}

/* Whatever statements call the time must be the story's. */
static void
check_clock(struct site *s)
{
	int64_t t = sim_now() + s->skew_us;
	char sql[128];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT NOW(6) = FROM_UNIXTIME(%lld.%06lld) AND"
	    " SYSDATE(6) = NOW(6)",
	    (long long)(t / SECOND), (long long)(t % SECOND));
	if (site_count(s, sql) != 1)
		world_fail(
		    "the database of s%d has a time of its own", s->number);
}

void
sites_reset(int n)
{
	nsites = n;
	wrap_db_reset();
	server_let_go();
	for (int i = 0; i < n; i++) {
		struct site *s = &sites[i];
		struct db *db = site_db(s);
		char sql[64];

		s->skew_us = sim_chance(300000)
				 ? sim_between(-30 * SECOND, 30 * SECOND)
				 : 0;
		s->down_until = s->db_down_until = 0;
		s->nhosts = sim_chance(500000) ? 2 : 1;
		s->events_seen = s->fence_seen = s->statements = 0;
		s->writes++;
		set_numbers(s);
		run_sql(db, "SET FOREIGN_KEY_CHECKS = 0");
		for (size_t t = 0; t < ntables; t++) {
			(void)snprintf(
			    sql, sizeof(sql), "DELETE FROM %s", tables[t]);
			run_sql(db, sql);
		}
		set_rules(s, db);
		/* The one whose ids decide something: what is new. */
		run_sql(db, "ALTER TABLE audit AUTO_INCREMENT = 1");
		site_db_back(s, db);
		check_clock(s);
		for (int h = 0; h < HOSTS_MAX; h++) {
			s->hosts[h]->instance = NULL;
			s->hosts[h]->instances = 0;
		}
	}
	server_hold();
}

struct site *
site_of_party(const char *party)
{
	for (int i = 0; i < nsites; i++)
		if (str_eq(sites[i].party, party))
			return &sites[i];
	return NULL;
}

/* --- supervisors ---------------------------------------------------------------------- */

static void instance_start(void *ctx);

static void
drop_letters(struct instance *in)
{
	struct letter *l;

	while ((l = in->inbox) != NULL) {
		in->inbox = l->next;
		free(l);
	}
	in->inbox_end = &in->inbox;
}

static void
instance_main(void *ctx)
{
	struct instance *in = ctx;
	struct host *h = in->host;
	struct supervisor s = { .conf = h->conf,
		.own_conf = h->conf,
		.keys = keys_of(h->conf->party_id),
		/* Only wrap_os.c would look into it. */
		.http = (struct http_client *)(uintptr_t)1 };
	int r;

	s.db = site_db(h->site);
	must(loop_new(&s.loop), "loop");
	in->loop = s.loop;
	trace("starts");
	if ((r = supervisor_start(&s)) == 0)
		r = loop_run(s.loop);
	if (r != 0)
		trace("ends: %s", err_text());
	supervisor_stop(&s);
	loop_free(s.loop);
	site_db_back(h->site, s.db);
	drop_letters(in);
	h->instance = NULL;
	if (!world.over)
		sim_at(sim_now() + sim_between(RESTART_MIN, RESTART_MAX),
		    instance_start, h);
	/* Messages under way may still look whether it lives. */
	in->actor.dead = true;
}

static void
instance_start(void *ctx)
{
	struct host *h = ctx;
	struct instance *in = xcalloc(1, sizeof(*in));

	in->host = h;
	in->number = ++h->instances;
	in->inbox_end = &in->inbox;
	in->actor = (struct actor){
		.kind = KIND_SUPERVISOR, .site = h->site, .instance = in
	};
	(void)snprintf(in->actor.name, sizeof(in->actor.name), "%s#%lld",
	    h->name, (long long)in->number);
	in->older = instances;
	instances = in;
	h->instance = in;
	routine_start(&in->actor, instance_main, in);
}

void
sites_start(void)
{
	for (int i = 0; i < nsites; i++)
		for (int h = 0; h < sites[i].nhosts; h++)
			instance_start(sites[i].hosts[h]);
}

void
sites_clear(void)
{
	struct instance *in;

	while ((in = instances) != NULL) {
		instances = in->older;
		free(in);
	}
}

void
sites_kill(void)
{
	for (int i = 0; i < nsites; i++)
		for (int h = 0; h < sites[i].nhosts; h++)
			if (sites[i].hosts[h]->instance != NULL)
				sites[i].hosts[h]->instance->actor.dead = true;
}

void
instance_post(struct instance *in, sim_fn *deliver, void *ctx)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	l->deliver = deliver;
	l->ctx = ctx;
	*in->inbox_end = l;
	in->inbox_end = &l->next;
	routine_wake(&in->actor);
}

void
host_poke(const char *path)
{
	for (int i = 0; i < nsites; i++)
		for (int h = 0; h < sites[i].nhosts; h++) {
			struct host *host = sites[i].hosts[h];

			if (host->instance != NULL &&
			    str_starts(path, host->conf->home))
				routine_wake(&host->instance->actor);
		}
}

void
actor_kill(struct actor *a, const char *where)
{
	if (a->dead)
		return;
	a->dead = true;
	trace("%s is killed at %s", a->name, where);
	site_link_drop(a->my);
	routine_wake(a);
}

/* --- fcgi-app ----------------------------------------------------------------------------- */

bool
site_request(struct site *s, const char *partner, const char *path,
    const char *body, int *status, struct buf *reply)
{
	char *env[8] = { NULL };
	int n = 0;
	struct app app = { .conf = s->conf, .providers = providers };

	env[n++] = xstrdup("REQUEST_METHOD=POST");
	env[n++] = xasprintf("REQUEST_URI=%s", path);
	env[n++] = xstrdup("CONTENT_TYPE=application/json");
	env[n++] = xasprintf("CONTENT_LENGTH=%zu", strlen(body));
	env[n++] = xasprintf(
	    "LISTENER=%s", partner != NULL ? "partner" : "client-loopback");
	if (partner != NULL)
		env[n++] = xasprintf("SIM_PARTY=%s", partner);
	else
		env[n++] = xstrdup("REMOTE_ADDR=127.0.0.1");
	app.db = site_db(s);
	fcgi_call(&app, env, body, strlen(body), reply);
	site_db_back(s, app.db);
	while (n > 0)
		free(env[--n]);
	*status = self->dead ? 502 : fcgi_take_head(reply);
	return !self->dead;
}
