/*
 * What the linker puts in place of calls of the outside world (--wrap in the
 * Makefile): a call of NAME comes to __wrap_NAME, which may call __real_NAME.
 */
#ifndef TESTS_SIM_WRAP_H
#define TESTS_SIM_WRAP_H

#include <stdint.h>

/* Randomness of libsodium, too, is ours from now on. */
void wrap_chance(void);
/* Seconds of the outside world's clock, for who waits there. */
int64_t wrap_real_s(void);
/* Forget which connections there are and what time they were told. */
void wrap_db_reset(void);

#endif
