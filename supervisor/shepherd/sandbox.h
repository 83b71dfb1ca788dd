/*
 * What an executor sees: the file system and namespaces of a task, as the
 * argument list of the program that makes them.
 *
 *   /provider	the provider's folder, read-only
 *   /in/N	input tables, read-only; /in/file: the file of an upload
 *   /out	the attempt's output folder, the only place to write
 *
 * Nothing else exists: no /proc, no /dev, no network, no other process.
 *
 * sluice-sandbox makes this for a program that is linked statically.  One
 * that is linked dynamically gets the system's libraries and a /proc of its
 * own as well, and bubblewrap makes that.  There sluice-sandbox is /guard: the
 * first process, which becomes the program unless the shepherd is gone by then,
 * for bubblewrap's watch over it begins late.
 */
#ifndef SUPERVISOR_SHEPHERD_SANDBOX_H
#define SUPERVISOR_SHEPHERD_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/shepherd/inside.h"

/* One read-only binding; both borrowed. */
struct sandbox_bind {
	const char *outside; /* absolute path on this host */
	const char *inside;  /* e.g. /in/0 */
};

/* All borrowed. */
struct sandbox {
	const char *maker;	  /* sluice-sandbox; "": bubblewrap for all */
	const char *guard;	  /* sluice-sandbox, for bubblewrap; "": none */
	const char *bwrap;	  /* bubblewrap */
	const char *program;	  /* the executor, absolute, in ... */
	const char *provider_dir; /* ... this folder */
	const char *output_dir;	  /* bound to /out */
	const struct sandbox_bind *binds;
	size_t n_binds;
	const char *const *arguments; /* of the executor; NULL at the end */
};

#define SANDBOX_OUT INSIDE_OUT

/* Descriptors that they find open; see launcher.c. */
enum sandbox_fd {
	SANDBOX_FD_SOCKET = INSIDE_FD_SOCKET, /* stays for the executor */
	SANDBOX_FD_SECCOMP = INSIDE_FD_FILTER,
	SANDBOX_FD_BOX_END,
	SANDBOX_FD_INFO = SANDBOX_FD_BOX_END, /* bubblewrap's alone */
	SANDBOX_FD_BLOCK,
	SANDBOX_FD_END
};

/*
 * The argument list, ended by NULL; free it with sandbox_argv_free().  in_box:
 * it is sluice-sandbox's, to be started in new namespaces (box.h).
 * Errors: ERR_IO when the program cannot be read, ERR_FORMAT when it is no
 * 64-bit ELF program, ERR_INVALID when it is not in provider_dir.
 */
int sandbox_argv(const struct sandbox *, char ***out, bool *in_box);
void sandbox_argv_free(char **); /* NULL is fine */

/* Does the program ask for a dynamic loader?  Errors: ERR_IO, ERR_FORMAT. */
int sandbox_is_dynamic(const char *program, bool *out);

#endif
