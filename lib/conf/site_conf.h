/*
 * The site's configuration: conf/site.conf describes every key, its unit and
 * its default.  All programs of a site read the same file.
 */
#ifndef LIB_CONF_SITE_CONF_H
#define LIB_CONF_SITE_CONF_H

#include <stdbool.h>
#include <stdint.h>

struct site_conf {
	char *path; /* the file that was read, absolute */
	/* [site] */
	char *party_id;
	char *home;	    /* absolute; all folders below it */
	char *shared;	    /* absolute, or "": one host has it all in home */
	char *wake_address; /* of this host for the others; or "" */
	char *host;	    /* this machine's name among those of the site */
	char *log_level;
	bool separate_users; /* of its programs: docs/install.md */
	/* [database] */
	char *db_socket; /* unix socket, or "" for host/port */
	char *db_host;
	int64_t db_port;
	/* Longest silence of the server; 0: none is too long. */
	int64_t db_answer_timeout_s;
	char *db_tls_ca; /* "": no TLS, for servers of this machine */
	char *db_name;
	char *db_user;
	char *db_password_file; /* "" for none */
	/* The programs' own accounts; "": the one above. */
	char *db_fcgi_user;
	char *db_fcgi_password_file;
	char *db_supervisor_user;
	char *db_supervisor_password_file;
	/* [listen] (nginx's side; also where clients are told to go) */
	char *client_url; /* http://127.0.0.1:… or "" */
	char *client_tls_url;
	char *partner_url;
	char *board_url;
	/* [fcgi] */
	int64_t fcgi_workers;  /* for users; as many again for partners */
	int64_t fcgi_max_body; /* bytes kept in memory */
	int64_t upload_max_mb; /* the largest body of an upload or import */
	int64_t upload_keep_free_mb; /* of the disk, whatever is uploaded */
	bool client_auth_off_on_loopback;
	char *client_vault_file; /* under it lie the secrets of client keys */
	char *upload_root;	 /* server-side files of uploads */
	char *examples_dir;	 /* what template/download packs */
	/* [users]: people who log in */
	int64_t session_idle_s; /* a session ends unused after this */
	int64_t session_max_s;	/* and anyway after this */
	int64_t password_ops;	/* cost of a check: lib/sign/password.h */
	int64_t password_memory_mb;
	int64_t password_checks; /* at a time, of all workers */
	/* [hooks]: services that decide, too; lib/hook/hook.h */
	char *hook_client_url; /* "": none */
	char *hook_site_url;
	char *hook_permission_url;
	bool hook_client_alone; /* instead of keys and sessions */
	int64_t hook_timeout_ms;
	int64_t hook_remember_s; /* what was allowed holds so long */
	char *hook_ca_file;	 /* "": the system's authorities */
	char *hook_cert_file;	 /* shown to them, "": nothing */
	char *hook_key_file;
	char *hook_secret_file; /* "": questions are not signed */
	/* [monitoring] */
	char *scrape_key_file; /* "": admins only */
	bool metrics_on_loopback;
	/* [data]: tables that are kept outside, and what is put there */
	char *file_roots;   /* absolute folders, ':' between them; "" */
	char *export_root;  /* absolute */
	char *mysql_hosts;  /* HOST[:PORT], blanks between them; "" */
	char *mysql_tls_ca; /* "": no TLS, for servers of this machine */
	/* [client]: the command line as a user of this site */
	char *client_key_file; /* "": requests are not signed */
	/* [supervisor] */
	int64_t poll_ms;
	int64_t lease_ms;
	int64_t heartbeat_ms;
	int64_t outage_s;  /* tasks go on without the database for so long */
	int64_t cores;	   /* 0: as many as the machine has */
	int64_t memory_mb; /* 0: three quarters of the machine's */
	int64_t host_memory_mb; /* of it, this host's; 0: the same */
	int64_t reservation_ms;
	int64_t partner_timeout_ms;
	int64_t partner_outage_s; /* jobs go on without one for so long */
	/* [retention]: days; 0: for ever */
	int64_t log_days;
	int64_t log_max_mb; /* a program's log is rotated at this size */
	int64_t event_days;
	int64_t metric_days;
	/* [jobs]: defaults for what a job does not say */
	int64_t task_cores;
	int64_t task_parallelism;
	int64_t job_timeout_s;
	int64_t task_timeout_s; /* 0: none but the job's */
	int64_t auto_retries;
	int64_t auto_retry_delay_s;
	char *error_detail;   /* of errors that leave: "full" or "class" */
	int64_t max_priority; /* of jobs submitted here */
	/* quotas of each partner without one of its own; 0: no limit */
	int64_t partner_cores;
	int64_t partner_running_jobs;
	int64_t partner_waiting_jobs;
	int64_t partner_stored_mb;
	/* [mailbox] */
	char *mailbox_memory_dir;  /* tmpfs folder for small objects */
	int64_t mailbox_max_bytes; /* per task */
	int64_t mailbox_max_objects;
	/* [executor] */
	char *providers_dir; /* NAME/VERSION/ folders, absolute */
	char *shepherd_program;
	char *sandbox_program; /* makes those of static executors */
	char *bwrap_program;
	int64_t executor_memory_mb; /* default limit per task */
	int64_t executor_file_mb;   /* largest file */
	int64_t no_progress_s;	    /* silence after which it hangs; 0: never */
	int64_t partner_wait_s; /* longest wait for an object; 0: for ever */
	int64_t session_hours;	/* longest session of one task; 0: no limit */
	int64_t max_egress_mb;	/* of a task; 0: what its contract allows */
	char *model_store_program; /* carries models to the store and back */
	/* [model_store] */
	bool store_enabled;
	char *store_engine; /* "mysql" or "redis" */
	char *store_socket; /* or host and port */
	char *store_host;
	int64_t store_port;
	char *store_tls_ca; /* mysql */
	char *store_name;   /* of the database; number for redis */
	char *store_user;
	char *store_password_file;
	char *cgroup_dir; /* "" finds what is delegated; "off" */
};

/*
 * Read and check a file; every fault is reported with section and key.
 * Relative paths in it are relative to the file's folder.
 * Ownership: *out is the caller's.  Errors: ERR_IO, ERR_INVALID.
 */
int site_conf_load(const char *path, struct site_conf **out);
void site_conf_free(struct site_conf *);

/*
 * From now on db_user and db_password_file are those of a program: a process
 * says once, after loading, which one it is.  Without accounts of their own
 * all use the same.
 */
enum site_program { SITE_FCGI, SITE_SUPERVISOR };
void site_conf_act_as(struct site_conf *, enum site_program);
/* Do the programs have accounts of their own? */
bool site_conf_has_accounts(const struct site_conf *);

/*
 * Read the file again and take over all numbers (limits, intervals, defaults,
 * capacity); names and paths stay until the program starts anew, for parts of
 * it may hold them.  On errors nothing changes; errors as above.
 */
int site_conf_refresh(struct site_conf *);

/* [site] host, or what the machine is called. */
#define SITE_HOST_SIZE 256
void site_host(const struct site_conf *, char out[SITE_HOST_SIZE]);

/*
 * home + "/" + relative, formatted; the caller's.  Below [site] shared instead,
 * when there is one: data, models, mailbox, spool/upload, and the logs of jobs.
 */
char *site_path(const struct site_conf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Are there other hosts, which are told what is noticed here? */
bool site_has_hosts(const struct site_conf *);
/* Where the folders of jobs' logs are; the caller's. */
char *site_job_logs(const struct site_conf *);
/*
 * Is the shared folder there, and this site's?  Fine when there is none.
 * Errors: ERR_IO, ERR_NOT_FOUND (not mounted), ERR_INVALID (another party's).
 */
int site_shared_check(const struct site_conf *);
/* Make it, once; the same again is fine.  Errors: as above. */
int site_shared_make(const struct site_conf *);

/* Folders below home, made by "sluice site init" and checked at start. */
#define SITE_KEYS                                                              \
	"keys"			  /* sign.key sign.pub tls.key tls.crt
					 * partners.pem vault.key vault.pub
					 * client.vault */
#define SITE_RUN "run"		  /* sockets and pid files */
#define SITE_TABLES "data/tables" /* one folder per table */
#define SITE_SPOOL "spool"	  /* upload/ mailbox/: nginx's bodies */
#define SITE_UPLOADS "spool/upload"
#define SITE_MAILBOX "mailbox" /* large objects of running tasks */
#define SITE_JOBS "jobs"       /* work folders of attempts */
/* One of them: job, component, version, role, party, fence. */
#define SITE_WORK_DIR SITE_JOBS "/%s/%s.%d.%s.%s.%d"
#define SITE_LOGS "logs"
#define SITE_MODELS "models"		      /* objects/ by SHA-256 */
#define SITE_MIGRATED SITE_MODELS "/migrated" /* archives for others */

#define SITE_FCGI_SOCKET "run/fcgi.sock"		 /* of users */
#define SITE_FCGI_PARTNER_SOCKET "run/fcgi-partner.sock" /* of partners */
#define SITE_HOSTS_SOCKET "run/hosts.sock" /* for other hosts' shepherds */
#define SITE_SUPERVISOR_SOCKET "run/supervisor.sock" /* wake datagrams */

#endif
