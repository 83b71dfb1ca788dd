/*
 * Kept in struct job; filled by command.c, read by snapshot.c, written by
 * rows.c and scheduler_lease.c.
 */
#include "supervisor/acks.h"

#include <string.h>

struct ack {
	struct db_task_key key; /* texts in the arena, as this is */
	bool start;
	enum state status; /* STATE_NONE: none */
	struct ack *next;
};

struct member_ack {
	struct party_member member; /* the same */
	enum db_party_flag flag;
	struct member_ack *next;
};

static bool
is_same(const struct db_task_key *a, const struct db_task_key *b)
{
	return a->version == b->version &&
	       strcmp(a->component, b->component) == 0 &&
	       strcmp(a->role, b->role) == 0 &&
	       strcmp(a->party_id, b->party_id) == 0;
}

static struct ack *
find(const struct acks *as, const struct db_task_key *k)
{
	for (struct ack *a = as->list; a != NULL; a = a->next)
		if (is_same(&a->key, k))
			return a;
	return NULL;
}

static struct arena *
arena_of(struct acks *as)
{
	if (as->arena == NULL)
		as->arena = arena_new();
	return as->arena;
}

void
acks_add(struct acks *as, const struct db_task_key *k, enum state status)
{
	struct ack *a = find(as, k);

	if (a == NULL) {
		a = arena_alloc(arena_of(as), sizeof(*a));
		*a = (struct ack){ .status = STATE_NONE, .next = as->list };
		a->key = (struct db_task_key){
			.job_id = arena_strdup(as->arena, k->job_id),
			.component = arena_strdup(as->arena, k->component),
			.version = k->version,
			.role = arena_strdup(as->arena, k->role),
			.party_id = arena_strdup(as->arena, k->party_id),
		};
		as->list = a;
		as->n++;
	}
	if (status == STATE_NONE)
		a->start = true;
	else
		a->status = status;
}

bool
acks_has_member(const struct acks *as, const char *role, const char *party,
    enum db_party_flag flag)
{
	for (const struct member_ack *m = as->members; m != NULL; m = m->next)
		if (m->flag == flag && strcmp(m->member.role, role) == 0 &&
		    strcmp(m->member.party_id, party) == 0)
			return true;
	return false;
}

void
acks_add_member(
    struct acks *as, const struct party_member *who, enum db_party_flag flag)
{
	struct member_ack *m;

	if (acks_has_member(as, who->role, who->party_id, flag))
		return;
	m = arena_alloc(arena_of(as), sizeof(*m));
	m->member = (struct party_member){
		.job_id = arena_strdup(as->arena, who->job_id),
		.role = arena_strdup(as->arena, who->role),
		.party_id = arena_strdup(as->arena, who->party_id),
	};
	m->flag = flag;
	m->next = as->members;
	as->members = m;
	as->n++;
}

void
acks_drop_member(
    struct acks *as, const struct party_member *who, enum db_party_flag flag)
{
	struct member_ack **at = &as->members, *m;

	while ((m = *at) != NULL) {
		if (m->flag == flag && strcmp(m->member.role, who->role) == 0 &&
		    strcmp(m->member.party_id, who->party_id) == 0) {
			*at = m->next;
			as->n--;
		} else
			at = &m->next;
	}
}

void
acks_add_signature(struct acks *as, const char *job_id, int64_t revision,
    const struct db_signature *by)
{
	struct arena *a = arena_of(as);
	struct acks_signature *s = arena_alloc(a, sizeof(*s));

	*s = (struct acks_signature){ .job_id = arena_strdup(a, job_id),
		.revision = revision,
		.by = { .role = arena_strdup(a, by->role),
		    .party_id = arena_strdup(a, by->party_id),
		    .key_id = arena_strdup(a, by->key_id),
		    .signed_s = by->signed_s,
		    .signature = arena_strdup(a, by->signature) },
		.next = as->signatures };
	as->signatures = s;
	as->n++;
}

bool
acks_has_signature(const struct acks *as, const char *role, const char *party,
    int64_t revision)
{
	const struct acks_signature *s = as->signatures;

	while (s != NULL &&
	       (s->revision != revision || strcmp(s->by.role, role) != 0 ||
		   strcmp(s->by.party_id, party) != 0))
		s = s->next;
	return s != NULL;
}

void
acks_apply(const struct acks *as, const struct db_task_key *k, bool *start,
    enum state *status)
{
	const struct ack *a = find(as, k);

	if (a == NULL)
		return;
	*start |= a->start;
	if (a->status != STATE_NONE)
		*status = a->status;
}

/* Who has started has reserved: one row, one statement. */
static bool
is_told_by_start(const struct acks *as, const struct member_ack *m)
{
	return m->flag == DB_PARTY_RESERVED &&
	       acks_has_member(
		   as, m->member.role, m->member.party_id, DB_PARTY_STARTED);
}

int
acks_write(const struct acks *as, struct db *db)
{
	int r = 0;

	for (const struct acks_signature *s = as->signatures;
	     r == 0 && s != NULL; s = s->next)
		r = db_signature_put(db, s->job_id, s->revision, &s->by);
	for (const struct ack *a = as->list; r == 0 && a != NULL; a = a->next)
		r = db_task_ack(db, &a->key, a->start, a->status);
	for (const struct member_ack *m = as->members; r == 0 && m != NULL;
	     m = m->next)
		if (!is_told_by_start(as, m))
			r = db_party_mark(db, m->member.job_id, m->member.role,
			    m->member.party_id, m->flag, true, "", 0);
	return r;
}

void
acks_clear(struct acks *as)
{
	arena_free(as->arena);
	*as = (struct acks){ .arena = NULL };
}
