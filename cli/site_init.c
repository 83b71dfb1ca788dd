/*
 * sluice site init, sluice site nginx: the files of a site.
 */
#include <limits.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/ports.h"
#include "cli/site_files.h"
#include "cli/site_owners.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define ADDRESS "127.0.0.1"

/* The account that runs this, for nginx's workers. */
static char *
own_account(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	return xstrdup(pw != NULL ? pw->pw_name : "root");
}

static int
render_nginx(const struct args *args, const struct site_conf *conf)
{
	const char *user = args_text(args, "nginx-user");
	char *own = own_account();
	int r;

	r = site_files_nginx(conf, user != NULL ? user : own);
	free(own);
	return r;
}

struct urls {
	char *client, *client_tls, *partner;
};

/* Address and port options, or free ports, become URLs. */
static int
choose_urls(const struct args *args, const char *home, struct urls *out)
{
	static const char *const names[3] = {
		"client-port",
		"client-tls-port",
		"partner-port",
	};
	const char *address = args_text(args, "address");
	int picked[3] = { 9380, 9381, 9382 };
	int64_t port[3];
	int i, r;

	if (args_flag(args, "free-ports") &&
	    (r = ports_pick(home, picked, 3)) != 0)
		return r;
	for (i = 0; i < 3; i++)
		if ((r = args_int(
			 args, names[i], 1, 65535, picked[i], &port[i])) != 0)
			return r;
	if (address == NULL)
		address = ADDRESS;
	/* Plain HTTP never leaves the machine. */
	out->client = xasprintf("http://" ADDRESS ":%d", (int)port[0]);
	out->client_tls = xasprintf("https://%s:%d", address, (int)port[1]);
	out->partner = xasprintf("https://%s:%d", address, (int)port[2]);
	return 0;
}

static int
write_conf(const struct args *args, const char *home)
{
	struct urls urls = { NULL, NULL, NULL };
	struct site_choice c = {
		.home = home,
		.party = args_text(args, "party"),
		.db_socket = args_text(args, "db-socket"),
		.db_host = args_text(args, "db-host"),
		.db_tls_ca = args_text(args, "db-tls-ca"),
		.db_port = args_text(args, "db-port"),
		.db_name = args_text(args, "db-name"),
		.db_user = args_text(args, "db-user"),
		.db_one_account = args_flag(args, "db-one-account"),
		.separate_users = args_flag(args, "system"),
		.loopback_without_authentication =
		    args_flag(args, "loopback-without-authentication"),
	};
	const char *url;
	int r;

	if ((r = choose_urls(args, home, &urls)) == 0) {
		c.client_url = urls.client;
		c.client_tls_url = urls.client_tls;
		url = args_text(args, "partner-url");
		c.partner_url = url != NULL ? url : urls.partner;
		r = site_files_write_conf(&c);
	}
	free(urls.client);
	free(urls.client_tls);
	free(urls.partner);
	return r;
}

/* A site that is there already must be the same party's. */
static int
load_checked(const char *path, const char *party, struct site_conf **out)
{
	int r;

	if ((r = site_conf_load(path, out)) != 0)
		return r;
	if (!str_eq((*out)->party_id, party)) {
		r = err_set(ERR_CONFLICT, "%s is the site of party %s", path,
		    (*out)->party_id);
		site_conf_free(*out);
		*out = NULL;
	}
	return r;
}

static void
print_site(const struct args *args, const struct site_conf *conf)
{
	struct json_object *o;

	if (!args_json(args)) {
		(void)printf("site of party %s in %s\n  clients   %s\n"
			     "            %s\n  partners  %s\n",
		    conf->party_id, conf->home, conf->client_url,
		    conf->client_tls_url, conf->partner_url);
		return;
	}
	o = json_object_new_object();
	json_add_str(o, "party_id", conf->party_id);
	json_add_str(o, "home", conf->home);
	json_add_str(o, "config", conf->path);
	json_add_str(o, "client_url", conf->client_url);
	json_add_str(o, "client_tls_url", conf->client_tls_url);
	json_add_str(o, "partner_url", conf->partner_url);
	output_json(o);
	json_object_put(o);
}

static int
init_at(const struct args *args, const char *home)
{
	const char *party = args_text(args, "party");
	char *path = site_files_conf_path(home);
	struct site_conf *conf = NULL;
	int r = 0;

	if (access(path, F_OK) != 0)
		r = write_conf(args, home);
	if (r == 0 && (r = load_checked(path, party, &conf)) == 0 &&
	    (r = site_files_folders(conf->home)) == 0 &&
	    (r = site_files_keys(conf->home, party)) == 0 &&
	    (r = site_files_memory_dir(conf)) == 0 &&
	    (r = render_nginx(args, conf)) == 0 &&
	    (!args_flag(args, "system") || (r = site_owners_set(conf)) == 0))
		print_site(args, conf);
	site_conf_free(conf);
	free(path);
	return r;
}

/*
 * Links in it are kept: the paths of sockets have to be short, and a link
 * may be what makes them so.
 */
static char *
absolute_folder(const char *path)
{
	char cwd[PATH_MAX];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		return xstrndup(path, len);
	return xasprintf("%s/%.*s", cwd, (int)len, path);
}

static int
run_init(const struct args *args)
{
	char *home;
	int r;

	if (!str_is_party_id(args_text(args, "party")))
		return args_wrong("--party: a party id has 1 to 10 digits");
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium cannot start");
	home = absolute_folder(args_text(args, "home"));
	if ((r = fd_mkdirs(home, 0755)) == 0)
		r = init_at(args, home);
	free(home);
	return r;
}

static int
run_nginx(const struct args *args)
{
	struct site_conf *conf;
	int r;

	r = site_conf_load(args_text(args, "config"), &conf);
	if (r != 0)
		return r;
	r = render_nginx(args, conf);
	/* Logs that it names anew are made here: nginx's user cannot. */
	if (r == 0 && conf->separate_users && geteuid() == 0)
		r = site_owners_set(conf);
	if (r == 0 && !args_json(args))
		(void)printf("%s/nginx.conf\n", conf->home);
	site_conf_free(conf);
	return r;
}

#define OPTION_NGINX_USER                                                      \
	{                                                                      \
		"nginx-user", "USER",                                          \
		    "who nginx's workers run as (this account); "              \
		    "must reach run/fcgi*.sock",                               \
		    false                                                      \
	}

static const struct option_def init_options[] = {
	OPTION_HOME,
	{ "party", "ID", "party id of the organisation", true },
	{ "free-ports", NULL, "pick free ports of 127.0.0.1", false },
	{ "address", "ADDRESS", "address to listen at for HTTPS (127.0.0.1)",
	    false },
	{ "client-port", "N", "clients on this machine, HTTP (9380)", false },
	{ "client-tls-port", "N", "clients, HTTPS (9381)", false },
	{ "partner-port", "N", "partner sites, HTTPS (9382)", false },
	{ "partner-url", "URL", "what partners are told, https://NAME:PORT",
	    false },
	{ "db-socket", "PATH", "unix socket of the database server", false },
	{ "db-host", "HOST", "or its host", false },
	{ "db-tls-ca", "FILE", "authority of its certificate", false },
	{ "db-port", "N", "and port (3306)", false },
	{ "db-name", "NAME", "database (sluice)", false },
	{ "db-user", "NAME",
	    "account (sluice); those of the programs are NAME_fcgi and "
	    "NAME_supervisor",
	    false },
	{ "system", NULL, "its programs run as users of their own: as root",
	    false },
	{ "db-one-account", NULL, "let the programs use the same one", false },
	{ "loopback-without-authentication", NULL,
	    "clients over loopback HTTP need no signature", false },
	OPTION_NGINX_USER,
	OPTION_END,
};

const struct command command_site_init = {
	"site init",
	"",
	0,
	"Make a site: folders, keys, certificate, "
	"site.conf, nginx.conf.  What exists is kept.",
	init_options,
	run_init,
};

static const struct option_def nginx_options[] = {
	OPTION_CONFIG_REQUIRED,
	OPTION_NGINX_USER,
	OPTION_END,
};

const struct command command_site_nginx = {
	"site nginx",
	"",
	0,
	"Write nginx.conf again from site.conf.",
	nginx_options,
	run_nginx,
};
