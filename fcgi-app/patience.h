/*
 * An end to waiting for a peer that sends slowly, where the waiting is done
 * inside a library.
 */
#ifndef FCGI_APP_PATIENCE_H
#define FCGI_APP_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * ms from now on nothing is read from socket fd any more: a read that waits
 * returns as at the end of the stream, and so do later ones.  Writing goes
 * on.  0 ends the watch.  One at a time for each process; uses SIGALRM.
 */
void patience_set(int fd, int64_t ms);
/* Did it run out since it was last set to more than 0? */
bool patience_over(void);

#endif
