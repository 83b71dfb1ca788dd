/*
 * What writes archives of libarchive, loaded when the first one is written.
 *
 * The library brings an XML parser, Unicode tables and a C++ run time, which
 * cost each process 2 MB.  A supervisor writes an archive once in months.
 *
 * Code that includes this header calls archive_write_new() and the others as
 * usual; they are macros for the loaded functions.
 */
#ifndef LIB_ARCHIVE_ARCHIVE_LOAD_H
#define LIB_ARCHIVE_ARCHIVE_LOAD_H

#include <archive.h>
#include <archive_entry.h>

/* X(function without archive_) for each that archive_out.c calls. */
#define ARCHIVE_FUNCTIONS(X)                                                   \
	X(error_string)                                                        \
	X(set_error)                                                           \
	X(write_new)                                                           \
	X(write_add_filter_gzip)                                               \
	X(write_close)                                                         \
	X(write_data)                                                          \
	X(write_fail)                                                          \
	X(write_free)                                                          \
	X(write_header)                                                        \
	X(write_open2)                                                         \
	X(write_set_bytes_in_last_block)                                       \
	X(write_set_bytes_per_block)                                           \
	X(write_set_filter_option)                                             \
	X(write_set_format_option)                                             \
	X(write_set_format_pax_restricted)                                     \
	X(write_set_format_zip)                                                \
	X(entry_free)                                                          \
	X(entry_new)                                                           \
	X(entry_set_filetype)                                                  \
	X(entry_set_mtime)                                                     \
	X(entry_set_pathname)                                                  \
	X(entry_set_perm)                                                      \
	X(entry_set_size)

struct archive_functions {
#define X(name) __typeof__(&archive_##name) name;
	ARCHIVE_FUNCTIONS(X)
#undef X
};

extern struct archive_functions archive_loaded;

/* Load it, once.  Errors: ERR_UNSUPPORTED says what is missing. */
int archive_load(void);

#define archive_error_string(...) archive_loaded.error_string(__VA_ARGS__)
#define archive_set_error(...) archive_loaded.set_error(__VA_ARGS__)
#define archive_write_new(...) archive_loaded.write_new(__VA_ARGS__)
#define archive_write_add_filter_gzip(...)                                     \
	archive_loaded.write_add_filter_gzip(__VA_ARGS__)
#define archive_write_close(...) archive_loaded.write_close(__VA_ARGS__)
#define archive_write_data(...) archive_loaded.write_data(__VA_ARGS__)
#define archive_write_fail(...) archive_loaded.write_fail(__VA_ARGS__)
#define archive_write_free(...) archive_loaded.write_free(__VA_ARGS__)
#define archive_write_header(...) archive_loaded.write_header(__VA_ARGS__)
#define archive_write_open2(...) archive_loaded.write_open2(__VA_ARGS__)
#define archive_write_set_bytes_in_last_block(...)                             \
	archive_loaded.write_set_bytes_in_last_block(__VA_ARGS__)
#define archive_write_set_bytes_per_block(...)                                 \
	archive_loaded.write_set_bytes_per_block(__VA_ARGS__)
#define archive_write_set_filter_option(...)                                   \
	archive_loaded.write_set_filter_option(__VA_ARGS__)
#define archive_write_set_format_option(...)                                   \
	archive_loaded.write_set_format_option(__VA_ARGS__)
#define archive_write_set_format_pax_restricted(...)                           \
	archive_loaded.write_set_format_pax_restricted(__VA_ARGS__)
#define archive_write_set_format_zip(...)                                      \
	archive_loaded.write_set_format_zip(__VA_ARGS__)
#define archive_entry_free(...) archive_loaded.entry_free(__VA_ARGS__)
#define archive_entry_new(...) archive_loaded.entry_new(__VA_ARGS__)
#define archive_entry_set_filetype(...)                                        \
	archive_loaded.entry_set_filetype(__VA_ARGS__)
#define archive_entry_set_mtime(...) archive_loaded.entry_set_mtime(__VA_ARGS__)
#define archive_entry_set_pathname(...)                                        \
	archive_loaded.entry_set_pathname(__VA_ARGS__)
#define archive_entry_set_perm(...) archive_loaded.entry_set_perm(__VA_ARGS__)
#define archive_entry_set_size(...) archive_loaded.entry_set_size(__VA_ARGS__)

#endif
