/*
 * Archives with something done to them.
 */
#ifndef TESTS_LIB_REPACK_H
#define TESTS_LIB_REPACK_H

#include <stdbool.h>
#include <stddef.h>

/* What to change; NULL and 0 leave things alone. */
struct repack {
	const char *drop;      /* leave this member out */
	const char *rename;    /* give this one … */
	const char *to;	       /* … this name, raw */
	const char *twice;     /* write this one twice */
	const char *flip;      /* change this one's first byte */
	const char *add;       /* add a member of this name, raw, … */
	const char *content;   /* … with this text */
	size_t zeros;	       /* … or so many zeros */
	const char *link;      /* … or a link to this */
	const char *replace;   /* in this member … */
	const char *from, *by; /* … the first of this text by that */
	bool tar;	       /* as .tar.gz instead of .zip */
	size_t cut;	       /* leave out the last bytes of the result */
};

/* Read the archive at from, write the one at to; fails the test on error. */
void repack(const char *from, const char *to, const struct repack *);

#endif
