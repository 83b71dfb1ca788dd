"""A private MariaDB server that listens on loopback: somebody's server with tables in it."""
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time

USER = "reader"
PASSWORD = "s3cret of the reader"


class Server:
    """Made with a database "shop" and a user that may do everything in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-mariadb-")
        self.socket = os.path.join(self.folder, "db.sock")
        self.port = free_port()
        user = ["--user=root"] if os.geteuid() == 0 else []
        data = os.path.join(self.folder, "data")
        # --force: names need not resolve, nobody connects by name.
        subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=" + data, *user, "--force",
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, capture_output=True, env=dict(os.environ, TMPDIR=self.folder))
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", "--datadir=" + data, "--socket=" + self.socket,
             "--tmpdir=" + self.folder,  # other servers' files are removed at the start
             "--bind-address=127.0.0.1", "--port=%d" % self.port, "--skip-log-bin",
             "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2",
             "--pid-file=" + os.path.join(self.folder, "pid"), *user],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()
        self.sql("CREATE DATABASE shop; CREATE USER '%s'@'127.0.0.1' IDENTIFIED BY '%s';"
                 "GRANT ALL ON shop.* TO '%s'@'127.0.0.1'; FLUSH PRIVILEGES;" % (USER, PASSWORD, USER), "")

    def wait(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if subprocess.run(["mariadb-admin", "--no-defaults", "--socket=" + self.socket, "-u", "root", "ping"],
                              check=False, capture_output=True).returncode == 0:
                return
            time.sleep(0.05)  # mariadbd offers no event to wait for
        raise AssertionError("mariadbd does not answer")

    def sql(self, text, db="shop"):
        out = subprocess.run(["mariadb", "--no-defaults", "--socket=" + self.socket, "-u", "root", "-N", "-B", db],
                             input=text, check=True, capture_output=True, text=True).stdout
        return [line.split("\t") for line in out.splitlines()]

    def hold(self, text):
        """A client that has said this and stays connected until it is killed."""
        client = subprocess.Popen(["mariadb", "--no-defaults", "--socket=" + self.socket, "-u", "root", "-N", "-B",
                                   "--unbuffered", "shop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        client.stdin.write(text + " SELECT 'held';\n")
        client.stdin.flush()
        while client.stdout.readline().strip() != "held":
            assert client.poll() is None
        return client

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, **more):
        return dict({"host": "127.0.0.1", "port": self.port, "user": USER, "passwd": PASSWORD, "db": "shop"}, **more)


def free_port():
    """Below those that Linux takes for outgoing connections: it is bound a moment later."""
    while True:
        port = random.randrange(12000, 20000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
