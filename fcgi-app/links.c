/*
 * Called by submit.c.
 */
#include "fcgi-app/links.h"

#include <stdlib.h>

#include "lib/base/mem.h"

static void
add_path(const struct site_conf *conf, struct json_object *into,
    const char *key, const char *folder, const char *job_id, const char *rest)
{
	char *path = site_path(conf, "%s/%s%s", folder, job_id, rest);

	json_add_str(into, key, path);
	free(path);
}

void
links_add(const struct site_conf *conf, struct json_object *into,
    const char *job_id, const char *role, const char *party_id)
{
	const char *board =
	    conf->board_url[0] != '\0' ? conf->board_url : conf->client_url;
	char *text;

	text = xasprintf("%s/index.html#/dashboard?job_id=%s&role=%s"
			 "&party_id=%s",
	    board, job_id, role, party_id);
	json_add_str(into, "board_url", text);
	free(text);
	text =
	    xasprintf("/%s/%s/job_runtime_on_party_conf.json", role, party_id);
	add_path(conf, into, "logs_directory", SITE_LOGS, job_id, "");
	add_path(conf, into, "dsl_path", SITE_JOBS, job_id, "/job_dsl.json");
	add_path(conf, into, "runtime_conf_path", SITE_JOBS, job_id,
	    "/job_runtime_conf.json");
	add_path(
	    conf, into, "runtime_conf_on_party_path", SITE_JOBS, job_id, text);
	add_path(conf, into, "train_runtime_conf_path", SITE_JOBS, job_id,
	    "/train_runtime_conf.json");
	add_path(conf, into, "pipeline_dsl_path", SITE_JOBS, job_id,
	    "/pipeline_dsl.json");
	free(text);
}
