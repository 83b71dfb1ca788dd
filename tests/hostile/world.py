"""A federation in the middle of a job, and stopped there: supervisors and
shepherds stand still, so whatever changes was changed by a request."""
import base64
import hashlib
import http.client
import json
import os
import re
import signal
import ssl
import urllib.parse

from federation import DATA, Federation, freeze, lr_conf, processes, thaw, wait_for
from partner import public_key

COMPONENT = "hetero_lr_0"
# Tables that say who asked, and when.
UNSTABLE = ("audit", "audit_link", "nonce", "client_nonce", "client_nonce_since", "partner_nonce",
            "partner_nonce_since", "session")


def seed(site):
    with open(os.path.join(site.home, "keys", "sign.key"), encoding="ascii") as f:
        return base64.b64decode(f.read().split()[1])


class World:
    def __init__(self):
        self.fed = Federation()
        self.guest, self.host, self.arbiter = self.fed.guest, self.fed.host, self.fed.arbiter
        self.seeds = {s.party: seed(s) for s in self.fed.sites.values()}
        self.links = {}
        self.one_worker()
        for site, name in ((self.guest, "breast_guest"), (self.host, "breast_host")):
            assert site.upload("%s/%s.csv" % (DATA, name), name, namespace="hostile").get("status") == "success"
        # A job of the host alone: it exists, and no partner is in it.
        self.others_job = self.host.sql("SELECT job_id FROM job WHERE is_initiator = 1 LIMIT 1")[0][0]
        self.job = self.fed.submit(lr_conf(namespace="hostile", max_iter=100000, tol=0))
        wait_for(lambda: all(s.sql("SELECT COUNT(*) FROM task WHERE job_id = '%s' AND component = '%s'"
                                   " AND run_here = 1 AND party_status = 'running'" % (self.job, COMPONENT)) == [["1"]]
                             for s in self.fed.sites.values()), 90, "training everywhere")
        self.stopped = freeze(self.fed.sites.values())
        assert len(self.stopped) >= 6, self.stopped

    def one_worker(self):
        """One for partners and few for users, so that refusals that were only counted are told in the end."""
        for site in (self.guest, self.host):
            path = os.path.join(site.home, "site.conf")
            with open(path, encoding="utf-8") as f:
                text = f.read()
            with open(path, "w", encoding="utf-8") as f:
                f.write(re.sub(r"(?m)^;? ?workers = .*$", "workers = 1", text))
            os.kill(site.pid("fcgi-app"), signal.SIGTERM)
            wait_for(lambda s=site: not processes("sluice-fcgi --config " + os.path.join(s.home, "site.conf")), 30, "end")
            site.start()

    def thaw(self):
        thaw(self.stopped)
        for link in self.links.values():
            link.close()
        self.guest.ok("job/stop", {"job_id": self.job})
        self.guest.wait(self.job)

    # --- what must not change --------------------------------------------------

    def state(self, site):
        """Rows of all tables but those that say who asked, and all files but logs."""
        names = [r[0] for r in site.sql("SHOW TABLES") if r[0] not in UNSTABLE]
        rows = dict(site.sql("CHECKSUM TABLE " + ", ".join(names)))
        files = {}
        for folder in ("mailbox", "data", "spool", "jobs", "models", "keys"):
            for path, _, found in os.walk(os.path.join(site.home, folder)):
                for name in found:
                    full = os.path.join(path, name)
                    try:
                        files[full] = os.stat(full).st_size
                    except FileNotFoundError:
                        pass
        return rows, files

    # --- records of refusals ---------------------------------------------------

    def recorded(self, site):
        """How many refusals the audit rows speak of, those only counted included."""
        rows = site.sql("SELECT detail FROM audit WHERE outcome = 'refused' AND action = 'request'")
        return len(rows) + sum(int(n) for (detail,) in rows for n in re.findall(r"; (\d+) not recorded before", detail))

    def refused_by_front(self, site):
        """The same for what nginx refused, with what is still to be recorded."""
        return int(site.sql("SELECT CAST(COALESCE(SUM(SUBSTRING_INDEX(detail, ' ', 1)), 0) AS SIGNED) FROM audit"
                            " WHERE action = 'front'")[0][0]) + int(
                                site.sql("SELECT CAST(COALESCE(SUM(pending), 0) AS SIGNED) FROM refusal")[0][0])

    # --- sending ---------------------------------------------------------------

    def link(self, site, certificate):
        """A kept connection to the partner listener; certificate: a site or None."""
        key = (site.party, certificate and certificate.party)
        if key not in self.links:
            url = urllib.parse.urlsplit(site.partner_url)
            context = ssl.create_default_context(cafile=os.path.join(site.home, "keys", "tls.crt"))
            context.check_hostname = False
            if certificate:
                context.load_cert_chain(os.path.join(certificate.home, "keys", "tls.crt"),
                                        os.path.join(certificate.home, "keys", "tls.key"))
            self.links[key] = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=30)
        return self.links[key]

    def send(self, site, certificate, method, target, body, headers):
        """(status, reply); a connection that is closed on the sender is (0, {})."""
        link = self.link(site, certificate)
        for again in (True, False):
            try:
                link.request(method, target, body, headers)
                reply = link.getresponse()
                text = reply.read()
                break
            except (http.client.HTTPException, OSError):
                link.close()
                if not again:
                    return 0, {}
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, {"retmsg": text.decode("latin-1")}

    def key_row(self, site, party, extra):
        """A further key of the party at the site, ended or revoked; its seed."""
        fresh = hashlib.sha256(extra.encode()).digest()
        text = "ed25519:" + base64.b64encode(public_key(fresh)).decode()
        site.sql("INSERT INTO partner_key (party_id, kind, digest, material, %s) VALUES ('%s', 'sign',"
                 " UNHEX(SHA2('%s', 256)), '%s', NOW(6)) ON DUPLICATE KEY UPDATE %s = NOW(6)"
                 % (extra, party, text, text, extra))
        return fresh
