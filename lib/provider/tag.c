/*
 * Tags against their patterns.  Called by manifests (manifest_read.c checks
 * patterns, manifest.c tags).
 */
#include "lib/provider/tag.h"

#include <stddef.h>
#include <string.h>

#define DIGITS_MAX 10

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_plain(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

bool
tag_pattern_valid(const char *pattern)
{
	bool inside = false;
	size_t i, options = 0;

	for (i = 0; pattern[i] != '\0'; i++) {
		char c = pattern[i];

		if (i == TAG_PATTERN_MAX)
			return false;
		if (c == '[' || c == ']') {
			options += c == '[';
			if (inside != (c == ']') || options > TAG_OPTIONS_MAX)
				return false;
			inside = !inside;
		} else if (c != '#' && !is_plain(c))
			return false;
	}
	return !inside;
}

/* Behind the number that tag begins with; NULL when it begins with none. */
static const char *
behind_number(const char *tag)
{
	size_t n = 0;

	while (n <= DIGITS_MAX && is_digit(tag[n]))
		n++;
	if (n == 0 || n > DIGITS_MAX || (tag[0] == '0' && n > 1))
		return NULL;
	return tag + n;
}

/* From a bracket on: with what is in it, or without. */
static bool
matches(const char *p, const char *tag)
{
	for (; *p != '\0'; p++) {
		if (*p == ']')
			continue;
		if (*p == '[') {
			if (matches(p + 1, tag))
				return true;
			p = strchr(p, ']');
			if (p == NULL)
				return false;
		} else if (*p == '#') {
			if ((tag = behind_number(tag)) == NULL)
				return false;
		} else if (*p != *tag++)
			return false;
	}
	return *tag == '\0';
}

bool
tag_matches(const char *pattern, const char *tag)
{
	return matches(pattern, tag);
}
