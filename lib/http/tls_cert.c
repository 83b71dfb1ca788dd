/*
 * X.509 for sites, by OpenSSL.  Called by the command line, and by fcgi-app for
 * fingerprints.
 */
#include "lib/http/tls_cert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/http/pins.h"

#define PEM_MAX (64 * 1024)
#define CLOCK_SLACK_S (24 * 3600) /* partners' clocks may be behind */

static int
openssl_error(const char *what)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	return err_set(ERR_CRYPTO, "%s: %s", what, text);
}

static int
add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return openssl_error("certificate extension");
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? 0 : openssl_error("certificate extension");
}

static int
add_extensions(X509 *cert, const char *party)
{
	char host[PINS_HOST_SIZE], names[96];
	int r;

	pins_host(party, host);
	(void)snprintf(
	    names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1", host);
	if ((r = add_extension(
		 cert, NID_basic_constraints, "critical,CA:FALSE")) != 0 ||
	    (r = add_extension(
		 cert, NID_key_usage, "critical,digitalSignature")) != 0 ||
	    (r = add_extension(
		 cert, NID_ext_key_usage, "serverAuth,clientAuth")) != 0 ||
	    (r = add_extension(cert, NID_subject_alt_name, names)) != 0 ||
	    (r = add_extension(cert, NID_subject_key_identifier, "hash")) != 0)
		return r;
	/* Tells it from its successor, which has the same subject: a verifier
	 * who trusts both would compare it with the first that it finds. */
	return add_extension(
	    cert, NID_authority_key_identifier, "keyid:always");
}

static int
set_subject(X509 *cert, const char *party)
{
	X509_NAME *name = X509_get_subject_name(cert);

	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)party, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, name) != 1)
		return openssl_error("certificate name");
	return 0;
}

static int
set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *n = NULL;
	int r = 0;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return openssl_error("random serial");
	bytes[0] &= 0x7f; /* positive, as RFC 5280 asks */
	if ((n = BN_bin2bn(bytes, sizeof(bytes), NULL)) == NULL ||
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) == NULL)
		r = openssl_error("certificate serial");
	BN_free(n);
	return r;
}

static int
fill(X509 *cert, EVP_PKEY *key, const char *party)
{
	int r;

	if (X509_set_version(cert, X509_VERSION_3) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), -CLOCK_SLACK_S) ==
		NULL ||
	    X509_time_adj_ex(
		X509_getm_notAfter(cert), TLS_CERT_DAYS, 0, NULL) == NULL ||
	    X509_set_pubkey(cert, key) != 1)
		return openssl_error("certificate");
	if ((r = set_serial(cert)) != 0 ||
	    (r = set_subject(cert, party)) != 0 ||
	    (r = add_extensions(cert, party)) != 0)
		return r;
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		return openssl_error("sign certificate");
	return 0;
}

/* Whole file from a memory BIO; refuses to replace one. */
static int
write_bio(BIO *bio, const char *path, mode_t mode)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	int fd, r;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set_errno(
		    errno == EEXIST ? ERR_EXISTS : ERR_IO, "create %s", path);
	r = fd_write_all(fd, data, (size_t)len);
	if (r == 0 && fsync(fd) != 0)
		r = err_set_errno(ERR_IO, "sync %s", path);
	fd_close(&fd);
	if (r != 0)
		(void)unlink(path);
	return r;
}

static int
write_files(
    EVP_PKEY *key, X509 *cert, const char *key_path, const char *cert_path)
{
	/* Secure memory is wiped when the BIO is freed. */
	BIO *key_bio = BIO_new(BIO_s_secmem());
	BIO *cert_bio = BIO_new(BIO_s_mem());
	int r;

	if (key_bio == NULL || cert_bio == NULL ||
	    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) !=
		1 ||
	    PEM_write_bio_X509(cert_bio, cert) != 1)
		r = openssl_error("write certificate");
	else if ((r = write_bio(key_bio, key_path, 0600)) == 0 &&
		 (r = write_bio(cert_bio, cert_path, 0644)) != 0)
		(void)unlink(key_path);
	BIO_free(key_bio);
	BIO_free(cert_bio);
	return r;
}

int
tls_cert_make(const char *party, const char *key_path, const char *cert_path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	int r;

	if (key == NULL || cert == NULL)
		r = openssl_error("P-256 key");
	else if ((r = fill(cert, key, party)) == 0)
		r = write_files(key, cert, key_path, cert_path);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r == 0 ? 0 : err_wrap("TLS certificate");
}

static int
read_one(const char *pem, X509 **out)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *more = NULL;
	int r = 0;

	*out = NULL;
	if (bio == NULL)
		return openssl_error("read certificate");
	*out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (*out != NULL)
		more = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (*out == NULL || more != NULL) {
		X509_free(*out);
		*out = NULL;
		r = err_set(ERR_FORMAT, "exactly one certificate expected");
	}
	X509_free(more);
	ERR_clear_error();
	BIO_free(bio);
	return r;
}

static int
check_cert(X509 *cert, const char *party)
{
	char cn[16] = "", host[PINS_HOST_SIZE];

	(void)X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn));
	if (strcmp(cn, party) != 0)
		return err_set(ERR_INVALID,
		    "the certificate's common name is not party %s", party);
	pins_host(party, host);
	if (X509_check_host(
		cert, host, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) != 1)
		return err_set(ERR_INVALID,
		    "the certificate lacks the name "
		    "%s",
		    host);
	/* 0: no authority; anything else could vouch for others. */
	if (X509_check_ca(cert) != 0)
		return err_set(
		    ERR_INVALID, "the certificate is an authority's");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return err_set(ERR_INVALID, "the certificate is expired");
	if (X509_self_signed(cert, 1) != 1)
		return err_set(ERR_INVALID,
		    "the certificate is not signed by its own key");
	return 0;
}

int
tls_cert_check(const char *pem, const char *party)
{
	X509 *cert;
	int r;

	if ((r = read_one(pem, &cert)) != 0)
		return r;
	r = check_cert(cert, party);
	X509_free(cert);
	return r;
}

int
tls_cert_host(const char *path, char out[PINS_HOST_SIZE])
{
	struct buf pem = BUF_INIT;
	char party[16] = "";
	X509 *cert = NULL;
	int r;

	if ((r = buf_read_file(&pem, path, PEM_MAX)) == 0 &&
	    (r = read_one(buf_str(&pem), &cert)) == 0) {
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
		    NID_commonName, party, sizeof(party));
		pins_host(party, out);
		r = check_cert(cert, party);
	}
	X509_free(cert);
	buf_fini(&pem);
	return r;
}

int
tls_cert_days(const char *pem, int64_t *days)
{
	X509 *cert;
	int whole = 0, seconds = 0, r;

	if ((r = read_one(pem, &cert)) != 0)
		return r;
	if (ASN1_TIME_diff(&whole, &seconds, NULL, X509_get0_notAfter(cert)) !=
	    1)
		r = openssl_error("certificate's end");
	*days = whole - (seconds < 0);
	X509_free(cert);
	return r;
}

int
tls_cert_names_issuer(const char *pem, bool *out)
{
	X509 *cert;
	int r;

	*out = false;
	if ((r = read_one(pem, &cert)) != 0)
		return r;
	*out = X509_get0_authority_key_id(cert) != NULL;
	X509_free(cert);
	return 0;
}

static int
digest(const char *pem, const EVP_MD *md, unsigned char *out, unsigned int size)
{
	unsigned int len = 0;
	X509 *cert;
	int r;

	if ((r = read_one(pem, &cert)) != 0)
		return r;
	if (X509_digest(cert, md, out, &len) != 1 || len != size)
		r = openssl_error("certificate fingerprint");
	X509_free(cert);
	return r;
}

int
tls_cert_digest(const char *pem, unsigned char out[32])
{
	return digest(pem, EVP_sha256(), out, 32);
}

int
tls_cert_sha1(const char *pem, char out[TLS_CERT_SHA1_SIZE])
{
	unsigned char sum[20];
	int r = digest(pem, EVP_sha1(), sum, sizeof(sum));

	if (r == 0)
		str_to_hex(sum, sizeof(sum), out);
	return r;
}

int
tls_cert_fingerprint(const char *pem, char out[TLS_CERT_FINGERPRINT_SIZE])
{
	unsigned char sum[32];
	unsigned i;
	int r;

	if ((r = tls_cert_digest(pem, sum)) != 0)
		return r;
	for (i = 0; i < sizeof(sum); i++)
		(void)snprintf(out + 3 * i, TLS_CERT_FINGERPRINT_SIZE - 3 * i,
		    i + 1 < sizeof(sum) ? "%02X:" : "%02X", sum[i]);
	return 0;
}
