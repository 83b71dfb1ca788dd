/*
 * Called by the program that carries models to the store and back.
 */
#include "lib/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

struct store {
	const struct store_ops *ops;
	const struct site_conf *conf; /* borrowed */
	void *ctx;
};

static const struct store_ops *const engines[] = { &store_mysql, &store_redis,
	NULL };

/* What went wrong, at which store; where to look when it does not answer. */
static int
blame(const struct site_conf *conf, int r)
{
	bool socket = conf->store_socket[0] != '\0';
	bool silent = r == ERR_NET || r == ERR_DB || r == ERR_TIMEOUT;

	if (!silent)
		return err_wrap("model store (%s)", conf->store_engine);
	if (socket)
		return err_wrap("model store (%s at %s): check that it runs "
				"and [model_store] of the site's configuration",
		    conf->store_engine, conf->store_socket);
	return err_wrap("model store (%s at %s:%lld): check that it runs and "
			"[model_store] of the site's configuration",
	    conf->store_engine, conf->store_host, (long long)conf->store_port);
}

int
store_open(const struct site_conf *conf, struct store **out)
{
	const struct store_ops *ops = NULL;
	int r;

	*out = NULL;
	if (!conf->store_enabled)
		return err_set(ERR_UNSUPPORTED,
		    "this site has no model store: enable_model_store in "
		    "[model_store] of its configuration is no");
	for (size_t i = 0; engines[i] != NULL; i++)
		if (str_eq(engines[i]->name, conf->store_engine))
			ops = engines[i];
	if (ops == NULL)
		return err_set(ERR_UNSUPPORTED,
		    "there is no model store engine '%s', only mysql and redis",
		    conf->store_engine);
	*out = xcalloc(1, sizeof(**out));
	(*out)->ops = ops;
	(*out)->conf = conf;
	if ((r = ops->open(conf, &(*out)->ctx)) != 0) {
		free(*out);
		*out = NULL;
		return blame(conf, r);
	}
	return 0;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	s->ops->close(s->ctx);
	free(s);
}

const char *
store_name(const struct store *s)
{
	return s->ops->name;
}

int
store_put(struct store *s, struct store_item *item, int fd, bool force)
{
	int r;

	if ((r = digest_fd(fd, (uint64_t)item->bytes, item->sha256)) != 0)
		return r;
	item->has_sha256 = true;
	if ((r = s->ops->put(s->ctx, item, fd, force)) != 0)
		return blame(s->conf, r);
	return 0;
}

int
store_get(struct store *s, struct store_item *item, int fd)
{
	unsigned char want[DIGEST_SIZE];
	char expected[2 * DIGEST_SIZE + 1], found[2 * DIGEST_SIZE + 1];
	int r;

	if ((r = s->ops->get(s->ctx, item, fd)) != 0)
		return blame(s->conf, r);
	memcpy(want, item->sha256, sizeof(want));
	if ((r = digest_fd(fd, (uint64_t)item->bytes, item->sha256)) != 0)
		return r;
	if (!item->has_sha256 || memcmp(want, item->sha256, sizeof(want)) == 0)
		return 0;
	str_to_hex(want, sizeof(want), expected);
	str_to_hex(item->sha256, sizeof(want), found);
	return err_set(ERR_FORMAT,
	    "the stored archive is not what was put there: expected SHA-256 "
	    "%s, found %s",
	    expected, found);
}
