/*
 * The supervisor's row and the numbers in it.  Owned by supervisor.c.
 */
#include "supervisor/beat.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/db/db_operations.h"
#include "supervisor/hosts.h"
#include "supervisor/peers.h"

/* Entries of mailboxes that are counted. */
#define MOST 20000

struct beat {
	struct supervisor *super;
	struct loop_timer *timer;
	char *name;	/* host:home */
	int64_t egress; /* the ledger is counted up to here */
};

struct usage {
	int64_t bytes;
	int64_t objects;
	int entries;
};

/* --- mailboxes ----------------------------------------------------------------- */

static void
count_mailbox(struct usage *u, int dir)
{
	struct dirent *e;
	struct stat st;
	DIR *d;

	if (dir < 0 || (d = fdopendir(dir)) == NULL) {
		if (dir >= 0)
			(void)close(dir);
		return;
	}
	while (u->entries < MOST && (e = readdir(d)) != NULL) {
		u->entries++;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) !=
			0 ||
		    !S_ISREG(st.st_mode) || strlen(e->d_name) < 32)
			continue;
		u->bytes += st.st_size;
		u->objects++;
	}
	(void)closedir(d);
}

static void
count_mailboxes(struct usage *u, const char *path, const char *party)
{
	DIR *d = opendir(path);
	struct dirent *e;
	const char *of;

	while (d != NULL && u->entries < MOST && (e = readdir(d)) != NULL) {
		of = strrchr(e->d_name, '.');
		if (e->d_name[0] == '.' || of == NULL || !str_eq(of + 1, party))
			continue;
		count_mailbox(
		    u, openat(dirfd(d), e->d_name,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	}
	if (d != NULL)
		(void)closedir(d);
}

static void
measure_mailboxes(struct supervisor *s)
{
	struct usage u = { 0, 0, 0 };
	char *path = site_path(s->conf, "%s", SITE_MAILBOX);

	count_mailboxes(&u, path, s->conf->party_id);
	count_mailboxes(&u, s->conf->mailbox_memory_dir, s->conf->party_id);
	free(path);
	metrics_set(s->metrics, METRIC_mailbox_bytes, (double)u.bytes, NULL);
	metrics_set(
	    s->metrics, METRIC_mailbox_objects, (double)u.objects, NULL);
}

/* --- the row ---------------------------------------------------------------------- */

static int
count_egress(struct beat *b)
{
	struct supervisor *s = b->super;
	struct arena *arena = arena_new();
	struct db_count *rows;
	size_t i, n;
	int r;

	r = db_count_egress(s->db, arena, &b->egress, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		metrics_add(s->metrics, METRIC_egress_bytes_total,
		    (double)rows[i].n, "to", rows[i].name, NULL);
	arena_free(arena);
	return r;
}

/*
 * Two hosts of one name and home show one row in turn: nothing else mixes them
 * up, but nobody could tell them apart, and neither is told what the other
 * notices.
 */
static int
look_for_namesake(struct beat *b, const char *place)
{
	struct arena *arena = arena_new();
	struct db_supervisor *rows;
	size_t n;
	int r = db_supervisor_list(b->super->db, arena, false, &rows, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (str_eq(rows[i].instance, b->name) &&
		    rows[i].age_ms < 2 * BEAT_MS && rows[i].place[0] != '\0' &&
		    !str_eq(rows[i].place, place))
			log_warn("another host is called %s, too: give each a "
				 "[site] host of its own",
			    b->super->host);
	arena_free(arena);
	return r;
}

static int
write_row(struct beat *b, bool is_start)
{
	struct supervisor *s = b->super;
	struct buf text = BUF_INIT;
	char place[PROC_PLACE_SIZE];
	int r;

	proc_place(place);
	measure_mailboxes(s);
	if ((r = count_egress(b)) == 0 && !is_start)
		r = look_for_namesake(b, place);
	if (r == 0) {
		metrics_render(s->metrics, &text);
		r = db_supervisor_beat(s->db,
		    &(struct db_supervisor){ .instance = b->name,
			.host = s->host,
			.address = hosts_address(s->hosts),
			.place = place,
			.metrics = buf_str(&text) },
		    is_start);
	}
	buf_fini(&text);
	return r;
}

void
beat_now(struct beat *b)
{
	if (write_row(b, false) != 0)
		log_err("sign of life");
	else if (hosts_refresh(b->super->hosts) != 0)
		log_err("other hosts");
}

static void
on_timer(void *ctx)
{
	beat_now(ctx);
}

int
beat_new(struct supervisor *s, struct beat **out)
{
	struct beat *b = xcalloc(1, sizeof(*b));
	int r;

	*out = b;
	b->super = s;
	b->name = peers_label(s->conf, s->host, s->name == NULL ? "" : s->name);
	metrics_set(s->metrics, METRIC_process_start_seconds,
	    (double)clock_wall_ms() / 1000, "program", "supervisor", NULL);
	if ((r = db_egress_end(s->db, 0, &b->egress)) != 0 ||
	    (r = write_row(b, true)) != 0)
		return r;
	/* Of two that start together the later one knows both. */
	if ((r = hosts_refresh(s->hosts)) != 0)
		return r;
	hosts_announce(s->hosts);
	b->timer = loop_timer_new(s->loop, on_timer, b);
	loop_timer_set(b->timer, BEAT_MS, BEAT_MS);
	return 0;
}

void
beat_free(struct beat *b)
{
	if (b == NULL)
		return;
	if (db_supervisor_gone(b->super->db, b->name) != 0)
		log_err("sign of life stays");
	else
		hosts_announce(b->super->hosts);
	loop_timer_free(b->timer);
	free(b->name);
	free(b);
}
