/*
 * SHA-256 and the Content-Digest header.  OpenSSL's SHA-256 is used because
 * it takes the processor's instructions for it and is several times faster
 * than libsodium's.
 */
#include "lib/sign/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/sfv.h"

#define CHUNK (128 * 1024)

struct digest {
	EVP_MD_CTX *md;
};

/*
 * The library looks for an algorithm by its name each time that one starts
 * with EVP_sha256(), which for a short text costs more than the hash.
 */
static pthread_once_t found = PTHREAD_ONCE_INIT;
static EVP_MD *fetched;

static void
find_sha256(void)
{
	fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *
sha256(void)
{
	(void)pthread_once(&found, find_sha256);
	return fetched != NULL ? fetched : EVP_sha256();
}

int
digest_begin(struct digest **out)
{
	struct digest *d = xcalloc(1, sizeof(*d));

	*out = NULL;
	if ((d->md = EVP_MD_CTX_new()) == NULL ||
	    EVP_DigestInit_ex(d->md, sha256(), NULL) != 1) {
		digest_free(d);
		return err_set(ERR_CRYPTO, "SHA-256 cannot start");
	}
	*out = d;
	return 0;
}

int
digest_add(struct digest *d, const void *data, size_t len)
{
	if (len != 0 && EVP_DigestUpdate(d->md, data, len) != 1)
		return err_set(ERR_CRYPTO, "SHA-256");
	return 0;
}

int
digest_add_fd(struct digest *d, int fd, uint64_t offset, uint64_t size)
{
	char *chunk = xmalloc(CHUNK);
	ssize_t n;
	int r = 0;

	while (size != 0) {
		n = pread(fd, chunk, size < CHUNK ? (size_t)size : CHUNK,
		    (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_set_errno(ERR_IO, "pread");
			break;
		}
		if (n == 0) {
			r = err_set(ERR_CLOSED, "file ends too early");
			break;
		}
		if ((r = digest_add(d, chunk, (size_t)n)) != 0)
			break;
		offset += (uint64_t)n;
		size -= (uint64_t)n;
	}
	free(chunk);
	return r;
}

int
digest_end(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	int ok = EVP_DigestFinal_ex(d->md, out, NULL);

	digest_free(d);
	return ok == 1 ? 0 : err_set(ERR_CRYPTO, "SHA-256");
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->md);
	free(d);
}

int
digest_memory(const void *data, size_t len, uint8_t out[DIGEST_SIZE])
{
	if (EVP_Digest(
		data != NULL ? data : "", len, out, NULL, sha256(), NULL) != 1)
		return err_set(ERR_CRYPTO, "SHA-256");
	return 0;
}

int
digest_fd(int fd, uint64_t size, uint8_t out[DIGEST_SIZE])
{
	struct digest *d;
	int r;

	if ((r = digest_begin(&d)) != 0)
		return r;
	if ((r = digest_add_fd(d, fd, 0, size)) != 0) {
		digest_free(d);
		return r;
	}
	return digest_end(d, out);
}

void
digest_text(const uint8_t digest[DIGEST_SIZE], char out[DIGEST_TEXT_SIZE])
{
	struct buf b = BUF_INIT;

	str_base64(&b, digest, DIGEST_SIZE);
	(void)snprintf(out, DIGEST_TEXT_SIZE, "sha-256=:%s:", buf_str(&b));
	buf_fini(&b);
}

int
digest_parse(const char *value, uint8_t out[DIGEST_SIZE])
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	const struct sfv_member *m;
	struct buf bytes = BUF_INIT;
	int r;

	if ((r = sfv_parse(value, d)) != 0)
		goto out;
	m = sfv_member(d, "sha-256");
	if (m == NULL || m->value.type != SFV_BYTES) {
		r = err_set(ERR_FORMAT, "no sha-256 value");
		goto out;
	}
	r = str_unbase64(&bytes, m->value.text.at, m->value.text.len);
	if (r == 0 && bytes.len != DIGEST_SIZE)
		r = err_set(ERR_FORMAT, "sha-256 of %zu bytes", bytes.len);
	if (r == 0)
		memcpy(out, bytes.data, DIGEST_SIZE);
out:
	free(d);
	buf_fini(&bytes);
	return r == 0 ? 0 : err_wrap("Content-Digest");
}
