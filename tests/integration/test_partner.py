"""A hostile partner: captured, altered, replayed and forged requests.
The host of the federation plays the partner of the guest's job."""
import base64
import json
import os
import time
import unittest

from federation import DATA, Federation, lr_conf, wait_for
from partner import COVERED, Request


def seed(site):
    with open(os.path.join(site.home, "keys", "sign.key"), encoding="ascii") as f:
        return base64.b64decode(f.read().split()[1])


class HostilePartner(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            assert site.upload("%s/%s.csv" % (DATA, name), name, namespace="partner").get("status") == "success"
        cls.job = fed.submit(lr_conf(namespace="partner", max_iter=2))
        assert fed.guest.wait(cls.job)["f_status"] == "success"
        # The verdict reaches the host a moment later.
        assert fed.host.wait(cls.job, role="host")["f_status"] == "success"

    def request(self, path=None, body=b"{}", signer=None, party=None, destination="10000", **kw):
        signer = signer or self.fed.guest
        path = path or "/v1/party/%s/host/10000/status/success" % self.job
        return Request(seed(signer), party or signer.party, destination, path, body, **kw)

    def send(self, request, certificate=None):
        return request.send(self.fed.host, (certificate or self.fed.guest).home)

    def state(self):
        """Of the job that requests are about; others may be on their way."""
        host = self.fed.host
        return (host.sql("SELECT status, cancel_signal, reason FROM job WHERE job_id = '%s'" % self.job),
                host.sql("SELECT component, version, role, status, party_status FROM task WHERE job_id = '%s'"
                         " ORDER BY 1, 2, 3" % self.job))

    def refused(self, request, certificate=None, codes=(109, 108)):
        before = self.state()
        audited = int(self.fed.host.sql("SELECT COUNT(*) FROM audit WHERE outcome = 'refused'")[0][0])
        status, reply = self.send(request, certificate)
        self.assertIn(reply["retcode"], codes, (status, reply))
        self.assertEqual(self.state(), before)
        return audited, reply

    def test_a_rightly_signed_request_is_heard(self):
        status, reply = self.send(self.request())
        self.assertEqual(status, 200)
        self.assertIn(reply["retcode"], (0, 10), reply)

    def test_the_same_request_twice_is_a_replay(self):
        request = self.request()
        self.assertIn(self.send(request)[1]["retcode"], (0, 10))
        _, reply = self.refused(request)
        self.assertIn("nonce", reply["retmsg"].lower() + " replay")

    def test_every_part_that_is_signed_cannot_be_changed(self):
        other = self.request(path="/v1/party/%s/host/10000/stop/canceled" % self.job)
        for alter in (lambda r: setattr(r, "path", other.path),
                      lambda r: setattr(r, "query", "x=1"),
                      lambda r: setattr(r, "body", b'{"x":1}'),
                      lambda r: r.headers.update({"Content-Digest": other.headers["Content-Digest"][:-4] + "AA=:"}),
                      lambda r: r.headers.update({"Sluice-Party": "10001"}),
                      lambda r: r.headers.update({"Sluice-Destination": "9999"}),
                      lambda r: r.headers.update({"Signature": other.headers["Signature"]}),
                      lambda r: r.headers.update({"Signature-Input": other.headers["Signature-Input"]}),
                      lambda r: r.headers.update({"Signature-Input": r.headers["Signature-Input"].replace(
                          "expires=", "expires=9")})):
            request = self.request()
            alter(request)
            self.refused(request)

    def test_headers_may_not_be_missing(self):
        for name in ("Content-Digest", "Sluice-Party", "Sluice-Destination", "Signature-Input", "Signature"):
            request = self.request()
            del request.headers[name]
            self.refused(request)

    def test_a_signature_that_covers_too_little_is_refused(self):
        for i in range(len(COVERED)):
            self.refused(self.request(covered=COVERED[:i] + COVERED[i + 1:]))

    def test_times_outside_the_window_are_refused(self):
        now = int(time.time())
        self.refused(self.request(created=now - 600))
        self.refused(self.request(created=now + 600))
        # Not for good: a partner that is told so signs again and sends again.
        for request, again in ((self.request(created=now - 600), True), (self.request(lifetime=86400), False)):
            self.assertEqual(self.send(request)[0], 401)
            self.assertEqual(request.may_come_again, again)
        self.refused(self.request(lifetime=86400))

    def test_one_party_cannot_speak_for_another(self):
        fed = self.fed
        # arbiter's key and certificate, guest's name
        self.refused(self.request(signer=fed.arbiter, party="9999"), fed.arbiter)
        # guest's certificate, arbiter's key and name
        self.refused(self.request(signer=fed.arbiter), fed.guest)
        # arbiter in its own name: it is a member, but not the initiator
        self.refused(self.request(path="/v1/party/%s/host/10000/stop/canceled" % self.job, signer=fed.arbiter),
                     fed.arbiter)

    def test_a_request_for_another_site_is_refused(self):
        self.refused(self.request(destination="10001"))

    def test_an_unknown_key_is_refused(self):
        self.refused(Request(os.urandom(32), "9999", "10000", "/v1/party/%s/host/10000/status/success" % self.job,
                             b"{}"))

    def test_paths_that_name_nothing_change_nothing(self):
        for path in ("/v1/party/20200101000000000000000/host/10000/start", "/v1/party/../host/10000/start",
                     "/v1/party/%s/host/9999/start" % self.job, "/v1/party/%s/arbiter/10000/start" % self.job,
                     "/v1/party/%s/host/10000/status/exploded" % self.job,
                     "/v1/mailbox/small/..%2f..%2fetc/c/0/host/10000"):
            before = self.state()
            _, reply = self.send(self.request(path=path))
            self.assertNotIn(reply["retcode"], (0, None), (path, reply))
            self.assertEqual(self.state(), before)

    def test_who_may_ask_for_no_more_jobs_does_not_hear_which_there_are(self):
        host, other = self.fed.host, self.fed.arbiter
        host.cli("quota", "--party", other.party, "--waiting-jobs", "1")
        self.addCleanup(host.cli, "quota", "--party", other.party, "--remove")
        # An upload of before stands for its one job that waits here.
        job, mine = host.sql("SELECT job_id, initiator_party FROM job WHERE is_initiator = 1 AND status = 'success' LIMIT 1")[0]
        put = "UPDATE job SET status = '%s', wait_code = '%s', is_initiator = %d, initiator_party = '%s' WHERE job_id = '" + job + "'"
        self.addCleanup(host.sql, put % ("success", "", 1, mine))
        host.sql(put % ("ready", "initiator", 0, other.party))
        answers = []
        for job in (self.job, "202001010000000000000"):
            path = "/v1/party/%s/host/10000/create" % job
            reply = self.send(self.request(path=path, signer=other), other)[1]
            answers.append((reply["retcode"], reply["retmsg"], reply.get("data")))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0][0], 103, answers)

    def test_the_tasks_that_a_start_names_are_pairs(self):
        path = "/v1/party/%s/host/10000/start" % self.job
        for tasks, where in (([["hetero_lr_0"]], "/tasks/0"), ([["hetero_lr_0", 0], ["hetero_lr_0", "0"]], "/tasks/1"),
                             (["hetero_lr_0"], "/tasks/0"), ([["../x", 0]], "/tasks/0"),
                             ([["hetero_lr_0", -1]], "/tasks/0"), ({"hetero_lr_0": 0}, "/tasks")):
            before = self.state()
            _, reply = self.send(self.request(path=path, body=json.dumps({"tasks": tasks}).encode()))
            self.assertNotIn(reply["retcode"], (0, 10, None), (tasks, reply))
            self.assertIn(where, reply["retmsg"])
            self.assertEqual(self.state(), before)

    def test_partner_routes_do_not_exist_for_clients_and_the_other_way(self):
        reply = self.fed.host.api("party/%s/host/10000/stop/canceled" % self.job)
        self.assertNotEqual(reply["retcode"], 0)
        _, reply = self.send(self.request(path="/v1/job/submit"))
        self.assertNotEqual(reply["retcode"], 0)

    def test_broken_bodies_are_answered_and_no_worker_is_lost(self):
        host = self.fed.host
        parent = host.pid("fcgi-app")
        with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
            workers = f.read()
        for body in (b"", b"{", b"[]", b"null", b'{"dsl":' + b"[" * 5000, b"\xff\xfe", b'{"roles":{"guest":[1e999]}}',
                     json.dumps({"dsl": {"components": {"c%d" % i: {} for i in range(10000)}}}).encode()):
            _, reply = self.send(self.request(path="/v1/party/%s/host/10000/create" % ("2" * 21), body=body))
            self.assertNotIn(reply["retcode"], (0, None), (body[:40], reply))
        with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
            self.assertEqual(f.read(), workers)

    def mail(self, job, version):
        path = "/v1/mailbox/small/%s/hetero_lr_0/%d/host/10000" % (job, version)
        return self.send(self.request(path=path, body=b"x", method="PUT",
                                      query="name=fore_gradient&tag=0.0&from=guest&part=0&parts=1"))

    def test_mail_for_a_task_that_does_not_run_is_refused(self):
        # One that ended well needs no more: its sender did not hear that all was kept.
        status, reply = self.mail(self.job, 0)
        self.assertEqual(status, 200, reply)
        status, reply = self.mail(self.job, 1)
        self.assertEqual(status, 404, reply)
        # Of a job without this member not even that is told.
        status, reply = self.mail("2" * 21, 0)
        self.assertEqual(status, 403, reply)

    def test_mail_under_a_name_the_component_does_not_have_is_refused(self):
        fed = self.fed
        job = fed.submit(lr_conf(namespace="partner", max_iter=1000, tol=0))
        try:
            wait_for(lambda: [t for t in fed.host.tasks(job, component_name="hetero_lr_0")
                              if t["f_party_status"] == "running"], what="training")
            path = "/v1/mailbox/small/%s/hetero_lr_0/0/host/10000" % job
            for query in ("name=no_such_name&tag=0.0&from=guest&part=0&parts=1",
                          "name=host_gradient&tag=0.0&from=guest&part=0&parts=1",
                          "name=fore_gradient&tag=x&from=guest&part=0&parts=1",
                          "name=fore_gradient&tag=0.0&from=arbiter&part=0&parts=1"):
                status, reply = self.send(self.request(path=path, body=b"x", method="PUT", query=query))
                self.assertEqual(status, 403, (query, reply))
            self.assertEqual(fed.guest.ok("job/query", {"job_id": job, "role": "guest", "party_id": "9999"})
                             ["data"][0]["f_status"], "running")
        finally:
            fed.guest.ok("job/stop", {"job_id": job})
            fed.guest.wait(job)


if __name__ == "__main__":
    unittest.main(verbosity=2)
