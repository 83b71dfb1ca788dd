/*
 * Fields that mean the same on every path have one type on every path.
 */
#ifndef FCGI_APP_BODY_TYPES_H
#define FCGI_APP_BODY_TYPES_H

struct request;

/*
 * Names, ids and switches in the body must be text, numbers, booleans or
 * null: {"table_name": {}} must not pass for a request without a table_name,
 * which means more.  Lists are taken where a filter or a choice may name
 * several, objects where roles are given whole.  Errors: ERR_INVALID naming
 * the field and what it is.
 */
int body_types_check(const struct request *);

#endif
