/*
 * The contract's check with this shepherd's rows.  Called by attempt.c.
 */
#include "supervisor/shepherd/agreement.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/conf/site_conf.h"
#include "lib/party/contract_check.h"
#include "lib/sign/keys.h"
#include "supervisor/shepherd/shepherd.h"

/* The file's word, not a row's, for who this site is. */
static int
own_key(const struct site_conf *conf, uint8_t key[KEYS_PUBLIC_SIZE])
{
	char *path = site_path(conf, "%s/sign.key", SITE_KEYS);
	struct keys *keys = NULL;
	int r;

	if ((r = keys_load(path, &keys)) == 0)
		memcpy(key, keys_public(keys), KEYS_PUBLIC_SIZE);
	keys_free(keys);
	free(path);
	return r;
}

int
agreement_check(struct shepherd *s)
{
	const struct subject *t = s->subject;
	uint8_t key[KEYS_PUBLIC_SIZE];
	struct contract_use use = { .job = t->job,
		.task = t->task,
		.party = t->party,
		.provider = t->provider,
		.contract = t->contract,
		.own_key = key,
		/* The database's now. */
		.now_ms = t->job->created_ms + t->job->age_ms };
	int r;

	s->agreed_ms = clock_mono_ms();
	if ((r = own_key(s->conf, key)) != 0)
		return r;
	return contract_check(s->db, &use);
}

int
agreement_holds(const struct shepherd *s)
{
	const struct db_job *job = s->subject->job;
	int64_t since_ms = clock_mono_ms() - s->agreed_ms;

	if (s->agreed_ms == 0)
		return 0;
	return contract_check_run(s->subject->contract, job->run,
	    job->created_ms + job->age_ms + since_ms);
}
