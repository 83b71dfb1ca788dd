/*
 * Files that come with the program (templates, SQL), whether it runs from a
 * build folder or is installed, and the other programs of the set.
 */
#ifndef CLI_SHARE_H
#define CLI_SHARE_H

/* "nginx/site.conf.in" and the like; the caller's.  NULL: ERR_NOT_FOUND. */
char *share_path(const char *relative);
/* "sluice-fcgi" and the like; the caller's.  NULL: ERR_NOT_FOUND. */
char *share_program(const char *name);
/* The first folder with providers; the caller's.  NULL: ERR_NOT_FOUND. */
char *share_providers(void);

#endif
