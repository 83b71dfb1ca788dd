/*
 * Option parsing for all commands; called by main.c.
 */
#include "cli/args.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/shell.h"
#include "lib/base/str.h"

#define OPTIONS_MAX 32
#define OPERANDS_MAX 64

struct args {
	const struct command *command;
	const char *values[OPTIONS_MAX]; /* "" for a flag */
	const char *operands[OPERANDS_MAX];
	size_t n_operands;
	bool help;
	bool json;
	char *site;    /* see args_site() */
	char *filters; /* see args_filters() */
};

static size_t
count_options(const struct command *c)
{
	size_t n = 0;

	while (c->options[n].name != NULL)
		n++;
	assert(n <= OPTIONS_MAX);
	return n;
}

static size_t
find_option(const struct command *c, const char *name)
{
	size_t i, n = count_options(c);

	for (i = 0; i < n; i++)
		if (str_eq(c->options[i].name, name))
			return i;
	return n;
}

static int
unknown_option(const struct command *c, const char *name)
{
	const char *names[OPTIONS_MAX + 2], *near;
	size_t i, n = count_options(c);

	for (i = 0; i < n; i++)
		names[i] = c->options[i].name;
	names[n++] = "help";
	names[n++] = "json";
	near = str_nearest(name, names, n);
	if (near == NULL)
		return err_set(ERR_INVALID, "no option --%s", name);
	return err_set(
	    ERR_INVALID, "no option --%s, did you mean --%s?", name, near);
}

/* "-o" and "-h" are so usual that they are known everywhere. */
static char *
long_form(char *arg)
{
	static char output[] = "--output", help[] = "--help";

	if (str_eq(arg, "-o"))
		return output;
	return str_eq(arg, "-h") ? help : arg;
}

/* One "--name[=value]"; *i moves over a value that stands apart. */
static int
take_option(struct args *a, int argc, char **argv, int *i)
{
	const char *text = long_form(argv[*i]) + 2;
	const char *equals = strchr(text, '=');
	char *name = equals != NULL ? xstrndup(text, (size_t)(equals - text))
				    : xstrdup(text);
	size_t slot = find_option(a->command, name);
	int r = 0;

	if (str_eq(name, "help")) {
		a->help = true;
	} else if (str_eq(name, "json")) {
		a->json = true;
	} else if (slot == count_options(a->command)) {
		r = unknown_option(a->command, name);
	} else if (a->values[slot] != NULL) {
		r = err_set(ERR_INVALID, "--%s is given twice", name);
	} else if (a->command->options[slot].value == NULL) {
		a->values[slot] = "";
		if (equals != NULL)
			r = err_set(ERR_INVALID, "--%s takes no value", name);
	} else if (equals != NULL) {
		a->values[slot] = equals + 1;
	} else if (*i + 1 < argc) {
		a->values[slot] = argv[++*i];
	} else {
		r = err_set(ERR_INVALID, "--%s needs a value", name);
	}
	free(name);
	return r;
}

static int
check_complete(const struct args *a)
{
	const struct command *c = a->command;
	size_t i;

	if (a->help)
		return 0;
	if (a->n_operands < c->n_operands)
		return err_set(ERR_INVALID, "expected: %s", c->operands);
	for (i = 0; c->options[i].name != NULL; i++)
		if (c->options[i].required && a->values[i] == NULL)
			return err_set(ERR_INVALID, "--%s %s is needed",
			    c->options[i].name, c->options[i].value);
	return 0;
}

/* --- what to say to another command ---------------------------------------- */

static bool
put_option(struct buf *b, const struct args *a, const char *name)
{
	size_t slot = find_option(a->command, name);

	if (a->command->options[slot].name == NULL || a->values[slot] == NULL)
		return false;
	buf_printf(b, " --%s ", name);
	shell_put_word(b, a->values[slot]);
	return true;
}

static char *
site_words(const struct args *a)
{
	static const char *const names[] = { "config", "home", "url" };
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (put_option(&b, a, names[i]))
			break;
	return buf_steal(&b);
}

static char *
filter_words(const struct args *a)
{
	static const char *const names[] = { "job", "component", "party", "to",
		"role", "subject", "actor", "action", "outcome", "namespace",
		"status", "partner" };
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)put_option(&b, a, names[i]);
	return buf_steal(&b);
}

/* A word where none is taken: most often a value without its option. */
static int
too_many(const struct command *c, const char *word)
{
	if (c->n_operands == 0)
		return err_set(ERR_INVALID,
		    "\"%s\" stands alone, %s takes options only", word,
		    c->name);
	return err_set(ERR_INVALID, "\"%s\" is one too many, %s takes %s", word,
	    c->name, c->operands);
}

static size_t
operands_max(const struct command *c)
{
	size_t len = strlen(c->operands), more = strlen(OPERANDS_MORE);

	return len >= more && str_eq(c->operands + len - more, OPERANDS_MORE)
		   ? OPERANDS_MAX
		   : c->n_operands;
}

int
args_parse(const struct command *c, int argc, char **argv, struct args **out)
{
	struct args *a = xcalloc(1, sizeof(*a));
	bool only_operands = false;
	int i, r = 0;

	*out = NULL;
	a->command = c;
	for (i = 0; i < argc && r == 0; i++) {
		if (!only_operands && str_eq(argv[i], "--"))
			only_operands = true;
		else if (!only_operands && str_starts(long_form(argv[i]), "--"))
			r = take_option(a, argc, argv, &i);
		else if (a->n_operands == operands_max(c))
			r = too_many(c, argv[i]);
		else
			a->operands[a->n_operands++] = argv[i];
	}
	if (r == 0)
		r = check_complete(a);
	if (r != 0) {
		args_free(a);
		return r;
	}
	a->site = site_words(a);
	a->filters = filter_words(a);
	*out = a;
	return 0;
}

static bool was_wrong;

int
args_wrong(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	(void)err_set(ERR_INVALID, "%s", text);
	free(text);
	return args_blamed(ERR_INVALID);
}

int
args_blamed(int r)
{
	was_wrong |= r == ERR_INVALID;
	return r;
}

bool
args_was_wrong(void)
{
	return was_wrong;
}

void
args_free(struct args *a)
{
	if (a == NULL)
		return;
	free(a->site);
	free(a->filters);
	free(a);
}

const char *
args_site(const struct args *a)
{
	return a->site != NULL ? a->site : "";
}

const char *
args_filters(const struct args *a)
{
	return a->filters != NULL ? a->filters : "";
}

const struct command *
args_command(const struct args *a)
{
	return a->command;
}

bool
args_help(const struct args *a)
{
	return a->help;
}

bool
args_json(const struct args *a)
{
	return a->json;
}

const char *
args_text(const struct args *a, const char *name)
{
	size_t slot = find_option(a->command, name);

	/* Asking for an option that the table lacks is our own mistake. */
	assert(a->command->options[slot].name != NULL);
	return a->values[slot];
}

bool
args_flag(const struct args *a, const char *name)
{
	return args_text(a, name) != NULL;
}

int
args_int(const struct args *a, const char *name, int64_t min, int64_t max,
    int64_t otherwise, int64_t *out)
{
	const char *text = args_text(a, name);

	*out = otherwise;
	if (text == NULL)
		return 0;
	if (str_to_int64(text, min, max, out) == 0)
		return 0;
	(void)err_wrap("--%s", name);
	return args_blamed(ERR_INVALID);
}

const char *
args_operand(const struct args *a, size_t i)
{
	assert(i < a->n_operands);
	return a->operands[i];
}

size_t
args_operands(const struct args *a)
{
	return a->n_operands;
}

void
args_print_help(const struct command *c)
{
	const struct option_def *o;
	char *left;

	(void)printf("usage: sluice %s%s%s%s\n\n%s\n", c->name,
	    c->operands[0] != '\0' ? " " : "", c->operands,
	    c->options[0].name != NULL ? " [options]" : "", c->summary);
	(void)printf("\noptions:\n");
	for (o = c->options; o->name != NULL; o++) {
		left =
		    xasprintf("--%s%s%s", o->name, o->value != NULL ? " " : "",
			o->value != NULL ? o->value : "");
		(void)printf("  %-28s  %s%s\n", left, o->help,
		    o->required ? " (required)" : "");
		free(left);
	}
	(void)printf("  %-28s  %s\n  %-28s  %s\n", "--json",
	    "answer as JSON on standard output", "--help", "this text");
}

#define NAMES_WIDTH 22

void
args_print_line(FILE *to, const struct command *c)
{
	char left[64];
	int width = 0;
	const char *s;

	(void)snprintf(left, sizeof(left), "%s %s", c->name, c->operands);
	for (s = left; *s != '\0'; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	(void)fprintf(to, "  %s%*s %s\n", left,
	    width < NAMES_WIDTH ? NAMES_WIDTH - width : 0, "", c->summary);
}
