"""A partner site's voice, written apart from the product: RFC 8032 Ed25519,
RFC 9421 signatures and RFC 9530 digests with Python's standard library."""
import base64
import hashlib
import http.client
import json
import os
import ssl
import time
import urllib.parse

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
I = pow(2, (P - 1) // 4, P)


def _add(a, b):
    """Points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z (RFC 8032 5.1.4)."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    k, m, n, o = f - e, h - g, h + g, f + e
    return (k * m % P, n * o % P, m * n % P, k * o % P)


def _mul(s, point):
    q = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = _add(q, point)
        point = _add(point, point)
        s >>= 1
    return q


def _base():
    y = 4 * pow(5, P - 2, P) % P
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * I % P
    if x & 1:
        x = P - x
    return (x, y, 1, x * y % P)


B = _base()


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def public_key(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return _encode(_mul(a, B))


def sign(seed, message):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | 1 << 254
    public = _encode(_mul(a, B))
    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % L
    point = _encode(_mul(r, B))
    k = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little") % L
    return point + ((r + k * a) % L).to_bytes(32, "little")


COVERED = ("@method", "@path", "@query", "content-digest", "sluice-party", "sluice-destination")


class Request:
    """A signed request; change its fields before send() to play the thief."""

    def __init__(self, seed, party, destination, path, body=b"", method="POST", query="", created=None,
                 lifetime=60, nonce=None, keyid=None, covered=COVERED, alg="ed25519", tag="sluice"):
        self.method, self.path, self.query, self.body = method, path, query, body
        created = int(time.time()) if created is None else created
        nonce = nonce or base64.b16encode(os.urandom(16)).decode().lower()
        if keyid is None:
            keyid = "%s:%s" % (party, hashlib.blake2b(public_key(seed), digest_size=32).hexdigest()[:16])
        digest = "sha-256=:%s:" % base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.headers = {"Content-Type": "application/json", "Content-Digest": digest, "Sluice-Party": party,
                        "Sluice-Destination": destination}
        values = {"@method": method, "@path": path, "@query": "?" + query, "content-digest": digest,
                  "sluice-party": party, "sluice-destination": destination}
        params = '(%s);created=%d;expires=%d;nonce="%s";keyid="%s";alg="%s";tag="%s"' % (
            " ".join('"%s"' % c for c in covered), created, created + lifetime, nonce, keyid, alg, tag)
        text = "".join('"%s": %s\n' % (c, values[c]) for c in covered) + '"@signature-params": ' + params
        signature = base64.b64encode(sign(seed, text.encode())).decode()
        self.headers["Signature-Input"] = "sig1=" + params
        self.headers["Signature"] = "sig1=:%s:" % signature

    def send(self, site, certificate):
        """(HTTP status, answer) from site's partner listener; certificate is
        the home of the site whose TLS key is shown."""
        url = urllib.parse.urlsplit(site.partner_url)
        context = ssl.create_default_context(cafile=os.path.join(site.home, "keys", "tls.crt"))
        context.check_hostname = False
        context.load_cert_chain(os.path.join(certificate, "keys", "tls.crt"),
                                os.path.join(certificate, "keys", "tls.key"))
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=30)
        try:
            connection.request(self.method, self.path + ("?" + self.query if self.query else ""), self.body,
                               self.headers)
            reply = connection.getresponse()
            text = reply.read()
            self.may_come_again = reply.headers["Retry-After"] is not None
        finally:
            connection.close()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, {"retcode": None, "retmsg": text.decode("latin-1")}


def self_test():
    """RFC 8032 section 7.1, test 2."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert public_key(seed).hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert sign(seed, b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")


self_test()
