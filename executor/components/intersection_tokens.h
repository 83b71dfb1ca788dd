/*
 * A list of tokens that answers at which place a token stands.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_TOKENS_H
#define EXECUTOR_COMPONENTS_INTERSECTION_TOKENS_H

#include <stddef.h>
#include <stdint.h>

struct token_list;

#define TOKEN_NONE UINT32_MAX

/* Empty, with room for count tokens; ERR_NOMEM. */
int token_list_new(size_t count, struct token_list **out);
void token_list_free(struct token_list *); /* NULL is fine */
/* Where tokens are written, 16 bytes each, by place. */
unsigned char *token_list_at(struct token_list *, size_t place);
/*
 * Index all places.  ERR_FORMAT when a token stands twice, which means that
 * its owner listed an id twice.
 */
int token_list_index(struct token_list *);
/*
 * The place of a token in a list that is built by this alone; a token that
 * is not there yet gets the next place.
 */
uint32_t token_list_put(struct token_list *, const unsigned char *token);
/* The place of a token, or TOKEN_NONE. */
uint32_t token_list_find(const struct token_list *, const unsigned char *);

#endif
