/*
 * How much an executor may use: resource limits of the process, control
 * groups where this host lets us have them, and the cores it runs on.
 */
#ifndef SUPERVISOR_SHEPHERD_LIMITS_H
#define SUPERVISOR_SHEPHERD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct limits {
	int64_t memory_bytes;
	int64_t file_bytes; /* largest single file */
	int cores;
	int threads; /* of the executor */
};

/*
 * In the child, before it is another program: memory, file size, descriptors, no core
 * file.  Memory means private writable memory; tables are mapped files.
 * Errors: ERR_IO.
 */
int limits_apply_self(const struct limits *);
/*
 * To the sandbox's first process (0: this one) before it goes on: processes
 * and threads, which are counted from there.  Errors: ERR_IO.
 */
int limits_apply_inner(const struct limits *, pid_t);

/* Names of groups begin so; what is left of dead ones is found by it. */
#define CGROUP_PREFIX "sluice-"

/* A group of its own for the task; NULL when there is none. */
struct cgroup;

/*
 * Make a group named by name below where this process may: dir "" looks for
 * memory, pids and cpu controllers (version 1 or 2) itself, a path is a
 * delegated version 2 folder, "off" none at all.  Limits that cannot be set
 * are logged and left to limits_apply_*().  Never fails: *out may be NULL.
 */
void cgroup_new(const char *dir, const char *name, const struct limits *,
    struct cgroup **out);
/* In the forked child: enter the group.  ERR_IO. */
int cgroup_enter(const struct cgroup *); /* NULL is fine */
bool cgroup_limits_memory(const struct cgroup *);
bool cgroup_limits_cpu(const struct cgroup *);
/* Was a process of the group killed for its memory? */
bool cgroup_was_oom(const struct cgroup *);
/*
 * Remove empty groups of tasks whose shepherds were killed, where
 * cgroup_new(dir) would make others.
 */
void cgroup_sweep(const char *dir);
/* Kill what is left, remove the group, free. */
void cgroup_free(struct cgroup *); /* NULL is fine */

/*
 * Where no group limits the CPU: take n cores of the machine that no other
 * task of any site on it has, and run on them alone.  Held by locks on files
 * until the process that took them ends.  With too few free ones nothing is
 * taken, and the kernel shares what there is.
 */
void cores_take(int n);
/* The child's side of it: after fork, before exec. */
void cores_apply(void);

#endif
