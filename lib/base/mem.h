/*
 * Memory: allocations that cannot fail for small fixed sizes, checked sizes
 * for what input decides, and an arena that a request frees as a whole.
 */
#ifndef LIB_BASE_MEM_H
#define LIB_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/*
 * For sizes known at compile time or bounded by a checked limit: on failure
 * the program logs and aborts.  What a stranger sizes goes through
 * mem_array(), which refuses overflow and reports ERR_NOMEM.
 */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap);

/* Zeroed array of n elements; NULL and ERR_NOMEM when it cannot be had. */
void *mem_array(size_t n, size_t size);

/*
 * An arena: allocations live until arena_free() or arena_reset().
 * Not for secrets (it is not wiped) and not shared between threads.
 */
struct arena;

struct arena *arena_new(void);
void arena_reset(struct arena *); /* keeps the first block */
void arena_free(struct arena *);
void *arena_alloc(struct arena *, size_t size); /* zeroed */
char *arena_strdup(struct arena *, const char *s);
char *arena_strndup(struct arena *, const char *s, size_t n);
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
