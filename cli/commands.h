/*
 * The commands that main.c lists, by the file that has them.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/args.h"

extern const struct command command_site_init; /* site_init.c */
extern const struct command command_site_nginx;
extern const struct command command_site_start; /* site_run.c */
extern const struct command command_site_keep;
extern const struct command command_site_share;
extern const struct command command_site_stop;
extern const struct command command_site_status;
extern const struct command command_doctor;    /* doctor.c */
extern const struct command command_db_create; /* database.c */
extern const struct command command_migrate;
extern const struct command command_key_show; /* partner.c */
extern const struct command command_key_fingerprint;
extern const struct command command_key_create; /* client_key.c */
extern const struct command command_key_list;
extern const struct command command_key_disable;
extern const struct command command_key_enable;
extern const struct command command_key_delete;
extern const struct command command_client_config;
extern const struct command command_user_create; /* user.c */
extern const struct command command_user_list;
extern const struct command command_user_disable;
extern const struct command command_user_enable;
extern const struct command command_user_delete;
extern const struct command command_user_password;
extern const struct command command_user_unlock;
extern const struct command command_grant; /* grant.c */
extern const struct command command_revoke;
extern const struct command command_grants;
extern const struct command command_quota;     /* quota.c */
extern const struct command command_explain;   /* explain.c */
extern const struct command command_approvals; /* approval.c */
extern const struct command command_approve;
extern const struct command command_reject;
extern const struct command command_partner_add;
extern const struct command command_partner_list;
extern const struct command command_partner_remove;
extern const struct command command_partner_export;
extern const struct command command_partner_show;
extern const struct command command_partner_import;
extern const struct command command_partner_keys; /* partner_keys.c */
extern const struct command command_partner_revoke;
extern const struct command command_partner_disable;
extern const struct command command_partner_enable;
extern const struct command command_site_rotate_key; /* rotate.c */
extern const struct command command_upload;	     /* upload.c */
extern const struct command command_submit;	     /* job.c */
extern const struct command command_watch;
extern const struct command command_query;
extern const struct command command_tasks;
extern const struct command command_rerun;
extern const struct command command_stop;
extern const struct command command_jobs; /* list.c */
extern const struct command command_tables;
extern const struct command command_components;
extern const struct command command_login; /* login.c */
extern const struct command command_logout;
extern const struct command command_metrics; /* track.c */
extern const struct command command_log;
extern const struct command command_output;
extern const struct command command_report; /* report_job.c */
extern const struct command command_deploy; /* model.c */
extern const struct command command_model_export;
extern const struct command command_audit; /* audit.c */
extern const struct command command_audit_export;
extern const struct command command_audit_prune;
extern const struct command command_verify; /* verify.c */
extern const struct command command_egress; /* egress.c */
extern const struct command command_egress_totals;
extern const struct command command_egress_compare; /* compare.c */
extern const struct command command_table_info;	    /* table.c */
extern const struct command command_table_delete;

#endif
