/*
 * Libraries that a program takes up while it runs, because most of its runs
 * need nothing of them.
 */
#ifndef LIB_BASE_LIBRARY_H
#define LIB_BASE_LIBRARY_H

#include <stddef.h>

/* Load a shared library, for as long as the process lives.  Error: code. */
int library_open(const char *file, int code, void **out);
/* The address of one of its functions into a pointer to such.  Error: code. */
int library_find(
    void *library, const char *name, int code, void *pointer, size_t size);

#endif
