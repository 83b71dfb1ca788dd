/*
 * Names of mailboxes and of the objects in them.  Everything that strangers
 * choose is checked or hashed here, before it can be part of a path.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/mailbox/mailbox.h"
#include "lib/mailbox/name.h"

#define ID_BYTES 16
#define WORD_CHARS "0123456789abcdefghijklmnopqrstuvwxyz.-"

int
mailbox_task_name(const struct mailbox_task *t, char out[MAILBOX_TASK_SIZE])
{
	out[0] = '\0';
	if (t->job_id == NULL || !str_is_job_id(t->job_id))
		return err_set(ERR_INVALID, "job id is not 14 to 25 digits");
	if (t->component == NULL || !str_is_name(t->component, 100))
		return err_set(ERR_INVALID, "component name is not valid");
	if (t->version < 0)
		return err_set(
		    ERR_INVALID, "task version %d is negative", t->version);
	if (t->role == NULL || !str_is_name(t->role, 20))
		return err_set(ERR_INVALID, "role is not valid");
	if (t->party_id == NULL || !str_is_party_id(t->party_id))
		return err_set(ERR_INVALID, "party id is not valid");
	/* Longest: 25 + 100 + 10 + 20 + 10 and four dots. */
	(void)snprintf(out, MAILBOX_TASK_SIZE, "%s.%s.%d.%s.%s", t->job_id,
	    t->component, t->version, t->role, t->party_id);
	return 0;
}

/* Transfer names may be dotted (class.variable); a tag is any printable. */
static bool
is_transfer_name(const char *s)
{
	size_t n;

	if (s == NULL || (n = strlen(s)) == 0 || n > MAILBOX_NAME_MAX)
		return false;
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789_-.") == n;
}

static bool
is_tag(const char *s)
{
	size_t i;

	if (s == NULL)
		return false;
	for (i = 0; s[i] != '\0'; i++)
		if (i == MAILBOX_TAG_MAX || s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

static int
check_object(const struct mailbox_object *o)
{
	if (!is_transfer_name(o->name))
		return err_set(ERR_INVALID, "name of the object is not valid");
	if (!is_tag(o->tag))
		return err_set(
		    ERR_INVALID, "tag of '%s' is not valid", o->name);
	if (o->from_role == NULL || !str_is_name(o->from_role, 20) ||
	    o->from_party == NULL || !str_is_party_id(o->from_party))
		return err_set(
		    ERR_INVALID, "sender of '%s' is not valid", o->name);
	return 0;
}

/* A NUL stands between the texts, so that no two identities meet. */
int
mailbox_object_id(const struct mailbox_object *o, char out[MAILBOX_ID_SIZE])
{
	const char *text[] = { o->name, o->tag, o->from_role, o->from_party };
	crypto_generichash_state st;
	unsigned char hash[ID_BYTES];
	size_t i;
	int r;

	out[0] = '\0';
	if ((r = check_object(o)) != 0)
		return r;
	(void)crypto_generichash_init(&st, NULL, 0, sizeof(hash));
	for (i = 0; i < 4; i++)
		(void)crypto_generichash_update(&st,
		    (const unsigned char *)text[i],
		    strlen(text[i]) + (i < 3 ? 1 : 0));
	(void)crypto_generichash_final(&st, hash, sizeof(hash));
	str_to_hex(hash, sizeof(hash), out);
	return 0;
}

int
mailbox_file_name(const struct mailbox_object *o, char out[MAILBOX_FILE_SIZE])
{
	char id[MAILBOX_ID_SIZE];
	int r;

	out[0] = '\0';
	if ((r = mailbox_object_id(o, id)) != 0)
		return r;
	if (o->parts < 1 || o->parts > MAILBOX_MAX_PARTS || o->part >= o->parts)
		return err_set(ERR_INVALID,
		    "part %u of %u of '%s' (at most "
		    "%d parts)",
		    o->part, o->parts, o->name, MAILBOX_MAX_PARTS);
	if (o->parts == 1)
		(void)snprintf(out, MAILBOX_FILE_SIZE, "%s", id);
	else
		(void)snprintf(
		    out, MAILBOX_FILE_SIZE, "%s.%u-%u", id, o->part, o->parts);
	return 0;
}

int
mailbox_wake_path(
    const struct site_conf *conf, const struct mailbox_task *t, char **out)
{
	char task[MAILBOX_TASK_SIZE], hex[2 * ID_BYTES + 1];
	unsigned char hash[ID_BYTES];
	int r;

	*out = NULL;
	if ((r = mailbox_task_name(t, task)) != 0)
		return r;
	(void)crypto_generichash(hash, sizeof(hash),
	    (const unsigned char *)task, strlen(task), NULL, 0);
	str_to_hex(hash, sizeof(hash), hex);
	*out = site_path(conf, "%s/m/%.*s", SITE_RUN, MAILBOX_WAKE_HEX, hex);
	return 0;
}

/* The supervisor here tells those of the other hosts. */
static int
wake_elsewhere(const struct site_conf *conf, const char *path, const char *word)
{
	char *text = xasprintf("%s %s", strrchr(path, '/') + 1, word);
	char *to = site_path(conf, "%s", SITE_HOSTS_SOCKET);
	int r = fd_dgram_send(to, text, strlen(text));

	free(to);
	free(text);
	return r;
}

int
mailbox_wake(const struct site_conf *conf, const struct mailbox_task *t,
    const char *word)
{
	char *path;
	int r;

	if ((r = mailbox_wake_path(conf, t, &path)) != 0)
		return r;
	r = fd_dgram_send(path, word, strlen(word));
	if (r == ERR_CLOSED && site_has_hosts(conf))
		r = wake_elsewhere(conf, path, word);
	free(path);
	return r;
}

bool
mailbox_is_wake(const char *text)
{
	return strspn(text, "0123456789abcdef") == MAILBOX_WAKE_HEX &&
	       text[MAILBOX_WAKE_HEX] == ' ' &&
	       text[MAILBOX_WAKE_HEX + 1] != '\0' &&
	       strspn(text + MAILBOX_WAKE_HEX + 1, WORD_CHARS) ==
		   strlen(text + MAILBOX_WAKE_HEX + 1);
}
