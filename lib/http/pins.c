/*
 * The certificates that partners must show.  Each connection trusts only
 * those of the party it is for: a partner whose certificate
 * also names others gains nothing by it.
 */
#include "lib/http/pins.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define FILE_MAX (4 * 1024 * 1024)

struct pin {
	char party[11];
	char *pem;
	size_t pem_len;
};

struct pins {
	char *path;
	struct stat seen; /* which file was read */
	struct pin *pins;
	size_t n;
};

void
pins_host(const char *party, char out[PINS_HOST_SIZE])
{
	(void)snprintf(out, PINS_HOST_SIZE, "party-%s.sluice", party);
}

static void
drop_all(struct pins *p)
{
	while (p->n != 0)
		free(p->pins[--p->n].pem);
	free(p->pins);
	p->pins = NULL;
}

const char *
pins_get(const struct pins *p, const char *party, size_t *len)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->pins[i].party, party) == 0) {
			*len = p->pins[i].pem_len;
			return p->pins[i].pem;
		}
	return NULL;
}

static int
common_name(const X509 *cert, char out[11])
{
	int n;

	n = X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, out, 11);
	if (n <= 0 || !str_is_party_id(out))
		return err_set(ERR_FORMAT,
		    "a certificate's common name is not a party id");
	return 0;
}

/* The party's, made when it has none. */
static struct pin *
pin_of(struct pins *p, const char *party)
{
	struct pin *pin;
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->pins[i].party, party) == 0)
			return &p->pins[i];
	p->pins = xrealloc(p->pins, (p->n + 1) * sizeof(*p->pins));
	pin = &p->pins[p->n++];
	memset(pin, 0, sizeof(*pin));
	(void)snprintf(pin->party, sizeof(pin->party), "%s", party);
	return pin;
}

static int
add_pin(struct pins *p, X509 *cert)
{
	struct pin *pin;
	char party[11];
	BIO *bio;
	char *data;
	long n;
	int r;

	if ((r = common_name(cert, party)) != 0)
		return r;
	if ((bio = BIO_new(BIO_s_mem())) == NULL ||
	    PEM_write_bio_X509(bio, cert) != 1 ||
	    (n = BIO_get_mem_data(bio, &data)) <= 0) {
		BIO_free(bio);
		return err_set(ERR_CRYPTO, "certificate of party %s", party);
	}
	pin = pin_of(p, party);
	pin->pem = xrealloc(pin->pem, pin->pem_len + (size_t)n + 1);
	memcpy(pin->pem + pin->pem_len, data, (size_t)n);
	pin->pem_len += (size_t)n;
	pin->pem[pin->pem_len] = '\0';
	BIO_free(bio);
	return 0;
}

static int
parse(struct pins *p, const struct buf *text)
{
	BIO *bio = BIO_new_mem_buf(buf_str(text), (int)text->len);
	X509 *cert;
	int r = 0;

	if (bio == NULL)
		return err_set(ERR_NOMEM, "certificates");
	while (r == 0 &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		r = add_pin(p, cert);
		X509_free(cert);
	}
	/* The end of the file is "no start line"; all else is damage. */
	if (r == 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		r = err_set(ERR_FORMAT, "damaged certificate");
	ERR_clear_error();
	BIO_free(bio);
	return r;
}

static int
read_file(struct pins *p)
{
	struct buf text = BUF_INIT;
	int r;

	if (stat(p->path, &p->seen) != 0)
		return err_set_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		    "stat %s", p->path);
	if ((r = buf_read_file(&text, p->path, FILE_MAX)) == 0 &&
	    (r = parse(p, &text)) != 0)
		r = err_wrap("%s", p->path);
	buf_fini(&text);
	return r;
}

int
pins_load(const char *path, struct pins **out)
{
	struct pins *p = xcalloc(1, sizeof(*p));
	int r;

	*out = NULL;
	p->path = xstrdup(path);
	if ((r = read_file(p)) != 0) {
		pins_free(p);
		return r;
	}
	*out = p;
	return 0;
}

int
pins_refresh(struct pins *p)
{
	struct pins *fresh;
	struct stat now;
	int r;

	if (stat(p->path, &now) == 0 && fd_same_file(&now, &p->seen))
		return 0;
	if ((r = pins_load(p->path, &fresh)) != 0)
		return r;
	drop_all(p);
	p->pins = fresh->pins;
	p->n = fresh->n;
	p->seen = fresh->seen;
	fresh->pins = NULL;
	fresh->n = 0;
	pins_free(fresh);
	return 0;
}

void
pins_free(struct pins *p)
{
	if (p == NULL)
		return;
	drop_all(p);
	free(p->path);
	free(p);
}
