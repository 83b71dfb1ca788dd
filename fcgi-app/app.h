/*
 * What a worker keeps from one request to the next.
 */
#ifndef FCGI_APP_APP_H
#define FCGI_APP_APP_H

#include <stdint.h>

struct db;
struct hooks;
struct partners;
struct probe;
struct providers;
struct site_conf;
struct tally;
struct text_cache;
struct throttle;
struct turns;
struct client_vault;

struct app {
	const struct site_conf *conf;
	struct db *db;
	struct providers *providers;  /* manifests on this site */
	int64_t providers_generation; /* see provider_set.h */
	struct partners *partners;    /* keys of partners, cached */
	struct text_cache *texts;     /* see text_cache.h; NULL: none kept */
	unsigned pages_without_marks; /* see job_page.c */
	struct turns *downloads;      /* shared by all workers */
	struct turns *logins;	      /* the same: checks of passwords */
	struct turns *hook_turns;     /* who may wait for services */
	struct hooks *hooks;	      /* NULL: there are none */
	struct turns *errands;	   /* the same: who may wait for other sites */
	struct throttle *failures; /* too; NULL: nothing is counted */
	struct tally *tally;	   /* too; NULL: nothing is counted */
	struct client_vault
	    *vault;	     /* secrets of client keys; NULL until used */
	struct probe *probe; /* see probe.h; NULL until used */
};

#endif
