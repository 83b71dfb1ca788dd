/*
 * Archives of models from outside: members, manifest, pipeline, YAML.  What
 * is read is what an import reads; nothing is written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/archive/archive_in.h"
#include "lib/archive/import_plan.h"
#include "lib/archive/yaml.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

#define TEXT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(const char *name)
{
	size_t len = strlen(name);

	if (name[0] == '/' || strncmp(name, "../", 3) == 0 ||
	    strstr(name, "/../") != NULL || strstr(name, "//") != NULL ||
	    strchr(name, '\\') != NULL || len == 0 ||
	    (len >= 3 && strcmp(name + len - 3, "/..") == 0))
		abort();
}

static int
read_texts(struct archive_in *in, struct import_plan *plan)
{
	struct buf other = BUF_INIT, *to;
	const char *name;
	int r;

	while ((r = archive_in_next(in, &name)) == 1) {
		check_name(name);
		buf_clear(&other);
		if ((r = import_plan_member(plan, name, &to)) != 0 ||
		    (r = archive_in_read(
			 in, TEXT_MAX, to != NULL ? to : &other)) != 0)
			break;
	}
	buf_fini(&other);
	return r;
}

static void
fuzz_import(int fd, size_t size)
{
	static const struct db_model_key key = { "guest-9999#host-10000#model",
		"202601010000000000001", "guest", "9999" };
	struct arena *a = arena_new();
	struct import_plan *plan = import_plan_new(a, &key);
	struct archive_in *in;

	if (archive_in_open(fd, 0, size, &in) == 0) {
		if (read_texts(in, plan) == 0 &&
		    import_plan_resolve(plan) == 0) {
			(void)import_plan_complete(plan);
			(void)import_plan_rows(plan);
		}
		archive_in_close(in);
	}
	import_plan_free(plan);
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *o;
	int fd;

	err_clear();
	if (yaml_parse((const char *)data, size, &o) == 0)
		json_object_put(o);
	if (fd_memfd("fuzz", data, size, &fd) != 0)
		return 0;
	fuzz_import(fd, size);
	fd_close(&fd);
	return 0;
}
