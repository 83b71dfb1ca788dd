/*
 * Findings, told once.  Called by the detect_*.c.
 */
#include "supervisor/finding.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_event.h"

#define REPEAT_MS (3600 * INT64_C(1000))
/* So many different ones are remembered; beyond, the oldest is told anew. */
#define REMEMBERED 256
#define HASH_SIZE 16

struct told {
	unsigned char hash[HASH_SIZE];
	int64_t at_ms;
};

struct findings {
	struct told told[REMEMBERED];
	size_t next;
};

struct findings *
findings_new(void)
{
	return xcalloc(1, sizeof(struct findings));
}

void
findings_free(struct findings *fs)
{
	free(fs);
}

static bool
is_news(struct findings *fs, const unsigned char hash[HASH_SIZE])
{
	int64_t now = clock_mono_ms();
	size_t i;

	for (i = 0; i < REMEMBERED; i++)
		if (fs->told[i].at_ms != 0 &&
		    now - fs->told[i].at_ms < REPEAT_MS &&
		    memcmp(fs->told[i].hash, hash, HASH_SIZE) == 0)
			return false;
	return true;
}

static void
remember(struct findings *fs, const unsigned char hash[HASH_SIZE])
{
	struct told *t = &fs->told[fs->next];

	memcpy(t->hash, hash, HASH_SIZE);
	t->at_ms = clock_mono_ms();
	fs->next = (fs->next + 1) % REMEMBERED;
}

static void
hash_words(unsigned char hash[HASH_SIZE], const char *detector,
    const char *job_id, const char *text)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s\n%s\n%s", detector, job_id, text);
	(void)crypto_generichash(
	    hash, HASH_SIZE, (const unsigned char *)b.data, b.len, NULL, 0);
	buf_fini(&b);
}

void
finding_count(struct supervisor *s, const char *detector, int64_t n)
{
	metrics_add(s->metrics, METRIC_findings_total, (double)n, "detector",
	    detector, NULL);
}

/* Told when its event is written; what is not is found again. */
static void
tell(struct supervisor *s, const struct db_event *e,
    const unsigned char hash[HASH_SIZE])
{
	const char *detector = e->to_state;

	log_warn("detector=\"%s\"%s%s %s", detector,
	    e->job_id[0] != '\0' ? " job=" : "", e->job_id, e->reason);
	if (db_event_add(s->db, e) != 0) {
		log_err("detector=\"%s\" event", detector);
		return;
	}
	remember(s->findings, hash);
	finding_count(s, detector, 1);
}

bool
finding(struct supervisor *s, const char *detector, const char *job_id,
    const char *fmt, ...)
{
	struct db_event e = {
		.job_id = job_id, .kind = "detector", .to_state = detector
	};
	unsigned char hash[HASH_SIZE];
	char *text;
	va_list ap;
	bool news;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	hash_words(hash, detector, job_id, text);
	e.reason = text;
	if ((news = is_news(s->findings, hash)))
		tell(s, &e, hash);
	free(text);
	return news;
}
