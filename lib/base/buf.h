/*
 * A growing byte buffer, always NUL-terminated behind its last byte so that
 * text in it can be used as a string.
 */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap;
};

#define BUF_INIT                                                               \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

void buf_init(struct buf *);
void buf_fini(struct buf *);  /* frees; the buffer is empty again */
void buf_clear(struct buf *); /* keeps the memory */
void buf_append(struct buf *, const void *data, size_t len);
void buf_puts(struct buf *, const char *s);
void buf_putc(struct buf *, char c);
void buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *, const char *fmt, va_list ap);
void *buf_reserve(struct buf *, size_t more); /* room at data+len */
void buf_consume(struct buf *, size_t n);     /* drop the first n bytes */
const char *buf_str(const struct buf *);      /* "" when empty */
char *buf_steal(struct buf *);		      /* the caller's; "" when empty */

/*
 * Append what fd holds until end of file, at most max bytes.
 * Errors: ERR_IO, ERR_LIMIT when more than max bytes are there.
 */
int buf_read_fd(struct buf *, int fd, size_t max);
int buf_read_file(struct buf *, const char *path, size_t max);

#endif
