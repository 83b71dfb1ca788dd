"""The attacks of a partner: each makes of a sample a request that must be
refused.  RECORDED says whether the program behind the front end sees and
records it, FRONT that the front end refuses it and the program never hears."""
import base64
import copy
import hashlib
import json
import time

from partner import COVERED, Request

TRAVERSAL = "..%2f..%2f..%2fetc%2fpasswd"
EXTRA = {"is_initiator": 1, "initiator_party": "10001", "lease_owner": "x", "party_id": "10001", "address": "/etc"}


class Attack:
    """What is sent, by whose certificate, and what is known of its refusal."""

    def __init__(self, name, request, certificate, recorded=True, path=None, headers=None, front=False):
        self.name, self.request, self.certificate = name, request, certificate
        self.recorded, self.front = recorded and not front, front
        self.target = path or request.path + ("?" + request.query if request.query else "")
        self.headers = request.headers if headers is None else headers


class Kit:
    def __init__(self, world):
        self.world = world
        self.revoked = world.key_row(world.host, "9999", "revoked_at")
        self.ended = world.key_row(world.host, "9999", "valid_until")
        self.revoked_host = world.key_row(world.guest, "10000", "revoked_at")
        self.ended_host = world.key_row(world.guest, "10000", "valid_until")

    def make(self, s, path=None, body=None, signer=None, seed=None, party=None, destination=None, method=None,
             query=None, **kw):
        signer = signer or s.signer
        return Request(seed or self.world.seeds[signer.party], party or signer.party, destination or s.target.party,
                       path or s.path(), s.body if body is None else body, method=method or s.method,
                       query=s.query if query is None else query, **kw)

    def unproven(self, s):
        """Nobody proves to be who he says."""
        other = self.world.arbiter
        for name in ("Signature", "Signature-Input", "Content-Digest", "Sluice-Party", "Sluice-Destination"):
            r = self.make(s)
            del r.headers[name]
            yield Attack("without " + name, r, s.signer)
        r = self.make(s)
        yield Attack("unsigned", r, s.signer, headers={"Content-Type": "application/json"})
        yield Attack("without a certificate", self.make(s), None, front=True)
        yield Attack("signed by another party in this one's name", self.make(
            s, seed=self.world.seeds[other.party], party=s.signer.party), s.signer)
        yield Attack("stolen, over another's connection", self.make(s), other)
        yield Attack("unknown key", self.make(s, seed=hashlib.sha256(b"unknown").digest()), s.signer)
        at_host = s.target is self.world.host
        yield Attack("revoked key", self.make(s, seed=self.revoked if at_host else self.revoked_host), s.signer)
        yield Attack("key that has ended", self.make(s, seed=self.ended if at_host else self.ended_host), s.signer)
        r = self.make(s, signer=other)
        r.headers["Sluice-Party"] = s.signer.party
        yield Attack("another party's signature under this one's name", r, s.signer)
        yield Attack("keyid of another party", self.make(s, keyid="10001:0123456789abcdef"), s.signer)

    def stale(self, s):
        now = int(time.time())
        yield Attack("expired", self.make(s, created=now - 3600), s.signer)
        yield Attack("future-dated", self.make(s, created=now + 3600), s.signer)
        yield Attack("valid for an hour", self.make(s, lifetime=3600), s.signer)
        yield Attack("expires before it begins", self.make(s, lifetime=-1), s.signer)
        yield Attack("short nonce", self.make(s, nonce="abc"), s.signer)
        yield Attack("nonce that is no name", self.make(s, nonce="' OR 1=1 -- abcdefgh"), s.signer)

    def altered(self, s):
        """Signed rightly, then changed on the way."""
        yield Attack("parts in another order", self.make(s, covered=tuple(reversed(COVERED))), s.signer)
        yield Attack("too little is signed", self.make(s, covered=COVERED[:3]), s.signer)
        yield Attack("another algorithm", self.make(s, alg="hmac-sha256"), s.signer)
        yield Attack("made for something else", self.make(s, tag="other"), s.signer)
        r = self.make(s)
        r.body = r.body[:-1]
        yield Attack("truncated", r, s.signer)
        r = self.make(s)
        r.body = r.body + b" "
        yield Attack("one byte more", r, s.signer)
        r = self.make(s)
        r.headers["Content-Digest"] = "sha-256=:%s:" % base64.b64encode(hashlib.sha256(b"other").digest()).decode()
        yield Attack("wrong digest", r, s.signer)
        r = self.make(s)
        r.headers["Content-Digest"] = r.headers["Content-Digest"].replace("sha-256", "sha-512")
        yield Attack("digest of another kind", r, s.signer)
        yield Attack("another query", self.make(s), s.signer, path=s.path() + "?part=0&parts=1&x=1")
        r = self.make(s)
        value = bytearray(base64.b64decode(r.headers["Signature"][6:-1]))
        value[5] ^= 1
        r.headers["Signature"] = "sig1=:%s:" % base64.b64encode(bytes(value)).decode()
        yield Attack("one bit of the signature", r, s.signer)
        r = self.make(s)
        r.headers["Signature-Input"] += ", sig2=" + r.headers["Signature-Input"][5:]
        r.headers["Signature"] += ", sig2=" + r.headers["Signature"][5:]
        yield Attack("two signatures", r, s.signer)
        yield Attack("for another site", self.make(s, destination="10001"), s.signer)
        yield Attack("by another method", self.make(s, method="DELETE"), s.signer, recorded=False)
        r = self.make(s)
        r.headers["Content-Length"] = "3000000000"
        yield Attack("oversized", r, s.signer, front=True)

    def presumptuous(self, s):
        """Signed rightly by who may not ask for it, or for what is not there."""
        w = self.world
        if "member" not in s.free:
            yield Attack("by another member", self.make(s, signer=w.arbiter), w.arbiter)
        if "job" in s.names:
            yield Attack("of a job that is not there", self.make(s, path=s.path(
                job="2" * 21, task="2" * 21 + "_hetero_lr_0")), s.signer)
        if "job" in s.names and s.target is w.host:
            yield Attack("of a job that is not the signer's", self.make(s, path=s.path(
                job=w.others_job, task=w.others_job + "_hetero_lr_0")), s.signer)
        if "role" not in s.free:
            for role in ("guest", "arbiter", "local"):
                yield Attack("as " + role, self.make(s, path=s.path(role=role)), s.signer)
        yield Attack("to a member elsewhere", self.make(s, path=s.path(party="10001")), s.signer)
        for name, bad in (("status", "exploded"), ("status", ""), ("version", "-1"), ("version", "7"),
                          ("version", "99999999999"), ("component", "reader_9"), ("task", "x")):
            if name in s.names and name + bad not in s.free:
                if name == "component":
                    path = s.path(component=bad, task=w.job + "_" + bad)
                else:
                    path = s.path(**{name: bad})
                yield Attack("%s '%s'" % (name, bad), self.make(s, path=path), s.signer, recorded=False)
        if "fields" not in s.free:
            body = dict(json.loads(s.body), **EXTRA)
            yield Attack("mass assignment", self.make(s, body=json.dumps(body).encode()), s.signer)
        for name in s.names:
            yield Attack("path in " + name, self.make(s, path=s.path(**{name: TRAVERSAL})), s.signer, recorded=False)
        if s.query:
            for change in (("fore_gradient", "no_such_name"), ("fore_gradient", TRAVERSAL), ("fore_gradient", "host_gradient"),
                           ("tag=0.99", "tag=hostile.9"), ("tag=0.99", "tag=0.0099"), ("from=guest", "from=arbiter"), ("from=guest", "from=host"), ("parts=1", "parts=999999"),
                           ("part=0", "part=5"), ("part=0", "part=-1")):
                yield Attack("query " + change[1], self.make(s, query=s.query.replace(*change)), s.signer, recorded=False)
            yield Attack("no query", self.make(s, query=""), s.signer, recorded=False)

    def attacks(self, s):
        for group in (self.unproven, self.stale, self.altered, self.presumptuous):
            yield from group(s)

    def replayed(self, s):
        """Twice the same request; the first is refused for what it asks, not for who asks."""
        if "job" not in s.names:
            r = self.make(s)
        else:
            r = self.make(s, path=s.path(job="3" * 21, task="3" * 21 + "_hetero_lr_0"))
        return Attack("first", r, s.signer), Attack("replayed", copy.copy(r), s.signer)
