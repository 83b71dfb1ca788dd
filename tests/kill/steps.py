"""The steps of a two-party job, in the order in which they happen, and where each becomes true: the program that
writes it (S supervisor, R request handler, H shepherd) at which site, and the statement or call by which it does."""

PROGRAMS = {"R": "sluice-fcgi", "S": "sluice-supervisor", "H": "sluice-shepherd"}


class Step:
    def __init__(self, number, name, where, text="", values=(), call="sql", count=1):
        self.number = number
        self.name = name
        self.program = PROGRAMS[where[0]]
        self.site = {"g": "guest", "h": "host"}[where[2]]
        self.text = text
        self.values = values
        self.call = call
        self.count = count


# Where: program/site.  A statement is known by a part of its text that names the table and the column.
STEPS = [Step(number, *row[0], **row[1]) for number, row in enumerate([
    (("submit accepted", "R/g", "INSERT INTO job ("), {}),
    (("job claimed", "S/g", "lease_fence = lease_fence + 1"), {}),
    (("create taken by the partner", "R/h", "INSERT INTO job ("), {}),
    (("create acknowledged", "S/g", "UPDATE job_party SET created"), {}),
    (("resources granted by the partner", "R/h", "INSERT INTO resource_grant"), {}),
    (("resources granted here", "S/g", "INSERT INTO resource_grant"), {}),
    (("start taken by the partner", "R/h", "UPDATE job SET started_at"), {}),
    (("start acknowledged", "S/g", "UPDATE job_party SET started"), {}),
    (("job runs", "S/g", "UPDATE job SET started_at"), {}),
    (("launch wanted at the partner", "R/h", "SET launch_wanted = 1"), {}),
    (("attempt claimed here", "S/g", "INSERT INTO attempt"), {}),
    (("attempt claimed by the partner", "S/h", "INSERT INTO attempt"), {}),
    (("shepherd started by the partner", "S/h"), {"call": "shepherd"}),
    (("executor up at the partner", "H/h", "fault = COALESCE(NULLIF(?, ''), fault)", ("running",)), {}),
    (("task runs here as the partner says", "R/g", "fault = COALESCE(NULLIF(?, ''), fault)", ("running",)), {}),
    (("object written to the ledger", "H/g", "INSERT INTO egress"), {}),
    (("object received by the partner", "R/h"), {"call": "link"}),
    (("task end written by the partner", "H/h", "SET a.ended_at = NOW(6)"), {}),
    (("task end reported to the initiator", "R/g", "fault = COALESCE(NULLIF(?, ''), fault)", ("success",)), {}),
    (("report acknowledged", "S/h", "SET report_due = 0", ("success",)), {}),
    (("verdict over the task", "S/g", "ended_at = IF(run_here, ended_at,", ("success",)), {}),
    (("next task wanted at the partner", "R/h", "SET launch_wanted = 1"), {"count": 2}),
    (("last task end written here", "H/g", "SET a.ended_at = NOW(6)"), {"count": 4}),
    (("model staged by the partner", "R/h", "INSERT INTO model ("), {}),
    (("manifest acknowledged", "S/g", "SET manifest_hash = ?"), {}),
    (("job end, own model sealed", "S/g", "UPDATE job SET ended_at"), {}),
    (("partner seals and ends", "R/h", "UPDATE model SET state = 'sealed'"), {}),
    (("partner's end acknowledged", "S/g", "UPDATE job_party SET ended"), {}),
    (("what members acknowledged written", "S/g", "SET start_acked"), {}),
    (("job settled", "S/g", "SET settled = 1"), {}),
    # Beside these: what the sites sign for each other.
    (("contract signed by the partner", "S/h", "INSERT INTO contract_signature"), {}),
    (("head of the chain signed here", "S/g", "SET x.own_seq"), {}),
    (("head of the chain signed by the partner", "S/h", "SET x.own_seq"), {}),
    (("heads exchanged", "S/g", "SET x.told = GREATEST"), {}),
], 1)]
