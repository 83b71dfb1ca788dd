/*
 * Texts that a worker made of rows and may be asked for again.
 *
 * What it promises:
 * - Never stale.  A key names the rows and the version of each that the text
 *   was made of, and callers read those versions from the database on every
 *   request.  So an entry is not wrong, ever; after a change by whomever it is
 *   no longer asked for, and nobody has to be told.
 * - Never another's.  It is asked below the handlers, when the caller's right
 *   to the rows has been checked as it is without a cache.
 * - Bounded.  Keys, texts and what they are kept in take max_bytes at most;
 *   those not asked for the longest go first.  A text of more than a quarter
 *   of it is not kept.
 *
 * Of one process, lost with it.  Called by job_page.c and api_track.c.
 */
#ifndef FCGI_APP_TEXT_CACHE_H
#define FCGI_APP_TEXT_CACHE_H

#include <stddef.h>

/* A worker's: some hundred jobs, or some dozen curves of 1 000 points. */
#define TEXT_CACHE_BYTES ((size_t)4 << 20)

struct text_cache;

struct text_cache *text_cache_new(size_t max_bytes);
void text_cache_free(struct text_cache *); /* NULL is fine */

/*
 * The text under the key, NULL when it is not there.  It is the cache's and
 * stands until the next text_cache_put().  A cache of NULL has nothing.
 */
const char *text_cache_get(struct text_cache *, const char *key);
/* Keep a copy, in place of one under the same key. */
void text_cache_put(struct text_cache *, const char *key, const char *text);
/* What is in use now, of max_bytes. */
size_t text_cache_bytes(const struct text_cache *);

#endif
