/*
 * Upload: megabytes of CSV per second against writing the same bytes to a
 * file and syncing it, and the memory it takes.
 *
 * usage: upload [MEGABYTES]   size of the file (200)
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "tests/lib/loopback.h"
#include "tests/lib/measure.h"

#define CHUNK ((size_t)1 << 20)

static void
check(int r)
{
	if (r != 0) {
		fprintf(stderr, "%s\n", err_text());
		exit(1);
	}
}

static void
make_file(const char *path, size_t bytes)
{
	FILE *f = fopen(path, "w");
	size_t i, done = 0;
	int n;

	if (f == NULL) {
		check(err_set_errno(ERR_IO, "%s", path));
		return;
	}
	fprintf(f, "id,y,x0,x1,x2,x3,x4,x5,x6,x7\n");
	for (i = 0; done < bytes; i++) {
		n = fprintf(f,
		    "customer%010zu,%zu,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,"
		    "%.6f\n",
		    i * 2654435761U % 10000000000U, i % 2, (double)i / 3,
		    (double)i / 7, (double)i / 11, (double)i / 13,
		    (double)i / 17, (double)i / 19, (double)i / 23,
		    (double)i / 29);
		done += (size_t)n;
	}
	if (fclose(f) != 0)
		check(err_set_errno(ERR_IO, "%s", path));
}

/* What a plain copy to disk takes. */
static double
copy_seconds(const char *path, const char *copy)
{
	char *chunk = xmalloc(CHUNK);
	int in = open(path, O_RDONLY | O_CLOEXEC);
	int out = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	double t = measure_seconds();
	ssize_t n;

	while ((n = read(in, chunk, CHUNK)) > 0)
		check(fd_write_all(out, chunk, (size_t)n));
	if (n < 0 || fsync(out) != 0)
		check(err_set_errno(ERR_IO, "%s", copy));
	t = measure_seconds() - t;
	fd_close(&in);
	fd_close(&out);
	(void)unlink(copy);
	free(chunk);
	return t;
}

/* Whatever else the machine does, this stays. */
static double
cpu_seconds(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double
upload_seconds(struct loopback *lb, const char *path)
{
	struct member *m = loopback_add(lb, "local", "0",
	    "{\"file\":\"f\",\"namespace\":\"n\",\"name\":\"t\",\"head\":1,"
	    "\"partition\":4,\"id_delimiter\":\",\"}");
	double t;

	loopback_input_file(m, path);
	t = measure_seconds();
	check(loopback_run(lb));
	return measure_seconds() - t;
}

int
main(int argc, char **argv)
{
	size_t mb = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
	struct loopback *lb;
	struct measure *out;
	struct rusage use;
	char *path, *copy;
	double t, floor, cpu;

	if (mb < 1 || mb > 100000) {
		fprintf(stderr, "usage: upload [MEGABYTES]\n");
		return 2;
	}
	lb = loopback_new("Upload", "upload_0");
	path = xasprintf("%s/file.csv", loopback_folder(lb));
	copy = xasprintf("%s/copy.csv", loopback_folder(lb));
	make_file(path, mb << 20);
	floor = copy_seconds(path, copy);
	cpu = cpu_seconds();
	t = upload_seconds(lb, path);
	cpu = cpu_seconds() - cpu;
	out = measure_new("upload");
	measure_add(out, "CSV per second", (double)mb / t, "MB/s",
	    (double)mb / floor, 60, "higher");
	measure_add(out, "CPU per gigabyte", cpu * 1024 / (double)mb, "s", 0,
	    12, "lower");
	(void)getrusage(RUSAGE_SELF, &use);
	measure_add(out, "peak memory", (double)use.ru_maxrss / 1024, "MB", 0,
	    96, "lower");
	loopback_free(lb);
	free(path);
	free(copy);
	return measure_end(out) == 0 ? 0 : 1;
}
