/*
 * Where a job's page and files are, as answers name them.
 */
#ifndef FCGI_APP_LINKS_H
#define FCGI_APP_LINKS_H

#include "lib/conf/site_conf.h"
#include "lib/json/json.h"

/* board_url, logs_directory and the paths of the job's documents. */
void links_add(const struct site_conf *, struct json_object *into,
    const char *job_id, const char *role, const char *party_id);

#endif
