/*
 * Numbers for a monitoring system, in Prometheus' text format (0.0.4).
 *
 * The families are one table; a program counts into a set of series and
 * renders it, or reads what another one rendered into its own.  Counters
 * begin at nothing with each start of the program that keeps them, as that
 * system expects.
 */
#ifndef LIB_BASE_METRICS_H
#define LIB_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

/* X(name, kind, help): help is one line without backslashes. */
#define METRIC_FAMILIES(X)                                                     \
	X(site_info, GAUGE, "1, with the site's party and version")            \
	X(ready, GAUGE, "1 when the site can take work, by check")             \
	X(jobs, GAUGE, "Jobs this site knows, by state")                       \
	X(tasks, GAUGE, "Tasks of this site that have not ended, by state")    \
	X(queue_jobs, GAUGE, "Jobs that wait, by the code of their reason")    \
	X(queue_oldest_seconds, GAUGE, "Age of the oldest waiting job")        \
	X(reports_due, GAUGE, "Ends of tasks that initiators do not have yet") \
	X(launches_due, GAUGE, "Tasks that wait for their shepherd")           \
	X(errands_open, GAUGE, "Errands that have not ended")                  \
	X(heartbeat_age_seconds, GAUGE,                                        \
	    "Time since the last sign of life, the oldest of its kind")        \
	X(progress_age_seconds, GAUGE,                                         \
	    "Time since an executor last got on, the oldest")                  \
	X(resource_cores, GAUGE, "Cores of an engine: total, granted, free")   \
	X(resource_memory_bytes, GAUGE, "Memory of an engine, as above")       \
	X(ledger_broken, GAUGE, "Findings of the last check of the ledger")    \
	X(audit_records, GAUGE, "Length of the chain of audit records")        \
	X(mailbox_bytes, GAUGE, "Bytes that wait in mailboxes of tasks")       \
	X(mailbox_objects, GAUGE, "Objects that wait in mailboxes of tasks")   \
	X(disk_free_bytes, GAUGE, "Bytes free on a disk of the site")          \
	X(partner_up, GAUGE, "1 when the partner answered last")               \
	X(partner_trusted, GAUGE,                                              \
	    "1 while a signing key and a certificate of the partner count")    \
	X(partner_stored_bytes, GAUGE,                                         \
	    "Bytes of documents that a partner's jobs have stored")            \
	X(partner_since_seconds, GAUGE, "When that began, seconds of 1970")    \
	X(partner_command_seconds, HISTOGRAM, "Time of commands to a partner") \
	X(partner_failures_total, COUNTER, "Commands without an answer")       \
	X(job_starts_total, COUNTER, "Jobs of this site that started")         \
	X(job_ends_total, COUNTER, "Jobs of this site that ended, by state")   \
	X(resource_notices_total, COUNTER,                                     \
	    "Initiators told that something is free, by party")                \
	X(task_starts_total, COUNTER, "Shepherds started")                     \
	X(findings_total, COUNTER, "What detectors found, by detector")        \
	X(detector_errors_total, COUNTER, "Detectors that could not look")     \
	X(janitor_removed_total, COUNTER, "What was removed for its age")      \
	X(egress_bytes_total, COUNTER, "Bytes sent to a party")                \
	X(front_refusals_total, COUNTER,                                       \
	    "Requests that nginx refused, by listener, reason and partner")    \
	X(http_requests_total, COUNTER, "Requests, by route and HTTP status")  \
	X(http_request_seconds, HISTOGRAM, "Time of requests, by route")       \
	X(process_start_seconds, GAUGE, "When a program began, since 1970")

enum metric {
#define X(name, kind, help) METRIC_##name,
	METRIC_FAMILIES(X)
#undef X
	    METRICS
};

/* Every name begins so. */
#define METRIC_PREFIX "sluice_"

/* Upper ends of the buckets of all histograms, seconds; the last is +Inf. */
#define METRIC_BUCKETS 13
extern const double metric_buckets[METRIC_BUCKETS];

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *); /* NULL is fine */

/*
 * The series of a family is named by its labels: pairs of name and value with
 * a NULL behind.  Values are any text.  A set holds METRIC_SERIES_MAX series;
 * beyond, new ones are not taken.  A NULL set counts nothing.
 */
#define METRIC_SERIES_MAX 4000
void metrics_set(struct metrics *, enum metric, double value, ...)
    __attribute__((sentinel));
void metrics_add(struct metrics *, enum metric, double delta, ...)
    __attribute__((sentinel));
/* Into a histogram. */
void metrics_observe(struct metrics *, enum metric, double seconds, ...)
    __attribute__((sentinel));
/* A histogram that was counted elsewhere: n[i] fell into bucket i alone. */
void metrics_histogram(struct metrics *, enum metric,
    const uint64_t n[METRIC_BUCKETS + 1], double sum, ...)
    __attribute__((sentinel));

/* Append all, each family with its HELP and TYPE. */
void metrics_render(const struct metrics *, struct buf *);

/*
 * Take over what metrics_render() wrote, with one more label for each series.
 * Lines that it would not have written are passed over.
 */
void metrics_read(
    struct metrics *, const char *text, const char *label, const char *value);

#endif
