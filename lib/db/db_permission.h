/*
 * Rules about what partners may do: leaves of the permission tree.
 */
#ifndef LIB_DB_DB_PERMISSION_H
#define LIB_DB_DB_PERMISSION_H

#include "lib/db/db.h"

#define DB_PERMISSION_ANY "*"

/* What a rule is about; see sql for what subject and detail are of each. */
struct db_leaf {
	const char *party_id; /* who initiates, or "*" */
	const char *src_role; /* as which role, or "*" */
	const char *kind;     /* role command component dataset parameter */
	const char *subject;
	const char *detail; /* "" where there is none */
};

struct db_permission {
	int64_t id;
	struct db_leaf leaf;
	const char *bound;	/* JSON; NULL: any value */
	int64_t valid_from_ms;	/* 0: since ever */
	int64_t valid_until_ms; /* 0: for ever */
	bool is_early;		/* not yet, by the database's clock */
	bool is_late;		/* no more */
	bool has_uses;		/* uses are counted */
	int64_t uses_left;
	const char *approval_by;   /* NULL is "" */
	int64_t approval_within_s; /* 0: nobody has to approve */
	const char *created_by;
	int64_t created_ms;
};

/* Insert or replace the rule of this leaf. */
int db_permission_put(struct db *, const struct db_permission *);
/* *n (may be NULL) is 0 when there was no such rule: that is no error. */
int db_permission_delete(struct db *, const struct db_leaf *, int64_t *n);
/* In order of party, role, kind, subject, detail; party_id NULL: of all. */
int db_permission_list(struct db *, struct arena *, const char *party_id,
    struct db_permission **rows, size_t *n);

/*
 * Everything that may concern the wanted leaves, in one indexed query: rules
 * with exactly their five parts or "*" where a part may be that, whether they
 * are valid now or not.  Of kind "parameter" all rules about the subject are
 * found.  wanted has no "*" in it.
 */
int db_permission_match(struct db *, struct arena *,
    const struct db_leaf *wanted, size_t n_wanted, struct db_permission **rows,
    size_t *n);

/*
 * Count one use of a rule by a job's member, in the caller's transaction; the
 * same member's second time counts nothing.  ERR_DENIED: none was left.
 */
int db_permission_use(struct db *, int64_t id, const char *job_id,
    const char *role, const char *party_id);

#endif
