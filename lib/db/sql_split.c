/*
 * Cutting SQL text into statements, for migrate.c.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/migrate.h"

/* Behind a comment that starts at s; s when none does, NULL when it is open. */
static const char *
skip_comment(const char *s)
{
	const char *end;

	/* Two dashes are a comment only before a blank: 5--3 is arithmetic. */
	if (s[0] == '#' ||
	    (s[0] == '-' && s[1] == '-' &&
		(s[2] == '\0' || strchr(" \t\r\n", s[2]) != NULL))) {
		end = strchr(s, '\n');
		return end != NULL ? end + 1 : s + strlen(s);
	}
	if (s[0] == '/' && s[1] == '*') {
		end = strstr(s + 2, "*/");
		return end != NULL ? end + 2 : NULL;
	}
	return s;
}

/* Behind the quoted text that starts at s; NULL when it is not closed. */
static const char *
skip_quoted(const char *s)
{
	char quote = *s++;

	for (; *s != '\0'; s++) {
		if (*s == '\\' && quote != '`' && s[1] != '\0')
			s++;
		else if (*s == quote && s[1] == quote)
			s++;
		else if (*s == quote)
			return s + 1;
	}
	return NULL;
}

/* Blanks, comments and stray semicolons in front of a statement. */
static const char *
skip_between(const char *s)
{
	const char *next;

	for (;;) {
		while (*s != '\0' && strchr(" \t\r\n;", *s) != NULL)
			s++;
		/* Executable comments are statements. */
		if (s[0] == '/' && s[1] == '*' &&
		    (s[2] == '!' || (s[2] == 'M' && s[3] == '!')))
			return s;
		if ((next = skip_comment(s)) == NULL || next == s)
			return next;
		s = next;
	}
}

int
sql_next_statement(const char **text, const char **start, size_t *len)
{
	const char *s, *next, *end;

	*start = NULL;
	*len = 0;
	if ((s = skip_between(*text)) == NULL)
		return err_set(ERR_FORMAT, "a comment is not closed");
	*text = s;
	if (*s == '\0')
		return 0;
	*start = end = s;
	while (*s != '\0' && *s != ';') {
		if (strchr("'\"`", *s) != NULL)
			next = skip_quoted(s);
		else if ((next = skip_comment(s)) == s)
			next = s + 1;
		if (next == NULL)
			return err_set(ERR_FORMAT,
			    "a quote or comment is not closed: %.40s", s);
		if (strchr(" \t\r\n", *s) == NULL)
			end = next;
		s = next;
	}
	*len = (size_t)(end - *start);
	*text = *s == ';' ? s + 1 : s;
	return 1;
}
