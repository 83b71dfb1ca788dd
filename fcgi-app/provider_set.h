/*
 * The provider manifests a worker knows, kept with what was registered.
 */
#ifndef FCGI_APP_PROVIDER_SET_H
#define FCGI_APP_PROVIDER_SET_H

#include "fcgi-app/app.h"

/*
 * Read the folders again when a provider was registered since they were
 * read, by whichever worker or host.  Call it before app->providers is used
 * in a request: what was taken from the set before dies with it.  Folders
 * that cannot be read leave the set as it was, with a line in the log.
 * Errors: ERR_DB.
 */
int provider_set_refresh(struct app *);

#endif
