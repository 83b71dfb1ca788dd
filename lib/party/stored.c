/*
 * What jobs take in documents and rows, for the quotas of partners.  Used by
 * the commands that take them in, and by fcgi-app, which asks before.
 */
#include <string.h>

#include "lib/party/party_private.h"

/* Rows with their indexes and events, roughly. */
#define JOB_BYTES 4096
#define TASK_BYTES 1024

static int64_t
length(const char *text)
{
	return text != NULL ? (int64_t)strlen(text) : 0;
}

int64_t
party_task_bytes(const struct db_task_new *t)
{
	return TASK_BYTES + length(t->parameters) + length(t->provider);
}

int64_t
party_document_bytes(const char *dsl, const char *conf, const char *contract)
{
	return 2 * (length(dsl) + length(conf)) + length(contract);
}

int64_t
party_member_bytes(const struct db_job_new *j)
{
	int64_t n = 0;

	for (size_t i = 0; i < j->nparties; i++)
		n += length(j->parties[i].party_conf);
	for (size_t i = 0; i < j->ntasks; i++)
		n += party_task_bytes(&j->tasks[i]);
	return n;
}

int64_t
party_job_bytes(const struct db_job_new *j)
{
	return JOB_BYTES + PARTY_MEMBER_BYTES * (int64_t)j->nparties +
	       party_document_bytes(j->dsl, j->runtime_conf, j->contract) +
	       length(j->train_conf) + length(j->roles) +
	       length(j->description) + party_member_bytes(j);
}
