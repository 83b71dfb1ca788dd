/*
 * Used by what reads exports and logs: verify.c and compare.c.
 */
#include "cli/lines.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/err.h"

int
lines_each(const char *path, line_fn *fn, void *ctx)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (f == NULL)
		return err_set_errno(ERR_IO, "open %s", path);
	while (r == 0 && (n = getline(&line, &cap, f)) > 0)
		r = fn(ctx, line, (size_t)n - (line[n - 1] == '\n' ? 1 : 0));
	if (r == 0 && ferror(f) != 0)
		r = err_set_errno(ERR_IO, "read %s", path);
	free(line);
	(void)fclose(f);
	return r;
}
