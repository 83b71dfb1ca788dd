/*
 * Folders of tables that have no row.  Called by detect_site.c.
 */
#include "supervisor/leftovers.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_table.h"

static bool
is_folder_name(const char *name)
{
	return strlen(name) == ID_RANDOM_SIZE - 1 &&
	       strspn(name, "0123456789abcdef") == ID_RANDOM_SIZE - 1;
}

/* Since it was moved here, whenever its files were written. */
static bool
is_old(int dir, const char *name, int64_t grace_s)
{
	struct stat st;
	time_t last;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	last = st.st_ctime > st.st_mtime ? st.st_ctime : st.st_mtime;
	return clock_file_ms() / 1000 - last >= grace_s;
}

struct sweep {
	struct supervisor *super;
	int64_t grace_s;
	const char *parent;
};

static int
remove_unused(const struct sweep *sw, const char *name)
{
	struct supervisor *s = sw->super;
	char *folder = xasprintf("%.2s/%s", name, name);
	char *path = xasprintf("%s/%s", sw->parent, name);
	bool used;
	int r;

	r = db_table_folder_used(s->db, folder, &used);
	if (r == 0 && !used && fd_remove_tree(path) != 0) {
		log_err("%s stays", path); /* and keeps no other from going */
	} else if (r == 0 && !used) {
		log_info("removed the folder %s, which no table has", folder);
		metrics_add(s->metrics, METRIC_janitor_removed_total, 1, "kind",
		    "table folder", NULL);
	}
	free(path);
	free(folder);
	return r;
}

static int
sweep_folder(void *ctx, int dir, const char *name)
{
	const struct sweep *sw = ctx;

	return is_folder_name(name) && is_old(dir, name, sw->grace_s)
		   ? remove_unused(sw, name)
		   : 0;
}

int
leftovers_sweep_tables(
    struct supervisor *s, unsigned char prefix, int64_t grace_s)
{
	char *path = site_path(s->conf, "%s/%02x", SITE_TABLES, prefix);
	struct sweep sw = { s, grace_s, path };
	int r = fd_each(path, INT_MAX, sweep_folder, &sw);

	free(path);
	return r;
}
