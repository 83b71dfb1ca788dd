/*
 * What the linker puts in place of calls of the outside world (--wrap in the
 * Makefile): a call of NAME comes to __wrap_NAME, which may call __real_NAME.
 */
#ifndef TESTS_SIM_WRAP_H
#define TESTS_SIM_WRAP_H

/* Randomness of libsodium, too, is ours from now on. */
void wrap_chance(void);
/* Forget which connections there are and what time they were told. */
void wrap_db_reset(void);

#endif
