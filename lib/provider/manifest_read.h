/*
 * One manifest, read and checked.  The inside of manifest.c.
 */
#ifndef LIB_PROVIDER_MANIFEST_READ_H
#define LIB_PROVIDER_MANIFEST_READ_H

#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/provider/manifest.h"

struct manifest_load {
	struct arena *arena;
	struct faults *faults;
};

/*
 * The provider in the folder, in the arena, with faults where the manifest is
 * wrong; NULL when nothing can be made of it.  It borrows from the document.
 */
struct provider *manifest_read(
    const struct manifest_load *, struct json_object *, const char *folder);

#endif
