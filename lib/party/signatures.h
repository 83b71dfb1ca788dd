/*
 * Who stands behind a job's contract: making, exchanging and checking the
 * members' signatures.  What is kept as a row was verified over the hash of
 * this site's own contract.
 */
#ifndef LIB_PARTY_SIGNATURES_H
#define LIB_PARTY_SIGNATURES_H

#include "lib/db/db_contract.h"
#include "lib/json/json.h"
#include "lib/party/party.h"
#include "lib/sign/keys.h"

#define SIGNATURES_MAX 10000 /* members of a job */

/* As they travel: [{"role", "party_id", "key_id", "signed_at", "signature"}] */
struct json_object *signature_json(const struct db_signature *);
struct json_object *signatures_json(const struct db_signature *, size_t n);
/* ERR_INVALID with what is wrong; NULL and other kinds are no signature. */
int signature_read(
    struct json_object *, struct arena *, struct db_signature *out);
int signatures_read(struct json_object *, struct arena *,
    struct db_signature **rows, size_t *n);

/* That of a member among rows; NULL: there is none. */
const struct db_signature *signatures_find(const struct db_signature *rows,
    size_t n, const char *role, const char *party_id);

/*
 * Sign for a member of this site.  The hash is worked out anew from the
 * contract's text: ERR_INVALID when it is not the row's.
 */
int signature_make(struct db *, struct arena *, const struct keys *,
    const struct db_job *full, const char *role, const char *party_id);

/*
 * Verify a signature over job->contract_hash and job->revision with the key
 * that the signer's site had then.  own_key is this site's, for members that
 * are here (NULL where it is not at hand: ERR_AUTH).
 * Errors: ERR_AUTH with who and why, ERR_DB.
 */
int signature_verify(struct db *, const struct db_job *job,
    const struct db_party *member, const struct db_signature *,
    const uint8_t *own_key);

/*
 * Keep what partners sent, in the caller's transaction: each must be another
 * site's member's and good; one that is kept already was, and costs nothing.
 * whole: together with those that are here all members must have signed.
 * Errors: ERR_DENIED with who has not or whose is no good.
 */
int signatures_take(struct db *, const struct db_job *,
    const struct db_signature *, size_t n, bool whole);

/*
 * A member's own signature reaches the initiator; the caller must be that
 * member's site.  The job is looked at again.
 */
int initiator_signature(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_signature *);

/*
 * The public key by which a partner's site signed, by its id.  Errors:
 * ERR_AUTH when the party has no such key here.
 */
int signature_key(struct db *, const char *party_id, const char *key_id,
    int64_t signed_s, uint8_t key[KEYS_PUBLIC_SIZE]);

#endif
