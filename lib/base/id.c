#include "lib/base/id.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/str.h"

/* So few bytes come whole or not at all once the kernel's pool is ready. */
static void
draw(void *bytes, size_t n)
{
	if (getrandom(bytes, n, 0) != (ssize_t)n)
		abort();
}

void
id_job(char out[ID_JOB_SIZE])
{
	struct timespec now;
	struct tm tm;
	char stamp[16];
	uint32_t last;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)localtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	draw(&last, sizeof(last));
	(void)snprintf(out, ID_JOB_SIZE, "%.14s%06u%05u", stamp,
	    (unsigned)(now.tv_nsec / 1000 % 1000000),
	    (unsigned)(last % 100000));
}

void
id_random(char out[ID_RANDOM_SIZE])
{
	unsigned char bytes[16];

	draw(bytes, sizeof(bytes));
	str_to_hex(bytes, sizeof(bytes), out);
}
