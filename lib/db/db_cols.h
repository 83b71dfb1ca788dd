/*
 * Columns of the tables that several stores read; see db_rows.h.
 * P is the path inside the struct, T the alias of the table with its dot.
 */
#ifndef LIB_DB_DB_COLS_H
#define LIB_DB_DB_COLS_H

#include "lib/db/db_rows.h"

#define JOB_COLS(X, P, T)                                                      \
	X(STR, P job_id, T "job_id")                                           \
	X(STATE, P status, T "status")                                         \
	X(STR, P tag, T "tag")                                                 \
	X(STR, P name, T "name")                                               \
	X(STR, P description, T "description")                                 \
	X(BOOL, P is_initiator, T "is_initiator")                              \
	X(STR, P initiator_role, T "initiator_role")                           \
	X(STR, P initiator_party, T "initiator_party")                         \
	X(STR, P job_type, T "job_type")                                       \
	X(STR, P model_id, T "model_id")                                       \
	X(STR, P model_version, T "model_version")                             \
	X(STR, P roles, T "roles")                                             \
	X(BIN, P contract_hash, T "contract_hash")                             \
	X(INT, P task_parallelism, T "task_parallelism")                       \
	X(INT, P timeout_s, T "timeout_s")                                     \
	X(INT, P progress, T "progress")                                       \
	X(BOOL, P cancel_signal, T "cancel_signal")                            \
	X(STATE, P cancel_status, T "cancel_status")                           \
	X(INT, P revision, T "revision")                                       \
	X(INT, P run, T "run")                                                 \
	X(STR, P reason, T "reason")                                           \
	X(STR, P lease_owner, T "lease_owner")                                 \
	X(INT, P lease_fence, T "lease_fence")                                 \
	X(BOOL, P settled, T "settled")                                        \
	X(INT, P age_ms,                                                       \
	    "TIMESTAMPDIFF(MICROSECOND, " T "created_at,"                      \
	    " NOW(6)) DIV 1000")                                               \
	X(MS, P created_ms, T "created_at")                                    \
	X(MS, P updated_ms, T "updated_at")                                    \
	X(MS, P started_ms, T "started_at")                                    \
	X(MS, P ended_ms, T "ended_at")                                        \
	WAIT_COLS(X, P, T)

/* Why it waits: struct db_wait. */
#define WAIT_COLS(X, P, T)                                                     \
	X(STR, P wait.code, T "wait_code")                                     \
	X(STR, P wait.role, T "wait_role")                                     \
	X(STR, P wait.party_id, T "wait_party")                                \
	X(STR, P wait.on, T "wait_on")                                         \
	X(STR, P wait.numbers, T "wait_numbers")                               \
	X(MS, P wait.since_ms, T "wait_since")

/* Documents: left out where a job is only scheduled. */
/* What people look at; the contract repeats most of it. */
#define JOB_SHOWN_COLS(X, P, T)                                                \
	X(STR, P dsl, T "dsl")                                                 \
	X(STR, P runtime_conf, T "runtime_conf")                               \
	X(STR, P train_conf, T "train_conf")
#define JOB_DOC_COLS(X, P, T)                                                  \
	JOB_SHOWN_COLS(X, P, T)                                                \
	X(STR, P contract, T "contract")

#define PARTY_COLS(X, P, T)                                                    \
	PARTY_BRIEF_COLS(X, P, T)                                              \
	X(STR, P party_conf, T "party_conf")
#define PARTY_BRIEF_COLS(X, P, T)                                              \
	X(STR, P job_id, T "job_id")                                           \
	X(STR, P role, T "role")                                               \
	X(STR, P party_id, T "party_id")                                       \
	X(INT, P position, T "position")                                       \
	X(BOOL, P is_local, T "is_local")                                      \
	X(BOOL, P created, T "created")                                        \
	X(BOOL, P reserved, T "reserved")                                      \
	X(BOOL, P started, T "started")                                        \
	X(BOOL, P ended, T "ended")                                            \
	X(BOOL, P staged, T "manifest_hash IS NOT NULL")                       \
	X(INT, P signed_revision, T "signed_revision")                         \
	X(INT, P sign_due, T "sign_due")                                       \
	X(BIN, P manifest_hash,                                                \
	    "COALESCE(" T "manifest_hash, UNHEX(REPEAT('00', 32)))")           \
	X(INT, P cores, T "cores")                                             \
	X(INT, P memory_mb, T "memory_mb")                                     \
	X(STR, P last_error, T "last_error")

/* When a job is due, exactly: two wakes are two values. */
#define DB_LOOK_US                                                             \
	"TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00',"           \
	" next_look_at)"

#define KEY_COLS(X, P, T)                                                      \
	X(STR, P job_id, T "job_id")                                           \
	X(STR, P component, T "component")                                     \
	X(INT, P version, T "version")                                         \
	X(STR, P role, T "role")                                               \
	X(STR, P party_id, T "party_id")

#define TASK_COLS(X, P, T)                                                     \
	KEY_COLS(X, P key., T)                                                 \
	X(INT, P seq, T "seq")                                                 \
	X(STR, P module, T "module")                                           \
	X(BOOL, P run_here, T "run_here")                                      \
	X(STATE, P status, T "status")                                         \
	X(STATE, P party_status, T "party_status")                             \
	X(STATE, P status_acked, T "status_acked")                             \
	X(BOOL, P start_acked, T "start_acked")                                \
	X(BOOL, P need_run, T "need_run")                                      \
	X(INT, P auto_retries, T "auto_retries")                               \
	X(INT, P retry_delay_s, T "retry_delay_s")                             \
	X(STR, P error_report, T "error_report")                               \
	X(STR, P fault, T "fault")                                             \
	X(INT, P progress, T "progress")                                       \
	X(BOOL, P launch_wanted, T "launch_wanted")                            \
	X(STATE, P kill_wanted, T "kill_wanted")                               \
	X(BOOL, P report_due, T "report_due")                                  \
	X(MS, P created_ms, T "created_at")                                    \
	X(MS, P updated_ms, T "updated_at")                                    \
	X(MS, P started_ms, T "started_at")                                    \
	X(MS, P ended_ms, T "ended_at")                                        \
	X(INT, P ended_ago_ms,                                                 \
	    "COALESCE(TIMESTAMPDIFF(MICROSECOND, " T                           \
	    "ended_at, NOW(6)) DIV 1000, 0)")                                  \
	WAIT_COLS(X, P, T)

#define TASK_DOC_COLS(X, P, T)                                                 \
	X(STR, P provider, T "provider")                                       \
	X(STR, P parameters, T "parameters")                                   \
	X(STR, P next_parameters, T "next_parameters")

#define ATTEMPT_COLS(X, P, T)                                                  \
	KEY_COLS(X, P key., T)                                                 \
	X(INT, P fence, T "fence")                                             \
	X(STR, P attempt_id, T "attempt_id")                                   \
	X(STR, P host, T "host")                                               \
	X(STR, P launcher, T "launcher")                                       \
	X(INT, P shepherd_pid, T "shepherd_pid")                               \
	X(INT, P executor_pid, T "executor_pid")                               \
	X(INT, P cores, T "cores")                                             \
	X(INT, P memory_mb, T "memory_mb")                                     \
	X(INT, P lease_left_ms,                                                \
	    "TIMESTAMPDIFF(MICROSECOND, NOW(6), " T "lease_until) DIV 1000")   \
	X(BOOL, P ended, T "ended_at IS NOT NULL")                             \
	X(STR, P outcome, T "outcome")                                         \
	X(MS, P started_ms, T "started_at")                                    \
	X(MS, P ended_ms, T "ended_at")

/* The primary key of tables that belong to tasks, and its parameters. */
#define KEY_WHERE                                                              \
	" job_id = ? AND component = ? AND version = ? AND role = ?"           \
	" AND party_id = ?"
#define KEY_PARAMS "ssiss"
#define KEY_ARGS(k)                                                            \
	(k)->job_id, (k)->component, (int64_t)(k)->version, (k)->role,         \
	    (k)->party_id

#endif
