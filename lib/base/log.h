/*
 * Logging: one line per event on standard error (or a file), with ids.
 *
 *   2026-01-31T12:00:00.123Z info shepherd request=… job=… task=… party=… text k=v
 *
 * The context (job, task, party) is set once per request or child and stands
 * in every line until it is changed.  Never log rows, keys or secrets.
 */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H

enum log_level { LOG_DEBUG_ = 0, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* program is borrowed for ever.  Level from the text "debug" … "error". */
void log_init(const char *program, enum log_level);
int log_level_parse(const char *text, enum log_level *out);
/* Append to a file instead; ERR_IO leaves the old target in place. */
int log_to_file(const char *path);
/* Reopen after rotation; does nothing when logging to standard error. */
void log_reopen(void);

/* NULL clears a part.  Copied, cut at 160 bytes each. */
void log_context(const char *job, const char *task, const char *party);

/* What front ends let through as an id, and its end. */
#define LOG_REQUEST_SIZE 65

/* The request that is served, "request=" in each line; NULL or "" for none. */
void log_request(const char *id);
/* "" for none; valid until the next log_request(). */
const char *log_request_id(void);

#define log_debug(...) log_write(LOG_DEBUG_, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO_, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN_, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR_, __VA_ARGS__)
/* The recorded error, with where it was seen; of ERR_DB, which comes often
 * while the database is away, not each (log_repeat.h). */
#define log_err(...) log_error_record(__VA_ARGS__)

void log_write(enum log_level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_error_record(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
