/*
 * Connections between processes.  Used by the shepherds' nursery.
 */
#include "lib/db/db_move.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/db/db_often.h"
#include "lib/db/db_private.h"

static const struct db_stmt *const *const often[] = {
	db_attempt_often,
	db_task_often,
	db_task_move_often,
	db_subject_often,
	db_job_lease_often,
	db_party_often,
	db_contract_often,
	db_partner_often,
	db_partner_key_often,
	db_audit_often,
	db_event_often,
	db_output_often,
	db_recover_often,
};

int
db_move_ready(struct db *db)
{
	int r;

	if ((r = db_connected(db)) != 0)
		return r;
	if (db->conf->db_socket == NULL || db->conf->db_socket[0] == '\0')
		return err_set(ERR_UNSUPPORTED, "no socket of this machine");
	for (size_t i = 0; i < sizeof(often) / sizeof(often[0]); i++)
		for (size_t k = 0; often[i][k] != NULL; k++)
			if ((r = db_prepare(db, often[i][k])) != 0)
				return r;
	db_keep_prepared(db);
	db->ready_id = mysql_thread_id(db->my);
	return 0;
}

int
db_move_socket(const struct db *db)
{
	return db->my != NULL ? (int)mysql_get_socket(db->my) : -1;
}

int
db_move_settle(struct db *db)
{
	if (db->my == NULL || db->lost || db->in_tx || db->ready_id == 0 ||
	    db->ready_id != mysql_thread_id(db->my) ||
	    db->my->status != MYSQL_STATUS_READY ||
	    (db->my->server_status & SERVER_STATUS_IN_TRANS) != 0)
		return err_set(ERR_CONFLICT, "the connection is another now");
	return db_forget_others(db);
}

void
db_move_let_go(struct db *db, int nothing)
{
	int fd = db_move_socket(db);

	while (dup3(nothing, fd, O_CLOEXEC) < 0 &&
	       (errno == EINTR || errno == EBUSY))
		;
	db_disconnect(db);
}
