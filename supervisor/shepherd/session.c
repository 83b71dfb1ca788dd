/*
 * The shepherd's end of the executor's socket, in the event loop.
 *
 * The executor is not trusted: every frame passes lib/wire/check.h first, and
 * a breach of the protocol is the end of the task.  Back-pressure is simple:
 * while the relay or the courier is full nothing is read, so the executor's
 * own sends block.
 */
#include "supervisor/shepherd/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/wire/check.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/delivery.h"
#include "supervisor/shepherd/inbox.h"
#include "supervisor/shepherd/inputs.h"
#include "supervisor/shepherd/outputs.h"
#include "supervisor/shepherd/pulse.h"
#include "supervisor/shepherd/relay.h"
#include "supervisor/shepherd/shepherd.h"
#include "supervisor/shepherd/tasklog.h"

/* Frames handled before the loop gets its turn. */
#define FRAMES_AT_ONCE 64
/* Frames read from a dead executor: a socket holds far fewer. */
#define FRAMES_LEFT 100000

struct session {
	struct shepherd *shepherd;
	struct frame_reader reader;
	struct frame_writer *writer;
	struct loop_fd *watch;
	struct loop_fd *printed;
	bool is_paused;
	bool is_over; /* nothing more is read */
};

/* --- frames in -------------------------------------------------------------- */

static void
on_log(struct shepherd *s, const Sluice__Executor__Log *m)
{
	static const enum tasklog_level levels[] = {
		[SLUICE__EXECUTOR__LOG__LEVEL__DEBUG] = TASKLOG_DEBUG,
		[SLUICE__EXECUTOR__LOG__LEVEL__INFO] = TASKLOG_INFO,
		[SLUICE__EXECUTOR__LOG__LEVEL__WARNING] = TASKLOG_WARNING,
		[SLUICE__EXECUTOR__LOG__LEVEL__ERROR] = TASKLOG_ERROR,
	};

	tasklog_line(s->log, levels[m->level], m->text);
}

static void
on_finish(struct session *ss, const Sluice__Executor__Finish *m)
{
	enum state state = STATE_FAILED;
	enum fault_kind fault = FAULT_NONE;

	ss->is_over = true;
	/* One of three words, as checked. */
	(void)state_parse(m->status, &state);
	if (!state_is_success(state))
		fault = fault_parse(m->fault) == FAULT_DISK ? FAULT_DISK
							    : FAULT_COMPONENT;
	control_end(ss->shepherd, state, fault, m->error);
}

/* A frame that passed the checks.  Takes the message and the descriptors. */
static int
handle(struct session *ss, frame_msg *m, struct frame_fds *fds)
{
	struct shepherd *s = ss->shepherd;
	int r = 0;

	pulse_mark(s->pulse);
	switch (m->kind_case) {
	case SLUICE__EXECUTOR__FRAME__KIND_HELLO:
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_REMOTE:
		r = courier_take(
		    s->courier, m->remote, fds->n > 0 ? &fds->fd[0] : NULL);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_GET:
		r = inbox_get(s->inbox, m->get);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_DATA:
	case SLUICE__EXECUTOR__FRAME__KIND_METRIC_META:
	case SLUICE__EXECUTOR__FRAME__KIND_PROGRESS:
	case SLUICE__EXECUTOR__FRAME__KIND_CHECKPOINT:
		relay_take(s->relay, m);
		m = NULL;
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_SUMMARY:
		outputs_summary(s->outputs, m->summary);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_TABLE:
		r = outputs_table(s->outputs, m->output_table);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_FILE:
		r = delivery_file(s->delivery, m->output_file);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_OUTPUT_MODEL:
		r = outputs_model(s->outputs, m->output_model);
		break;
	case SLUICE__EXECUTOR__FRAME__KIND_LOG:
		on_log(s, m->log);
		break;
	default:
		on_finish(ss, m->finish);
		break;
	}
	frame_free(m);
	frame_fds_close(fds);
	return r;
}

/*
 * Read one frame and act on it.  ERR_BUSY when there is none yet; after any
 * other failure, or the end of the stream, the session is over.
 */
static int
read_one(struct session *ss)
{
	struct shepherd *s = ss->shepherd;
	struct frame_fds fds;
	frame_msg *m;
	int r;

	r = frame_read(&ss->reader, s->child.socket, &m, &fds);
	if (r == ERR_BUSY)
		return r;
	if (r == ERR_CLOSED) {
		ss->is_over = true;
		return r;
	}
	if (r == 0 && (r = wire_check_executor(m, fds.n)) != 0) {
		frame_free(m);
		frame_fds_close(&fds);
	} else if (r == 0) {
		r = handle(ss, m, &fds);
	}
	if (r != 0) {
		ss->is_over = true;
		control_fail(s, NULL);
	}
	return r;
}

/* --- watching ------------------------------------------------------------------ */

static bool
must_pause(const struct shepherd *s)
{
	return relay_is_full(s->relay) || courier_is_full(s->courier);
}

static void
set_watch(struct session *ss)
{
	int events = 0;

	if (!ss->is_over && !ss->is_paused)
		events |= LOOP_READ;
	if (frame_writer_pending(ss->writer) > 0)
		events |= LOOP_WRITE;
	(void)loop_fd_set(ss->watch, events);
}

static void
flush(struct session *ss)
{
	int r = frame_writer_flush(ss->writer, ss->shepherd->child.socket);

	/* A closed socket shows again as the executor's end. */
	if (r != 0 && r != ERR_BUSY && r != ERR_CLOSED)
		control_fail(ss->shepherd, "write to the executor");
}

static void
on_socket(void *ctx, int fd, int events)
{
	struct session *ss = ctx;
	int i;

	(void)fd;
	if ((events & LOOP_WRITE) != 0)
		flush(ss);
	for (i = 0; (events & LOOP_READ) != 0 && i < FRAMES_AT_ONCE &&
		    !ss->is_over && !ss->is_paused;
	     i++) {
		if (read_one(ss) != 0)
			break;
		ss->is_paused = must_pause(ss->shepherd);
	}
	set_watch(ss);
}

void
session_resume(struct session *ss)
{
	if (ss == NULL || !ss->is_paused || must_pause(ss->shepherd))
		return;
	ss->is_paused = false;
	set_watch(ss);
}

static bool
read_printed(struct session *ss)
{
	char text[4096];
	ssize_t n = read(ss->shepherd->child.output, text, sizeof(text));

	if (n > 0)
		tasklog_printed(ss->shepherd->log, text, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void
on_printed(void *ctx, int fd, int events)
{
	struct session *ss = ctx;

	(void)fd;
	(void)events;
	if (!read_printed(ss) && errno != EAGAIN)
		(void)loop_fd_set(ss->printed, 0);
}

void
session_drain(struct session *ss)
{
	int i;

	for (i = 0; !ss->is_over && i < FRAMES_LEFT; i++)
		if (read_one(ss) != 0)
			break;
	ss->is_over = true;
	set_watch(ss);
	while (read_printed(ss))
		;
}

int
session_send(struct session *ss, const frame_msg *m, const int *fds, size_t n)
{
	int r = frame_writer_push(ss->writer, m, fds, n);

	if (r != 0)
		return r;
	pulse_mark(ss->shepherd->pulse);
	flush(ss);
	set_watch(ss);
	return 0;
}

/* --- the beginning ------------------------------------------------------------------ */

static char *
borrow(const char *s)
{
	/* protobuf-c has no const; packing does not write. */
	return (char *)(uintptr_t)(s != NULL ? s : "");
}

static void
fill_parties(
    const struct subject *subject, Sluice__Executor__Start *m, struct arena *a)
{
	Sluice__Executor__Party *p;
	size_t i;

	m->parties =
	    arena_alloc(a, (subject->n_members + 1) * sizeof(*m->parties));
	for (i = 0; i < subject->n_members; i++) {
		p = arena_alloc(a, sizeof(*p));
		sluice__executor__party__init(p);
		p->role = borrow(subject->members[i].role);
		p->party_id = borrow(subject->members[i].party_id);
		m->parties[i] = p;
	}
	m->n_parties = subject->n_members;
}

/* text_fd: closed in any case. */
static int
send_start(struct session *ss, const struct inputs *in, int text_fd)
{
	struct shepherd *s = ss->shepherd;
	const struct subject *subject = s->subject;
	const struct db_task_key *key = subject_key(subject);
	const struct dsl_component *c = subject->component;
	Sluice__Executor__Start m = SLUICE__EXECUTOR__START__INIT;
	Sluice__Executor__Party local = SLUICE__EXECUTOR__PARTY__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;
	struct arena *a = arena_new();
	int r;

	local.role = borrow(key->role);
	local.party_id = borrow(key->party_id);
	m.protocol = FRAME_PROTOCOL;
	m.job_id = borrow(key->job_id);
	m.component = borrow(key->component);
	m.module = borrow(subject->module->name);
	m.version = (uint32_t)key->version;
	m.local = &local;
	fill_parties(subject, &m, a);
	m.parameters_json = borrow(json_text(subject->parameters));
	m.job_parameters_json = borrow(subject->job_parameters);
	m.inputs = in->tables;
	m.n_inputs = in->n_tables;
	m.models = in->models;
	m.n_models = in->n_models;
	m.output_data = (char **)(uintptr_t)c->out_data;
	m.n_output_data = c->n_out_data;
	m.output_cache = (char **)(uintptr_t)c->out_cache;
	m.n_output_cache = c->n_out_cache;
	m.output_model = borrow(c->out_model);
	m.cores = (uint32_t)subject->attempt->cores;
	m.memory_bytes = (uint64_t)s->conf->executor_memory_mb << 20;
	m.output_dir = borrow(SANDBOX_OUT);
	m.input_file = borrow(in->file);
	m.input_in_descriptor = text_fd >= 0;
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_START;
	f.start = &m;
	r = session_send(ss, &f, &text_fd, text_fd >= 0);
	arena_free(a);
	return r;
}

int
session_open(struct shepherd *s, const struct inputs *in, int text_fd,
    struct session **out)
{
	struct session *ss = xcalloc(1, sizeof(*ss));
	int r;

	*out = NULL;
	ss->shepherd = s;
	frame_reader_init(&ss->reader);
	ss->writer = frame_writer_new();
	if ((r = loop_fd_add(s->loop, s->child.socket, LOOP_READ, on_socket, ss,
		 &ss->watch)) != 0 ||
	    (r = loop_fd_add(s->loop, s->child.output, LOOP_READ, on_printed,
		 ss, &ss->printed)) != 0)
		fd_close(&text_fd);
	else
		r = send_start(ss, in, text_fd);
	if (r != 0) {
		session_close(ss);
		return r;
	}
	*out = ss;
	return 0;
}

void
session_close(struct session *ss)
{
	if (ss == NULL)
		return;
	loop_fd_del(ss->watch);
	loop_fd_del(ss->printed);
	frame_reader_fini(&ss->reader);
	frame_writer_free(ss->writer);
	free(ss);
}
