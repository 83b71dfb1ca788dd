/*
 * Providers and components as the platform's clients know them.
 */
#ifndef FCGI_APP_PROVIDER_VIEW_H
#define FCGI_APP_PROVIDER_VIEW_H

#include "lib/json/json.h"
#include "lib/provider/manifest.h"

/* All results are the caller's. */

/* {name: {"default": {"version"}, VERSION: {"path", "components", …}}} */
struct json_object *provider_view_all(const struct providers *);
/* The same of one name, with modules: "components": {name: {"module"}}. */
struct json_object *provider_view_one(
    const struct providers *, const struct provider *);

/* {name or alias: {"default_provider", "support_provider", "alias"}} */
struct json_object *provider_view_components(const struct providers *);
/* One of them; NULL when no provider offers it. */
struct json_object *provider_view_component(
    const struct providers *, const char *name);

#endif
