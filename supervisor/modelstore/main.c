/*
 * sluice-model-store: one task that carries a model to the model store, or
 * back from it.
 *
 *   sluice-model-store --config FILE
 *
 * Started by a shepherd in an executor's place, because it needs the site's
 * database and a network; it speaks the executor's protocol on descriptor 3
 * (lib/wire/frame.h), so lease, logs, cancelling and the end are those of any
 * task.  What it does is carry.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/wire/frame.h"
#include "supervisor/modelstore/carry.h"

#define SOCKET 3

static int
send_hello(void)
{
	Sluice__Executor__Hello h = SLUICE__EXECUTOR__HELLO__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;

	h.protocol = FRAME_PROTOCOL;
	h.program = (char *)(uintptr_t) "sluice-model-store";
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_HELLO;
	f.hello = &h;
	return frame_send(SOCKET, &f, NULL, 0);
}

static int
send_finish(int r)
{
	Sluice__Executor__Finish m = SLUICE__EXECUTOR__FINISH__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;

	m.status = (char *)(uintptr_t)(r == 0 ? "success" : "failed");
	m.error = (char *)(uintptr_t)(r == 0 ? "" : err_text());
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_FINISH;
	f.finish = &m;
	return frame_send(SOCKET, &f, NULL, 0);
}

static int
send_summary(struct json_object *o)
{
	Sluice__Executor__Summary m = SLUICE__EXECUTOR__SUMMARY__INIT;
	frame_msg f = SLUICE__EXECUTOR__FRAME__INIT;

	m.json = (char *)(uintptr_t)json_text(o);
	f.kind_case = SLUICE__EXECUTOR__FRAME__KIND_SUMMARY;
	f.summary = &m;
	return frame_send(SOCKET, &f, NULL, 0);
}

/* The first frame; *out is the caller's. */
static int
receive_start(frame_msg **out)
{
	struct frame_fds fds;
	int r;

	if ((r = frame_recv(SOCKET, out, &fds)) != 0)
		return r;
	frame_fds_close(&fds);
	if ((*out)->kind_case == SLUICE__EXECUTOR__FRAME__KIND_START &&
	    (*out)->start->protocol == FRAME_PROTOCOL)
		return 0;
	frame_free(*out);
	*out = NULL;
	return err_set(ERR_FORMAT, "the shepherd sent no Start");
}

static int
run(const char *config)
{
	struct json_object *summary = NULL;
	frame_msg *start = NULL;
	int r;

	if ((r = send_hello()) != 0 || (r = receive_start(&start)) != 0)
		return r;
	r = carry(config, start->start->module, start->start->parameters_json,
	    &summary);
	frame_free(start);
	if (r == 0 && (r = send_summary(summary)) != 0)
		log_err("summary");
	json_object_put(summary);
	return send_finish(r);
}

int
main(int argc, char **argv)
{
	proc_no_core();
	log_init("model-store", LOG_INFO_);
	if (argc != 3 || strcmp(argv[1], "--config") != 0) {
		(void)fprintf(
		    stderr, "usage: sluice-model-store --config FILE\n");
		return EXIT_FAILURE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0 || run(argv[2]) != 0) {
		log_err("model store");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
