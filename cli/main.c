/*
 * sluice: the command line.  This table is the program; each family of
 * commands has its own file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *const commands[] = {
	&command_site_init,
	&command_site_nginx,
	&command_site_start,
	&command_site_keep,
	&command_site_share,
	&command_site_stop,
	&command_site_status,
	&command_site_rotate_key,
	&command_doctor,
	&command_db_create,
	&command_migrate,
	&command_key_show,
	&command_key_fingerprint,
	&command_key_create,
	&command_key_list,
	&command_key_disable,
	&command_key_enable,
	&command_key_delete,
	&command_user_create,
	&command_user_list,
	&command_user_disable,
	&command_user_enable,
	&command_user_delete,
	&command_user_password,
	&command_user_unlock,
	&command_client_config,
	&command_grant,
	&command_revoke,
	&command_grants,
	&command_quota,
	&command_explain,
	&command_approvals,
	&command_approve,
	&command_reject,
	&command_partner_add,
	&command_partner_list,
	&command_partner_remove,
	&command_partner_export,
	&command_partner_show,
	&command_partner_import,
	&command_partner_keys,
	&command_partner_revoke,
	&command_partner_disable,
	&command_partner_enable,
	&command_login,
	&command_logout,
	&command_upload,
	&command_tables,
	&command_components,
	&command_submit,
	&command_jobs,
	&command_watch,
	&command_query,
	&command_tasks,
	&command_rerun,
	&command_stop,
	&command_metrics,
	&command_log,
	&command_output,
	&command_report,
	&command_deploy,
	&command_model_export,
	&command_audit_export,
	&command_audit_prune,
	&command_audit,
	&command_verify,
	&command_egress_totals, /* two words before their first alone */
	&command_egress_compare,
	&command_egress,
	&command_table_info,
	&command_table_delete,
};

static void
print_overview(FILE *to)
{
	size_t i;

	(void)fprintf(to, "usage: sluice COMMAND [options]\n\n");
	for (i = 0; i < N_COMMANDS; i++)
		args_print_line(to, commands[i]);
	(void)fprintf(to,
	    "\n\"sluice COMMAND --help\" tells its options.\n"
	    "exit codes: 0 done, 1 failed, 2 wrong usage (words that "
	    "cannot be right), 3 the job ended without success, 4 site not "
	    "reachable\n");
}

/* How many words of argv the command's name takes; 0: another command. */
static int
match(const struct command *c, int argc, char **argv)
{
	const char *space = strchr(c->name, ' ');
	size_t first;

	if (space == NULL)
		return argc >= 1 && str_eq(argv[0], c->name) ? 1 : 0;
	first = (size_t)(space - c->name);
	return argc >= 2 && strlen(argv[0]) == first &&
		       strncmp(argv[0], c->name, first) == 0 &&
		       str_eq(argv[1], space + 1)
		   ? 2
		   : 0;
}

static int
usage_error(const char *text)
{
	(void)fprintf(stderr, "sluice: %s\n", text);
	return EXIT_USAGE;
}

static int
exit_code(int r)
{
	switch (r) {
	case ERR_NET:
	case ERR_TIMEOUT:
		return EXIT_UNREACHABLE;
	case ERR_INVALID:
		return args_was_wrong() ? EXIT_USAGE : EXIT_FAILED;
	default:
		return r < 0 ? EXIT_FAILED : r;
	}
}

/* Is this the first word of a command of two? */
static bool
begins(const struct command *c, const char *word)
{
	size_t len = strlen(word);

	return strncmp(c->name, word, len) == 0 && c->name[len] == ' ';
}

static bool
begins_name(const char *word)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (begins(commands[i], word))
			return true;
	return false;
}

/* The commands of two words that begin with this one. */
static void
print_group(FILE *to, const char *word)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (begins(commands[i], word))
			args_print_line(to, commands[i]);
	(void)fprintf(to, "\n\"sluice COMMAND --help\" tells its options.\n");
}

/* "key" alone: with a call for help, or as if it were a command. */
static int
group(const char *word, bool is_asked)
{
	FILE *to = is_asked ? stdout : stderr;

	(void)fprintf(to, "usage: sluice %s COMMAND [options]\n\n", word);
	print_group(to, word);
	return is_asked ? EXIT_OK : EXIT_USAGE;
}

/* Of a command, and of those that have its name for their first word. */
static void
print_help(const struct command *c)
{
	args_print_help(c);
	if (begins_name(c->name)) {
		(void)printf("\nand:\n");
		print_group(stdout, c->name);
	}
}

static bool
asks_for_help(const char *word)
{
	return str_eq(word, "--help") || str_eq(word, "-h") ||
	       str_eq(word, "help");
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct args *args;
	int r;

	if (args_parse(c, argc, argv, &args) != 0) {
		(void)fprintf(stderr,
		    "sluice %s: %s\n\"sluice %s --help\" tells its options\n",
		    c->name, err_text(), c->name);
		return EXIT_USAGE;
	}
	if (args_help(args)) {
		print_help(c);
		r = EXIT_OK;
	} else if ((r = c->run(args)) < 0) {
		output_error(args, r);
	}
	args_free(args);
	return exit_code(r);
}

/*
 * Two words are looked for when that finds a name of two; what follows a
 * first word that begins none is an argument and not quoted.
 */
static int
unknown(int argc, char **argv)
{
	const char *names[N_COMMANDS], *near;
	bool two = argc > 1;
	char *word =
	    xasprintf("%s%s%s", argv[0], two ? " " : "", two ? argv[1] : "");
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i]->name;
	near = str_nearest(word, names, N_COMMANDS);
	if (near == NULL)
		near = str_nearest(argv[0], names, N_COMMANDS);
	if (two && !begins_name(argv[0]) &&
	    (near == NULL || strchr(near, ' ') == NULL))
		word[strlen(argv[0])] = '\0';
	(void)fprintf(stderr, "sluice: no command \"%s\"%s%s%s\n", word,
	    near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
	free(word);
	return usage_error("\"sluice --help\" lists them");
}

/* "help COMMAND" */
static int
help_of(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++)
		if (match(commands[i], argc, argv) == argc) {
			print_help(commands[i]);
			return EXIT_OK;
		}
	if (argc == 1 && begins_name(argv[0]))
		return group(argv[0], true);
	return unknown(argc, argv);
}

int
main(int argc, char **argv)
{
	size_t i;
	int words;

	proc_no_core();
	log_init("sluice", LOG_WARN_);
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "help")) {
		if (argc > 2)
			return help_of(argc - 2, argv + 2);
		print_overview(stdout);
		return EXIT_OK;
	}
	if (str_eq(argv[1], "--version")) {
		(void)printf("sluice %s\n", SLUICE_VERSION);
		return EXIT_OK;
	}
	for (i = 0; i < N_COMMANDS; i++) {
		words = match(commands[i], argc - 1, argv + 1);
		if (words != 0)
			return run(
			    commands[i], argc - 1 - words, argv + 1 + words);
	}
	if (begins_name(argv[1]) && (argc == 2 || asks_for_help(argv[2])))
		return group(argv[1], argc > 2);
	return unknown(argc - 1, argv + 1);
}
