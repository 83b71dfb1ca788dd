/*
 * The site's capacity and what of it each partner may have, written when a
 * supervisor starts and when the configuration is read again; grants against
 * it are lib/db's ledger.
 */
#include "supervisor/resources.h"

#include <sched.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"

/* The cores this process may use, not those the machine has. */
int
resources_cores_here(int64_t *out)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		*out = CPU_COUNT(&set);
	else
		*out = sysconf(_SC_NPROCESSORS_ONLN);
	return *out > 0 ? 0 : err_set_errno(ERR_IO, "count cores");
}

/* A quarter stays with the system, the database and the web server. */
static int
measure_memory_mb(int64_t *out)
{
	int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	if (pages <= 0 || size <= 0)
		return err_set_errno(ERR_IO, "measure memory");
	*out = pages / 1024 * size / 1024 * 3 / 4;
	return 0;
}

bool
resources_counts_host_memory(const struct supervisor *s)
{
	return *s->conf->wake_address != '\0' || s->conf->host_memory_mb > 0;
}

/* Of a site with one host, memory_mb is all there is to say. */
static int
register_host(const struct supervisor *s)
{
	int64_t memory_mb = s->conf->host_memory_mb;
	int r;

	if (!resources_counts_host_memory(s))
		return 0;
	if (memory_mb == 0 && (r = measure_memory_mb(&memory_mb)) != 0)
		return r;
	log_info("this host: %lld MB", (long long)memory_mb);
	return db_host_memory_set(s->db, s->host, memory_mb);
}

int
resources_register(struct supervisor *s)
{
	int64_t cores = s->conf->cores, memory_mb = s->conf->memory_mb;
	int r;

	if (cores == 0 && (r = resources_cores_here(&cores)) != 0)
		return r;
	if (memory_mb == 0 && (r = measure_memory_mb(&memory_mb)) != 0)
		return r;
	log_info("capacity: %lld cores, %lld MB", (long long)cores,
	    (long long)memory_mb);
	if ((r = db_resource_set(s->db, DB_ENGINE_DEFAULT, cores, memory_mb)) !=
		0 ||
	    (r = register_host(s)) != 0)
		return r;
	return db_quota_put(
	    s->db, &(struct db_quota){ .party_id = DB_QUOTA_PARTNERS,
		       .cores = s->conf->partner_cores,
		       .running_jobs = s->conf->partner_running_jobs,
		       .waiting_jobs = s->conf->partner_waiting_jobs,
		       .stored_bytes = s->conf->partner_stored_mb * 1048576 });
}
