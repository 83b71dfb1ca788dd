/*
 * The inside of courier*.c: what is under way, and how it is sent.
 */
#ifndef SUPERVISOR_SHEPHERD_COURIER_PRIVATE_H
#define SUPERVISOR_SHEPHERD_COURIER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/shepherd/budget.h"
#include "supervisor/shepherd/courier.h"
#include "supervisor/shepherd/parcel.h"

/* Requests under way at once. */
#define COURIER_IN_FLIGHT 8
/* Pauses before another try: the receiver starts soon, or was not reached. */
#define START_PAUSE_MS 20
#define START_MAX_MS 500
#define RETRY_PAUSE_MS 50
#define RETRY_MAX_MS 2000
/* What a shipment that waits for room adds to the pause of each. */
#define FULL_SHARE_MS 20

enum part_state {
	PART_NEW, /* not in the ledger */
	PART_WAITS,
	PART_SENT,
	PART_DONE
};

struct shipment {
	TAILQ_ENTRY(shipment) link;
	struct courier *courier;
	struct parcel *parcel;
	const char *role; /* borrowed from the subject */
	const char *party_id;
	bool is_here;	      /* the receiver is at this site */
	int64_t seq;	      /* in the ledger; of the first part */
	unsigned char *parts; /* enum part_state each */
	uint32_t n_done;
	uint32_t n_sent; /* under way now */
	int64_t due_ms;	 /* not before; monotonic */
	int64_t pause_ms;
	int64_t trouble_ms; /* since when; 0: none */
	int64_t full_ms;    /* since when the receiver has no room; 0: it has */
	char full_why[200]; /* in its words */
};

struct flight {
	TAILQ_ENTRY(flight) link;
	struct shipment *shipment;
	uint32_t part;
	struct http_call *call;
};

struct ack {
	STAILQ_ENTRY(ack) link;
	uint64_t id;
};

/* Where a partner is; looked up once. */
struct address {
	struct address *next;
	char *party_id;
	char *url;
};

struct courier {
	struct shepherd *shepherd;
	struct budget budget;
	struct keys *keys;
	struct http_client *http; /* NULL until needed */
	struct address *addresses;
	TAILQ_HEAD(shipment_list, shipment) queue;
	TAILQ_HEAD(flight_list, flight) flights;
	STAILQ_HEAD(ack_list, ack) acks;
	struct loop_timer *timer;
	int hashed_fd; /* eventfd: another part has its digest */
	struct loop_fd *hashed;
	size_t n; /* shipments */
	int64_t last_seq;
	unsigned in_flight;
	size_t inline_bytes; /* of shipments */
	uint64_t bytes;
	int64_t db_pause_ms;
};

/* --- courier.c */

/* What could not be delivered ends the task. */
void shipment_give_up(struct shipment *, const char *why);
/* Try again until the receiver has room: that is no silence. */
void shipment_full(struct shipment *, int64_t first_ms, const char *why);
/*
 * Try again later.  With patience it is an error after a while, since it
 * tells that the receiver is not there.
 */
void shipment_later(struct shipment *, int64_t first_ms, int64_t most_ms,
    bool patience, const char *why);
/* The shipment is gone with its last part. */
void shipment_part_done(struct shipment *, uint32_t part);

/* --- courier_ledger.c */

/* Small objects for partners that are not in the egress ledger.  ERR_DB. */
int courier_record(struct courier *);
/* One part of a large object, before it is sent.  ERR_DB. */
int courier_record_part(struct shipment *, uint32_t part);

/* --- courier_here.c, courier_send.c */

/* To a member of this site, whole; it may be gone afterwards. */
void shipment_deliver(struct shipment *);
/* To a partner: as many parts as may be under way. */
void shipment_send(struct shipment *);
/* Where partners are, and what is under way to them, is dropped. */
void courier_send_fini(struct courier *);

#endif
