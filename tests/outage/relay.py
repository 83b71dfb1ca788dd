"""A bad line between two sites: a TCP relay that delays, throttles, cuts, refuses or falls silent.  It loses, repeats
and changes nothing of what it passes on."""
import queue
import random
import socket
import struct
import threading
import time

CHUNK = 65536


class Pump(threading.Thread):
    """One direction of one connection."""

    def __init__(self, relay, source, sink, counts):
        super().__init__(daemon=True)
        self.relay, self.source, self.sink, self.counts = relay, source, sink, counts
        self.line = queue.Queue(64)
        self.start()

    def run(self):
        writer = threading.Thread(target=self.write, daemon=True)
        writer.start()
        due = 0
        try:
            while data := self.source.recv(CHUNK):
                due = max(due, time.monotonic() + self.relay.delay())
                self.line.put((due, data))
        except OSError:
            pass
        self.line.put((due, None))
        writer.join()

    def write(self):
        passed, limit = 0, self.relay.cut_at() if self.counts else None
        while True:
            due, data = self.line.get()
            self.relay.may_pass(self)
            rest = due - time.monotonic()
            if rest > 0:
                time.sleep(rest)  # the line is that long
            if data is None:
                self.shut(socket.SHUT_WR)
                return
            if limit is not None and passed + len(data) > limit:
                self.relay.cuts += 1
                self.reset()
                return
            passed += len(data)
            try:
                self.sink.sendall(data)
            except OSError:
                self.reset()
                return
            if self.relay.rate:
                time.sleep(len(data) / self.relay.rate)  # the line is that thin

    def shut(self, how):
        try:
            self.sink.shutdown(how)
        except OSError:
            pass

    def reset(self):
        for s in (self.source, self.sink):
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


class Relay:
    def __init__(self, port):
        self.to = port
        self.delay_s = self.jitter_s = self.rate = 0
        self.cut_between = None  # bytes
        self.cuts = 0
        self.open_line = threading.Event()
        self.open_line.set()
        self.pumps, self.deaf = [], set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                self.open_line.wait()
                far = socket.create_connection(("127.0.0.1", self.to), 10)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                near.close()
                continue
            for s in (near, far):
                s.settimeout(None)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pumps += [Pump(self, near, far, True), Pump(self, far, near, False)]

    # --- asked by pumps ---

    def delay(self):
        return max(0, self.delay_s + random.uniform(-1, 1) * self.jitter_s)

    def cut_at(self):
        return random.randint(*self.cut_between) if self.cut_between else None

    def may_pass(self, pump):
        self.open_line.wait()
        while pump in self.deaf:
            threading.Event().wait()

    # --- what happens to the line ---

    def silent(self):
        """A black hole: nothing comes through, nothing is refused."""
        self.open_line.clear()

    def heal(self):
        self.open_line.set()
        self.delay_s = self.jitter_s = self.rate = 0
        self.cut_between = None

    def forget(self):
        """Half open: connections that are there stay silent for ever, new ones are fine."""
        self.deaf.update(self.pumps)

    def close(self):
        self.listener.close()
        for pump in self.pumps:
            pump.reset()
