"""The page through which a test holds one process between two steps; the other side is probe.c."""
import mmap
import os
import struct

IDLE, ARMED, HELD, GO = range(4)
TEXTS = struct.Struct("<32s160s16s16s256s96s96s")
HEAD = struct.Struct("<Iii")
SIZE = HEAD.size + TEXTS.size


class Page:
    def __init__(self, path):
        self.path = path
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SIZE)

    def arm(self, program, home, call, when, text="", values=(), count=1):
        """Hold the process that comes to this step for the count-th time."""
        self.release()
        values = [v.encode() for v in (*values, "", "")][:2]
        self.map[HEAD.size:SIZE] = TEXTS.pack(program.encode(), home.encode(), call.encode(), when.encode(),
                                              text.encode(), *values)
        self.map[0:HEAD.size] = HEAD.pack(IDLE, 0, count)
        self.map[0:4] = struct.pack("<I", ARMED)

    def state(self):
        return struct.unpack("<I", self.map[0:4])[0]

    def held(self):
        """The pid of the process that is held, or None."""
        state, pid, _ = HEAD.unpack(self.map[0:HEAD.size])
        return pid if state == HELD and pid else None

    def release(self):
        """Nobody is held any more, and nobody will be."""
        self.map[0:4] = struct.pack("<I", GO)

    def close(self):
        self.release()
        self.map.close()
        os.unlink(self.path)
