/*
 * Patience is a timer whose signal shuts the socket's reading half: there is
 * no instant between looking and reading at which it would be missed.
 * Called by worker.c.
 */
#include "fcgi-app/patience.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>

static volatile sig_atomic_t watched = -1, over;

static void
on_alarm(int signo)
{
	int kept = errno;

	(void)signo;
	if (watched >= 0) {
		over = 1;
		(void)shutdown(watched, SHUT_RD);
	}
	errno = kept;
}

void
patience_set(int fd, int64_t ms)
{
	struct sigaction sa = { .sa_handler = on_alarm,
		.sa_flags = SA_RESTART };
	struct itimerval t = { .it_value = { .tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000 } };

	if (ms > 0) {
		over = 0;
		watched = fd;
		sigemptyset(&sa.sa_mask);
		(void)sigaction(SIGALRM, &sa, NULL);
		(void)setitimer(ITIMER_REAL, &t, NULL);
	} else {
		t = (struct itimerval){ .it_value = { 0, 0 } };
		(void)setitimer(ITIMER_REAL, &t, NULL);
		watched = -1;
	}
}

bool
patience_over(void)
{
	return over != 0;
}
