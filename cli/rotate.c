/*
 * sluice site rotate-key: a new signing key and a new TLS certificate of this
 * site, in two steps, so that nothing stops in between.
 *
 * First the new pair waits in keys/next and a partner file announces it,
 * signed by both keys: partners who import it take the one and the other.
 * Then, with --switch, the new pair takes the old one's place; supervisors
 * and shepherds that run notice the files (keys_refresh()).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/partner.h"
#include "cli/rotate_ask.h"
#include "cli/site_files.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/tls_cert.h"

#define NEXT SITE_KEYS "/next"
#define SWITCHING NEXT "/switching"
#define CERT_MAX (64 * 1024)
#define OVERLAP_DAYS 14
#define DAY_S 86400

/* The pair that waits, made when there is none. */
static int
next_pair(const struct site_conf *conf, struct keys **out)
{
	char *folder = site_path(conf, NEXT);
	char *sign = site_path(conf, NEXT "/sign.key");
	char *key = site_path(conf, NEXT "/tls.key");
	char *cert = site_path(conf, NEXT "/tls.crt");
	char *mark = site_path(conf, SWITCHING);
	int r = 0;

	*out = NULL;
	/* Half of it is in use by now. */
	if (access(mark, F_OK) == 0)
		r = err_set(ERR_CONFLICT,
		    "a change of keys was cut off: sluice site rotate-key "
		    "--switch goes on with it");
	if (r == 0 && (r = fd_mkdirs(folder, 0700)) == 0 &&
	    (r = keys_load(sign, out)) == ERR_NOT_FOUND &&
	    (r = keys_generate(out)) == 0)
		r = keys_save(*out, sign);
	if (r == 0 && access(cert, F_OK) != 0) {
		/* A key without its certificate: of a run that was cut off. */
		(void)unlink(key);
		r = tls_cert_make(conf->party_id, key, cert);
	}
	free(folder);
	free(sign);
	free(key);
	free(cert);
	free(mark);
	return r;
}

static int
announce(struct site *s, int64_t overlap_days, struct bundle *b)
{
	char *path = site_path(s->conf, SITE_KEYS "/sign.key");
	char *cert = site_path(s->conf, NEXT "/tls.crt");
	struct keys *old = NULL, *next = NULL;
	struct buf pem = BUF_INIT;
	int r;

	if ((r = bundle_of_site(s->conf, b)) == 0 &&
	    (r = keys_load(path, &old)) == 0 &&
	    (r = next_pair(s->conf, &next)) == 0 &&
	    (r = buf_read_file(&pem, cert, CERT_MAX)) == 0) {
		memcpy(b->next.sign_key, keys_public(next), KEYS_PUBLIC_SIZE);
		b->next.tls_cert = xstrdup(buf_str(&pem));
		b->next.old_until_s =
		    clock_wall_ms() / 1000 + overlap_days * DAY_S;
		if ((r = bundle_sign_next(b, old, next)) == 0)
			r = partner_take(s, b, true);
	}
	buf_fini(&pem);
	keys_free(old);
	keys_free(next);
	free(path);
	free(cert);
	return r;
}

static int
write_bundle(const struct args *args, const struct bundle *b)
{
	const char *out = args_text(args, "output");
	struct json_object *o = bundle_json(b);
	struct partner_prints p;
	const char *text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r = 0;

	if (out != NULL)
		r = output_file(args, out, text, strlen(text), 0644);
	if (r == 0 && (out == NULL || args_json(args))) {
		(void)printf("%s\n", text);
	} else if (r == 0 && (r = partner_prints(b->next.sign_key,
				  b->next.tls_cert, &p)) == 0) {
		(void)printf("%s: for every partner to import\n"
			     "  new signing key      %s\n"
			     "  new TLS certificate  %s\n"
			     "once all have: sluice site rotate-key --switch\n",
		    out, p.sign, p.tls);
	}
	json_object_put(o);
	return r;
}

static int
prepare(const struct args *args, struct site *s)
{
	const char *out = args_text(args, "output");
	struct bundle b;
	int64_t days;
	int r;

	memset(&b, 0, sizeof(b));
	r = out != NULL ? output_target(args, out) : 0;
	if (r == 0 &&
	    (r = args_int(args, "overlap-days", 1, 365, OVERLAP_DAYS, &days)) ==
		0 &&
	    (r = announce(s, days, &b)) == 0)
		r = write_bundle(args, &b);
	bundle_fini(&b);
	return r;
}

/* Who reads the file that is replaced has to read the new one. */
static int
take_rights(const char *from, const char *to)
{
	struct stat was, is;

	if (stat(from, &is) != 0 || stat(to, &was) != 0)
		return errno == ENOENT ? 0 : err_set_errno(ERR_IO, "%s", to);
	if (((is.st_uid != was.st_uid || is.st_gid != was.st_gid) &&
		chown(from, was.st_uid, was.st_gid) != 0) ||
	    chmod(from, was.st_mode & 0777) != 0)
		return err_set_errno(ERR_IO, "rights of %s", from);
	return 0;
}

static int
move_in(const struct site_conf *conf, const char *name)
{
	char *from = site_path(conf, NEXT "/%s", name);
	char *to = site_path(conf, SITE_KEYS "/%s", name);
	int r = take_rights(from, to);

	if (r == 0 && rename(from, to) != 0 && errno != ENOENT)
		r = err_set_errno(ERR_IO, "rename %s", from);
	free(from);
	free(to);
	return r;
}

static const char *const files[] = { "tls.key", "tls.crt", "sign.key" };

#define N_FILES (sizeof(files) / sizeof(files[0]))

static bool
all_wait(const struct site_conf *conf)
{
	size_t i, n = 0;

	for (i = 0; i < N_FILES; i++) {
		char *path = site_path(conf, NEXT "/%s", files[i]);

		n += access(path, F_OK) == 0;
		free(path);
	}
	return n == N_FILES;
}

/*
 * Nothing of a pair is used unless all of it waits, and the decision is a
 * file of its own: what is missing beside it was moved already.
 */
static int
decide(struct site *s, const char *mark, bool force)
{
	int r;

	if (access(mark, F_OK) == 0)
		return 0; /* cut off then: nobody is asked any more */
	if (!all_wait(s->conf))
		return err_set(ERR_NOT_FOUND,
		    "no keys wait in " NEXT
		    ": first without --switch, to announce them");
	if (!force && (r = rotate_ask(s, NEXT)) != 0)
		return r;
	return fd_replace_file(mark, "", 0, 0600);
}

/* Cut off at any point, it goes on where it was when it is run again. */
static int
switch_over(struct site *s, bool force)
{
	char *folder = site_path(s->conf, NEXT);
	char *mark = site_path(s->conf, SWITCHING);
	size_t i;
	int r = decide(s, mark, force);

	for (i = 0; i < N_FILES && r == 0; i++)
		r = move_in(s->conf, files[i]);
	/* sign.pub follows sign.key. */
	if (r == 0 &&
	    (r = site_files_keys(s->conf->home, s->conf->party_id)) == 0 &&
	    (r = partner_update_tls(s)) == 0 &&
	    (r = site_audit(s, &(struct site_deed){ "key", s->conf->party_id,
				   "the announced keys are in use" })) == 0) {
		(void)unlink(mark);
		(void)rmdir(folder);
	}
	free(folder);
	free(mark);
	return r;
}

static int
run_rotate(const struct args *args)
{
	struct site s;
	int r;

	if ((r = site_open(args, &s)) == 0)
		r = args_flag(args, "switch")
			? switch_over(&s, args_flag(args, "force"))
			: prepare(args, &s);
	site_close(&s);
	return r;
}

static const struct option_def rotate_options[] = {
	OPTION_CONFIG_REQUIRED,
	{ "output", "FILE", "write the partner file there", false },
	{ "overlap-days", "N", "how long the old keys still count (14)",
	    false },
	{ "switch", NULL,
	    "use the keys that were announced, once all partners hear them",
	    false },
	{ "force", NULL,
	    "replace what is there already; with --switch: whether or not "
	    "partners hear them",
	    false },
	OPTION_END,
};

const struct command command_site_rotate_key = {
	"site rotate-key",
	"",
	0,
	"Announce a new signing key and certificate of this site; with "
	"--switch, use them.",
	rotate_options,
	run_rotate,
};
