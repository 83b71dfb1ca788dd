#include "lib/base/id.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/str.h"

void
id_job(char out[ID_JOB_SIZE])
{
	static int64_t last_us;
	static unsigned counter;
	struct timespec now;
	struct tm tm;
	int64_t us;
	char stamp[16];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	counter = us == last_us ? (counter + 1) % 100000 : 0;
	last_us = us;
	(void)localtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	(void)snprintf(out, ID_JOB_SIZE, "%.14s%06u%u", stamp,
	    (unsigned)(now.tv_nsec / 1000 % 1000000), counter % 100000);
}

void
id_random(char out[ID_RANDOM_SIZE])
{
	unsigned char bytes[16];

	/* Sixteen bytes come whole or not at all once the pool is ready. */
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	str_to_hex(bytes, sizeof(bytes), out);
}
