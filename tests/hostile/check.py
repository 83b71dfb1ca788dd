"""Every attack on every route: refused, recorded, nothing changed.  The last
line counts."""
import os
import subprocess
import sys

from attacks import Kit
from federation import BUILD, wait_for
from samples import samples
from users import ROLES, Users
from world import World

OK = (0, 10)
passed, failed = 0, []


def check(good, *what):
    global passed
    if good:
        passed += 1
    else:
        failed.append(what)
        print("FAILED", *what, flush=True)


def routes():
    out = subprocess.run([os.path.join(BUILD, "bin", "sluice-fcgi"), "--routes"], check=True, capture_output=True,
                         text=True).stdout
    return [line.split("\t")[:3] for line in out.splitlines()]


def refused(status, reply):
    """By the front end, or by the program with a code of its own."""
    if status == 0:
        return True
    return 400 <= status < 500 if "retcode" not in reply else (
        status < 500 and (reply["retcode"] not in OK + (100, 500, 999) or
                          reply.get("retmsg", "").startswith("404 Not Found")))


def attack(world, a, s):
    return world.send(s.target, a.certificate, a.request.method, a.target, a.request.body, a.headers)


def unlike(text, *names):
    for name in names:
        text = text.replace(name, "?")
    return text


def check_route(world, kit, s):
    """All attacks on one route; how many of them must have been recorded, and how many nginx kept to itself."""
    recorded, unheard, before, said = 0, 0, world.state(s.target), {}
    where = s.method + " " + s.pattern
    for a in kit.attacks(s):
        status, reply = attack(world, a, s)
        said[a.name] = reply.get("retmsg", "")
        check(refused(status, reply), where, a.name, status, reply)
        recorded += a.recorded
        unheard += a.front
    first, again = kit.replayed(s)
    attack(world, first, s)
    status, reply = attack(world, again, s)
    check(reply.get("retcode") == 109 and "replay" in reply.get("retmsg", ""), where, "replayed", status, reply)
    pair = ("of a job that is not the signer's", "of a job that is not there")
    if pair[0] in said and "job" not in s.free:
        check(unlike(said[pair[0]], world.others_job) == unlike(said[pair[1]], "2" * 21), where,
              "tells whether a job exists", said[pair[0]], said[pair[1]])
    after = world.state(s.target)
    for kind in (0, 1):
        changed = {k: (before[kind].get(k), after[kind].get(k)) for k in before[kind].keys() | after[kind].keys()
                   if before[kind].get(k) != after[kind].get(k)}
        check(not changed, where, "something changed", changed)
    return recorded + 1, unheard


def check_partners(world):
    kit = Kit(world)
    mine = {(s.method, s.pattern): s for s in samples(world)}
    wanted = [tuple(r[:2]) for r in routes() if r[2] == "partner"]
    seen = {s.party: world.recorded(s) for s in (world.guest, world.host)}
    due, unheard = dict.fromkeys(seen, 0), dict.fromkeys(seen, 0)
    for route in wanted:
        check(route in mine, "no sample of", *route)
        if route in mine:
            recorded, silent = check_route(world, kit, mine[route])
            due[mine[route].target.party] += recorded
            unheard[mine[route].target.party] += silent
    for site in (world.guest, world.host):
        def all_told(site=site):
            # One more refusal tells how many were only counted before it: of strangers, and of who proved who he is.
            s = next(s for s in mine.values() if s.target is site and "job" in s.names)
            r = kit.make(s, nonce="short")
            world.send(site, s.signer, r.method, r.path, r.body, r.headers)
            for signer in (s.signer, world.arbiter):
                r = kit.make(s, signer=signer, path=s.path(job="4" * 21, task="4" * 21 + "_hetero_lr_0"))
                world.send(site, signer, r.method, r.path, r.body, r.headers)
            return world.recorded(site) - seen[site.party] >= due[site.party]
        try:
            wait_for(all_told, what="records")
            check(True)
        except AssertionError:
            check(False, site.party, "records", world.recorded(site) - seen[site.party], "of", due[site.party])
    return unheard


def check_front(world, unheard):
    """What only nginx knew of stands in the record, too, once the supervisors go on."""
    for site in (world.guest, world.host):
        check(unheard[site.party] > 0, site.party, "no attack is refused by the front end")
        try:
            wait_for(lambda s=site: world.refused_by_front(s) >= unheard[s.party], what="records")
            check(True)
        except AssertionError:
            check(False, site.party, "front", world.refused_by_front(site), "of", unheard[site.party])


def check_users(world):
    users = Users(world)
    before = world.state(world.guest)
    for method, pattern, audience in routes():
        path = "/".join("x" if p.startswith(":") else p for p in pattern.split("/"))
        if audience in ROLES:
            for who, code in users.cases(method, path, audience):
                check(code in (108, 109), method, pattern, who, code)
        elif audience == "partner":
            for url in (world.guest.url, world.guest.tls_url):
                check(users.call(method, path, {}, url) not in OK, method, pattern, "asked by a user")
    after = world.state(world.guest)
    check(after == before, "users changed something",
          {k: v for k, v in after[0].items() if before[0].get(k) != v}, set(after[1].items()) ^ set(before[1].items()))


def main():
    world = World()
    try:
        unheard = check_partners(world)
        check_users(world)
    finally:
        world.thaw()
    check_front(world, unheard)
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
