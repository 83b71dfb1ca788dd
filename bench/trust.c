/*
 * What trust costs a partner's command: finding the key, checking the
 * signature, remembering the nonce, and deciding by the rules; at a site with
 * 10 partners and 10 rules, and at the same with 1 000 and 10 000.  The floor
 * of the first is remembering a nonce alone, which is one commit.
 */
#include <fcntl.h>
#include <math.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fcgi-app/partners.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_admission.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_permission.h"
#include "lib/http/tls_cert.h"
#include "lib/party/permit.h"
#include "lib/sign/digest.h"
#include "lib/sign/sign.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/measure.h"

#define FEW 10
#define MANY_PARTNERS 1000
#define MANY_RULES 10000
#define ROUNDS 400
#define SERIES 5 /* the best median counts: others use this machine, too */
#define FILE_MB 1024

static struct db *db;
static struct keys *keys;
static struct partners *partners;
static char *shown; /* the certificate, as nginx writes it */

static void
check(int r)
{
	if (r != 0) {
		fprintf(stderr, "%s\n", err_text());
		exit(1);
	}
}

static const char *
party(size_t i)
{
	static char text[16];

	(void)snprintf(text, sizeof(text), "%zu", 10000 + i);
	return text;
}

/* Partners from..to, and rules until there are so many. */
static void
fill(const char *pem, size_t from, size_t to, size_t rules)
{
	struct db_partner p = {
		.url = "https://127.0.0.1:1", .tls_cert = pem, .enabled = true
	};
	static size_t made;
	char module[32];

	memcpy(p.sign_key, keys_public(keys), sizeof(p.sign_key));
	for (; from < to; from++) {
		p.party_id = party(from);
		check(db_partner_put(db, &p));
	}
	for (; made < rules; made++) {
		(void)snprintf(module, sizeof(module), "Module%zu", made / to);
		check(db_permission_put(
		    db, &(struct db_permission){
			    .leaf = { .party_id = party(made % to),
				.src_role = "*",
				.kind = "component",
				.subject = module,
				.detail = "" } }));
	}
}

/* As fcgi-app does for a command of this party; how long it took. */
static double
prove(const char *id)
{
	struct sign_request req = { .method = "POST",
		.path = "/v1/party/20260101000000000000/host/1/start",
		.digest = "sha-256=:RBNvo1WzZ4oRRq0W9+"
			  "hknpT7T8If536DEMBg9hyq/4o=:",
		.party = id,
		.destination = "1" };
	char key_id[KEYS_ID_SIZE];
	struct sign_headers h;
	struct sign_proof proof;
	struct partner_proof found;
	double begun;

	check(sign_request(keys, &req, &h));
	begun = measure_seconds();
	check(sign_keyid(h.input, id, key_id));
	check(partners_find(partners, db, id, key_id, shown, &found));
	check(sign_verify(
	    &req, h.input, h.value, found.key, (int64_t)time(NULL), &proof));
	check(db_partner_admit(db, &(struct db_admission){ .party_id = id,
				       .sign_digest = found.sign_digest,
				       .tls_digest = found.tls_digest,
				       .nonce = proof.nonce,
				       .created_s = proof.created_s,
				       .expires_s = proof.expires_s }));
	return measure_seconds() - begun;
}

static double
proof_us(size_t n)
{
	double v[ROUNDS], best = INFINITY;
	size_t i, k;

	for (i = 0; i < n; i++)
		(void)prove(party(i));
	for (k = 0; k < SERIES; k++) {
		for (i = 0; i < ROUNDS; i++)
			v[i] = prove(party(i % n));
		best = fmin(best, measure_median(v, ROUNDS));
	}
	return 1e6 * best;
}

static double
decision_us(size_t n)
{
	static const struct permit_task task = { "a_0", "Module0", "{}" };
	struct permit_decision *decisions;
	double t, v[ROUNDS], best = INFINITY;
	size_t i, k, got;

	for (k = 0; k < SERIES; k++) {
		for (i = 0; i < ROUNDS; i++) {
			struct permit_ask ask = {
				.job_id = "20260101000000000000",
				.party = party(i % n),
				.src_role = "guest",
				.role = "host",
				.party_id = "1",
				.command = PERMIT_CREATE,
				.tasks = &task,
				.ntasks = 1,
			};
			struct arena *a = arena_new();

			t = measure_seconds();
			check(permit_decide(db, a, &ask, &decisions, &got));
			v[i] = measure_seconds() - t;
			arena_free(a);
		}
		best = fmin(best, measure_median(v, ROUNDS));
	}
	return 1e6 * best;
}

static double
nonce_us(void)
{
	double t, v[ROUNDS];
	char nonce[ID_RANDOM_SIZE];
	size_t i;

	for (i = 0; i < ROUNDS; i++) {
		id_random(nonce);
		t = measure_seconds();
		check(db_nonce_use(db, "1", nonce, (int64_t)time(NULL) + 60));
		v[i] = measure_seconds() - t;
	}
	return 1e6 * measure_median(v, ROUNDS);
}

/* --- large objects ---------------------------------------------------------- */

static double
cpu_seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* MB a second of one core, over memory alone. */
static double
raw_sha256(const unsigned char *block)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sum[EVP_MAX_MD_SIZE];
	double t = cpu_seconds();

	if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		exit(1);
	for (int i = 0; i < FILE_MB; i++)
		if (EVP_DigestUpdate(md, block, 1 << 20) != 1)
			exit(1);
	if (EVP_DigestFinal_ex(md, sum, NULL) != 1)
		exit(1);
	EVP_MD_CTX_free(md);
	return FILE_MB / (cpu_seconds() - t);
}

static double
raw_blake2b(const unsigned char *block)
{
	crypto_generichash_state state;
	unsigned char sum[32];
	double t = cpu_seconds();

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(sum));
	for (int i = 0; i < FILE_MB; i++)
		(void)crypto_generichash_update(&state, block, 1 << 20);
	(void)crypto_generichash_final(&state, sum, sizeof(sum));
	return FILE_MB / (cpu_seconds() - t);
}

/* From the disk, not from the system's memory. */
static void
forget(int fd)
{
	if (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
		exit(1);
}

static double
plain_read(int fd, unsigned char *block)
{
	double t = measure_seconds();

	for (off_t at = 0; at < (off_t)FILE_MB << 20; at += 1 << 20)
		if (pread(fd, block, 1 << 20, at) != 1 << 20)
			exit(1);
	return FILE_MB / (measure_seconds() - t);
}

/* As fcgi-app and the courier do for an object that was spooled. */
static double
digest_file(int fd, double (*seconds)(void))
{
	uint8_t sum[DIGEST_SIZE];
	double t = seconds();

	check(digest_fd(fd, (uint64_t)FILE_MB << 20, sum));
	return FILE_MB / (seconds() - t);
}

static void
hash_file(struct measure *out)
{
	char *path = xasprintf("%s/large", mariadb_folder());
	unsigned char *block = xcalloc(1, 1 << 20);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	double written, t = measure_seconds(), read, digest, raw;

	for (int i = 0; i < FILE_MB; i++)
		if (write(fd, block, 1 << 20) != 1 << 20)
			exit(1);
	forget(fd);
	written = FILE_MB / (measure_seconds() - t);
	raw = raw_sha256(block);
	measure_add(
	    out, "SHA-256, one core, memory", raw, "MB/s", 0, 0, "higher");
	measure_add(out, "BLAKE2b, one core, memory", raw_blake2b(block),
	    "MB/s", 0, 0, "higher");
	read = plain_read(fd, block);
	forget(fd);
	digest = digest_file(fd, measure_seconds);
	measure_add(out, "digest of 1 GB on disk", digest, "MB/s",
	    fmin(read, raw), 0, "higher");
	measure_add(out, "the same, processor time",
	    digest_file(fd, cpu_seconds), "MB/s", raw, 0, "higher");
	measure_add(
	    out, "plain read of 1 GB on disk", read, "MB/s", 0, 0, "higher");
	measure_add(
	    out, "writing 1 GB, with fsync", written, "MB/s", 0, 0, "higher");
	(void)close(fd);
	(void)unlink(path);
	free(path);
	free(block);
}

int
main(void)
{
	struct measure *out;
	struct buf pem = BUF_INIT, text = BUF_INIT;
	char *key, *cert;
	double few, many, decide_few, decide_many, nonce;

	mariadb_fresh();
	db = mariadb_connect();
	partners = partners_new();
	key = xasprintf("%s/bench.key", mariadb_folder());
	cert = xasprintf("%s/bench.crt", mariadb_folder());
	check(keys_generate(&keys));
	check(tls_cert_make("10000", key, cert));
	check(buf_read_file(&pem, cert, 65536));
	str_percent_encode(&text, pem.data, pem.len);
	shown = buf_steal(&text);
	fill(buf_str(&pem), 0, FEW, FEW);
	nonce = nonce_us();
	few = proof_us(FEW);
	decide_few = decision_us(FEW);
	fill(buf_str(&pem), FEW, MANY_PARTNERS, MANY_RULES);
	many = proof_us(MANY_PARTNERS);
	decide_many = decision_us(MANY_PARTNERS);
	out = measure_new("trust");
	measure_add(out, "proof and decision, beyond a nonce",
	    many + decide_many - nonce, "us", nonce, 500, "lower");
	measure_add(out, "proof, 10 partners", few, "us", nonce, 500, "lower");
	measure_add(out, "proof, 1000 partners", many, "us", few, 500, "lower");
	measure_add(
	    out, "proof, 1000 to 10", many / few, "times", 1, 1.5, "lower");
	measure_add(
	    out, "decision, 10 rules", decide_few, "us", 0, 500, "lower");
	measure_add(out, "decision, 10000 to 10 rules",
	    decide_many / decide_few, "times", 1, 1.5, "lower");
	hash_file(out);
	partners_free(partners);
	keys_free(keys);
	db_close(db);
	buf_fini(&pem);
	free(shown);
	free(key);
	free(cert);
	return measure_end(out) == 0 ? 0 : 1;
}
