/*
 * The version of the classic platform whose API this one keeps; clients and
 * models of that platform read it.
 */
#ifndef LIB_BASE_COMPATIBLE_H
#define LIB_BASE_COMPATIBLE_H

#define COMPATIBLE_VERSION "1.11.2"

#endif
