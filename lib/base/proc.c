/*
 * What the kernel says about processes.
 */
#include "lib/base/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define STATUS_MAX 4096

#ifdef __SANITIZE_ADDRESS__
#define IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED
#endif
#endif

void
proc_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	/* A limit may always be lowered. */
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef IS_SANITIZED /* its search for leaks looks in */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* The text of a small file of /proc; "" when it cannot be read. */
static void
read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	fd_close(&fd);
}

void
proc_place(char out[PROC_PLACE_SIZE])
{
	char boot[37];
	struct stat st;

	read_text(BOOT_ID, boot, sizeof(boot));
	boot[strcspn(boot, "\n")] = '\0';
	if (stat("/proc/self/ns/pid", &st) != 0)
		st.st_ino = 0;
	(void)snprintf(out, PROC_PLACE_SIZE, "%s.%llu", boot,
	    (unsigned long long)st.st_ino);
}

/* "NSpid:" lists its numbers from this namespace down to its own. */
bool
proc_is_here(pid_t pid)
{
	char path[64], text[STATUS_MAX];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	read_text(path, text, sizeof(text));
	if ((line = strstr(text, "\nNSpid:")) == NULL)
		return false;
	line += strlen("\nNSpid:");
	line += strspn(line, "\t ");
	line += strspn(line, "0123456789");
	return *line == '\n' || *line == '\0';
}
