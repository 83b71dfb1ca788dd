/*
 * What the front end refused by itself: how far its log was read, and what
 * was counted and is not recorded yet.  A place is one host's home; its rows
 * are as many as there are listeners, reasons and partners, whatever comes.
 */
#ifndef LIB_DB_DB_REFUSAL_H
#define LIB_DB_DB_REFUSAL_H

#include "lib/db/db.h"

/* One record for each listener, reason and partner within this time. */
#define DB_REFUSAL_EVERY_S 60

/* A file by its inode, for it may be renamed; 0, 0: nothing was read yet. */
struct db_front_at {
	int64_t inode;
	int64_t offset;
};

struct db_refusal {
	const char *listener;
	const char *reason;
	const char *party_id; /* "": nobody knows whose */
	const char *address;  /* of the last one */
	int64_t first_ms;     /* of those that n counts */
	int64_t n;
};

int db_front_at(struct db *, const char *place, struct db_front_at *out);
/* How far the file of that inode was read, anywhere; ERR_NOT_FOUND: never. */
int db_front_offset(struct db *, int64_t inode, int64_t *offset);
/* ERR_CONFLICT: another supervisor read on from there. */
int db_front_move(struct db *, const char *place,
    const struct db_front_at *from, const struct db_front_at *to);

/* Add to what is pending. */
int db_refusal_add(struct db *, const char *place, const struct db_refusal *);
/*
 * What is pending and may be recorded now, locked until the transaction ends;
 * *waiting: how many rows are pending beside these.
 */
int db_refusal_due(struct db *, struct arena *, const char *place,
    struct db_refusal **rows, size_t *n, int64_t *waiting);
/* It was recorded. */
int db_refusal_told(struct db *, const char *place, const struct db_refusal *);

#endif
