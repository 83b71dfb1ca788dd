"""The classic toy test and horizontal training over real sites."""
import io
import tarfile
import unittest

from federation import Federation


def toy_conf(guest="9999", host="10000", **host_parameters):
    """As the classic client sends it: party ids are texts, the host's
    parameters stand directly under the role."""
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": guest},
        "role": {"guest": [guest], "host": [host]},
        "job_parameters": {"common": {"task_cores": 2}},
        "component_parameters": {"role": {
            "guest": {"0": {"secure_add_example_0": {"seed": 123}}},
            "host": {"secure_add_example_0": dict({"seed": 321}, **host_parameters)},
        }},
    }


TOY_DSL = {"components": {"secure_add_example_0": {"module": "SecureAddExample"}}}


def log_file(site, job, name):
    """A file of the downloaded log archive."""
    status, _, body = site.request("job/log/download", {"job_id": job})
    assert status == 200, status
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        for member in tar:
            if member.name.removeprefix("./") == name:
                return tar.extractfile(member).read().decode()
    raise AssertionError("%s is not in the archive of %s" % (name, job))


class Toy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def test_the_classic_toy_test_finds_its_lines(self):
        job = self.fed.submit(toy_conf(), TOY_DSL)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        lines = [line for line in log_file(self.fed.guest, job, "guest/9999/INFO.log").splitlines()
                 if "secure_add_guest" in line]
        self.assertTrue(lines[-1].endswith("Secure Add Result is 2000.0000"), lines)
        self.assertTrue(any("host sum is" in line for line in lines), lines)
        self.assertTrue(any("guest sum is" in line for line in lines), lines)
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "success")

    def test_a_failed_toy_test_says_why_in_the_error_log(self):
        job = self.fed.submit(toy_conf(data_num=999), TOY_DSL)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        text = log_file(self.fed.guest, job, "guest/9999/ERROR.log")
        reports = " ".join(str(t["f_error_report"]) for t in self.fed.guest.tasks(job))
        self.assertIn("data_num", text + reports)
        self.assertNotEqual(text, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
