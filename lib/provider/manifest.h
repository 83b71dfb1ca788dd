/*
 * Providers: folders NAME/VERSION/ with a manifest.json that says what their
 * program offers.  docs/internals.md describes the file.  A set is loaded
 * once per process start and never changes; it may be shared by readers.
 */
#ifndef LIB_PROVIDER_MANIFEST_H
#define LIB_PROVIDER_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json/json.h"

struct arena;
struct providers;
struct seen;

#define PROVIDER_DIGEST_SIZE 65 /* 64 hex digits and NUL */

/* A name that a task may send, and between which roles. */
struct module_transfer {
	const char *name;
	const char **from; /* NULL-terminated */
	const char **to;
	const char *
	    *tags; /* patterns (tag.h), NULL-terminated: no other may be sent */
	bool says_tags; /* false: the manifest has no list, so none may */
};

struct module {
	const struct provider *provider;
	const char *name;	 /* as in the manifest: HeteroLR */
	const char **aliases;	 /* NULL-terminated */
	const char **roles;	 /* NULL-terminated */
	const char **input_data; /* data keys, NULL-terminated */
	bool input_model;
	bool input_isometric_model;
	bool input_cache;
	bool output_data;
	bool output_model;
	bool output_cache;
	struct json_object *parameters; /* the schema, checked */
	struct module_transfer *transfers;
	size_t n_transfers;
};

struct provider {
	const char *name;
	const char *version;
	const char **aliases; /* "fate": NULL-terminated */
	char *folder;	      /* absolute; "" when not from a folder */
	char *program;	      /* absolute path of the executable */
	char digest[PROVIDER_DIGEST_SIZE]; /* "": not measured */
	struct seen *measured;		   /* of which files; or NULL */
	int64_t protocol;
	struct module *modules;
	size_t n_modules;
};

/*
 * Load every DIR/NAME/VERSION/manifest.json.  One that is broken is an error
 * (it is the site's own): the message names file and pointer.
 * Errors: ERR_IO, ERR_FORMAT, ERR_INVALID, ERR_EXISTS for a module or alias
 * offered twice within one provider version.
 */
int providers_load(const char *dir, struct providers **out);
void providers_free(struct providers *);

/* Do folders and manifests look as they did when the set was loaded? */
bool providers_is_current(const struct providers *);

/* An empty set, and a manifest from memory (borrowed): tests, fuzzing. */
struct providers *providers_new(void);
int providers_add(
    struct providers *, struct json_object *manifest, const char *folder);

size_t providers_count(const struct providers *);
const struct provider *providers_at(const struct providers *, size_t);
/* The same for who fills in digests: measure.c. */
struct provider *providers_item(struct providers *, size_t);

/*
 * By name or alias (case does not matter), version NULL or "" for the
 * highest.  For an alias the version may also be one of the aliased product
 * (fate@1.11.4 counts as the highest): job files name versions of it.
 * NULL when there is none.
 */
const struct provider *providers_find(
    const struct providers *, const char *name, const char *version);

/*
 * The module by name or alias (case does not matter).  providers_module()
 * looks through all providers in order of names, higher versions first.
 */
const struct module *provider_module(const struct provider *, const char *name);
const struct module *providers_module(
    const struct providers *, const char *name);
/* The nearest module name for a message, or NULL. */
const char *providers_nearest_module(
    const struct providers *, const char *name);

bool module_has_role(const struct module *, const char *role);
/* May a task of this module, as role from, send name to role to? */
bool module_may_send(
    const struct module *, const char *name, const char *from, const char *to);

/* May an object of that name have that tag? */
bool module_may_tag(const struct module *, const char *name, const char *tag);
/* Those that it may have, for a message; in the arena, or borrowed. */
const char *module_tags_text(
    const struct module *, const char *name, struct arena *);

/*
 * ERR_INVALID, with what to write, when a transfer has no list of tags: it is
 * one of before there were any, and is not let through.
 */
int provider_check_tags(const struct provider *);

/* "NAME" or "NAME@VERSION", as job files choose providers. */
bool provider_spec_valid(const char *spec);
const struct provider *providers_find_spec(
    const struct providers *, const char *spec);

/* Dotted numbers compared piece by piece: <0, 0, >0. */
int provider_version_cmp(const char *a, const char *b);

#endif
