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
is_news(struct findings *fs, const char *detector, const char *job_id,
    const char *text)
{
	unsigned char hash[HASH_SIZE];
	struct buf b = BUF_INIT;
	int64_t now = clock_mono_ms();
	size_t i;

	buf_printf(&b, "%s\n%s\n%s", detector, job_id, text);
	(void)crypto_generichash(
	    hash, sizeof(hash), (const unsigned char *)b.data, b.len, NULL, 0);
	buf_fini(&b);
	for (i = 0; i < REMEMBERED; i++)
		if (fs->told[i].at_ms != 0 &&
		    now - fs->told[i].at_ms < REPEAT_MS &&
		    memcmp(fs->told[i].hash, hash, sizeof(hash)) == 0)
			return false;
	memcpy(fs->told[fs->next].hash, hash, sizeof(hash));
	fs->told[fs->next].at_ms = now;
	fs->next = (fs->next + 1) % REMEMBERED;
	return true;
}

bool
finding(struct supervisor *s, const char *detector, const char *job_id,
    const char *fmt, ...)
{
	struct db_event e = {
		.job_id = job_id, .kind = "detector", .to_state = ""
	};
	char *text;
	va_list ap;
	bool news;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if ((news = is_news(s->findings, detector, job_id, text))) {
		metrics_add(s->metrics, METRIC_findings_total, 1, "detector",
		    detector, NULL);
		log_warn("detector=\"%s\"%s%s %s", detector,
		    job_id[0] != '\0' ? " job=" : "", job_id, text);
		e.to_state = detector;
		e.reason = text;
		if (db_event_add(s->db, &e) != 0)
			log_err("detector=\"%s\" event", detector);
	}
	free(text);
	return news;
}
