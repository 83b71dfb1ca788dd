/*
 * What kind of fault ended a task badly.  Its member says it with the end; it
 * decides whether the same task may do better when it is tried again, and is
 * all that other parties learn when a site keeps its words to itself
 * ([jobs] error_detail).
 */
#ifndef LIB_MODEL_FAULT_H
#define LIB_MODEL_FAULT_H

enum fault_remedy {
	FAULT_UNKNOWN,	 /* nothing speaks against another try */
	FAULT_MENDABLE,	 /* another try may do better */
	FAULT_HOPELESS,	 /* the same again would come to the same end */
	FAULT_BYSTANDER, /* ended because another member's task did */
};

/* Name in C; as stored and sent; remedy; words. */
#define FAULT_LIST(X)                                                          \
	X(NONE, "", FAULT_UNKNOWN, "the task failed")                          \
	X(COMPONENT, "component", FAULT_HOPELESS,                              \
	    "the component ended with an error of its own")                    \
	X(REFUSED, "refused", FAULT_HOPELESS,                                  \
	    "the site does not let the task run")                              \
	X(HOST, "host", FAULT_MENDABLE,                                        \
	    "the task's process or its host was lost")                         \
	X(MEMORY, "memory", FAULT_MENDABLE, "there was not enough memory")     \
	X(DISK, "disk", FAULT_MENDABLE, "a disk of the site is full")          \
	X(TIMEOUT, "timeout", FAULT_MENDABLE, "the task took too long")        \
	X(PARTNER, "partner", FAULT_MENDABLE,                                  \
	    "another party could not be reached, or did not send")             \
	X(STOPPED, "stopped", FAULT_BYSTANDER, "the task was told to end")

struct arena;

enum fault_kind {
#define X(name, text, remedy, words) FAULT_##name,
	FAULT_LIST(X)
#undef X
	    FAULT_KINDS
};

const char *fault_name(enum fault_kind); /* "" for FAULT_NONE */
/* FAULT_NONE for what is none: a partner may know more kinds. */
enum fault_kind fault_parse(const char *name);
enum fault_remedy fault_remedy(enum fault_kind);
/* What a part of the site failing with this error code (lib/base/err.h) is. */
enum fault_kind fault_of_error(int code);

/*
 * In all words about whom this site trusts, which are for its own people, and
 * in no others (lib/party/withdraw.h).
 */
#define FAULT_INWARD " at this site (sluice partner "

/*
 * What other parties are told of an error: its text, or (detail "class", or it
 * has FAULT_INWARD in it) what kind it is.  "" and NULL stay what they are.
 */
const char *fault_outward(
    const char *detail, enum fault_kind, const char *text);

/*
 * A partner's words as they are told here: what is "this site" to that one is
 * party N to whoever reads it.  The arena's, or text itself; NULL stays NULL.
 */
const char *fault_named(struct arena *, const char *text, const char *party);

#endif
