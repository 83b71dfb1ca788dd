"""Routes of users, by role: whoever has too little of a role, or none, gets
no further than the refusal."""
import uuid

from federation import signature
from test_session import Browser, make_user

ROLES = {"viewer": 1, "modeler": 2, "admin": 3}


class Users:
    def __init__(self, world):
        self.site = site = world.guest
        name = lambda: "h" + uuid.uuid4().hex[:10]
        self.keys = {role: site.make_key(name(), role) for role in ROLES}
        gone = site.make_key(name(), "admin")
        site.cli("key", "disable", gone["name"])
        self.keys["disabled admin"] = gone
        self.browsers = {}
        for role in ("viewer", "modeler", "admin"):
            user = name()
            assert make_user(site, user, role).returncode == 0
            self.browsers[role] = Browser(site)
            assert self.browsers[role].log_in(user)["retcode"] == 0

    def call(self, method, path, headers, url=None):
        browser = Browser(self.site, url)
        try:
            return browser.ask(method, path[len("/v1/"):], {}, headers)["retcode"]
        except ValueError:
            return 0

    def cases(self, method, path, audience):
        """(who, retcode) of callers that this route is not for."""
        need = ROLES[audience]
        yield "unsigned", self.call(method, path, {})
        yield "disabled", self.call(method, path, signature(self.keys["disabled admin"], path, b"{}"))
        stolen = dict(self.keys["viewer"], secret_key="wrong")
        if path.endswith("/query"):
            yield "wrong secret", self.call(method, path, signature(stolen, path, b"{}"))
        for role, rank in ROLES.items():
            if rank < need:
                yield role, self.call(method, path, signature(self.keys[role], path, b"{}"))
                yield role + " logged in", self.browsers[role].ask(method, path[len("/v1/"):], {})["retcode"]
        if method != "GET":
            token, self.browsers["admin"].token = self.browsers["admin"].token, None
            yield "admin's cookie without its token", self.browsers["admin"].ask(method, path[len("/v1/"):], {})["retcode"]
            self.browsers["admin"].token = token
