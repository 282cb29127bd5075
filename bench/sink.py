"""Clients that take a file again and again and drop its bytes in the kernel, so that what is measured is the server.

  sink.py HOST PORT PATH CLIENTS SECONDS
Prints `result REQUESTS BYTES MICROSECONDS ERRORS`. An answer that is not whole, or has another length than the first, is an error.
"""
import socket
import sys
import threading
import time

host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
clients, seconds = int(sys.argv[4]), float(sys.argv[5])
# Of TCP nothing is written into it.
buffer = bytearray(1 << 20)
request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


class Client(threading.Thread):
    """One connection, which is kept."""

    def __init__(self):
        super().__init__(daemon=True)
        self.requests = self.bytes = self.errors = 0
        self.size = None

    def run(self):
        end = time.monotonic() + seconds
        try:
            with socket.create_connection((host, port), timeout=60) as connection:
                while time.monotonic() < end:
                    self.take(connection)
        except (OSError, KeyError, ValueError):
            self.errors += 1

    def take(self, connection):
        connection.sendall(request)
        text = b""
        while b"\r\n\r\n" not in text:
            more = connection.recv(4096)
            if not more:
                raise OSError("no answer")
            text += more
        head, body = text.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin1").lower().split("\r\n")
        size = int(dict(line.split(": ", 1) for line in lines)["content-length"])
        self.size = self.size or size
        if status.split()[1] != "200" or size != self.size:
            raise OSError("another answer")
        left = size - len(body)
        while left > 0:
            got = connection.recv_into(buffer, min(left, len(buffer)), socket.MSG_TRUNC)
            if got == 0:
                raise OSError("cut off")
            left -= got
        self.requests += 1
        self.bytes += size


started = time.monotonic()
all_clients = [Client() for _ in range(clients)]
for one in all_clients:
    one.start()
for one in all_clients:
    one.join(seconds + 90)
took = time.monotonic() - started
totals = [sum(getattr(one, name) for one in all_clients) for name in ("requests", "bytes", "errors")]
late = sum(one.is_alive() for one in all_clients)
print("result", totals[0], totals[1], int(took * 1e6), totals[2] + late)
