/*
 * What is known of a server that accepts questions and answers none.  Each
 * question to it costs the whole of answer_timeout_s, so one process at a
 * time asks it, now and then; all others are told at once that it is silent.
 */
#ifndef LIB_DB_DB_GATE_H
#define LIB_DB_DB_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zero at the start: it answers.  Times are monotonic, in ms. */
struct db_gate {
	_Atomic int64_t silent_ms; /* since when; 0: it answers */
	_Atomic int64_t ask_ms;	   /* when it may be asked again */
};

/*
 * One in memory that is shared with processes forked later, which know then
 * what one of them found out.  Ownership: *out is the caller's.  ERR_NOMEM.
 */
int db_gate_new(struct db_gate **out);
void db_gate_free(struct db_gate *); /* NULL is fine */

/*
 * May the server be asked now?  Who is let in although it was silent is the
 * only one for hold_ms, or until it says what came of it.
 */
bool db_gate_enter(struct db_gate *, int64_t now_ms, int64_t hold_ms);
void db_gate_silent(struct db_gate *, int64_t now_ms);
void db_gate_answers(struct db_gate *);
bool db_gate_is_silent(const struct db_gate *);

#endif
