/*
 * Run a component for all its members in one process, each member a thread,
 * with a federation in memory; then look at what they left behind.
 *
 *   struct loopback *lb = loopback_new("HeteroLR", "hetero_lr_0");
 *   struct member *guest = loopback_add(lb, "guest", "9999", "{…}");
 *   loopback_input(guest, "train_data", "intersection_0", folder);
 *   assert_int_equal(loopback_run(lb), 0);
 *   … loopback_metric(guest, "train", "loss") …
 *   loopback_free(lb);
 *
 * Inputs and outputs are tables of storage_standalone in a temporary folder
 * that loopback_free() removes.
 */
#ifndef TESTS_LIB_LOOPBACK_H
#define TESTS_LIB_LOOPBACK_H

#include <json-c/json.h>
#include <stddef.h>

#include "executor/task.h"

struct loopback;
struct member;

struct loopback *loopback_new(const char *module, const char *component);
void loopback_free(struct loopback *);
const char *loopback_folder(const struct loopback *);

/* Members in the order of the job's roles; parameters as JSON text. */
struct member *loopback_add(struct loopback *, const char *role,
    const char *party_id, const char *parameters);
void loopback_cores(struct member *, unsigned cores);
/* Run this at the member instead of the component: a partner that cheats. */
void loopback_behave(struct member *, int (*run)(struct task *));
/* An input table; its schema is read from the table itself. */
void loopback_input(struct member *, const char *data_key, const char *upstream,
    const char *folder);
void loopback_input_file(struct member *, const char *path);
/*
 * An input that is kept outside: its text in a file or a pipe, which is the
 * member's now; the texts are borrowed.
 */
void loopback_input_text(struct member *, int fd, const char *schema_json,
    const char *delimiter, bool have_head);
/* Input i, to change what is said about it. */
struct task_input *loopback_input_at(struct member *, size_t i);
/* The file for outside that the member put out; NULL for none. */
const char *loopback_output_file(const struct member *);
/* The model that another member (of a run that ended) put out. */
void loopback_model(
    struct member *, enum task_model_kind, const struct member *from);

/*
 * Run all members to their end.  0 when all succeeded, else the code of the
 * first one that failed (the others are woken with ERR_CANCELED).
 */
int loopback_run(struct loopback *);

/* 0 or the code a member ended with, and its message ("" for none). */
int loopback_code(const struct member *);
const char *loopback_error(const struct member *);
/* [[key, value], …] in the order logged; NULL when there is no such series. */
struct json_object *loopback_metric(
    const struct member *, const char *ns, const char *name);
struct json_object *loopback_meta(
    const struct member *, const char *ns, const char *name);
struct json_object *loopback_summary(const struct member *);
/* Output table i, open for reading; NULL when there is none. */
struct table *loopback_output(const struct member *, size_t i);
/* The cache that the member left: its folder, NULL when there is none. */
const char *loopback_cache_folder(const struct member *);
const char *loopback_output_folder(const struct member *, size_t i);
struct json_object *loopback_preview(const struct member *, size_t i);
const struct task_buffer *loopback_model_buffer(
    const struct member *, const char *name);
/* How many checkpoints a member wrote; *last_step: of the last one. */
size_t loopback_checkpoints(const struct member *, uint64_t *last_step);
/*
 * What the member sent, to see what crosses over: {"name/tag": bytes, …};
 * the caller's, json_object_put() it.
 */
struct json_object *loopback_sent(const struct member *);
/*
 * The bytes of one of these objects, by its sender; NULL when there was none.
 */
const void *loopback_sent_bytes(
    const struct member *, const char *name, const char *tag, size_t *size);
/* All log lines of a member, "info text\n" each. */
const char *loopback_log(const struct member *);
/* The most progress it told, 0 to 1, and how often that grew. */
double loopback_progress(const struct member *, size_t *n);

#endif
