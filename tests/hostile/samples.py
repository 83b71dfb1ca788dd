"""A request for each route of partners that would be carried out as it
stands: what attacks are made of.  A route without one fails the suite."""
import json

from world import COMPONENT


class Sample:
    def __init__(self, pattern, target, signer, body=b"{}", method="POST", query="", free=(), **names):
        self.pattern, self.target, self.signer, self.method, self.query = pattern, target, signer, method, query
        self.body, self.names = body, names
        self.free = free  # attacks that are none here

    def path(self, **other):
        names = dict(self.names, **other)
        return "/".join(names[p[1:]] if p.startswith(":") else p for p in self.pattern.split("/"))


def samples(world):
    job = world.job
    documents = world.guest.sql("SELECT dsl, runtime_conf, contract FROM job WHERE job_id = '%s'" % job)
    # The batch client escapes what a text may hold.
    text = [t.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\") for t in documents[0]]
    signed = [{"role": r[0], "party_id": r[1], "key_id": r[2], "signed_at": int(r[3]), "signature": r[4]}
              for r in world.guest.sql("SELECT role, party_id, key_id, signed_s, signature FROM contract_signature"
                                       " WHERE job_id = '%s' AND revision = 0" % job)]
    create = json.dumps({"dsl": json.loads(text[0]), "runtime_conf": json.loads(text[1]),
                         "contract": json.loads(text[2]),
                         "signatures": [s for s in signed if s["party_id"] == world.guest.party]}).encode()
    own = json.dumps({"signature": [s for s in signed if s["role"] == "host"][0]}).encode()
    member = {"job": job, "role": "host", "party": world.host.party}
    task = dict(member, component=COMPONENT, task=job + "_" + COMPONENT, version="0")
    mail = {k: v for k, v in task.items() if k != "task"}
    on_job, on_task = "/v1/party/:job/:role/:party", "/v1/party/:job/:component/:task/:version/:role/:party"

    def to_host(pattern, names, **kw):
        return Sample(pattern, world.host, world.guest, **dict(names, **kw))

    def to_guest(pattern, names, **kw):
        return Sample(pattern, world.guest, world.host, **dict(names, **kw))

    put = {"method": "PUT", "body": b"x", "query": "name=fore_gradient&tag=0.99&from=guest&part=0&parts=1"}
    # A ping is anybody's to ask, of any role.
    yield to_host("/v1/party/errand/:kind/:role/:party", {"role": "host", "party": world.host.party}, kind="ping",
                  free=("member", "role", "fields", "job"))
    yield to_host(on_job + "/create", member, body=create, free=("job",))
    yield to_host(on_job + "/reopen", member, body=create)
    for verb in ("resource/apply", "resource/return", "start", "model"):
        yield to_host(on_job + "/" + verb, member)
    yield to_host(on_job + "/status/:status", member, status="failed")
    yield to_host(on_job + "/stop/:status", member, status="canceled")
    yield to_host(on_task + "/create", dict(task, version="1"), body=b'{"auto_retries":1,"retry_delay_s":0}',
                  free=("version7",))  # which version comes next is the initiator's to say
    yield to_host(on_task + "/start", task)
    yield to_host(on_task + "/collect", task)
    yield to_host(on_task + "/status/:status", task, status="success")
    yield to_host(on_task + "/stop/:status", task, status="canceled")
    yield to_guest("/v1/initiator/:job/:role/:party/stop/:status", member, status="canceled")
    yield to_guest("/v1/initiator/:job/:role/:party/signature", member, body=own)
    yield to_guest("/v1/initiator/:job/:component/:task/:version/:role/:party/report", task,
                   body=b'{"party_status":"failed","progress":99}')
    for size in ("small", "large"):
        yield to_host("/v1/mailbox/%s/:job/:component/:version/:role/:party" % size, mail, free=("fields",), **put)
