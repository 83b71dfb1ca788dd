/*
 * Failures counted in memory that the workers share.  Called by auth.c.
 *
 * A slot is one atomic word, so that no worker that dies can leave it half
 * written: 32 bits of who, 20 bits of which minute, 12 bits of how often.
 */
#include "fcgi-app/throttle.h"

#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"

#define SLOTS 1024
#define COUNT_BITS 12
#define TIME_BITS 20

struct throttle {
	uint8_t key[crypto_shorthash_KEYBYTES]; /* the same in all workers */
	_Atomic uint64_t slots[SLOTS];
};

int
throttle_new(struct throttle **out)
{
	void *p = mmap(NULL, sizeof(struct throttle), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (p == MAP_FAILED)
		return err_set_errno(ERR_NOMEM, "shared memory");
	*out = p; /* zeroed by the kernel */
	randombytes_buf((*out)->key, sizeof((*out)->key));
	return 0;
}

void
throttle_free(struct throttle *t)
{
	if (t != NULL)
		(void)munmap(t, sizeof(*t));
}

/* Keyed, so that nobody outside can choose names that collide. */
static uint64_t
hash(const struct throttle *t, const char *who)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t value;

	(void)crypto_shorthash(
	    out, (const unsigned char *)who, strlen(who), t->key);
	memcpy(&value, out, sizeof(value));
	return value;
}

static uint64_t
window_now(void)
{
	return (uint64_t)(clock_mono_ms() / 1000 / THROTTLE_WINDOW_S) &
	       ((1U << TIME_BITS) - 1);
}

/* Who and when, without the count. */
static uint64_t
head_of(uint64_t h)
{
	return (h >> 32 << TIME_BITS | window_now()) << COUNT_BITS;
}

#define COUNT_OF(word) ((word) & ((1U << COUNT_BITS) - 1))

int64_t
throttle_wait_s(const struct throttle *t, const char *who)
{
	uint64_t h = hash(t, who), word;

	word = atomic_load(&t->slots[h % SLOTS]);
	if (word - COUNT_OF(word) != head_of(h) ||
	    COUNT_OF(word) < THROTTLE_MAX)
		return 0;
	return THROTTLE_WINDOW_S - clock_mono_ms() / 1000 % THROTTLE_WINDOW_S;
}

bool
throttle_failed(struct throttle *t, const char *who)
{
	uint64_t h = hash(t, who), was, word;
	_Atomic uint64_t *slot = &t->slots[h % SLOTS];

	was = atomic_load(slot);
	do {
		word = was - COUNT_OF(was) == head_of(h) ? was : head_of(h);
		if (COUNT_OF(word) >= THROTTLE_MAX)
			return false;
		word++;
	} while (!atomic_compare_exchange_weak(slot, &was, word));
	return COUNT_OF(word) == THROTTLE_MAX;
}
