/*
 * Objects for members of this site go straight into their mailboxes.
 */
#include "supervisor/shepherd/courier_private.h"

#include "lib/base/err.h"
#include "supervisor/shepherd/shepherd.h"

static int
deposit(const struct site_conf *conf, const struct mailbox_task *to,
    const struct mailbox_object *o, const struct parcel *p)
{
	struct mailbox *mb;
	char file[MAILBOX_FILE_SIZE];
	int r;

	if ((r = mailbox_file_name(o, file)) != 0 ||
	    (r = mailbox_open(conf, to, &mb)) != 0)
		return r;
	if (p->data != NULL)
		r = mailbox_put_bytes(mb, o, p->data, p->size);
	else
		r = mailbox_put_fd(mb, o, p->fd, 0, p->size);
	mailbox_close(mb);
	/* A receiver that does not listen looks by itself, later. */
	if (r == 0)
		(void)mailbox_wake(conf, to, file);
	return r;
}

void
shipment_deliver(struct shipment *sh)
{
	struct shepherd *s = sh->courier->shepherd;
	struct mailbox_task to = s->mailbox;
	struct mailbox_object o = {
		.name = sh->parcel->name,
		.tag = sh->parcel->tag,
		.from_role = s->mailbox.role,
		.from_party = s->mailbox.party_id,
		.parts = 1,
	};

	to.role = sh->role;
	to.party_id = sh->party_id;
	switch (deposit(s->conf, &to, &o, sh->parcel)) {
	case 0:
		/* In one piece here, however many parts it would have had. */
		sh->n_done = sh->parcel->parts - 1;
		shipment_part_done(sh, sh->parcel->parts - 1);
		break;
	case ERR_NOT_FOUND:
		shipment_later(sh, START_PAUSE_MS, START_MAX_MS, true,
		    "the receiver does not run");
		break;
	case ERR_BUSY:
	case ERR_FULL:
		shipment_full(sh, RETRY_PAUSE_MS, err_text());
		break;
	default:
		shipment_give_up(sh, err_text());
		break;
	}
}
