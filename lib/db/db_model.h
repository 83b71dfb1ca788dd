/*
 * Versions of models at this site's members, and the parts they consist of.
 *
 * A version is staged, then sealed (sql/0002_model.sql says why).  Only the
 * sealed one is shown and used.  While a job runs again its newly staged row
 * stands beside the sealed one, which it replaces when it is sealed itself.
 *
 * Parts are rows that say which file (models/objects/XX/SHA256) holds which
 * buffer.  Shepherds register those of a training job at the end of their
 * tasks, one set for each version of a task; sealing marks the ones that the
 * manifest lists and removes the others.
 */
#ifndef LIB_DB_DB_MODEL_H
#define LIB_DB_DB_MODEL_H

#include "lib/db/db_job.h"

/* A version at one member.  NULL in lists: the documents. */
struct db_model {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	bool sealed;
	const char *job_id; /* of the training; a child has its parent's */
	bool is_parent;
	const char *parent_version; /* of a child; may be NULL */
	const char *parent_info;    /* JSON, may be NULL */
	const char *roles;	    /* JSON {"guest":[9999],…} */
	const char *initiator_role;
	const char *initiator_party;
	const char *train_dsl;		   /* JSON */
	const char *inference_dsl;	   /* JSON */
	const char *train_runtime_conf;	   /* JSON */
	const char *runtime_conf_on_party; /* JSON */
	const char *manifest;		   /* canonical JSON */
	unsigned char manifest_hash[DB_HASH_SIZE];
	unsigned char root_hash[DB_HASH_SIZE]; /* zero while staged */
	const char *members; /* JSON, what the root is of; may be NULL */
	int64_t size_bytes;  /* of all its parts */
	int64_t loaded_times;
	bool imported;
	bool has_archive; /* it came by an archive, of which: */
	unsigned char archive_sha256[DB_HASH_SIZE];
	int64_t created_ms;
	int64_t updated_ms;
	/*
	 * Of one to be staged: the partner that this is counted for (db_quota.h)
	 * until it is dropped or deleted, or NULL.  Not read.
	 */
	const char *stored_party;
	int64_t stored_bytes;
};

struct db_model_part {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	const char *component;
	const char *alias;
	const char *buffer_name; /* "HeteroLRParam" */
	const char *message;	 /* protobuf message name */
	const char *module;
	int64_t version; /* task version it is from */
	int64_t bytes;
	unsigned char sha256[DB_HASH_SIZE];
	bool sealed;
	int64_t created_ms;
};

/* Which version; everything borrowed. */
struct db_model_key {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
};

/* --- versions --- */

/*
 * Put the staged row, in place of a staged one, and register parts (beside
 * those that are registered already), in one transaction.  sealed, root_hash
 * and the instants of m are not looked at.
 */
int db_model_stage(struct db *, const struct db_model *m,
    const struct db_model_part *parts, size_t n);

/*
 * Seal the staged version whose manifest has that hash.  parts are those the
 * manifest lists: each must be registered with the same content.  A sealed
 * row of the same key and parts that are not listed go.
 * *effective (may be NULL) is false when it was sealed like this before.
 * Errors: ERR_CONFLICT when nothing of that hash is staged or a part is not
 * registered.
 */
int db_model_seal(struct db *, const struct db_model_key *,
    const unsigned char manifest_hash[DB_HASH_SIZE],
    const unsigned char root_hash[DB_HASH_SIZE],
    const struct db_model_part *parts, size_t n, bool *effective);

/*
 * Beside sealing: the members' manifests that the root was taken of, JSON.
 * ERR_NOT_FOUND when there is no such sealed version.
 */
int db_model_set_members(
    struct db *, const struct db_model_key *, const char *members);

/* The sealed version of a member.  ERR_NOT_FOUND when there is none. */
int db_model_get(struct db *, struct arena *, const struct db_model_key *,
    struct db_model **out);
/* The staged one. */
int db_model_get_staged(struct db *, struct arena *,
    const struct db_model_key *, struct db_model **out);

/* NULL does not filter. */
struct db_model_filter {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	const char *job_id;
	const char *initiator_role;
	const char *initiator_party;
	bool staged;   /* staged ones instead of sealed ones */
	int64_t limit; /* 0: no limit */
	int64_t offset;
};
/* Newest first, documents NULL. */
int db_model_list(struct db *, struct arena *, const struct db_model_filter *,
    struct db_model **rows, size_t *n);
/*
 * Sealed ones of a version at this site's members, with documents; role and
 * party_id may be NULL.  None is no error.
 */
int db_model_find(struct db *, struct arena *, const char *model_version,
    const char *role, const char *party_id, struct db_model **rows, size_t *n);

/* Forget a version, staged or sealed, and all its parts' rows. */
int db_model_delete(struct db *, const struct db_model_key *);
/*
 * Forget what was staged and not sealed, with its parts; those that a job's
 * tasks registered stay with the job.  None is no error.
 */
int db_model_drop_staged(struct db *, const struct db_model_key *);
/*
 * Staged rows that will not be sealed: their training job ended otherwise or
 * is not known, or (without a job of their own: children) they are older than
 * age_ms.
 */
int db_model_abandoned(struct db *, struct arena *, int64_t age_ms,
    struct db_model **rows, size_t *n);

/* --- parts --- */

/*
 * Register a part; the same key and task version again replaces it, unless
 * it is sealed.
 */
int db_model_part_put(struct db *, const struct db_model_part *);
/*
 * What tasks put out, of the newest task version that put out anything;
 * sealed or not.  model_id, component and alias may be NULL.
 */
int db_model_part_newest(struct db *, struct arena *, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, const char *alias, struct db_model_part **rows,
    size_t *n);
/* Parts of a sealed version; component NULL: all. */
int db_model_part_sealed(struct db *, struct arena *,
    const struct db_model_key *, const char *component,
    struct db_model_part **rows, size_t *n);
/* All parts of a version, of every task version, sealed or not. */
int db_model_part_all(struct db *, struct arena *, const struct db_model_key *,
    struct db_model_part **rows, size_t *n);
/* Is a buffer's file still named by a part?  For the sweep. */
int db_model_object_used(struct db *, const unsigned char sha256[], bool *used);

#endif
