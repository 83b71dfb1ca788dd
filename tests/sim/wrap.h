/*
 * What the linker puts in place of calls of the outside world (--wrap in the
 * Makefile): a call of NAME comes to __wrap_NAME, which may call __real_NAME.
 */
#ifndef TESTS_SIM_WRAP_H
#define TESTS_SIM_WRAP_H

#include <stddef.h>
#include <stdint.h>

/* Randomness of libsodium, too, is ours from now on. */
void wrap_chance(void);
/* Seconds of the outside world's clock, for who waits there. */
int64_t wrap_real_s(void);
/* Forget what time the connections were told. */
void wrap_db_reset(void);
/* Connections to sites' databases that are told the time. */
size_t wrap_db_links(void);

#endif
