/*
 * Tags: words that people put on versions of models.
 */
#ifndef LIB_DB_DB_TAG_H
#define LIB_DB_DB_TAG_H

#include "lib/db/db.h"

#define DB_TAG_NAME_MAX 100 /* characters */

struct db_tag {
	const char *name;
	const char *description; /* NULL: none */
	int64_t models;		 /* versions that have it */
};

/* A member's half of a version that is tagged. */
struct db_tagged_model {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	int64_t bytes;
};

/* ERR_EXISTS when the name is taken.  description may be NULL. */
int db_tag_create(struct db *, const char *name, const char *description);
/*
 * Rename and replace the description (NULL: by nothing); new_name may be NULL
 * or the old one.  ERR_NOT_FOUND, ERR_EXISTS when the new name is another's,
 * ERR_INVALID when nothing would change.
 */
int db_tag_update(struct db *, const char *name, const char *new_name,
    const char *description);
/* With all its links.  ERR_NOT_FOUND. */
int db_tag_destroy(struct db *, const char *name);
/* ERR_NOT_FOUND. */
int db_tag_get(
    struct db *, struct arena *, const char *name, struct db_tag **out);
/* In order of making; part: only names that have it in them, or NULL. */
int db_tag_list(struct db *, struct arena *, const char *part, int64_t limit,
    struct db_tag **rows, size_t *n);
/* Sealed halves that lie here. */
int db_tag_models(struct db *, struct arena *, const char *name,
    struct db_tagged_model **rows, size_t *n);

/*
 * Put a tag on a version, making the tag when there is none of that name.
 * ERR_NOT_FOUND: no sealed half of the version is here; ERR_EXISTS: it has
 * the tag.
 */
int db_model_tag_add(struct db *, const char *model_version, const char *name);
/* ERR_NOT_FOUND when the version does not have it. */
int db_model_tag_remove(
    struct db *, const char *model_version, const char *name);
/* ERR_NOT_FOUND: no such version here. */
int db_model_tag_list(struct db *, struct arena *, const char *model_version,
    struct db_tag **rows, size_t *n);

#endif
