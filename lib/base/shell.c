/*
 * Words for a shell.
 */
#include "lib/base/shell.h"

#include <string.h>

void
shell_put_word(struct buf *b, const char *s)
{
	if (*s != '\0' &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			"0123456789_-./:@%+,=")] == '\0') {
		buf_puts(b, s);
		return;
	}
	buf_putc(b, '\'');
	for (; *s != '\0'; s++)
		if (*s == '\'')
			buf_puts(b, "'\\''");
		else
			buf_putc(b, *s);
	buf_putc(b, '\'');
}
