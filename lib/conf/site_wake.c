/*
 * Sent by fcgi-app and shepherds after the database has the change, read by
 * the supervisor.
 */
#include "lib/conf/site_wake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

/* In the order of the bits of enum site_wake. */
static const char letters[] = "lkrsjft";

void
site_wake(const struct site_conf *conf, const char *job_id, unsigned what)
{
	char *path = site_path(conf, "%s", SITE_SUPERVISOR_SOCKET);
	char text[WAKE_SIZE];
	size_t len;

	(void)snprintf(text, sizeof(text), "%.*s%s", ID_JOB_SIZE - 1, job_id,
	    what == WAKE_ASK ? "" : " ");
	len = strlen(text);
	for (size_t i = 0; letters[i] != '\0'; i++)
		if (what & 1u << i)
			text[len++] = letters[i];
	if (fd_dgram_send(path, text, len) != 0) {
		log_debug("supervisor not woken: %s", err_text());
		err_clear();
	}
	free(path);
}

void
site_wake_read(const char *text, char job_id[ID_JOB_SIZE], unsigned *what)
{
	size_t len = strcspn(text, " ");
	const char *at;

	*what = WAKE_ASK;
	job_id[0] = '\0';
	if (len < ID_JOB_SIZE) {
		memcpy(job_id, text, len);
		job_id[len] = '\0';
	}
	if (!str_is_job_id(job_id) && !str_eq(job_id, WAKE_RELOAD))
		job_id[0] = '\0';
	for (const char *c = text + len; *c != '\0'; c++)
		if (*c != ' ' && (at = strchr(letters, *c)) != NULL)
			*what |= 1u << (at - letters);
}
