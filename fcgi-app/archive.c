/*
 * Archives as replies.  Called by api_log.c, api_output.c, api_export.c.
 */
#include "fcgi-app/archive.h"

#include "lib/base/str.h"

static int
on_write(void *ctx, const void *data, size_t len)
{
	return reply_file_write(ctx, data, len);
}

static int
on_check(void *ctx)
{
	return reply_check(ctx);
}

int
archive_begin(struct reply *rp, const char *name, struct archive_out **out)
{
	struct archive_sink sink = { on_write, on_check, rp };
	int r;

	*out = NULL;
	if ((r = reply_file_begin(rp, name, -1)) != 0)
		return r;
	return archive_open(&sink,
	    str_ends(name, ".zip") ? ARCHIVE_KIND_ZIP : ARCHIVE_KIND_TAR_GZ,
	    out);
}
