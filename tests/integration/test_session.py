"""People who log in: passwords, cookies, lock-out, and nothing that gives a secret away."""
import base64
import concurrent.futures
import http.client
import json
import os
import re
import ssl
import subprocess
import tempfile
import time
import unittest
import uuid

from federation import BUILD, Federation
from partner import Request

PASSWORD = "a long walk by the sea"


def unique(prefix):
    return "%s-%s" % (prefix, uuid.uuid4().hex[:8])


def make_user(site, name, role="viewer", password=PASSWORD, command="create"):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
        f.write(password + "\n")
        f.flush()
        args = ["user", command, name, "--password-file", f.name]
        return site.cli(*args, *(["--role", role] if command == "create" else []), check=False)


class Browser:
    """Keeps cookies and the token; speaks HTTPS unless told otherwise."""

    def __init__(self, site, url=None):
        self.url = url or site.tls_url
        self.site = site
        self.cookies, self.token, self.set_cookie = {}, None, None
        self.address = "127.0.0.1"  # it comes from
        self.headers = {}

    def ask(self, method, path, body=None, headers=None):
        scheme, _, host = self.url.partition("://")
        if scheme == "https":
            context = ssl.create_default_context(cafile=os.path.join(self.site.home, "keys", "tls.crt"))
            link = http.client.HTTPSConnection(host, timeout=60, context=context, source_address=(self.address, 0))
        else:
            link = http.client.HTTPConnection(host, timeout=60, source_address=(self.address, 0))
        head = {"Content-Type": "application/json"}
        if self.cookies:
            head["Cookie"] = "; ".join("%s=%s" % c for c in self.cookies.items())
        if self.token:
            head["X-CSRF-TOKEN"] = self.token
        head.update(headers or {})
        link.request(method, "/v1/" + path, None if body is None else json.dumps(body),
                     {k: v for k, v in head.items() if v is not None})
        reply = link.getresponse()
        self.status, self.headers = reply.status, reply.headers
        self.set_cookie = reply.headers.get("Set-Cookie")
        if self.set_cookie:
            name, _, value = self.set_cookie.split(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        data = json.loads(reply.read())
        link.close()
        return data

    def log_in(self, name, password=PASSWORD, **headers):
        reply = self.ask("POST", "session/login", {"name": name, "password": password}, headers)
        if reply["retcode"] == 0:
            self.token = reply["data"]["csrf_token"]
        return reply

    def query(self, **headers):
        return self.ask("POST", "job/query", {"job_id": "1"}, headers)


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Federation().arbiter

    def user(self, role="viewer"):
        name = unique("u")
        done = make_user(self.site, name, role)
        self.assertEqual(done.returncode, 0, done.stderr)
        return name

    def logged_in(self, role="viewer", url=None):
        b = Browser(self.site, url)
        name = self.user(role)
        reply = b.log_in(name)
        self.assertEqual(reply["retcode"], 0, reply)
        return b, name

    def refused(self, reply, code, text):
        self.assertEqual(reply["retcode"], code, reply)
        self.assertIn(text, reply["retmsg"])

    def audit(self, name):
        return [tuple(r) for r in self.site.sql(
            "SELECT action, outcome FROM audit WHERE actor = 'user %s' ORDER BY id" % name)]

    # --- by the command line ----------------------------------------------------

    def cli(self, home, *args, password=None):
        """A command of somebody whose account has that home."""
        env = {k: v for k, v in os.environ.items() if k != "XDG_STATE_HOME"}
        return subprocess.run([os.path.join(BUILD, "bin", "sluice"), *args], check=False, capture_output=True, text=True,
                              env=dict(env, HOME=home), input=password)

    def test_who_has_a_password_uses_the_command_line(self):
        name = self.user("viewer")
        conf = ("--config", os.path.join(self.site.home, "site.conf"))
        tls = ("--url", self.site.tls_url, "--ca", os.path.join(self.site.home, "keys", "tls.crt"))
        for place in (conf, tls):
            with tempfile.TemporaryDirectory() as home:
                def run(*args, home=home, place=place, **kw):
                    return self.cli(home, *args, *place, **kw)
                done = run("login", name, "--password-fd", "0", password="not this one, surely\n")
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(os.listdir(home), [])
                for password, words in (("\n", "the password is empty: one has 1 to 128 bytes"), ("wrong\n", "(retcode 109)")):
                    done = run("login", name, "--password-fd", "0", password=password)
                    self.assertEqual(done.returncode, 1)
                    self.assertTrue(done.stderr.strip().endswith(words), done.stderr)
                done = run("login", name, "--password-fd", "0", password=PASSWORD + "\n")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("as %s, viewer, until 20" % name, done.stdout)
                folder = os.path.join(home, ".local", "state", "sluice")
                [kept] = [os.path.join(folder, f) for f in os.listdir(folder)]
                self.assertEqual(os.stat(kept).st_mode & 0o7777, 0o600)
                with open(kept, encoding="ascii") as f:
                    text = f.read()
                self.assertNotIn(PASSWORD, text)
                # Neither went in the clear, for the site has TLS.
                self.assertEqual((json.loads(text)["url"], json.loads(text)["cookie"].split("=")[0]),
                                 (self.site.tls_url, "__Host-sluice-" + self.site.party))
                # What follows is that person's, with what the role allows.
                self.assertEqual(run("jobs").returncode, 0)
                done = run("stop", "202001010000000000001")
                self.assertEqual(done.returncode, 1)
                self.assertIn("user %s has the role viewer" % name, done.stderr)
                os.chmod(kept, 0o644)
                self.assertIn("0600 is needed", run("jobs").stderr)
                os.chmod(kept, 0o600)
                done = run("logout")
                self.assertIn("%s is logged out at " % name, done.stdout)
                self.assertEqual(os.listdir(folder), [])
                self.assertIn("nobody is logged in", run("logout").stderr)
                # The session itself is over, not only forgotten.
                with open(os.open(kept, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
                    f.write(text)
                done = run("jobs")
                self.assertEqual(done.returncode, 1)
                self.assertIn("the session has ended: log in again", done.stderr)
                self.assertEqual(run("logout").returncode, 0)
        self.assertEqual(self.audit(name).count(("log-in", "ok")), 2)
        self.assertEqual(self.audit(name).count(("log-out", "ok")), 2)

    def test_a_key_of_the_configuration_takes_over_from_a_session_that_has_ended(self):
        name = self.user("viewer")
        with tempfile.TemporaryDirectory() as home:
            with open(os.path.join(self.site.home, "site.conf"), encoding="utf-8") as f:
                text = f.read()
            key, conf = os.path.join(home, "key.json"), os.path.join(home, "site.conf")
            made = self.site.make_key(unique("k"), "viewer")
            with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
                json.dump(made, f)
            text = re.sub(r"(?m)^home *=.*$", "home = " + self.site.home, text)
            with open(conf, "w", encoding="utf-8") as f:
                f.write(re.sub(r"(?m)^(\[client\])$((?:\n(?!\[).*)*?)\nkey_file *=.*$",
                               lambda m: m.group(1) + m.group(2) + "\nkey_file = " + key, text))

            def run(*args, **kw):
                return self.cli(home, *args, "--config", conf, **kw)

            def stop():
                """Who is told what the role is."""
                return run("stop", "202001010000000000001").stderr
            self.assertIn("client %s has the role viewer" % made["name"], stop())
            self.assertEqual(run("login", name, "--password-fd", "0", password=PASSWORD + "\n").returncode, 0)
            self.assertIn("user %s has the role viewer" % name, stop())
            # A key is no session: there is nothing of it to end.
            self.assertEqual(run("logout", "--app-key-file", key).returncode, 2)
            self.site.sql("UPDATE session SET expires_at = NOW(6) WHERE user_name = '%s'" % name)
            said = stop()
            self.assertIn("the session of %s has ended: the key of %s is used" % (name, key), said)
            self.assertIn("client %s has the role viewer" % made["name"], said)
            # What a person is to decide is not decided by the key, also when another command was told so.
            for command in (("approve",), ("reject", "--note", "no")):
                done = run(command[0], "202001010000000000001", *command[1:])
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("the session of %s has ended, and this is a person's" % name, done.stderr)
                self.assertNotIn("no job", done.stderr)
            self.assertIn("there is no job", run("approve", "202001010000000000001", "--app-key-file", key).stderr)
            self.assertIn("has ended", stop())
            self.assertEqual(run("logout").returncode, 0)
            self.assertNotIn("has ended", stop())
            self.assertIn("there is no job", run("approve", "202001010000000000001").stderr)

    def test_no_password_leaves_the_machine_in_the_clear(self):
        with tempfile.TemporaryDirectory() as home:
            # A name that begins like an address of this machine is another's.
            for url in ("http://192.0.2.1:8080", "http://127.0.0.1.example.org", "http://localhost.example.org", "http://[::1].x"):
                done = self.cli(home, "login", "mia", "--url", url, "--password-fd", "0", password="x\n")
                self.assertEqual(done.returncode, 1, url)
                self.assertRegex(done.stderr, "by https only|bad port", url)

    # --- the way in and out ----------------------------------------------------

    def test_who_logs_in_may_do_what_the_role_allows_until_logged_out(self):
        b, name = self.logged_in("modeler")
        self.assertEqual(b.query()["retcode"], 0)
        who = b.ask("GET", "session")["data"]
        self.assertEqual((who["name"], who["role"], who["by"], who["csrf_token"]), (name, "modeler", "session", b.token))
        self.assertGreater(who["expires"], time.time() * 1000)
        self.refused(b.ask("POST", "permission/grant", {"party_id": 1, "component": "*"}), 108, "needs admin")
        kept = dict(b.cookies)
        self.assertEqual(b.ask("POST", "session/logout", {})["retcode"], 0)
        self.assertEqual(b.cookies, {})
        b.cookies = kept
        self.refused(b.query(), 109, "has ended")
        self.assertEqual(self.audit(name), [("log-in", "ok"), ("request", "refused"), ("log-out", "ok")])

    def test_the_cookie_is_hidden_from_pages_and_kept_to_this_site(self):
        b, _ = self.logged_in()
        name = "__Host-sluice-" + self.site.party
        self.assertRegex(b.set_cookie, r"^%s=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Secure$" % name)
        plain, _ = self.logged_in(url=self.site.url)
        self.assertRegex(plain.set_cookie, r"^sluice-%s=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict$" % self.site.party)
        self.assertEqual(plain.query()["retcode"], 0)
        # A cookie of plain HTTP is none by HTTPS, and what is wrong is not read as absent.
        b.cookies = {"sluice-" + self.site.party: b.cookies[name]}
        self.refused(b.query(), 109, "not signed")
        plain.cookies["sluice-" + self.site.party] = "A" * 43
        self.refused(plain.query(), 109, "has ended")

    def test_ids_are_random_and_only_their_hashes_are_kept(self):
        b, name = self.logged_in()
        c = Browser(self.site)
        c.log_in(name)
        self.assertNotEqual(b.cookies, c.cookies)
        value = next(iter(b.cookies.values()))
        raw = base64.urlsafe_b64decode(value + "=")
        rows = [r[0] for r in self.site.sql("SELECT HEX(hash) FROM session WHERE user_name = '%s'" % name)]
        self.assertEqual(len(rows), 2)
        self.assertNotIn(raw.hex().upper(), rows)
        password = self.site.sql("SELECT password FROM site_user WHERE name = '%s'" % name)[0][0]
        self.assertRegex(password, r"^\$argon2id\$v=19\$m=65536,t=3,p=1\$")

    def test_who_was_logged_in_has_guessed_nothing(self):
        # From an address of its own: who fails too often is locked out there for a minute.
        b, name = self.logged_in()
        c = Browser(self.site)
        c.log_in(name)
        kept = dict(b.cookies)
        b.ask("POST", "session/logout", {})
        for browser, address in ((b, "127.0.0.77"), (c, "127.0.0.77")):
            browser.address = address
        for _ in range(40):
            b.cookies = dict(kept)
            self.refused(b.query(), 109, "the session has ended: log in again")
        self.assertEqual(b.query()["data"], {"code": "session_ended"})
        self.assertEqual(c.query()["retcode"], 0)
        # What was never one of this site's may be a guess.
        cookie = next(iter(kept))
        for _ in range(40):
            b.cookies = {cookie: "A" * 43}
            last = b.query()
        self.refused(last, 109, "failed to authenticate lately")

    def test_what_is_over_takes_little_room(self):
        b, name = self.logged_in()
        count = "SELECT SUM(expires_at > NOW(6)), SUM(expires_at <= NOW(6)) FROM session WHERE user_name = '%s'" % name
        old = ", ".join("(UNHEX(SHA2('%s %d', 256)), '%s', NOW(6) - INTERVAL %d SECOND)" % (name, i, name, i)
                        for i in range(1, 131))
        new = ", ".join("(UNHEX(SHA2('%s-%d', 256)), '%s', NOW(6) + INTERVAL 1 HOUR)" % (name, i, name) for i in range(22))
        self.site.sql("INSERT INTO session (hash, user_name, expires_at) VALUES %s, %s" % (old, new))
        self.assertEqual(Browser(self.site).log_in(name)["retcode"], 0)
        [[live, over]] = self.site.sql(count)
        self.assertEqual((live, over), ("20", "100"))
        self.refused(b.query(), 109, "has ended")

    def test_two_cookies_are_one_too_many(self):
        b, _ = self.logged_in()
        pair = "%s=%s" % next(iter(b.cookies.items()))
        self.refused(b.query(Cookie=pair + "; " + pair), 109, "2 cookies")

    # --- what other pages make a browser send -------------------------------------

    def test_a_change_needs_the_token(self):
        b, _ = self.logged_in("admin")
        token = b.token
        for wrong in (None, "", "0" * 32, token[:-1], token + "0"):
            b.token = None
            reply = b.ask("POST", "job/query", {"job_id": "1"}, {"X-CSRF-TOKEN": wrong})
            self.refused(reply, 109, "X-CSRF-TOKEN")
        b.token = token
        self.assertEqual(b.query()["retcode"], 0)

    def test_requests_of_other_pages_are_refused(self):
        b, name = self.logged_in()
        self.assertEqual(b.query(Origin=b.url)["retcode"], 0)
        for origin in ("https://evil.example", b.url.replace("https", "http"), "null", b.url + "0"):
            self.refused(b.query(Origin=origin), 109, "pages of")
            self.refused(b.log_in(name, Origin=origin), 109, "pages of")
        self.refused(b.query(**{"Sec-Fetch-Site": "cross-site"}), 109, "other sites")

    # --- guessing --------------------------------------------------------------------

    def worked(self):
        """Ticks of processor time that the request handlers have used: others on the machine do not count."""
        parent, total = self.site.pid("fcgi-app"), 0
        with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
            for pid in f.read().split():
                with open("/proc/%s/stat" % pid, encoding="ascii") as stat:
                    total += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        return total

    def test_an_unknown_name_and_a_wrong_password_are_answered_alike(self):
        name = self.user()
        texts, times = set(), {}
        for who in (name, unique("nobody"), "no name at all!"):
            begin = self.worked()
            reply = Browser(self.site).log_in(who, "wrong")
            times[who] = self.worked() - begin
            self.assertEqual(reply["retcode"], 109, reply)
            texts.add(reply["retmsg"])
        self.assertEqual(len(texts), 1)
        # Each of them hashed; a look-up alone takes a hundredth of that.
        self.assertGreater(min(times.values()), 0.3 * max(times.values()), times)

    def test_a_user_is_locked_for_longer_each_time(self):
        name = self.user()
        b = Browser(self.site)
        seconds = []
        for i in range(7):
            self.refused(b.log_in(name, "wrong"), 109, "name or password is wrong")
            left = self.site.sql("SELECT COALESCE(TIMESTAMPDIFF(SECOND, NOW(6), locked_until), 0), failed"
                                 " FROM site_user WHERE name = '%s'" % name)[0]
            self.assertEqual(left[1], str(i + 1))
            if int(left[0]) > 0:
                seconds.append(int(left[0]))
                # Nobody gets in now, and what is tried meanwhile does not count.
                self.refused(b.log_in(name), 109, "name or password is wrong")
                self.site.sql("UPDATE site_user SET locked_until = NOW(6) WHERE name = '%s'" % name)
        self.assertEqual([round(s / 30) for s in seconds], [1, 2, 4])
        self.assertEqual(b.log_in(name)["retcode"], 0)
        self.assertEqual(self.site.sql("SELECT failed FROM site_user WHERE name = '%s'" % name), [["0"]])
        rows = self.audit(name)
        self.assertEqual(rows.count(("lock-out", "refused")), 3)
        # Of a flood of refusals, which the tests before this one may be, some are counted only.
        self.assertLessEqual(rows.count(("log-in", "refused")), 10)

    def test_an_operator_unlocks(self):
        name = self.user()
        self.site.sql("UPDATE site_user SET failed = 9, locked_until = NOW(6) + INTERVAL 1 HOUR WHERE name = '%s'" % name)
        self.assertIn("locked", [u["state"] for u in json.loads(self.site.cli("user", "list", "--json").stdout)
                                 if u["name"] == name])
        self.refused(Browser(self.site).log_in(name), 109, "")
        self.site.cli("user", "unlock", name)
        self.assertEqual(Browser(self.site).log_in(name)["retcode"], 0)

    def test_a_flood_is_asked_to_wait_and_memory_stays_bounded(self):
        name = self.user()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            def one(_):
                b = Browser(self.site)
                b.log_in(name)
                return b.status, b.headers.get("Retry-After")
            answers = list(pool.map(one, range(24)))
        self.assertTrue(all(s in (200, 503) for s, _ in answers), answers)
        self.assertTrue(any(s == 503 and int(wait) > 0 for s, wait in answers), answers)
        self.assertTrue(any(s == 200 for s, _ in answers), answers)

    # --- ends ------------------------------------------------------------------------

    def test_a_session_ends_unused_and_anyway(self):
        for column, value in (("seen_at", "NOW(6) - INTERVAL 1801 SECOND"), ("expires_at", "NOW(6)")):
            b, name = self.logged_in()
            self.site.sql("UPDATE session SET seen_at = NOW(6) - INTERVAL 1700 SECOND WHERE user_name = '%s'" % name)
            self.assertEqual(b.query()["retcode"], 0)
            idle = "SELECT TIMESTAMPDIFF(SECOND, seen_at, NOW(6)) < 60 FROM session WHERE user_name = '%s'" % name
            self.assertEqual(self.site.sql(idle), [["1"]])
            self.site.sql("UPDATE session SET %s = %s WHERE user_name = '%s'" % (column, value, name))
            self.refused(b.query(), 109, "has ended")

    def test_another_password_ends_all_sessions(self):
        b, name = self.logged_in()
        c = Browser(self.site)
        c.log_in(name)
        new = "quite another long walk"
        change = {"old_password": PASSWORD, "new_password": new}
        self.refused(b.ask("POST", "session/password", dict(change, old_password="wrong")), 109, "is wrong")
        for bad in ("short", "x" * 129, "a" * 20, "so good for " + name, "tab\there is no good"):
            self.assertEqual(b.ask("POST", "session/password", dict(change, new_password=bad))["retcode"], 101, bad)
        self.assertEqual(b.query()["retcode"], 0)
        self.assertEqual(b.ask("POST", "session/password", change)["retcode"], 0)
        self.refused(c.query(), 109, "has ended")
        self.refused(Browser(self.site).log_in(name), 109, "")
        self.assertEqual(c.log_in(name, new)["retcode"], 0)
        self.assertEqual(make_user(self.site, name, command="password").returncode, 0)
        self.refused(c.query(), 109, "has ended")
        self.assertEqual(c.log_in(name)["retcode"], 0)
        self.assertIn(("password changed", "ok"), self.audit(name))

    def test_a_disabled_user_is_out_at_once(self):
        b, name = self.logged_in()
        self.site.cli("user", "disable", name)
        self.refused(b.query(), 109, "has ended")
        self.refused(b.log_in(name), 109, "name or password")
        self.site.cli("user", "enable", name)
        b.token = None
        self.refused(b.query(), 109, "")
        self.assertEqual(b.log_in(name)["retcode"], 0)
        self.site.cli("user", "delete", name)
        self.refused(b.query(), 109, "has ended")
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM session WHERE user_name = '%s'" % name), [["0"]])

    def test_a_key_changes_no_password(self):
        key = self.site.signed(self.site.make_key(unique("k"), "admin"), tls=True)
        reply = key.api("session/password", {"old_password": "x", "new_password": PASSWORD})
        self.refused(reply, 108, "logged in")
        self.assertEqual(key.ok("session/logout", {})["retcode"], 0)

    def test_wrong_input_is_told(self):
        b = Browser(self.site)
        for body in ({}, {"name": "x"}, {"name": 1, "password": "x"}, {"name": "x", "password": ["y"]},
                     {"name": "x", "password": ""}, {"name": "x" * 65, "password": "y"}, {"name": "x", "password": "y" * 129}):
            self.assertEqual(b.ask("POST", "session/login", body)["retcode"], 101, body)

    def test_users_are_not_made_of_wrong_words(self):
        name = self.user()
        for code, args, password in ((1, (name, "viewer"), PASSWORD), (2, ("x y", "viewer"), PASSWORD),
                                     (2, (unique("u"), "root"), PASSWORD), (1, (unique("u"), "viewer"), "short")):
            self.assertEqual(make_user(self.site, *args, password=password).returncode, code, args)
        done = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "user", "create", unique("u"), "--role", "viewer",
                               "--config", os.path.join(self.site.home, "site.conf")], stdin=subprocess.DEVNULL,
                              start_new_session=True, check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--password-file", done.stderr)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            os.chmod(f.name, 0o644)
            done = self.site.cli("user", "create", unique("u"), "--role", "viewer", "--password-file", f.name, check=False)
            self.assertIn("lets others in", done.stderr)

    # --- what is told to anybody ------------------------------------------------------

    def test_being_open_on_loopback_is_said_aloud(self):
        self.assertEqual(self.site.ok("health", None, method="GET")["data"]["authentication"], "OFF ON LOOPBACK")
        self.assertEqual(self.site.ok("server/version/get")["data"]["AUTHENTICATION"], "OFF ON LOOPBACK")
        with open(os.path.join(self.site.home, "logs", "fcgi-app.log"), encoding="utf-8") as f:
            self.assertIn("AUTHENTICATION OF USERS IS OFF", f.read())

    def secrets(self, browser, key, name):
        """What this site has that nobody may be told, each by where it is."""
        found = {"app secret": key["secret_key"], "cookie": next(iter(browser.cookies.values()))}
        keys = os.path.join(self.site.home, "keys")
        for file in os.listdir(keys):
            if file.endswith((".pub", ".crt", ".pem")):
                continue
            with open(os.path.join(keys, file), encoding="ascii") as f:
                for line in f:
                    word = line.split()[-1] if line.split() else ""
                    if len(word) >= 20 and "--" not in line:
                        found["%s %d" % (file, len(found))] = word
        for table, column, where in (("site_user", "password", "name = '%s'" % name),
                                     ("client_key", "secret", "name = '%s'" % key["name"]),
                                     ("session", "HEX(hash)", "user_name = '%s'" % name)):
            found[table] = self.site.sql("SELECT %s FROM %s WHERE %s" % (column, table, where))[0][0]
        return found

    def as_partner(self, path, body, method):
        guest = Federation().guest
        with open(os.path.join(guest.home, "keys", "sign.key"), encoding="ascii") as f:
            seed = base64.b64decode(f.read().split()[1])
        return Request(seed, guest.party, self.site.party, path, json.dumps(body).encode(), method).send(
            self.site, guest.home)

    def test_no_route_tells_a_secret(self):
        site = self.site
        key = site.make_key(unique("k"), "admin")
        browser, name = self.logged_in("admin")
        secrets = self.secrets(browser, key, name)
        self.assertGreater(len(secrets), 10, secrets.keys())
        program = os.path.join(BUILD, "bin", "sluice-fcgi")
        rows = subprocess.run([program, "--routes"], check=True, capture_output=True, text=True).stdout.splitlines()
        bodies = [{}, {"name": key["name"], "key_name": "private", "party_id": site.party, "role": "arbiter",
                       "job_id": "20250101000000", "key": "x", "config_path": site.home + "/keys/sign.key",
                       "connector_name": "x", "namespace": "x", "server_name": "x", "module": "SLUICE",
                       "password": "x", "file": site.home + "/keys/sign.key", "path": site.home + "/site.conf"}]
        admin = site.signed(key, tls=True)
        asked = 0
        for row in rows:
            method, path, audience, body = row.split("\t")
            path = re.sub(r":\w+", "1", path)
            if path in ("/v1/session/logout", "/v1/server/reload"):
                continue
            for b in bodies:
                if audience == "partner":
                    text = str(self.as_partner(path, b, method))
                else:
                    answer = admin.request(path[len("/v1/"):], b if method == "POST" else None, method=method)
                    text = str(answer[1]) + answer[2].decode("latin-1")
                for where, secret in secrets.items():
                    self.assertNotIn(secret, text, (where, path))
                asked += 1
        self.assertGreater(asked, 200)


if __name__ == "__main__":
    unittest.main()
