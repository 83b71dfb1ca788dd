/*
 * Arguments of the program that makes one task's sandbox.  Pure but for one
 * look at the executor's ELF header; launcher.c runs the result.
 */
#include "supervisor/shepherd/sandbox.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

/* uid and gid in the sandbox: nobody. */
#define NOBODY "65534"

#define MAX_SEGMENTS 64 /* of a program; usual ones have a dozen */

struct list {
	char **v;
	size_t n;
};

static void
add(struct list *l, const char *arg)
{
	l->v = xrealloc(l->v, (l->n + 2) * sizeof(*l->v));
	l->v[l->n++] = xstrdup(arg);
	l->v[l->n] = NULL;
}

static void
add3(struct list *l, const char *a, const char *b, const char *c)
{
	add(l, a);
	add(l, b);
	add(l, c);
}

static void
add_fd(struct list *l, const char *option, enum sandbox_fd fd)
{
	char number[12];

	(void)snprintf(number, sizeof(number), "%d", (int)fd);
	add(l, option);
	add(l, number);
}

void
sandbox_argv_free(char **argv)
{
	size_t i;

	if (argv == NULL)
		return;
	for (i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

int
sandbox_is_dynamic(const char *program, bool *out)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_SEGMENTS];
	ssize_t size;
	int fd, i, r = 0;

	*out = false;
	if ((fd = open(program, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(ERR_IO, "open %s", program);
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(ph[0]) || eh.e_phnum > MAX_SEGMENTS) {
		r = err_set(ERR_FORMAT, "%s is no 64-bit ELF program", program);
		goto out;
	}
	size = (ssize_t)(eh.e_phnum * sizeof(ph[0]));
	if (pread(fd, ph, (size_t)size, (off_t)eh.e_phoff) != size) {
		r = err_set(ERR_FORMAT, "%s: program headers are cut", program);
		goto out;
	}
	for (i = 0; i < eh.e_phnum && !*out; i++)
		*out = ph[i].p_type == PT_INTERP;
out:
	fd_close(&fd);
	return r;
}

static void
add_isolation(struct list *l)
{
	add(l, "--unshare-all");
	add(l, "--die-with-parent");
	add(l, "--new-session");
	add(l, "--clearenv");
	add(l, "--cap-drop");
	add(l, "ALL");
	add(l, "--uid");
	add(l, NOBODY);
	add(l, "--gid");
	add(l, NOBODY);
	add(l, "--hostname");
	add(l, "executor");
	add_fd(l, "--seccomp", SANDBOX_FD_SECCOMP);
	add_fd(l, "--info-fd", SANDBOX_FD_INFO);
	add_fd(l, "--block-fd", SANDBOX_FD_BLOCK);
}

/* The loader, the libraries and, for sanitizers, the process's own /proc. */
static void
add_system(struct list *l)
{
	static const char *const dirs[] = { "/usr", "/lib", "/lib64" };
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		add3(l, "--ro-bind-try", dirs[i], dirs[i]);
	add(l, "--proc");
	add(l, "/proc");
	/* The leak check wants to trace its own process. */
	add3(l, "--setenv", "ASAN_OPTIONS", "detect_leaks=0");
}

/* NUMBER of the account outside, for the map of the user namespace. */
static void
add_id(struct list *l, unsigned id)
{
	char number[12];

	(void)snprintf(number, sizeof(number), "%u", id);
	add(l, number);
}

static void
add_box(struct list *l, const struct sandbox *s)
{
	size_t i;

	add(l, s->maker);
	add_id(l, geteuid());
	add_id(l, getegid());
	add(l, s->provider_dir);
	add(l, s->output_dir);
	for (i = 0; i < s->n_binds; i++) {
		add(l, s->binds[i].outside);
		add(l, s->binds[i].inside);
	}
}

static void
add_bwrap(struct list *l, const struct sandbox *s, bool dynamic)
{
	size_t i;

	add(l, s->bwrap);
	add_isolation(l);
	if (dynamic)
		add_system(l);
	add3(l, "--ro-bind", s->provider_dir, INSIDE_PROVIDER);
	for (i = 0; i < s->n_binds; i++)
		add3(l, "--ro-bind", s->binds[i].outside, s->binds[i].inside);
	add3(l, "--bind", s->output_dir, SANDBOX_OUT);
	add(l, "--chdir");
	add(l, SANDBOX_OUT);
	/*
	 * The end of its parent ends the first process in there from when it
	 * has asked for that on; whether there was one still, then, only it
	 * can find out.
	 */
	if (s->guard[0] != '\0') {
		add3(l, "--ro-bind", s->guard, INSIDE_GUARD);
		add(l, "--as-pid-1");
	}
	/* Last: the mount points above are made in the root, then it freezes. */
	add(l, "--remount-ro");
	add(l, "/");
}

int
sandbox_argv(const struct sandbox *s, char ***out, bool *in_box)
{
	struct list l = { NULL, 0 };
	size_t n = strlen(s->provider_dir), i;
	char *inside;
	bool dynamic;
	int r;

	*out = NULL;
	if (strncmp(s->program, s->provider_dir, n) != 0 ||
	    s->program[n] != '/' || strstr(s->program + n, "/../") != NULL)
		return err_set(ERR_INVALID, "%s is not in %s", s->program,
		    s->provider_dir);
	if ((r = sandbox_is_dynamic(s->program, &dynamic)) != 0)
		return r;
	*in_box = !dynamic && s->maker[0] != '\0';
	if (*in_box)
		add_box(&l, s);
	else
		add_bwrap(&l, s, dynamic);
	add(&l, "--");
	if (!*in_box && s->guard[0] != '\0') {
		add(&l, INSIDE_GUARD);
		add(&l, INSIDE_GUARD_WORD);
	}
	inside = xasprintf(INSIDE_PROVIDER "%s", s->program + n);
	add(&l, inside);
	free(inside);
	for (i = 0; s->arguments != NULL && s->arguments[i] != NULL; i++)
		add(&l, s->arguments[i]);
	*out = l.v;
	return 0;
}
