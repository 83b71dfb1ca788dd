/*
 * The table of all routes: method, path, audience, body, handler.
 *
 * The audience is PUBLIC, PARTNER, LOGIN (anybody who comes where users do),
 * or the least role of this site's users
 * that may call: VIEWER for what only reads, MODELER for what brings data in,
 * runs, stops or deploys, ADMIN for what decides who may do what or is about
 * the site itself; MONITOR is an admin, or a program that has the site's
 * scrape key (auth_monitor.h).
 *
 * The first match wins, so fixed paths stand before patterns.  A row without
 * an audience does not compile (the macro wants all five, and route.c
 * asserts each).  Handlers live in api_FAMILY.c.
 */
#ifndef FCGI_APP_ROUTES_H
#define FCGI_APP_ROUTES_H

#include "lib/party/errand.h"

#define JOB_PATH "/v1/party/:job/:role/:party"
#define TASK_PATH "/v1/party/:job/:component/:task/:version/:role/:party"
#define MAIL_PATH "/:job/:component/:version/:role/:party"

#define ROUTES(R)                                                              \
	/* anybody */                                                          \
	R(GET, "/v1/health", PUBLIC, NONE, api_health)                         \
	R(GET, "/v1/ready", PUBLIC, NONE, api_ready)                           \
	/* who watches over it */                                              \
	R(GET, "/v1/ready/checks", MONITOR, NONE, api_ready_checks)            \
	R(GET, "/v1/metrics", MONITOR, NONE, api_metrics_text)                 \
	R(POST, "/v1/version/get", PUBLIC, JSON, api_version_get)              \
	R(POST, "/v1/info/version", PUBLIC, JSON, api_version_get)             \
	/* people */                                                           \
	R(POST, "/v1/session/login", LOGIN, JSON, api_session_login)           \
	R(GET, "/v1/session", VIEWER, NONE, api_session_get)                   \
	R(POST, "/v1/session/logout", VIEWER, JSON, api_session_logout)        \
	R(POST, "/v1/session/password", VIEWER, JSON, api_session_password)    \
	/* data */                                                             \
	R(POST, "/v1/data/upload", MODELER, UPLOAD, api_data_upload)           \
	R(POST, "/v1/data/upload/history", VIEWER, JSON, api_upload_history)   \
	R(POST, "/v1/data/download", MODELER, JSON, api_data_download)         \
	R(POST, "/v1/data/writer", MODELER, JSON, api_data_writer)             \
	R(POST, "/v1/data/:other", VIEWER, JSON, api_data_other)               \
	/* table */                                                            \
	R(POST, "/v1/table/table_info", VIEWER, JSON, api_table_info)          \
	R(POST, "/v1/table/delete", MODELER, JSON, api_table_delete)           \
	R(POST, "/v1/table/list", VIEWER, JSON, api_table_list)                \
	R(POST, "/v1/table/all", VIEWER, JSON, api_table_all)                  \
	R(POST, "/v1/table/preview", VIEWER, JSON, api_table_preview)          \
	R(POST, "/v1/table/disable", MODELER, JSON, api_table_disable)         \
	R(POST, "/v1/table/enable", MODELER, JSON, api_table_enable)           \
	R(POST, "/v1/table/disable/delete", MODELER, JSON,                     \
	    api_table_delete_disabled)                                         \
	R(POST, "/v1/table/bind", MODELER, JSON, api_table_bind)               \
	R(POST, "/v1/table/add", MODELER, JSON, api_table_bind)                \
	R(POST, "/v1/table/connector/create", MODELER, JSON,                   \
	    api_connector_create)                                              \
	R(POST, "/v1/table/connector/query", VIEWER, JSON,                     \
	    api_connector_query)                                               \
	R(POST, "/v1/table/schema/update", MODELER, JSON,                      \
	    api_table_schema_update)                                           \
	R(POST, "/v1/table/schema/anonymous/migrate", MODELER, JSON,           \
	    api_table_anonymous_migrate)                                       \
	R(POST, "/v1/table/tracking/source", VIEWER, JSON, api_table_source)   \
	R(POST, "/v1/table/tracking/job", VIEWER, JSON, api_table_jobs)        \
	R(GET, "/v1/table/download", VIEWER, JSON, api_table_download)         \
	R(POST, "/v1/table/download", VIEWER, JSON, api_table_download)        \
	R(POST, "/v1/table/:other", VIEWER, JSON, api_not_supported)           \
	R(POST, "/v1/table/:other/:more", VIEWER, JSON, api_not_supported)     \
	R(GET, "/v1/table/:other", VIEWER, JSON, api_not_supported)            \
	/* job */                                                              \
	R(POST, "/v1/job/submit", MODELER, JSON, api_job_submit)               \
	R(POST, "/v1/job/query", VIEWER, JSON, api_job_query)                  \
	R(POST, "/v1/job/list/job", VIEWER, JSON, api_job_list)                \
	R(POST, "/v1/job/stop", MODELER, JSON, api_job_stop)                   \
	R(POST, "/v1/job/rerun", MODELER, JSON, api_job_rerun)                 \
	R(POST, "/v1/job/parameter/update", MODELER, JSON,                     \
	    api_job_parameter_update)                                          \
	R(POST, "/v1/job/clean", MODELER, JSON, api_job_clean)                 \
	R(POST, "/v1/job/clean/queue", ADMIN, JSON, api_queue_clean)           \
	R(POST, "/v1/job/update", MODELER, JSON, api_job_update)               \
	R(POST, "/v1/job/report", VIEWER, JSON, api_job_report)                \
	R(POST, "/v1/job/url/get", VIEWER, JSON, api_job_url)                  \
	R(POST, "/v1/job/config", VIEWER, JSON, api_job_config)                \
	R(POST, "/v1/job/events", VIEWER, JSON, api_job_events)                \
	R(POST, "/v1/job/log/download", VIEWER, JSON, api_job_log_download)    \
	R(POST, "/v1/job/log/path", VIEWER, JSON, api_job_log_path)            \
	R(POST, "/v1/job/task/query", VIEWER, JSON, api_task_query)            \
	R(POST, "/v1/job/list/task", VIEWER, JSON, api_task_list)              \
	R(POST, "/v1/job/data/view/query", VIEWER, JSON, api_data_view)        \
	R(POST, "/v1/job/dsl/generate", VIEWER, JSON, api_dsl_generate)        \
	/* approvals */                                                        \
	R(POST, "/v1/approval/query", VIEWER, JSON, api_approval_query)        \
	R(POST, "/v1/approval/approve", VIEWER, JSON, api_approval_approve)    \
	R(POST, "/v1/approval/reject", VIEWER, JSON, api_approval_reject)      \
	/* tracking */                                                         \
	R(POST, "/v1/tracking/component/metrics", VIEWER, JSON, api_metrics)   \
	R(POST, "/v1/tracking/component/metric/all", VIEWER, JSON,             \
	    api_metric_all)                                                    \
	R(POST, "/v1/tracking/component/metric_data", VIEWER, JSON,            \
	    api_metric_data)                                                   \
	R(POST, "/v1/tracking/component/metric/delete", MODELER, JSON,         \
	    api_metric_delete)                                                 \
	R(POST, "/v1/tracking/component/parameters", VIEWER, JSON,             \
	    api_parameters)                                                    \
	R(POST, "/v1/tracking/component/output/model", VIEWER, JSON,           \
	    api_output_model)                                                  \
	R(POST, "/v1/tracking/component/output/data", VIEWER, JSON,            \
	    api_output_data)                                                   \
	R(GET, "/v1/tracking/component/output/data/download", VIEWER, JSON,    \
	    api_output_download)                                               \
	R(POST, "/v1/tracking/component/output/data/download", VIEWER, JSON,   \
	    api_output_download)                                               \
	R(POST, "/v1/tracking/component/output/data/table", VIEWER, JSON,      \
	    api_output_table)                                                  \
	R(POST, "/v1/tracking/component/summary/download", VIEWER, JSON,       \
	    api_summary)                                                       \
	R(POST, "/v1/tracking/component/list", VIEWER, JSON,                   \
	    api_component_list)                                                \
	R(POST, "/v1/tracking/job/data_view", VIEWER, JSON, api_job_data_view) \
	R(POST, "/v1/pipeline/dag/dependency", VIEWER, JSON,                   \
	    api_dag_dependency)                                                \
	/* checkpoints */                                                      \
	R(POST, "/v1/checkpoint/list", VIEWER, JSON, api_checkpoint_list)      \
	R(POST, "/v1/checkpoint/get", VIEWER, JSON, api_checkpoint_get)        \
	/* models on their way */                                              \
	R(GET, "/v1/model/export", MODELER, JSON, api_model_export)            \
	R(POST, "/v1/model/export", MODELER, JSON, api_model_export)           \
	R(POST, "/v1/model/import", MODELER, UPLOAD, api_model_import)         \
	R(POST, "/v1/model/migrate", MODELER, JSON, api_model_migrate)         \
	R(POST, "/v1/model/transfer", MODELER, JSON, api_model_transfer)       \
	R(POST, "/v1/model/transfer/:id/:version", MODELER, JSON,              \
	    api_model_transfer_path)                                           \
	R(POST, "/v1/model/archive/packaging", VIEWER, JSON,                   \
	    api_model_not_done)                                                \
	R(POST, "/v1/model/service/register", MODELER, JSON,                   \
	    api_model_not_done)                                                \
	R(POST, "/v1/model/homo/:other", VIEWER, JSON, api_model_not_done)     \
	R(POST, "/v1/component/hetero/merge", VIEWER, JSON,                    \
	    api_model_not_done)                                                \
	R(POST, "/v1/component/woe_array/:other", VIEWER, JSON,                \
	    api_model_not_done)                                                \
	R(POST, "/v1/model/store", MODELER, JSON, api_model_store)             \
	R(POST, "/v1/model/restore", MODELER, JSON, api_model_restore)         \
	/* tags */                                                             \
	R(POST, "/v1/model/deploy", MODELER, JSON, api_model_deploy)           \
	R(POST, "/v1/model/load", MODELER, JSON, api_model_load)               \
	R(POST, "/v1/model/bind", MODELER, JSON, api_model_bind)               \
	R(POST, "/v1/model/query", VIEWER, JSON, api_model_query)              \
	R(POST, "/v1/model/query/detail", VIEWER, JSON, api_model_detail)      \
	R(POST, "/v1/model/get/predict/dsl", VIEWER, JSON, api_predict_dsl)    \
	R(POST, "/v1/model/get/predict/conf", VIEWER, JSON, api_predict_conf)  \
	R(POST, "/v1/model/tag/create", MODELER, JSON, api_tag_create)         \
	R(POST, "/v1/model/tag/list", VIEWER, JSON, api_tag_list)              \
	R(POST, "/v1/model/tag/retrieve", VIEWER, JSON, api_tag_retrieve)      \
	R(POST, "/v1/model/tag/update", MODELER, JSON, api_tag_update)         \
	R(POST, "/v1/model/tag/destroy", MODELER, JSON, api_tag_destroy)       \
	R(POST, "/v1/model/tag/:other", VIEWER, JSON, api_tag_other)           \
	R(POST, "/v1/model/model_tag/create", MODELER, JSON,                   \
	    api_model_tag_create)                                              \
	R(POST, "/v1/model/model_tag/remove", MODELER, JSON,                   \
	    api_model_tag_remove)                                              \
	R(POST, "/v1/model/model_tag/retrieve", VIEWER, JSON,                  \
	    api_model_tag_retrieve)                                            \
	R(POST, "/v1/model/model_tag/:other", VIEWER, JSON,                    \
	    api_model_tag_other)                                               \
	/* permissions of partners */                                          \
	R(POST, "/v1/permission/grant", ADMIN, JSON, api_permission_grant)     \
	R(POST, "/v1/permission/delete", ADMIN, JSON, api_permission_delete)   \
	R(POST, "/v1/permission/query", VIEWER, JSON, api_permission_query)    \
	R(POST, "/v1/permission/explain", VIEWER, JSON,                        \
	    api_permission_explain)                                            \
	R(POST, "/v1/permission/:what/privilege", VIEWER, JSON,                \
	    api_not_supported)                                                 \
	/* keys of classic sites */                                            \
	R(POST, "/v1/audit/query", ADMIN, JSON, api_audit_query)               \
	R(POST, "/v1/key/public/save", ADMIN, JSON, api_key_save)              \
	R(POST, "/v1/key/public/delete", ADMIN, JSON, api_key_delete)          \
	R(POST, "/v1/key/query", VIEWER, JSON, api_key_query)                  \
	/* providers and their components */                                   \
	R(POST, "/v1/provider/get", VIEWER, JSON, api_provider_list)           \
	R(POST, "/v1/provider/register", ADMIN, JSON, api_provider_register)   \
	R(POST, "/v1/provider/update", ADMIN, JSON, api_provider_update)       \
	R(POST, "/v1/provider/registry/get", VIEWER, JSON,                     \
	    api_provider_registry)                                             \
	R(POST, "/v1/provider/:name/get", VIEWER, JSON, api_provider_get)      \
	R(POST, "/v1/component/get", VIEWER, JSON, api_component_all)          \
	R(POST, "/v1/component/validate", VIEWER, JSON,                        \
	    api_component_validate)                                            \
	R(POST, "/v1/component/:name/get", VIEWER, JSON, api_component_get)    \
	/* site */                                                             \
	R(POST, "/v1/resource/query", VIEWER, JSON, api_resource_query)        \
	R(POST, "/v1/resource/return", ADMIN, JSON, api_resource_return)       \
	R(POST, "/v1/server/version/get", VIEWER, JSON, api_server_version)    \
	R(POST, "/v1/server/reload", ADMIN, JSON, api_server_reload)           \
	R(POST, "/v1/server/fateflow/info", VIEWER, JSON, api_fateflow_info)   \
	R(POST, "/v1/server/config/job/default", VIEWER, JSON,                 \
	    api_job_default)                                                   \
	R(POST, "/v1/server/get", VIEWER, JSON, api_server_service_get)        \
	R(POST, "/v1/server/service/get", VIEWER, JSON,                        \
	    api_server_service_get)                                            \
	R(POST, "/v1/server/:name/get", VIEWER, JSON, api_server_get)          \
	R(POST, "/v1/server/service/:name/get", VIEWER, JSON, api_server_get)  \
	R(POST, "/v1/server/:name/register", ADMIN, JSON, api_server_register) \
	R(POST, "/v1/server/service/:name/register", ADMIN, JSON,              \
	    api_server_register)                                               \
	R(POST, "/v1/service/registry", ADMIN, JSON, api_service_registry)     \
	R(POST, "/v1/service/query", VIEWER, JSON, api_service_query)          \
	R(POST, "/v1/info/common", VIEWER, JSON, api_info_common)              \
	R(POST, "/v1/info/fateboard", VIEWER, JSON, api_info_fateboard)        \
	R(POST, "/v1/info/eggroll", VIEWER, JSON, api_info_eggroll)            \
	R(POST, "/v1/info/party/:dest", VIEWER, JSON, api_info_party)          \
	R(POST, "/v1/info/party/:proxy/:dest", VIEWER, JSON, api_info_party)   \
	R(POST, "/v1/template/download", VIEWER, JSON, api_template_download)  \
	R(POST, "/v1/worker/config/load", VIEWER, JSON, api_file_reader)       \
	R(POST, "/v1/operation/job_config/get", VIEWER, JSON,                  \
	    api_member_config)                                                 \
	R(POST, "/v1/operation/json_conf/load", VIEWER, JSON, api_file_reader) \
	R(POST, "/v1/forward/:role", VIEWER, JSON, api_forward)                \
	R(POST, "/v1/forward/:role/do", VIEWER, JSON, api_forward)             \
	R(POST, "/v1/log/size", VIEWER, JSON, api_log_size)                    \
	R(POST, "/v1/log/cat", VIEWER, JSON, api_log_cat)                      \
	/* partners: errands */                                                \
	R(POST, ERRAND_PATH "/:kind/:role/:party", PARTNER, JSON, api_errand)  \
	/* partners: jobs */                                                   \
	R(POST, JOB_PATH "/create", PARTNER, JSON, api_party_job_create)       \
	R(POST, JOB_PATH "/reopen", PARTNER, JSON, api_party_job_reopen)       \
	R(POST, JOB_PATH "/resource/apply", PARTNER, JSON,                     \
	    api_party_resource_apply)                                          \
	R(POST, JOB_PATH "/resource/return", PARTNER, JSON,                    \
	    api_party_resource_return)                                         \
	R(POST, JOB_PATH "/start", PARTNER, JSON, api_party_job_start)         \
	R(POST, JOB_PATH "/model", PARTNER, JSON, api_party_job_model)         \
	R(POST, JOB_PATH "/status/:status", PARTNER, JSON,                     \
	    api_party_job_status)                                              \
	R(POST, JOB_PATH "/stop/:status", PARTNER, JSON, api_party_job_stop)   \
	/* partners: tasks */                                                  \
	R(POST, TASK_PATH "/create", PARTNER, JSON, api_party_task_create)     \
	R(POST, TASK_PATH "/start", PARTNER, JSON, api_party_task_start)       \
	R(POST, TASK_PATH "/collect", PARTNER, JSON, api_party_task_collect)   \
	R(POST, TASK_PATH "/status/:status", PARTNER, JSON,                    \
	    api_party_task_status)                                             \
	R(POST, TASK_PATH "/stop/:status", PARTNER, JSON, api_party_task_stop) \
	/* partners: to the initiator */                                       \
	R(POST, "/v1/initiator/:job/:role/:party/stop/:status", PARTNER, JSON, \
	    api_initiator_stop)                                                \
	R(POST, "/v1/initiator/:job/:role/:party/signature", PARTNER, JSON,    \
	    api_initiator_signature)                                           \
	R(POST,                                                                \
	    "/v1/initiator/:job/:component/:task/:version/:role/:party"        \
	    "/report",                                                         \
	    PARTNER, JSON, api_initiator_report)                               \
	/* partners: objects of running tasks */                               \
	R(PUT, "/v1/mailbox/small" MAIL_PATH, PARTNER, BYTES, api_mailbox_put) \
	R(PUT, "/v1/mailbox/large" MAIL_PATH, PARTNER, BYTES, api_mailbox_put)

#endif
