/*
 * Event loop: epoll, timers, signals and child exits; one thread.
 *
 * Callbacks get the context pointer they were added with.  A callback may
 * add and remove anything, itself included.
 */
#ifndef LIB_EVENT_LOOP_H
#define LIB_EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_fd;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

typedef void loop_fd_fn(void *ctx, int fd, int events);
typedef void loop_timer_fn(void *ctx);
typedef void loop_signal_fn(void *ctx, int signo);
/* status as from waitpid(2). */
typedef void loop_child_fn(void *ctx, pid_t pid, int status);

int loop_new(struct loop **out); /* ERR_IO */
void loop_free(struct loop *);

/*
 * Watch fd (not owned) for events; loop_fd_set() with 0 pauses.  Remove the
 * watch before fd is closed.
 */
int loop_fd_add(struct loop *, int fd, int events, loop_fd_fn *fn, void *ctx,
    struct loop_fd **out);
int loop_fd_set(struct loop_fd *, int events);
void loop_fd_del(struct loop_fd *); /* NULL is fine */

/*
 * A timer starts unarmed; repeat_ms 0 fires once.  Timers are freed by those
 * who made them, before or after the loop.
 */
struct loop_timer *loop_timer_new(struct loop *, loop_timer_fn *fn, void *ctx);
void loop_timer_set(struct loop_timer *, int64_t after_ms, int64_t repeat_ms);
void loop_timer_cancel(struct loop_timer *);
void loop_timer_free(struct loop_timer *); /* NULL is fine */

/* Block signo in the process and deliver it through the loop. */
int loop_signal(struct loop *, int signo, loop_signal_fn *fn, void *ctx);

/*
 * Tell when child pid ends (pidfd; the loop reaps it).  For processes that
 * are not children use loop_process(): status is -1 then.  ERR_NOT_FOUND
 * when there is no such process.
 */
int loop_child(struct loop *, pid_t pid, loop_child_fn *fn, void *ctx);
int loop_process(struct loop *, pid_t pid, loop_child_fn *fn, void *ctx);

/*
 * Run until loop_stop() or, loop_once(), until something was handled or
 * timeout_ms passed (-1: no limit).  0, or ERR_IO when epoll failed.
 */
int loop_run(struct loop *);
int loop_once(struct loop *, int64_t timeout_ms);
void loop_stop(struct loop *);

/*
 * In a forked child: signal mask as before the loop was made and SIGPIPE not
 * ignored, so that the child's program gets signals in the usual way.
 */
void loop_child_reset(void);

#endif
