/*
 * MT19937 as NumPy draws from it, and the secret shuffle.  Used by the
 * learners for initial weights and by the private joins for orders.
 */
#include "executor/math/rng.h"

#include <math.h>
#include <sodium.h>

#define SHIFT 397 /* the recurrence's distance */
#define MATRIX 0x9908b0dfU
#define UPPER 0x80000000U

void
rng_seed(struct rng *g, uint32_t seed)
{
	unsigned i;

	g->state[0] = seed;
	for (i = 1; i < RNG_WORDS; i++)
		g->state[i] =
		    1812433253U * (g->state[i - 1] ^ g->state[i - 1] >> 30) + i;
	g->at = RNG_WORDS;
	g->has_spare = false;
}

static void
refill(struct rng *g)
{
	uint32_t y;
	unsigned i;

	for (i = 0; i < RNG_WORDS; i++) {
		y = (g->state[i] & UPPER) |
		    (g->state[(i + 1) % RNG_WORDS] & ~UPPER);
		g->state[i] = g->state[(i + SHIFT) % RNG_WORDS] ^ y >> 1 ^
			      (y & 1 ? MATRIX : 0);
	}
	g->at = 0;
}

uint32_t
rng_next(struct rng *g)
{
	uint32_t y;

	if (g->at >= RNG_WORDS)
		refill(g);
	y = g->state[g->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680U;
	y ^= y << 15 & 0xefc60000U;
	return y ^ y >> 18;
}

double
rng_uniform(struct rng *g)
{
	uint32_t high = rng_next(g) >> 5, low = rng_next(g) >> 6;

	return (high * 67108864.0 + low) / 9007199254740992.0;
}

double
rng_normal(struct rng *g)
{
	double x, y, s, f;

	if (g->has_spare) {
		g->has_spare = false;
		return g->spare;
	}
	do {
		x = 2 * rng_uniform(g) - 1;
		y = 2 * rng_uniform(g) - 1;
		s = x * x + y * y;
	} while (s >= 1 || s == 0);
	f = sqrt(-2 * log(s) / s);
	g->spare = f * x;
	g->has_spare = true;
	return f * y;
}

void
rng_shuffle_secret(uint32_t *items, size_t n)
{
	uint32_t t;
	size_t i, j;

	for (i = n; i > 1; i--) {
		j = randombytes_uniform((uint32_t)i);
		t = items[i - 1];
		items[i - 1] = items[j];
		items[j] = t;
	}
}
