/*
 * Reproducible random numbers: the Mersenne Twister MT19937 (Matsumoto and
 * Nishimura 1998) with the draws of NumPy's legacy generator, so that
 * rng_seed(s) and rng_uniform() give what numpy.random.seed(s) and rand()
 * give.  For initial weights only; nothing secret comes from here.
 */
#ifndef EXECUTOR_MATH_RNG_H
#define EXECUTOR_MATH_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RNG_WORDS 624

struct rng {
	uint32_t state[RNG_WORDS];
	unsigned at;
	bool has_spare; /* second normal of a pair */
	double spare;
};

void rng_seed(struct rng *, uint32_t seed);
uint32_t rng_next(struct rng *);
double rng_uniform(struct rng *); /* [0, 1), 53 bits */
double rng_normal(struct rng *);  /* N(0, 1), Marsaglia's polar method */

/*
 * A random order of n items by the kernel's generator (Fisher and Yates),
 * for orders that must tell nothing.
 */
void rng_shuffle_secret(uint32_t *items, size_t n);

#endif
