/*
 * The files of a site: folders, keys, site.conf, nginx.conf.
 */
#ifndef CLI_SITE_FILES_H
#define CLI_SITE_FILES_H

#include <stddef.h>

#include "lib/conf/site_conf.h"

/* What "sluice site init" was told; NULL: the sample's value. */
struct site_choice {
	const char *home; /* absolute */
	const char *party;
	const char *client_url;
	const char *client_tls_url;
	const char *partner_url;
	const char *db_socket;
	const char *db_host;
	const char *db_tls_ca;
	const char *db_port;
	const char *db_name;
	const char *db_user;
	bool db_one_account; /* for all programs */
	bool loopback_without_authentication;
	bool separate_users;
};

/* HOME/site.conf; the caller's. */
char *site_files_conf_path(const char *home);

/* Below home, with their modes; what is there stays. */
int site_files_folders(const char *home);
/* The tmpfs folder for small objects; it is gone after a reboot. */
int site_files_memory_dir(const struct site_conf *);
/* Keys, TLS certificate, database password, partners.pem; as above. */
int site_files_keys(const char *home, const char *party);
/* site.conf from the commented sample; ERR_EXISTS when it is there. */
int site_files_write_conf(const struct site_choice *);

/* nginx.conf from nginx/site.conf.in; user is "NAME" or "NAME GROUP". */
int site_files_nginx(const struct site_conf *, const char *user);
/*
 * keys/partners.pem: this site's certificate and the given ones (PEM).
 */
int site_files_partners(
    const struct site_conf *, const char *const *certs, size_t n);

#endif
