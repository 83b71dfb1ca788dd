"""What an operator does is done and recorded, or neither; and what strangers
wrote into the record does nothing to who reads it."""
import json
import tempfile
import unittest
import uuid

from federation import Federation

TRIGGER = """CREATE TRIGGER no_record BEFORE INSERT ON audit FOR EACH ROW
SET NEW.actor = IF(NEW.outcome = 'ok' AND SUBSTRING_INDEX(NEW.actor, ' ', 1) IN ('operator', 'user', 'client', 'loopback'), NULL, NEW.actor)"""


def unique(prefix):
    return "%s-%s" % (prefix, uuid.uuid4().hex[:8])


class Record(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Federation().arbiter

    def last(self):
        return int(self.site.sql("SELECT COALESCE(MAX(id), 0) FROM audit")[0][0])

    def rows(self, since):
        return self.site.sql("SELECT action, subject, COALESCE(detail, '') FROM audit WHERE id > %d"
                             " AND actor LIKE 'operator %%' ORDER BY id" % since)

    def state(self):
        """All that the commands below could change."""
        return self.site.sql("CHECKSUM TABLE partner, partner_key, permission, quota, client_key, site_user EXTENDED")

    def test_what_cannot_be_recorded_is_not_done(self):
        name, party = unique("n"), "9999"
        key = [k for k in json.loads(self.site.cli("partner", "keys", "--party", party, "--json").stdout)
               if k["state"] == "active"][0]["key_id"]
        self.site.cli("key", "create", name, "--role", "viewer")
        before = self.state()
        self.site.sql(TRIGGER)
        try:
            for command in (("partner", "disable", party), ("partner", "remove", party), ("partner", "revoke", key),
                            ("grant", "8888", "--roles", "host"), ("quota", "--party", "8888", "--cores", "3"),
                            ("key", "create", unique("k"), "--role", "admin"), ("key", "disable", name),
                            ("key", "delete", name)):
                done = self.site.cli(*command, check=False)
                self.assertEqual(done.returncode, 1, command)
                self.assertIn("it cannot be recorded", done.stderr)
                self.assertEqual(self.state(), before, command)
        finally:
            self.site.sql("DROP TRIGGER no_record")
        self.site.cli("key", "delete", name)

    def test_what_a_user_does_is_recorded_or_not_done_as_well(self):
        name, password = unique("u"), "correct horse battery"
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
            f.write(password + "\n")
            f.flush()
            self.site.cli("user", "create", name, "--role", "admin", "--password-file", f.name)
        people = "SELECT COUNT(*) FROM session WHERE user_name = '%s'" % name
        login = {"name": name, "password": password}
        self.site.sql(TRIGGER)
        try:
            self.assertNotEqual(self.site.api("session/login", login)["retcode"], 0)
            self.assertEqual(self.site.sql(people), [["0"]])
        finally:
            self.site.sql("DROP TRIGGER no_record")
        self.assertEqual(self.site.api("session/login", login)["retcode"], 0)
        self.assertEqual(self.site.sql(people), [["1"]])
        self.site.cli("user", "delete", name)

    def test_a_rule_is_recorded_with_its_bounds(self):
        self.site.make_key("mia", "viewer")
        self.addCleanup(self.site.cli, "key", "delete", "mia")
        since, space = self.last(), unique("s")
        self.site.cli("grant", "8888", "--datasets", space + "/t", "--until", "2099-12-31", "--uses", "7",
                      "--approval-by", "mia", "--approval-within", "48h")
        self.assertEqual(self.rows(since), [[
            "grant", "8888 as *: dataset %s t" % space,
            "until 2099-12-31T00:00:00Z; uses 7; to be approved by mia within 172800 s"]])

    def test_a_rule_that_was_not_there_was_not_taken_away(self):
        space = unique("s")
        since = self.last()
        self.site.cli("revoke", "8888", "--datasets", space + "/t")
        self.assertEqual(self.rows(since), [])
        self.site.cli("grant", "8888", "--datasets", space + "/t")
        since = self.last()
        self.site.cli("revoke", "8888", "--datasets", space + "/t")
        self.assertEqual(self.rows(since), [["revoke", "8888 as *: dataset %s t" % space, ""]])

    def test_a_record_does_nothing_to_the_terminal_of_who_reads_it(self):
        # A path that was asked for, as it stands in the record.
        mark = unique("m")
        self.site.sql("INSERT INTO audit (actor, action, subject, outcome, detail) VALUES ('%s', 'request',"
                      " CONCAT('/v1/', CHAR(27), '[2J', CHAR(10), 'FINDING'), 'refused', CONCAT('x', CHAR(127)))" % mark)
        shown = self.site.cli("audit", "--actor", mark).stdout
        self.assertIn("/v1/?[2J; FINDING", shown)
        self.assertNotRegex(shown, "[\x1b\x7f]")
        self.assertEqual(len(shown.splitlines()), 2, shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
