/*
 * Reading of secrets.  Called by user.c and login.c.
 */
#include "cli/secret_input.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SECRET_MAX 1024

/* Up to the end of the line, which is not kept. */
static int
read_line(int fd, char **out)
{
	char text[SECRET_MAX];
	size_t n = 0;
	ssize_t got;
	int r = 0;

	while ((got = read(fd, text + n, 1)) == 1 && text[n] != '\n')
		if (++n == sizeof(text))
			break;
	if (got < 0)
		r = err_set_errno(ERR_IO, "password");
	else if (n == sizeof(text))
		r = err_set(ERR_INVALID, "the password is too long");
	else if (memchr(text, '\0', n) != NULL)
		r = err_set(ERR_INVALID, "the password has a NUL in it");
	else
		*out = xstrndup(text, n);
	sodium_memzero(text, sizeof(text));
	return r;
}

static int
from_file(const char *path, char **out)
{
	struct stat st;
	int fd, r;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set_errno(ERR_IO, "%s", path);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		r = err_set(ERR_DENIED,
		    "%s: mode %04o lets others in, 0600 is needed", path,
		    (unsigned)(st.st_mode & 07777));
	else
		r = read_line(fd, out);
	fd_close(&fd);
	return r;
}

/* What is typed at the terminal, which does not show it. */
static int
typed(int tty, const char *prompt, char **out)
{
	struct termios was, quiet;
	int r;

	if (tcgetattr(tty, &was) != 0)
		return err_set_errno(ERR_IO, "terminal");
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return err_set_errno(ERR_IO, "terminal");
	if ((r = fd_write_all(tty, prompt, strlen(prompt))) == 0)
		r = read_line(tty, out);
	(void)tcsetattr(tty, TCSAFLUSH, &was);
	(void)fd_write_all(tty, "\n", 1);
	return r;
}

static int
from_terminal(const char *prompt, bool is_new, char **out)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), r;
	char *again = NULL;

	if (tty < 0)
		return args_wrong("there is no terminal to type a password at: "
				  "--password-file or --password-fd");
	r = typed(tty, prompt, out);
	if (r == 0 && is_new && (r = typed(tty, "Once more: ", &again)) == 0 &&
	    !str_eq(*out, again))
		r = err_set(ERR_INVALID, "the two passwords differ");
	secret_input_free(again);
	fd_close(&tty);
	return r;
}

static int
input(const struct args *args, const char *prompt, bool is_new, char **out)
{
	const char *path = args_text(args, "password-file");
	int64_t fd = -1;
	int r;

	*out = NULL;
	if ((r = args_int(args, "password-fd", 0, 1024, -1, &fd)) != 0)
		return r;
	if (path != NULL && fd >= 0)
		return args_wrong("--password-file or --password-fd, not both");
	if (path != NULL)
		r = from_file(path, out);
	else if (fd >= 0)
		r = read_line((int)fd, out);
	else
		r = from_terminal(prompt, is_new, out);
	if (r != 0) {
		secret_input_free(*out);
		*out = NULL;
	}
	return r;
}

int
secret_input(const struct args *args, const char *prompt, char **out)
{
	return input(args, prompt, true, out);
}

int
secret_input_known(const struct args *args, const char *prompt, char **out)
{
	return input(args, prompt, false, out);
}

void
secret_input_free(char *secret)
{
	if (secret != NULL)
		sodium_memzero(secret, strlen(secret));
	free(secret);
}
