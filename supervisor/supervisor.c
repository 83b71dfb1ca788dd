/*
 * The parts of a supervisor, made and ended.  Called by main.c.
 */
#include "supervisor/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_audit.h"
#include "lib/base/metrics.h"
#include "supervisor/beat.h"
#include "supervisor/changes.h"
#include "supervisor/detect.h"
#include "supervisor/detectors.h"
#include "supervisor/errands.h"
#include "supervisor/finding.h"
#include "supervisor/janitor.h"
#include "supervisor/doubts.h"
#include "supervisor/heads.h"
#include "supervisor/hosts.h"
#include "supervisor/launch.h"
#include "supervisor/leftovers.h"
#include "supervisor/partners.h"
#include "supervisor/peers.h"
#include "supervisor/queue.h"
#include "supervisor/refusals.h"
#include "supervisor/report.h"
#include "supervisor/resources.h"
#include "supervisor/scheduler.h"
#include "supervisor/sign.h"
#include "supervisor/sealer.h"
#include "supervisor/wake.h"

static void
name_instance(struct supervisor *s)
{
	char self[ID_RANDOM_SIZE];
	char *prefix;

	site_host(s->conf, s->host);
	prefix = peers_prefix(s->conf, s->host, s->name == NULL ? "" : s->name);
	id_random(self);
	s->instance_prefix = strlen(prefix);
	(void)snprintf(
	    s->instance, sizeof(s->instance), "%s%.8s", prefix, self);
	free(prefix);
}

void
supervisor_reload(struct supervisor *s)
{
	if (site_conf_refresh(s->own_conf) != 0 || resources_register(s) != 0) {
		log_err("configuration not reloaded");
		return;
	}
	loop_timer_set(s->poll, s->conf->poll_ms, s->conf->poll_ms);
	log_info("configuration read again");
	if (db_audit_add(s->db, &(struct db_audit){ .actor = s->instance,
				    .action = "configuration",
				    .subject = s->conf->path,
				    .outcome = "ok",
				    .detail = "read again" }) != 0)
		log_err("reload not recorded");
	if (queue_refresh(s->queue, true) != 0)
		log_err("queue");
	supervisor_changed(s, "");
}

static void
on_wake(void *ctx, const char *job_id, unsigned what)
{
	struct supervisor *s = ctx;

	if (strcmp(job_id, WAKE_RELOAD) == 0) {
		supervisor_reload(s);
		return;
	}
	if (what == WAKE_ASK || (what & WAKE_JOBS) != 0)
		hosts_tell(s->hosts, job_id);
	changes_add(s->changes, job_id, what);
}

/* The net below lost datagrams: look without being told. */
static void
on_poll(void *ctx)
{
	supervisor_changed(ctx, "");
}

int
supervisor_start(struct supervisor *s)
{
	char *text;
	int r;

	name_instance(s);
	text = xasprintf("supervisor %s", s->host);
	db_set_actor(s->db, text);
	free(text);
	s->metrics = metrics_new();
	s->findings = findings_new();
	s->partners = partners_open(s, s->http);
	s->queue = queue_new(s);
	s->sealer = sealer_new(s);
	s->heads = heads_new(s);
	s->doubts = doubts_new(s);
	s->changes = changes_new(s);
	s->reporter = reporter_new(s);
	s->signer = signer_new(s);
	if ((r = errands_new(s, &s->errands)) != 0 ||
	    (r = hosts_new(s, &s->hosts)) != 0 ||
	    (r = resources_register(s)) != 0 ||
	    (r = launcher_new(s, &s->launcher)) != 0 ||
	    (r = scheduler_new(s, &s->scheduler)) != 0)
		return r;
	s->detectors = detectors_new(s);
	if ((r = beat_new(s, &s->beat)) != 0)
		return r;
	s->peers = peers_new(s);
	s->janitor = janitor_new(s);
	s->refusals = refusals_new(s, REFUSALS_REQUESTS);
	s->handshakes = refusals_new(s, REFUSALS_HANDSHAKES);
	if (leftovers_sweep_uploads(s) != 0)
		log_err("uploads left behind");
	/* It begins the memory of signed requests where there is none. */
	if (detect_nonces(s) != 0)
		log_err("nonces");
	text = peers_path(s->conf, SITE_RUN, s->name, "sock");
	r = wake_open(s->loop, text, on_wake, s, &s->wake);
	free(text);
	if (r != 0)
		return r;
	s->poll = loop_timer_new(s->loop, on_poll, s);
	loop_timer_set(s->poll, s->conf->poll_ms, s->conf->poll_ms);
	supervisor_changed(s, "");
	return 0;
}

void
supervisor_stop(struct supervisor *s)
{
	wake_close(s->wake);
	loop_timer_free(s->poll);
	beat_free(s->beat);
	hosts_free(s->hosts);
	detectors_free(s->detectors);
	janitor_free(s->janitor);
	refusals_free(s->refusals);
	refusals_free(s->handshakes);
	peers_free(s->peers);
	scheduler_free(s->scheduler);
	reporter_free(s->reporter);
	signer_free(s->signer);
	errands_free(s->errands);
	changes_free(s->changes);
	doubts_free(s->doubts);
	heads_free(s->heads);
	sealer_free(s->sealer);
	partners_close(s->partners);
	launcher_free(s->launcher);
	queue_free(s->queue);
	findings_free(s->findings);
	metrics_free(s->metrics);
}
