/*
 * Identifiers made here: job ids in the platform's form, and random ones.
 */
#ifndef LIB_BASE_ID_H
#define LIB_BASE_ID_H

#include <stddef.h>

/*
 * Local wall clock YYYYMMDDhhmmss, six digits of microseconds and five at
 * random, where the platform has a counter of one process: ids that several
 * processes and several sites make within a microsecond have to differ, too.
 * Should two be equal nevertheless, the unique key in the database decides,
 * and the loser draws again.
 */
#define ID_JOB_SIZE 26
void id_job(char out[ID_JOB_SIZE]);

/* 32 lower-case hex digits from the kernel's generator. */
#define ID_RANDOM_SIZE 33
void id_random(char out[ID_RANDOM_SIZE]);

#endif
