/*
 * Time.  Decisions about leases use the database's clock; these serve
 * durations inside one process, stamps for people, and what other sites
 * compare with clocks of theirs.
 */
#ifndef LIB_BASE_CLOCK_H
#define LIB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void); /* monotonic */
int64_t clock_mono_us(void);
int64_t clock_wall_ms(void); /* since the epoch */
int64_t clock_wall_us(void);

/*
 * From now on clock_wall_* is this plus what the monotonic clock counted
 * since: somebody who sets this machine's clock sets nothing here.
 */
void clock_anchor(int64_t wall_us);

/* What files are stamped with by this machine, whatever was anchored. */
int64_t clock_file_ms(void);

/* "YYYY-MM-DD HH:MM:SS" local time; "" for ms <= 0. */
#define CLOCK_DATE_SIZE 20
void clock_date(int64_t wall_ms, char out[CLOCK_DATE_SIZE]);
/* The same as "YYYY-MM-DDTHH:MM:SSZ", for what is read in other places. */
#define CLOCK_UTC_SIZE 24
void clock_utc(int64_t wall_ms, char out[CLOCK_UTC_SIZE]);

#endif
