/*
 * posix_spawn(3) with what all these programs have in common.
 */
#include "supervisor/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "supervisor/nursery.h"

extern char **environ;

static int
attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if ((r = posix_spawnattr_init(attr)) != 0)
		return r;
	if ((r = posix_spawnattr_setsigmask(attr, &none)) == 0 &&
	    (r = posix_spawnattr_setsigdefault(attr, &all)) == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
						       POSIX_SPAWN_SETSIGDEF |
						       POSIX_SPAWN_SETSID);
	if (r != 0)
		(void)posix_spawnattr_destroy(attr);
	return r;
}

/* fd: what becomes NURSERY_FD, or -1. */
static int
files_of(posix_spawn_file_actions_t *files, int fd)
{
	int r;

	if ((r = posix_spawn_file_actions_init(files)) != 0)
		return r;
	r = posix_spawn_file_actions_addopen(
	    files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0 && fd >= 0)
		r = posix_spawn_file_actions_adddup2(files, fd, NURSERY_FD);
	/* What libraries opened without close-on-exec stays here. */
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(
		    files, fd >= 0 ? NURSERY_FD + 1 : NURSERY_FD);
	if (r != 0)
		(void)posix_spawn_file_actions_destroy(files);
	return r;
}

static int
spawn(const char *const argv[], int fd, pid_t *pid)
{
	posix_spawnattr_t attr;
	posix_spawn_file_actions_t files;
	int r;

	if ((r = attributes(&attr)) == 0) {
		if ((r = files_of(&files, fd)) == 0) {
			/* It reads them only, whatever its type says. */
			r = posix_spawn(pid, argv[0], &files, &attr,
			    (char *const *)(uintptr_t)argv, environ);
			(void)posix_spawn_file_actions_destroy(&files);
		}
		(void)posix_spawnattr_destroy(&attr);
	}
	return r == 0 ? 0
		      : err_set(ERR_IO, "start %s: %s", argv[0], strerror(r));
}

int
spawn_shepherd(const struct site_conf *conf, const char *attempt_id, pid_t *pid)
{
	const char *const argv[] = { conf->shepherd_program, "--config",
		conf->path, "--attempt", attempt_id, NULL };

	return spawn(argv, -1, pid);
}

int
spawn_nursery(const struct site_conf *conf, int fd, pid_t *pid)
{
	const char *const argv[] = { conf->shepherd_program, "--nursery",
		"--config", conf->path, NURSERY_PLACE, NULL };

	return spawn(argv, fd, pid);
}
