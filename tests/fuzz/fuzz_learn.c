/*
 * Fuzz target: what a partner sends to a component.  The first byte chooses
 * the reader; the rest is the message.
 */
#include <stdint.h>
#include <stdlib.h>

#include "executor/components/id_list.h"
#include "executor/components/intersection_wire.h"
#include "executor/components/lr_wire.h"
#include "executor/components/ring_wire.h"
#include "lib/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_places(const uint8_t *data, size_t size)
{
	uint32_t *places;
	size_t i;

	if (lr_get_places(data, size, 100, 3, &places) != 0)
		return;
	for (i = 0; i < 3; i++)
		if (places[i] >= 100)
			abort();
	free(places);
}

static void
read_block(const uint8_t *data, size_t size, enum psi_kind kind)
{
	static const unsigned char settings[PSI_SETTINGS];
	struct psi_block b;
	volatile unsigned char last;

	if (psi_block_decode(data, size, kind, 0, 0, settings, &b) != 0)
		return;
	if (b.total > PSI_LIST_MAX || b.count > PSI_BLOCK_ITEMS)
		abort();
	if (b.count > 0)
		last = b.items[b.count * psi_item_size(kind) - 1];
	(void)last;
}

static void
read_plan(const uint8_t *data, size_t size)
{
	struct lr_plan p;
	uint32_t i;

	if (lr_get_plan(data, size, &p) != 0)
		return;
	for (i = 0; i < p.batch_count && i < 4; i++)
		if (lr_plan_rows(&p, i) == 0 ||
		    lr_plan_rows(&p, i) > lr_plan_list(&p, i) ||
		    lr_plan_list(&p, i) > p.rows)
			abort();
}

static void
read_vector(const uint8_t *data, size_t size)
{
	uint64_t v[3];
	size_t n;

	if (ring_count(data, size, &n) != 0) {
		if (ring_get(data, size, 3, 36, v) == 0)
			abort();
		return;
	}
	if (RING_WIRE_SIZE(n) != size)
		abort();
	if (ring_get(data, size, 3, 36, v) == 0 && n != 3)
		abort();
}

static void
read_list(const uint8_t *data, size_t size)
{
	const struct row row = { .id = { "a", 1 } };
	struct row_ids ours = { 0 };
	bool taken[1] = { false };
	uint32_t *rows;
	size_t i, n;

	if (row_ids_add(&ours, &row) != 0)
		abort();
	if (id_list_decode(data, size, &ours, taken, &rows, &n) == 0 && n > 1)
		abort();
	free(rows);
	if (id_list_decode(data, size, &ours, NULL, &rows, &n) == 0)
		for (i = 0; i < n; i++)
			if (rows[i] != 0)
				abort();
	free(rows);
	row_ids_fini(&ours);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned char *key, *digests;
	struct paillier_pub *pub;
	double v[3];
	size_t n;
	bool flag;

	if (size < 1)
		return 0;
	size--;
	switch (*data++ % 9) {
	case 0:
		read_plan(data, size);
		break;
	case 1:
		read_places(data, size);
		break;
	case 2:
		(void)lr_get_numbers(data, size, 3, v);
		break;
	case 3:
		(void)lr_get_flag(data, size, &flag);
		break;
	case 4:
		if (lr_get_samples(data, size, &key, &digests, &n) == 0 &&
		    digests + n * LR_DIGEST != data + size)
			abort();
		break;
	case 5:
		if (lr_get_key(data, size, &pub) == 0)
			paillier_pub_free(pub);
		break;
	case 6:
		read_block(data, size, PSI_POINTS);
		break;
	case 8:
		read_list(data, size);
		break;
	default:
		read_vector(data, size);
		break;
	}
	err_clear();
	return 0;
}
