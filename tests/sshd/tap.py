#!/usr/bin/env python3
"""Stands between sshd and its sftp-server and counts: tap.py LOG THEN FOLDER

Writes to LOG, a line each: `under-way N`, the most writes that were asked for and not answered, and the names of
the requests that matter for what is durable, in their order; writes behind each other are one. Once THEN writes are answered, it keeps
answers back until 64 are under way: a client that never gets there waits for ever.
"""
import queue
import struct
import subprocess
import sys
import threading

OPEN, CLOSE, WRITE, STATUS, RENAME, EXTENDED = 3, 4, 6, 101, 18, 200
ENOUGH = 64

log_path, then, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = subprocess.Popen(["/usr/lib/openssh/sftp-server", "-d", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
changed = threading.Condition()
under_way, most, answered = set(), 0, 0
log = open(log_path, "a", buffering=1)


def exactly(stream, size):
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            return None
        data += more
    return data


def packets(stream):
    while head := exactly(stream, 4):
        body = exactly(stream, struct.unpack(">I", head)[0])
        if body is None:
            return
        yield head, body


def note(body):
    kind = body[0]
    if kind == EXTENDED:
        size = struct.unpack(">I", body[5:9])[0]
        log.write(body[9:9 + size].decode() + "\n")
    elif kind in (CLOSE, RENAME):
        log.write({CLOSE: "close", RENAME: "rename"}[kind] + "\n")


def from_client():
    global most
    writing = False
    for head, body in packets(sys.stdin.buffer):
        with changed:
            if body[0] == WRITE:
                under_way.add(body[1:5])
                if not writing:
                    log.write("write\n")
                writing = True
                if len(under_way) > most:
                    most = len(under_way)
                    log.write(f"under-way {most}\n")
                changed.notify_all()
            elif body[0] in (CLOSE, RENAME, EXTENDED):
                note(body)
                writing = False
        server.stdin.write(head + body)
        server.stdin.flush()
    server.stdin.close()


def to_client(answers):
    global answered
    while (packet := answers.get()) is not None:
        head, body = packet
        with changed:
            if body[0] == STATUS and body[1:5] in under_way:
                changed.wait_for(lambda: answered < then or most >= ENOUGH)
                under_way.discard(body[1:5])
                answered += 1
        sys.stdout.buffer.write(head + body)
        sys.stdout.buffer.flush()


answers = queue.Queue()
threading.Thread(target=from_client, daemon=True).start()
threading.Thread(target=to_client, args=(answers,), daemon=True).start()
for packet in packets(server.stdout):
    answers.put(packet)
