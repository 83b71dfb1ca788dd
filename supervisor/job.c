/*
 * What the scheduler keeps of a job between two looks.
 */
#include "supervisor/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/mem.h"

struct job *
job_new(const char *job_id)
{
	struct job *j = xcalloc(1, sizeof(*j));

	(void)snprintf(j->job_id, sizeof(j->job_id), "%s", job_id);
	return j;
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	for (size_t m = 0; m < j->nmembers; m++)
		free(j->members[m].error);
	free(j->members);
	free(j->tasks);
	acks_clear(&j->acks);
	graph_free(j->graph);
	free(j);
}

void
job_forget(struct job *j)
{
	for (size_t m = 0; m < j->nmembers; m++) {
		j->members[m].refused = false;
		j->members[m].unknown = false;
		j->members[m].refusal = wait_of(WAIT_NONE);
		job_set_error(j, m, NULL);
	}
}

void
job_set_error(struct job *j, size_t member, const char *text)
{
	free(j->members[member].error);
	j->members[member].error = xstrdup(text);
}

struct job_task *
job_task(struct job *j, size_t component, size_t member)
{
	return &j->tasks[component * j->nmembers + member];
}
