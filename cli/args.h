/*
 * Commands and their options: one table per command, from which parsing,
 * checking and help text follow.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct args;

struct option_def {
	const char *name;  /* without "--" */
	const char *value; /* what stands for it in help; NULL:
					 * a flag */
	const char *help;
	bool required;
};

#define OPTION_END                                                             \
	{                                                                      \
		NULL, NULL, NULL, false                                        \
	}

/* Exit codes of the program. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_JOB = 3, /* the job ended, but not with success */
	EXIT_UNREACHABLE = 4,
};

#define OPERANDS_MORE "...]" /* "JOB [COMPONENT...]" */

struct command {
	const char *name;     /* "site init" */
	const char *operands; /* "FILE", "JOB COMPONENT"; "" for none */
	/* Exactly; at least when operands ends with OPERANDS_MORE. */
	size_t n_operands;
	const char *summary; /* one line */
	const struct option_def *options;
	/* 0, an ERR_* code, or an exit code above 0. */
	int (*run)(const struct args *);
};

/*
 * Match argv against a command.  --help and --json are known everywhere;
 * both "--name value" and "--name=value" are.
 * Ownership: *out is the caller's; texts are borrowed from argv.
 * Errors: ERR_INVALID, the message says what and names the nearest option.
 */
int args_parse(
    const struct command *, int argc, char **argv, struct args **out);
void args_free(struct args *); /* NULL is fine */

/*
 * For run(): words of the command that cannot be right.  The program
 * ends with EXIT_USAGE then, as when args_parse() finds it.  ERR_INVALID.
 */
int args_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* r; the same if it is ERR_INVALID and words of the command were looked at. */
int args_blamed(int r);
bool args_was_wrong(void);

const struct command *args_command(const struct args *);
bool args_help(const struct args *); /* --help was given */
bool args_json(const struct args *);
/* NULL when not given; the option must be in the command's table. */
const char *args_text(const struct args *, const char *name);
bool args_flag(const struct args *, const char *name);
/* otherwise when not given.  args_wrong() names the option. */
int args_int(const struct args *, const char *name, int64_t min, int64_t max,
    int64_t otherwise, int64_t *out);
/*
 * What else a command about the same site needs to be told, as this one was:
 * " --config FILE", " --home DIR", " --url URL" or "", as a shell takes it.
 */
const char *args_site(const struct args *);
/* The options that choose rows, as given: " --job 1 --party 2", or "". */
const char *args_filters(const struct args *);
const char *args_operand(const struct args *, size_t i);
size_t args_operands(const struct args *);

/* Help of one command on standard output. */
void args_print_help(const struct command *);
/* Name and operands in a column, and the summary. */
void args_print_line(FILE *, const struct command *);

/* Where the site or its client API is; for the commands that need one. */
#define OPTION_CONFIG                                                          \
	{                                                                      \
		"config", "FILE", "the site's site.conf", false                \
	}
#define OPTION_CONFIG_REQUIRED                                                 \
	{                                                                      \
		"config", "FILE", "the site's site.conf", true                 \
	}
#define OPTION_HOME                                                            \
	{                                                                      \
		"home", "DIR", "the site's folder", true                       \
	}
/* Either, see site_run.c. */
#define OPTIONS_PLACE                                                          \
	{ "home", "DIR", "the site's folder", false },                         \
	{                                                                      \
		"config", "FILE", "or the site.conf in it", false              \
	}
/* Of where a site is, for who brings no key. */
#define OPTIONS_SITE                                                           \
	{ "url", "URL", "client API of a site, http://HOST:PORT", false },     \
	    OPTION_CONFIG,                                                     \
	{                                                                      \
		"ca", "FILE", "certificate to trust for https", false          \
	}
#define OPTIONS_API                                                            \
	OPTIONS_SITE,                                                          \
	{                                                                      \
		"app-key-file", "FILE",                                        \
		    "sign requests with this key (site.conf's [client] key)",  \
		    false                                                      \
	}

#endif
