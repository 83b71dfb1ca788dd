/*
 * The walk over LMDB's pages (data format 1, 64 bits, little-endian).  Called
 * by the shepherd for every table that a task puts out.
 *
 *   page   number 8, pad 2, flags 2, then lower 2 and upper 2 (trees) or
 *          count 4 (overflow), then at 16: offsets of nodes, 2 each
 *   node   low 2, high 2, flags 2, key size 2, key, data
 *          leaf: low and high are the data's size; branch: with the flags
 *          they are the child's number
 *   tree   pad 4, flags 2, depth 2, four counts, number of the root
 *   meta   page header, magic 4, version 4, address 8, map size 8, tree of
 *          free pages (its pad is the page size), main tree, last page 8,
 *          transaction 8
 */
#include "lib/engine/standalone_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "LMDB's files are in the machine's byte order: swap here"
#endif

enum {
	PAGE_HEAD = 16,
	NODE_HEAD = 8,
	TREE_SIZE = 48,
	/* in a meta page */
	AT_MAGIC = 16,
	AT_VERSION = 20,
	AT_FREE = 40,
	AT_MAIN = 88,
	AT_LAST = 136,
	AT_TXN = 144,
	META_END = 152,
	/* in a page */
	AT_FLAGS = 10,
	AT_LOWER = 12,
	AT_UPPER = 14,
	/* in a tree */
	AT_TREE_FLAGS = 4,
	AT_DEPTH = 6,
	AT_ROOT = 40,
	/* flags of pages and nodes */
	IS_BRANCH = 1,
	IS_LEAF = 2,
	IS_OVERFLOW = 4,
	IS_META = 8,
	NODE_BIG = 1,
	NODE_TREE = 2,
	INTEGER_KEYS = 8, /* of the free list */
	DEPTH_MAX = 20,	  /* LMDB's own stack has room for 32 */
	TREES_MAX = 8,
};

#define NO_PAGE UINT64_MAX

struct tree {
	uint64_t root;
	unsigned depth;
};

struct walk {
	int fd;
	size_t page_size;
	uint64_t pages;			/* all that may be referred to */
	unsigned char *seen;		/* a bit each */
	unsigned char *page[DEPTH_MAX]; /* one per level */
	struct tree trees[TREES_MAX];	/* [0] is the main one */
	size_t n_trees;
};

static uint16_t
get16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t
get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int
damaged(const char *what, uint64_t page)
{
	return err_set(ERR_FORMAT, "the table is damaged: %s (page %llu)", what,
	    (unsigned long long)page);
}

static int
read_at(int fd, uint64_t at, unsigned char *out, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = pread(fd, out, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(ERR_IO, "read table");
		if (n == 0)
			return err_set(ERR_FORMAT, "the table is cut short");
		out += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * Claim pages for one place in a tree.  No page has two: that also ends
 * walks in circles.
 */
static int
claim(struct walk *w, uint64_t first, uint64_t n)
{
	uint64_t i;

	if (first < 2 || first >= w->pages || n > w->pages - first)
		return damaged("a page outside of the file", first);
	for (i = first; i < first + n; i++) {
		if ((w->seen[i / 8] & 1u << i % 8) != 0)
			return damaged("a page in two places", i);
		w->seen[i / 8] |= (unsigned char)(1u << i % 8);
	}
	return 0;
}

/* --- nodes ---------------------------------------------------------------- */

static int
check_big(struct walk *w, const unsigned char *data, uint64_t size)
{
	unsigned char head[PAGE_HEAD];
	uint64_t first = get64(data);
	uint64_t n = (PAGE_HEAD + size + w->page_size - 1) / w->page_size;
	int r;

	if ((r = claim(w, first, n)) != 0 ||
	    (r = read_at(w->fd, first * w->page_size, head, sizeof(head))) != 0)
		return r;
	if (get64(head) != first || get16(head + AT_FLAGS) != IS_OVERFLOW ||
	    get32(head + AT_LOWER) < n)
		return damaged("no overflow page", first);
	return 0;
}

static int
take_tree(struct walk *w, const unsigned char *p, uint64_t page)
{
	struct tree t = { get64(p + AT_ROOT), get16(p + AT_DEPTH) };

	if (get16(p + AT_TREE_FLAGS) != 0)
		return damaged("a tree of an unknown kind", page);
	if (t.depth > DEPTH_MAX || (t.root == NO_PAGE) != (t.depth == 0))
		return damaged("an impossible depth", page);
	if (w->n_trees == TREES_MAX)
		return damaged("too many trees", page);
	w->trees[w->n_trees++] = t;
	return 0;
}

/* A node at p in a leaf, left bytes to the page's end. */
static int
check_leaf_node(struct walk *w, const unsigned char *p, size_t left,
    bool is_main, uint64_t page)
{
	uint64_t size = get16(p) | (uint64_t)get16(p + 2) << 16;
	unsigned flags = get16(p + 4);
	size_t key = get16(p + 6);
	size_t stored = flags == NODE_BIG ? sizeof(uint64_t) : (size_t)size;

	if (key == 0 || key > left - NODE_HEAD ||
	    stored > left - NODE_HEAD - key)
		return damaged("a node beyond its page", page);
	p += NODE_HEAD + key;
	if (is_main)
		return flags == NODE_TREE && size == TREE_SIZE
			   ? take_tree(w, p, page)
			   : damaged("no tree in the main tree", page);
	if (flags == 0)
		return 0;
	return flags == NODE_BIG ? check_big(w, p, size)
				 : damaged("a node of an unknown kind", page);
}

/* --- pages ---------------------------------------------------------------- */

/* Header and offsets; *keys is the number of nodes. */
static int
check_head(const struct walk *w, const unsigned char *p, uint64_t page,
    unsigned kind, size_t *keys)
{
	size_t lower = get16(p + AT_LOWER), upper = get16(p + AT_UPPER), i, at;

	if (get64(p) != page || get16(p + AT_FLAGS) != kind)
		return damaged("a page of another kind", page);
	if (lower < PAGE_HEAD || lower % 2 != 0 || upper < lower ||
	    upper > w->page_size)
		return damaged("impossible bounds", page);
	*keys = (lower - PAGE_HEAD) / 2;
	/* LMDB ends the process when a branch leads to one child only. */
	if (*keys < (kind == IS_BRANCH ? 2 : 1))
		return damaged("an empty page", page);
	for (i = 0; i < *keys; i++) {
		at = get16(p + PAGE_HEAD + 2 * i);
		if (at < upper || at % 2 != 0 || at + NODE_HEAD > w->page_size)
			return damaged("a node outside of its page", page);
	}
	return 0;
}

static int
check_page(
    struct walk *w, uint64_t page, unsigned level, unsigned depth, bool is_main)
{
	unsigned char *p = w->page[level];
	bool leaf = level + 1 == depth;
	const unsigned char *node;
	size_t keys = 0, i, left;
	int r;

	if ((r = claim(w, page, 1)) != 0 ||
	    (r = read_at(w->fd, page * w->page_size, p, w->page_size)) != 0 ||
	    (r = check_head(w, p, page, leaf ? IS_LEAF : IS_BRANCH, &keys)) !=
		0)
		return r;
	for (i = 0; i < keys && r == 0; i++) {
		node = p + get16(p + PAGE_HEAD + 2 * i);
		left = (size_t)(p + w->page_size - node);
		if (leaf)
			r = check_leaf_node(w, node, left, is_main, page);
		else if (get16(node + 6) > left - NODE_HEAD)
			r = damaged("a key beyond its page", page);
		else
			r = check_page(w,
			    get16(node) | (uint64_t)get16(node + 2) << 16 |
				(uint64_t)get16(node + 4) << 32,
			    level + 1, depth, is_main);
	}
	return r;
}

/* --- the file ------------------------------------------------------------- */

/* One of the first two pages. */
static int
check_meta(const struct walk *w, const unsigned char *p, uint64_t page)
{
	if ((get16(p + AT_FLAGS) & IS_META) == 0 ||
	    get32(p + AT_MAGIC) != 0xBEEFC0DE || get32(p + AT_VERSION) != 1 ||
	    get32(p + AT_FREE) != w->page_size ||
	    get16(p + AT_FREE + AT_TREE_FLAGS) != INTEGER_KEYS)
		return damaged("its head", page);
	return 0;
}

/* The page of the newest transaction, chosen as LMDB does. */
static int
read_metas(struct walk *w, unsigned char newest[META_END])
{
	unsigned char meta[2][META_END];
	unsigned i;
	int r;

	if ((r = read_at(w->fd, 0, meta[0], META_END)) != 0)
		return r;
	w->page_size = get32(meta[0] + AT_FREE);
	if (w->page_size < 512 || w->page_size > 32768 ||
	    (w->page_size & (w->page_size - 1)) != 0)
		return damaged("its page size", 0);
	if ((r = read_at(w->fd, w->page_size, meta[1], META_END)) != 0 ||
	    (r = check_meta(w, meta[0], 0)) != 0 ||
	    (r = check_meta(w, meta[1], 1)) != 0)
		return r;
	i = get64(meta[0] + AT_TXN) < get64(meta[1] + AT_TXN);
	/* Versions of LMDB differ in how they choose; here they cannot. */
	if ((get64(meta[i] + AT_TXN) & 1) != i)
		return damaged("its transaction", i);
	memcpy(newest, meta[i], META_END);
	return 0;
}

static int
check_trees(struct walk *w)
{
	size_t i;
	int r = 0;

	/* Walking the main tree, the first, finds the others. */
	for (i = 0; i < w->n_trees && r == 0; i++)
		if (w->trees[i].root != NO_PAGE)
			r = check_page(
			    w, w->trees[i].root, 0, w->trees[i].depth, i == 0);
	return r;
}

static int
check_file(struct walk *w, uint64_t file_size)
{
	unsigned char meta[META_END];
	int r;

	if ((r = read_metas(w, meta)) != 0)
		return r;
	w->pages = get64(meta + AT_LAST);
	if (w->pages < 1 || w->pages >= file_size / w->page_size)
		return damaged("its end", w->pages);
	w->pages++;
	if ((w->seen = mem_array(w->pages / 8 + 1, 1)) == NULL)
		return err_code();
	if ((r = take_tree(w, meta + AT_MAIN, 0)) != 0)
		return r;
	return check_trees(w);
}

int
standalone_check(int fd)
{
	struct walk w = { .fd = fd };
	struct stat st;
	size_t i;
	int r;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "read table");
	for (i = 0; i < DEPTH_MAX; i++)
		w.page[i] = xmalloc(32768);
	r = check_file(&w, (uint64_t)st.st_size);
	for (i = 0; i < DEPTH_MAX; i++)
		free(w.page[i]);
	free(w.seen);
	return r;
}
