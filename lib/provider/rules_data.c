/*
 * Reader and Writer.  Called by rules.c.
 */
#include "lib/provider/rules_data.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/data/address.h"
#include "lib/json/decode.h"
#include "lib/sign/vault.h"

static bool
says(struct json_object *o, const char *key)
{
	return json_get(o, key) != NULL;
}

/* Both or none; faults name the one that is missing. */
static bool
both(struct json_object *o, const char *a, const char *b,
    const struct json_path *path, struct faults *faults)
{
	if (says(o, a) != says(o, b))
		faults_add(faults, JSON_PATH_KEY(path, says(o, a) ? b : a),
		    "must be there, too");
	return says(o, a) || says(o, b);
}

/* A free object in the manifest: which members it has depends on them. */
struct reader_table {
	const char *name;
	const char *table_namespace;
	const char *job_id;
	const char *component_name;
	const char *data_name;
};

static const struct json_field reader_fields[] = {
	JSON_STR(struct reader_table, name, 1, 255, JSON_NULLABLE),
	JSON_STR_AS(struct reader_table, table_namespace, "namespace", 1, 255,
	    JSON_NULLABLE),
	JSON_STR(struct reader_table, job_id, 14, 25, JSON_NULLABLE),
	JSON_STR(struct reader_table, component_name, 1, 100, JSON_NULLABLE),
	JSON_STR(struct reader_table, data_name, 1, 100, JSON_NULLABLE),
};

static void
needs(const char *value, const char *key, const struct json_path *at,
    struct faults *faults)
{
	if (value == NULL)
		faults_add(faults, JSON_PATH_KEY(at, key), "is missing");
}

/* As the template of a predict job's conf has it (flow model get-predict-conf). */
static void
check_filled(const char *value, const char *key, const char *what,
    const struct json_path *at, struct faults *faults)
{
	size_t n = strlen(what);

	if (value != NULL && strncmp(value, what, n) == 0 &&
	    str_starts(value + n, "_to_be_filled_"))
		faults_add(faults, JSON_PATH_KEY(at, key),
		    "%s is a place that was not filled in: it should be the "
		    "%s of a table that the party has",
		    value, what);
}

void
rules_reader(struct json_object *params, const struct json_path *path,
    struct faults *faults)
{
	const struct json_path *at = JSON_PATH_KEY(path, "table");
	struct json_object *table = json_get(params, "table");
	struct reader_table t = { 0 };

	if (table == NULL || json_decode(table, JSON_FIELDS(reader_fields),
				 JSON_FAULT_UNKNOWN, at, faults, &t) != 0)
		return;
	if (t.job_id == NULL) {
		needs(t.name, "name", at, faults);
		needs(t.table_namespace, "namespace", at, faults);
		check_filled(t.name, "name", "name", at, faults);
		check_filled(
		    t.table_namespace, "namespace", "namespace", at, faults);
		return;
	}
	if (t.name != NULL || t.table_namespace != NULL)
		faults_add(faults, JSON_PATH_KEY(at, "job_id"),
		    "stands beside name or namespace: a table is named by one "
		    "or the other");
	needs(t.component_name, "component_name", at, faults);
	needs(t.data_name, "data_name", at, faults);
}

static void
check_address(struct json_object *params, const struct json_path *path,
    struct faults *faults)
{
	struct json_object *address = json_get(params, "address");
	const char *name = json_get_str(params, "storage_engine", "");
	struct data_address a;
	enum data_engine engine;

	if (data_engine_parse(name, &engine) != 0) {
		faults_add_value(faults, JSON_PATH_KEY(path, "storage_engine"),
		    json_get(params, "storage_engine"), "%s", err_text());
		err_clear();
		return;
	}
	if (engine == DATA_STANDALONE) {
		faults_add(faults, JSON_PATH_KEY(path, "storage_engine"),
		    "a table of this site is named by output_namespace and "
		    "output_name");
		return;
	}
	(void)data_address_parse(
	    engine, address, JSON_PATH_KEY(path, "address"), faults, &a);
	if (a.passwd != NULL && !vault_is_sealed(a.passwd))
		faults_add(faults,
		    JSON_PATH_KEY(JSON_PATH_KEY(path, "address"), "passwd"),
		    "a password in clear would be read by every member of the "
		    "job: make a connector (table/connector/create) and name "
		    "it in connector_name");
}

void
rules_writer(struct json_object *params, const struct json_path *path,
    struct faults *faults)
{
	bool to_table, to_address;

	(void)both(params, "name", "namespace", path, faults);
	to_table =
	    both(params, "output_name", "output_namespace", path, faults);
	to_address = says(params, "address");
	if (to_table == to_address) {
		faults_add(faults,
		    JSON_PATH_KEY(path, to_table ? "address" : "output_name"),
		    to_table ? "stands beside output_name: a table goes to "
			       "one place"
			     : "neither output_namespace and output_name nor "
			       "storage_engine and address say where the "
			       "table goes");
		return;
	}
	if (to_address)
		check_address(params, path, faults);
}
