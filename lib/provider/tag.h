/*
 * Patterns of the tags that objects of a component may have, in a manifest's
 * transfers.  A pattern is a text in which
 *	#	stands for a number, of up to ten digits and without zeros ahead,
 *	[...]	for what may be left out (not one within another, and eight at
 *		most: each may double what there is to try),
 * and everything else (letters, digits, . _ -) for itself: "[f#.]#.#" allows
 * "0.17" and "f2.0.17".
 */
#ifndef LIB_PROVIDER_TAG_H
#define LIB_PROVIDER_TAG_H

#include <stdbool.h>

#define TAG_PATTERN_MAX 100 /* bytes */
#define TAG_OPTIONS_MAX 8

bool tag_pattern_valid(const char *pattern);
bool tag_matches(const char *pattern, const char *tag);

#endif
