/*
 * For benchmarks in C: a clock, medians, and results as table and JSON.
 */
#ifndef TESTS_LIB_MEASURE_H
#define TESTS_LIB_MEASURE_H

#include <stddef.h>

struct measure;

/* Results go to $B/bench/NAME.json ("build" without B) and to stdout. */
struct measure *measure_new(const char *name);
/* budget: at most this when better is "lower", at least when "higher". */
void measure_add(struct measure *, const char *metric, double value,
    const char *unit, double floor, double budget, const char *better);
/* Writes the file; 0, or -1 when that failed. */
int measure_end(struct measure *);

double measure_seconds(void);		    /* monotonic */
double measure_median(double *v, size_t n); /* sorts v */

#endif
