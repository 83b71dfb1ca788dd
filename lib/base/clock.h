/*
 * Time.  Decisions about leases use the database's clock; these two serve
 * durations inside one process and stamps for people.
 */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void); /* monotonic */
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void); /* since the epoch */
int64_t clock_wall_us(void);

/* "YYYY-MM-DD HH:MM:SS" local time; "" for ms <= 0. */
#define CLOCK_DATE_SIZE 20
void clock_date(int64_t wall_ms, char out[CLOCK_DATE_SIZE]);

#endif
