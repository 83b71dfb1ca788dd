/*
 * A federation in one process, in virtual time.
 *
 * Everything that could differ between two runs of a seed is made here: the
 * clock, randomness, the network between sites, the processes of shepherds,
 * and whose turn it is.  The parts under test (supervisor, fcgi-app's
 * handlers, lib/party, lib/db with its SQL on a real server) are those of the
 * programs, linked as they are; the linker sends their calls of the outside
 * world to wrap_*.c.
 *
 * Whatever touches a database runs as a routine: a thread that only runs
 * while the driver waits for it, so that at every statement, commit and send
 * (point.c) a routine can be held up, frozen or killed while
 * all others go on.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/id.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/event/loop.h"
#include "lib/http/partner.h"
#include "lib/model/state.h"

#define SITES_MAX 100
#define STORY_SITES 5 /* of a seed, at most */
#define HOSTS_MAX 2   /* supervisors of one site */
#define JOBS_MAX 5
#define JOBS_MOST 3 /* of a seed that is not tight */
#define TASKS_MAX 4
#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)

/* --- time, chance, what happens next (time.c) -------------------------------- */

typedef void sim_fn(void *ctx);

int64_t sim_now(void); /* virtual, microseconds since the epoch */
/* What is written next is written later than all before. */
void sim_tick(void);
/* Call fn from the driver at an instant; ctx must live until then. */
void sim_at(int64_t at_us, sim_fn *fn, void *ctx);
/* Take the next event; false when there is none. */
bool sim_next(void);
void sim_time_reset(uint64_t seed);
/* Forget all events; their contexts are whoever's made them. */
void sim_time_clear(void);

uint64_t sim_random(void);
int64_t sim_draw(int64_t below); /* 0 … below - 1 */
int64_t sim_between(int64_t low, int64_t high);
bool sim_chance(int64_t of_million);
/* The same answer for the same text in the same seed, whenever asked. */
uint64_t sim_hash(const char *text);
/* Below n by the same means: what is drawn so moves no other draw. */
int64_t sim_pick(const char *text, int number, int64_t n);

/* --- routines (routine.c) ---------------------------------------------------- */

struct site;
struct host;
struct instance;
struct proc;

enum role_kind { KIND_SUPERVISOR, KIND_WORKER, KIND_SHEPHERD };

/*
 * Who runs: a process of a site.  Dead: it has been killed, nothing it does
 * reaches anybody any more, it only has to find its way out.
 */
struct actor {
	enum role_kind kind;
	char name[48];
	struct site *site;
	struct instance *instance; /* KIND_SUPERVISOR */
	bool dead;
	struct routine *routine;
	struct st_mysql *my; /* its last connection */
	unsigned pretended;  /* the error its last statement shows */
	int64_t statements;
	uint64_t last_point; /* its last statement */
	bool in_tx, has_written;
	bool is_cut_off; /* the server has ended its transaction */
};

/* The actor that runs now; NULL: the driver. */
extern _Thread_local struct actor *self;

/* Start fn(ctx) as actor; it runs at the driver's next turn. */
void routine_start(struct actor *, sim_fn *fn, void *ctx);
/* Of the running routine: give way until then, or until it is woken. */
void routine_sleep(int64_t until_us, bool may_wake);
/* Wake a routine from routine_sleep(…, true), now or when it next sleeps. */
void routine_wake(struct actor *);
/* Let all routines run to their ends; all actors must be dead. */
void routine_finish_all(void);

/* --- points between two steps (point.c, tally.c) ----------------------------- */

#define POINTS_MAX 4096

/* Before or after a statement, a commit, a message, a start of a process. */
struct point {
	uint64_t key;
	int64_t passes, kills; /* while the world was rough */
	char label[64];
};

/* What came of the seeds of one worker. */
struct tally {
	int64_t passed, failed;
	int64_t virtual_s, statements, messages, shepherds, crashes, freezes;
	size_t npoints;
	struct point points[POINTS_MAX];
};

extern struct tally *tally; /* of this worker */

/*
 * Run fn(ctx, i, n) in n processes, each with a tally, and sum these up in
 * ours.  A worker that does not end by itself is a failure.  It has a
 * processor of its own when there are as many.
 */
typedef void worker_fn(void *ctx, int i, int n);
void workers_run(int n, worker_fn *fn, void *ctx);
/* Any worker has seen a failure. */
bool workers_have_failed(void);

/*
 * The actor that runs now is between two steps: it may be killed, held up or
 * frozen.  false: it is dead.  id says which step it is, among all that are
 * done in the programs, and what names it for whoever reads a trace.
 */
bool point_pass(const char *when, const char *what, uint64_t id);
/* The id of a text, or of a path without what differs from job to job. */
uint64_t point_of(const char *text, size_t len);
uint64_t point_of_path(const char *path);
/* In each seed, kill who comes first to the point with this key; 0: nobody. */
void point_kill_at(uint64_t key);
void point_reset(void);
bool point_was_fatal(void); /* somebody came */

/* --- sites (site.c, pool.c) ------------------------------------------------------------ */

#define POOL_MAX 24

struct site {
	int number;
	const char *party;	   /* its id */
	struct site_conf *conf;	   /* that of its first host */
	struct db *pool[POOL_MAX]; /* connections nobody uses now */
	size_t npool;
	int nhosts;
	struct host *hosts[HOSTS_MAX];
	int64_t skew_us;    /* how its clock goes wrong */
	int64_t down_until; /* the whole site, seen from outside */
	int64_t db_down_until;
	int64_t cores;
	int64_t statements;
	bool has_approvals;  /* of partners' jobs */
	int64_t writes;	     /* what was written, by statement or commit */
	int64_t fence_seen;  /* writes when check_fence() looked last */
	int64_t events_seen; /* by it */
};

/* What a reply or a child's end calls for, in the supervisor's own turn. */
struct letter {
	sim_fn *deliver;
	void *ctx;
	struct letter *next;
};

struct instance {
	struct actor actor;
	struct host *host;
	struct instance *older;
	int64_t number; /* of its host */
	struct loop *loop;
	struct letter *inbox, **inbox_end;
	bool wants_stop; /* orderly */
	bool is_up;	 /* all its parts have been made */
};

struct host {
	struct site *site;
	char name[24];
	struct site_conf *conf;
	struct instance *instance; /* NULL: none runs now */
	int64_t instances;
};

extern struct site sites[SITES_MAX];
extern int nsites;

/* Once: databases, folders, configurations of n sites. */
void sites_make(int n);
/* For a seed: n sites with nothing in them, clean databases. */
void sites_reset(int n);
void sites_start(void);
/* All actors of all sites die. */
void sites_kill(void);
/* What is left of them, once no routine runs. */
void sites_clear(void);
struct db *site_db(struct site *);
void site_db_back(struct site *, struct db *);
struct st_mysql *site_link(struct db *);
/* SELECT of one number, or of rows, by the driver, in the site's time. */
int64_t site_count(struct site *, const char *sql);
/* UPDATE by the driver; false when somebody has locked a row. */
bool site_change(struct site *, const char *sql);
typedef void sim_row_fn(struct site *, char **row, void *ctx);
void site_rows(struct site *, const char *sql, sim_row_fn *fn, void *ctx);
/* Around the clearing of the databases between two seeds. */
void server_let_go(void);
void server_hold(void);
/* Between two seeds: whoever had a connection has given it back. */
void pools_check(void);
void site_link_drop(struct st_mysql *); /* NULL is fine */
struct site *site_of_party(const char *party);
/* Datagram: the supervisor on the host with this home should look. */
void host_poke(const char *path);
void instance_post(struct instance *, sim_fn *deliver, void *ctx);
/* It is gone at once, with all in its memory; another starts later. */
void actor_kill(struct actor *, const char *where);

/*
 * A request to the site's fcgi-app, from a partner (its party id) or a user
 * (NULL); runs inside a routine of kind KIND_WORKER.  false: the worker died.
 */
bool site_request(struct site *, const char *partner, const char *path,
    const char *body, int *status, struct buf *reply);

/* --- network (net.c) ------------------------------------------------------------ */

void net_reset(void);
int net_post(struct instance *, const char *party, const char *path,
    const char *body, int64_t timeout_ms, partner_done_fn *done, void *ctx);
/* Nothing from `from` arrives at `to` until then. */
void net_cut(int from, int to, int64_t until_us);
/* All messages and their contexts, at the end of a seed. */
void net_clear(void);

/* --- shepherds (shepherd.c) ------------------------------------------------------ */

void procs_reset(void);
/* The supervisor that runs now starts one; 0 or an errno. */
int proc_spawn(const char *attempt_id, pid_t *pid);
int proc_watch(pid_t, bool is_child, loop_child_fn *fn, void *ctx);
/*
 * The supervisor that runs now is up: every shepherd of its host that lives
 * and has an open attempt must be one that it watches.
 */
void proc_check_adoption(void);
/* Call fn for each that lives on the host of the actor that runs now. */
void proc_each(void (*fn)(void *ctx, pid_t pid, const char *attempt), void *);
int proc_kill(pid_t);
void proc_poke(const char *socket_path);
size_t procs_alive(void);
void procs_kill(void);

/* --- the story and its judgement (story.c, check.c) ------------------------------- */

/* What may go wrong in a seed, in millionths of the occasions. */
struct faults {
	int64_t crash;	   /* at a statement or send */
	int64_t hold;	   /* the same: others go on for a moment */
	int64_t freeze;	   /* the same: for longer than a lease */
	int64_t lapse;	   /* before a transaction: until a lease is over */
	int64_t lose;	   /* a request, and as often a reply */
	int64_t duplicate; /* a request */
	int64_t delay;	   /* a message takes seconds */
	int64_t poke_lost; /* a datagram */
	int64_t spawn;	   /* a shepherd cannot be started */
	int64_t shepherd;  /* a shepherd's fate is a bad one */
	/* Messages whose path has this in it are often late and there twice;
	 * NULL: no kind is special. */
	const char *unruly;
};

struct sim_job {
	char id[ID_JOB_SIZE]; /* "" not submitted (yet) */
	int number;
	int site;    /* the initiator */
	int partner; /* its only host; 0: as chance has it */
	int ntasks;
	bool is_chain;
	bool ends_well;	   /* nobody and nothing is to end it */
	bool cancel_taken; /* and no rerun since */
	bool was_rerun;
	int64_t submit_at, cancel_at, rerun_at; /* 0: never */
	int64_t timeout_s, retries;
};

struct world {
	uint64_t seed;
	int64_t faults_end;
	int64_t bound; /* all has come to rest by then */
	struct faults faults;
	struct sim_job jobs[JOBS_MAX];
	int njobs;
	int64_t executor_ms; /* longest run */
	int64_t statements, messages, crashes, freezes;
	int64_t same_time; /* statements since time went on */
	bool may_fail;	   /* something happened that may end a job */
	bool over;	   /* everybody goes home */
	bool failed;
	bool is_calm;  /* nothing goes wrong by chance */
	bool is_told;  /* nor does anybody look who is not told to */
	bool is_tight; /* many jobs at once, and hardly room for one */
	bool keep_trace;
	struct buf trace;
};

extern struct world world;

/* A world with n sites, its own when 0, in which nothing happens yet. */
void world_begin(uint64_t seed, int n);
/* Whoever still stands somewhere finds its way out. */
void world_end(void);
/* Run one seed; true when nothing was violated. */
bool world_run(uint64_t seed);
void story_tell(void);
void story_submit(struct sim_job *);
/* The one with that id; NULL: its user never heard of it. */
struct sim_job *story_job(const char *id);
/* What leaves for a site: it may be the success of a job. */
void story_success_sent(const char *path, int site);
/* A user of a site asks for something; the job may be NULL, body is taken. */
void story_ask(struct sim_job *, int site, const char *path, char *body);
/* people.c, each second. */
void people_decide(void);
/* bench.c; the exit status. */
int bench_run(void);
/* Cheap things at any time; false when the world has failed. */
void check_step(void);
bool check_at_rest(void);
void check_end(void);
void check_executors(
    const char *what, const char *key, int64_t version, int change);
void check_reset(void);
/* check_audit.c, called by check_end(). */
void check_audit(void);
/*
 * A supervisor has committed: of no job that another one had leased since,
 * were it only for a moment.
 */
void check_fence(struct actor *);

/* Is it a time of faults? */
bool world_is_rough(void);
void world_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
