"""What left a site: budgets that cut a component off, and the ledger against what the other side's nginx saw."""
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

from federation import BUILD, DATA, Federation, lr_conf, settings, stand_still, thaw, wait_for

SLUICE = os.path.join(BUILD, "bin", "sluice")
MB = 1 << 20


def log_of(site):
    return os.path.join(site.home, "logs", "partner-in.log")


def offline(*args):
    """Without a site: (exit code, decoded --json answer)."""
    done = subprocess.run([SLUICE, *args, "--json"], check=False, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


class Records:
    """What sites have on record of a job of all three, held against each other's."""

    def compare(self, site, to, job):
        done = site.cli("egress", "compare", log_of(to), "--to", to.party, "--job", job, "--json", check=False)
        return json.loads(done.stdout)

    def same_within_a_moment(self, site, to, job):
        """nginx writes its log once a second."""
        wait_for(lambda: not self.compare(site, to, job)["differences"],
                 what="ledger and log: %s" % self.compare(site, to, job)["differences"][:3])
        return self.compare(site, to, job)

    def ledgers_agree(self, job):
        """Ledgers and logs of each two sites, by their parties; zero differences."""
        sites = (self.fed.guest, self.fed.host, self.fed.arbiter)
        compared = {(a.party, b.party): self.same_within_a_moment(a, b, job)
                    for a in sites for b in sites if a is not b}
        for c in compared.values():
            repeats = sum(v for k, v in c.items() if k.startswith("repeated_"))
            self.assertEqual(c["requests"], c["objects"] + repeats)
        return compared

    def export(self, site, folder):
        path = os.path.join(folder, site.party)
        site.cli("audit", "export", "--output", path)
        return path

    def export_at_once(self, sites, folder):
        """While nobody links records or tells another of a head: what one has heard the other has."""
        pids = [s.pid("supervisor") for s in sites]
        for pid in pids:
            stand_still([pid])
        try:
            return {s.party: self.export(s, folder) for s in sites}
        finally:
            for pid in pids:
                thaw([pid])

    def chains_agree(self, job, then=None):
        """Each site's chain is whole, and any two tell the same about the job."""
        sites = (self.fed.guest, self.fed.host, self.fed.arbiter)
        for s in sites:
            wait_for(lambda: s.sql("SELECT COUNT(*) FROM audit_link l JOIN audit a ON a.id = l.audit_id"  # pylint: disable=W0640
                                   " WHERE a.action = 'job end' AND a.subject = '%s'" % job) == [["1"]],
                     what="the job's end in the chain of " + s.party)
            wait_for(lambda: s.sql("SELECT COUNT(*), SUM(open = 0) FROM audit_exchange"  # pylint: disable=W0640
                                   " WHERE job_id = '%s'" % job) == [["2", "2"]],
                     what="both others' heads and countersignatures at %s: %s" % (
                         s.party, s.sql("SELECT peer_id, told, open, tries, last_error FROM audit_exchange WHERE job_id = '%s'" % job)))
        with tempfile.TemporaryDirectory() as d:
            files = self.export_at_once(sites, d)
            for a in sites:
                answer = json.loads(a.cli("verify", "--json").stdout)
                self.assertEqual(answer["findings"], 0)
                self.assertGreater(answer["sites"][0]["records"], 10)
                for b in sites:
                    if a is b:
                        continue
                    code, answer = offline("verify", "--file", files[a.party], "--against", files[b.party])
                    self.assertEqual((code, answer["findings"]), (0, 0), answer)
                    self.assertGreater(answer["jobs_compared"], 0)
                    # Own heads for two others, and what the other keeps of them.
                    self.assertGreaterEqual(answer["sites"][0]["heads_matched"], 3)
            if then:
                then(files["9999"], files["10000"], job)


class Ledger(Records, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def test_after_the_main_job_ledgers_and_logs_differ_in_nothing(self):
        fed = self.fed
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            self.assertEqual(site.upload("%s/%s.csv" % (DATA, name), name).get("status"), "success")
        job = fed.submit(lr_conf(max_iter=2))
        self.assertEqual(fed.guest.wait(job)["f_status"], "success", fed.guest.events(job))
        compared = self.ledgers_agree(job)
        self.assertGreater(compared["9999", "10000"]["objects"], 9)
        totals = json.loads(fed.guest.cli("egress", "totals", "--job", job, "--json").stdout)
        to_host = [t for t in totals if t["to_party"] == "10000"]
        self.assertEqual([t["bytes"] for t in to_host], [compared["9999", "10000"]["bytes"]])
        self.one_altered_row_is_named(job)
        self.chains_agree(job, self.a_forged_chain_is_named)
        self.rotated_logs_count(job, compared["9999", "10000"])

    def rotated_logs_count(self, job, before):
        host = self.fed.host
        os.rename(log_of(host), log_of(host) + ".20260101T000000")
        os.kill(host.pid("nginx"), signal.SIGUSR1)
        wait_for(lambda: os.path.exists(log_of(host)), what="nginx's new log")
        after = self.same_within_a_moment(self.fed.guest, host, job)
        self.assertEqual(after["objects"], before["objects"])

    def test_admins_ask_for_records_by_the_api(self):
        job = self.leak(who="host", bytes=1, rounds=1)
        self.fed.guest.wait(job)
        rows = self.fed.guest.api("audit/query", {"subject": job, "actor": "supervisor"})["data"]
        self.assertEqual([r["action"] for r in rows if r["action"].startswith("job ")], ["job start", "job end"])
        self.assertEqual(len(json.loads(rows[-1]["detail"])["contract"]), 64)
        page = self.fed.guest.api("audit/query", {"subject": job, "limit": 1, "before_id": rows[-1]["id"]})["data"]
        self.assertLess(page[0]["id"], rows[-1]["id"])
        reply = self.fed.guest.api("audit/query", {"limit": 0, "outcome": 7})
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("/limit", reply["retmsg"])
        self.assertIn("/outcome", reply["retmsg"])
        text = self.fed.guest.cli("audit", "--subject", job, "--outcome", "success").stdout
        self.assertIn("job end", text)
        self.assertNotIn("job start", text)

    def test_a_configuration_read_again_is_recorded_and_young_records_stay(self):
        host = self.fed.host
        os.kill(host.pid("supervisor"), signal.SIGHUP)
        wait_for(lambda: "read again" in host.cli("audit", "--action", "configuration").stdout,
                 what="the record of the reload")
        last = json.loads(host.cli("verify", "--json").stdout)["sites"][0]["last_seq"]
        host.cli("audit", "prune", "--older-than", "30")
        self.assertGreaterEqual(json.loads(host.cli("verify", "--json").stdout)["sites"][0]["records"], last)
        refused = host.cli("audit", "prune", "--older-than", "1", check=False)
        self.assertNotEqual(refused.returncode, 0)

    def test_after_another_run_both_chains_still_say_the_same(self):
        guest, host = self.fed.guest, self.fed.host
        job = self.leak(who="host", bytes=1000, rounds=3)
        self.assertEqual(guest.wait(job)["f_status"], "success", guest.events(job))
        self.assertEqual(guest.ok("job/rerun", {"job_id": job, "force": True, "component_name": "leak_0"})["retcode"], 0)
        for site in (guest, host):
            wait_for(lambda: site.sql("SELECT run, open FROM audit_exchange WHERE job_id = '%s'"  # pylint: disable=W0640
                                      " ORDER BY run" % job) == [["0", "0"], ["1", "0"]],
                     what="the second run's heads at " + site.party)
        with tempfile.TemporaryDirectory() as d:
            files = self.export_at_once((guest, host), d)
            code, answer = offline("verify", "--file", files[guest.party], "--against", files[host.party])
        self.assertEqual((code, answer["findings"]), (0, 0), answer)
        ends = json.loads(host.cli("audit", "--subject", job, "--action", "egress", "--json").stdout)
        self.assertEqual([json.loads(e["detail"])["bytes"] for e in ends], [3000, 3000])

    def a_forged_chain_is_named(self, guest, host, job):
        """By somebody who writes the whole chain anew behind a change."""
        with open(guest, encoding="utf-8") as f:
            lines = [json.loads(x) for x in f]
        records = [x for x in lines if "kind" not in x]

        def verdict(changed, *more, forget=False):
            path = guest + ".forged"
            rest = [x for x in lines if "kind" in x and not (forget and x["kind"] == "head")]
            with open(path, "w", encoding="utf-8") as f:
                f.writelines(json.dumps(x) + "\n" for x in rest + changed)
            code, answer = offline("verify", "--file", path, *more)
            self.assertEqual(code, 1)
            return [(x["seq"], x["finding"]) for site in answer["sites"] for x in site["findings"]]

        def anew(changed):
            prev = "0" * 64
            for seq, r in enumerate(changed, 1):
                r.update(seq=seq, prev=prev)
                body = {k: v for k, v in r.items() if k != "hash"}
                text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                prev = r["hash"] = hashlib.sha256(b"sluice-audit-1\n" + text.encode()).hexdigest()
            return changed

        place = [i for i, r in enumerate(records) if r["action"] == "egress" and '"10000"' in r["detail"]][-1]
        changed = [dict(r) for r in records]
        self.assertEqual(anew([dict(r) for r in records]), records)
        changed[place]["detail"] = records[place]["detail"].replace('"bytes": ', '"bytes": 1')
        self.assertNotEqual(changed[place]["detail"], records[place]["detail"])
        self.assertEqual([x[0] for x in verdict(changed)], [place + 1])
        # The chain alone is sound now; the other side's says otherwise.
        found = verdict(anew(changed), "--against", host)
        self.assertIn("job %s: by record %d" % (job, place + 1), " ".join(x[1] for x in found))
        contract = [i for i, r in enumerate(records) if r["action"] == "job end" and r["subject"] == job][-1]
        changed = [dict(r) for r in records]
        ended = json.loads(records[contract]["detail"])
        ended["contract"] = "0" * 64
        changed[contract]["detail"] = json.dumps(ended)
        self.assertIn("has contract 0000", " ".join(x[1] for x in verdict(anew(changed), "--against", host)))
        # The tail is cut off, and the own copies of the heads as well: the other side has them.
        kept = records[:contract]
        found = verdict(kept, "--against", host, forget=True)
        self.assertIn("record %d is missing: the chain ends at %d" % (contract + 1, contract),
                      " ".join(x[1] for x in found))
        self.assertIn(contract + 1, [x[0] for x in found])
        changed = [dict(r) for r in records]
        changed[place]["actor"] = "somebody else"
        found = verdict(anew(changed), "--against", host, forget=True)
        self.assertIn("were written anew", " ".join(x[1] for x in found))

    def one_altered_row_is_named(self, job):
        """On exported files, away from any site."""
        guest, host = self.fed.guest, self.fed.host
        rows = json.loads(guest.cli("egress", "--job", job, "--json").stdout)
        with open(log_of(host), encoding="utf-8") as f:
            lines = f.readlines()
        place = [i for i, r in enumerate(rows) if r["to_party"] == "10000"][7]

        def outcome(ledger, log):
            with tempfile.TemporaryDirectory() as d:
                with open(d + "/ledger", "w", encoding="utf-8") as f:
                    json.dump(ledger, f)
                with open(d + "/log", "w", encoding="utf-8") as f:
                    f.writelines(log[:len(log) // 2])
                with open(d + "/log.1", "w", encoding="utf-8") as f:
                    f.writelines(log[len(log) // 2:])
                code, answer = offline("egress", "compare", d + "/log," + d + "/log.1", "--ledger", d + "/ledger",
                                       "--to", "10000", "--job", job)
            self.assertEqual(code, 1 if answer["differences"] else 0)
            return answer["differences"]

        self.assertEqual(outcome(rows, lines), [])
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as f, tempfile.NamedTemporaryFile("w") as ledger:
            f.writelines("id,x\n")
            f.flush()
            json.dump(rows, ledger)
            ledger.flush()
            code, answer = offline("egress", "compare", f.name, "--ledger", ledger.name, "--to", "10000")
            self.assertEqual(code, 1)
            self.assertIn("is no partner-in.log", str(answer))
            self.assertNotIn("differences", str(answer))
        name = "%s '%s'" % (rows[place]["name"], rows[place]["tag"])
        for change, words in (({"bytes": rows[place]["bytes"] + 1}, "bytes, "),
                              ({"sha256": "00" * 32}, "other content"),
                              ({"tag": "elsewhere"}, "not in the ledger")):
            changed = [dict(r) for r in rows]
            changed[place].update(change)
            found = outcome(changed, lines)
            self.assertIn(words, " ".join(found))
            self.assertIn(name, " ".join(found))
            self.assertLessEqual(len(found), 2)
        found = outcome(rows[:place] + rows[place + 1:], lines)
        self.assertEqual(len(found), 1)
        self.assertIn(name, found[0])
        uri = "/%s/%s/%d/" % (job, rows[place]["component"], rows[place]["version"])
        gone = [x for x in lines if uri not in x or "name=%s&" % rows[place]["name"] not in x]
        self.assertLess(len(gone), len(lines))
        self.assertIn("did not arrive", outcome(rows, gone)[0])

    def leak(self, egress_mb=1, **params):
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]},
                "job_parameters": {"common": {"egress_mb": egress_mb}},
                "component_parameters": {"common": {"leak_0": params}},
                "provider": {"common": {"leak_0": "sluice_test@1.0.0"}}}
        dsl = {"components": {"leak_0": {"module": "TestLeak", "output": {"data": ["data"]}}}}
        return self.fed.submit(conf, dsl)

    def cut_off(self, job, who, to, by="the job's contract"):
        """The job failed everywhere, for that reason, and no byte over the budget has left."""
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "failed")
        reason = self.fed.guest.sql("SELECT reason FROM job WHERE job_id = '%s'" % job)[0][0]
        other = self.fed.host.sql("SELECT reason FROM job WHERE job_id = '%s'" % job)[0][0]
        for text in (reason, other):
            self.assertIn("component leak_0", text)
            self.assertIn("%d bytes that %s" % (MB, by), text)
        left = who.sql("SELECT SUM(bytes + LENGTH(tag)), COUNT(*) FROM egress"
                       " WHERE job_id = '%s' AND name = 'leak'" % job)[0]
        self.assertLessEqual(int(left[0]), MB)
        self.assertGreater(int(left[0]), MB // 2)
        with open(log_of(to), encoding="utf-8") as f:
            arrived = [json.loads(x) for x in f if job in x and "/v1/mailbox/" in x]
        self.assertLessEqual(sum(int(x["bytes"]) for x in arrived if x["status"] == 200), MB)

    def test_a_leaking_component_is_cut_off_before_the_byte_over_its_budget(self):
        self.cut_off(self.leak(who="host", bytes=60000, rounds=1000), self.fed.host, self.fed.guest)
        self.cut_off(self.leak(who="guest", bytes=600000, rounds=3), self.fed.guest, self.fed.host)

    def test_a_site_allows_no_more_than_it_says_whatever_the_initiator_wrote(self):
        old = settings(self.fed.host, "executor", max_egress_mb=1)
        self.addCleanup(lambda: settings(self.fed.host, "executor", **old))
        self.cut_off(self.leak(egress_mb=64, who="host", bytes=60000, rounds=1000), self.fed.host, self.fed.guest,
                     by="party 10000 ([executor] max_egress_mb)")

    def test_tags_are_no_way_around_the_budget(self):
        self.cut_off(self.leak(who="host", in_tags=True, rounds=16000), self.fed.host, self.fed.guest)

    def test_a_tag_that_the_manifest_does_not_foresee_stays_here_with_its_object(self):
        for who, site, to in (("host", self.fed.host, self.fed.guest), ("guest", self.fed.guest, self.fed.host)):
            for tag in ("row 17 is 0.53", "007", "f3.", "1.2", "12345678901", "f1.f1.last"):
                job = self.leak(who=who, odd_tag=tag)
                for s, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
                    row = s.wait(job, role=role)
                    self.assertEqual(row["f_status"], "failed")
                    self.assertIn("TestLeak may not send numbered with the tag '%s'; its manifest allows: #, [f#.]last" % tag,
                                  row["f_reason"])
                left = site.sql("SELECT tag FROM egress WHERE job_id = '%s' AND name = 'numbered' ORDER BY id" % job)
                self.assertEqual([x for x, in left if x not in ("0", "4711", "f3.last")], [])
                with open(log_of(to), encoding="utf-8") as f:
                    # Not the start of one that is allowed, which may have been sent before.
                    self.assertNotIn("tag=%s&" % urllib.parse.quote(tag), " ".join(x for x in f if job in x))
        job = self.leak(who="host", odd_tag="17")
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))

    def test_within_its_budget_a_task_sends_all_and_the_words_of_its_failure_are_recorded(self):
        job = self.leak(who="host", bytes=10000, rounds=100)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        c = self.same_within_a_moment(self.fed.host, self.fed.guest, job)
        self.assertEqual((c["objects"], c["bytes"]), (100, 1000000))
        job = self.leak(who="host", bytes=600000, rounds=3)
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "failed")
        row = self.fed.host.sql("SELECT to_role, to_party, bytes FROM egress WHERE job_id = '%s'"
                                " AND name = '(error report)'" % job)
        self.assertEqual(row[0][:2], ["guest", "9999"])
        self.assertGreater(int(row[0][2]), 50)


if __name__ == "__main__":
    unittest.main()
