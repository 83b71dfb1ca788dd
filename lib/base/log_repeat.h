/*
 * Errors that come again and again while the same trouble lasts: told at
 * once, then after 1 s, 2 s, 4 s … a minute, with how many there were.
 */
#ifndef LIB_BASE_LOG_REPEAT_H
#define LIB_BASE_LOG_REPEAT_H

#include <stdint.h>

#define LOG_REPEAT_MIN_MS 1000
#define LOG_REPEAT_MAX_MS 60000

/*
 * Shall a line be written now (monotonic)?  what names its place in the
 * program: its format, which is compared as a pointer.  How many like it were
 * kept back before it; -1 when this one is to be kept back, too.
 */
int log_repeat(const char *what, int64_t now_ms);

#endif
