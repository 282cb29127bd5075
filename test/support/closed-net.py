"""A network of one machine whose every way out leads to a recorder: run as

    unshare --net --mount python3 closed-net.py '{"serve": [...], "dns": "answers", "requests": [...]}'

All addresses of IPv4 are this machine's, names are looked up here, and whatever connects to a port other than the
server's is written down. The server is started, asked (a request is a method and a target, or a command line), and stopped. Prints one line of JSON:
what was answered, what was looked up, and who was connected to. `dns` is `answers`, or `silent`: takes questions and
never answers. `together` asks all at once.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

told = json.loads(sys.argv[1])
looked_up = []
connected = []


def names():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        question, whom = server.recvfrom(4096)
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("latin1"))
            at += question[at] + 1
        end = at + 5
        kind = question[at + 1 : at + 3]
        looked_up.append(".".join(labels))
        if told["dns"] == "silent":
            continue
        is_address = kind == b"\x00\x01"
        head = question[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if is_address else b"\x00\x00") + b"\x00" * 4
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes([203, 0, 113, 7])
        server.sendto(head + question[12:end] + (record if is_address else b""), whom)


def listen(port):
    server = socket.create_server(("0.0.0.0", port), backlog=200)
    while True:
        one, _ = server.accept()
        connected.append("%s:%d" % one.getsockname())
        one.close()


def run(*command):
    subprocess.run(command, check=True)


def ask(port, request):
    begun = time.monotonic()
    if isinstance(request, list) and request[0] == "sluice":
        env = {**os.environ, "SLUICE_DATA": told["data"]}
        done = subprocess.run([told["sluice"], *request[1:]], env=env, capture_output=True, text=True)
        return {"status": done.returncode, "body": done.stdout + done.stderr}
    method, target = request
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request(method, target)
    answer = connection.getresponse()
    body = answer.read()
    return {
        "status": answer.status,
        "reason": answer.reason,
        "headers": {name.lower(): value for name, value in answer.getheaders()},
        "body": body[:2000].decode("utf-8", "replace"),
        "size": len(body),
        "ms": round((time.monotonic() - begun) * 1000),
    }


def main():
    run("ip", "link", "set", "lo", "up")
    run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write("nameserver 127.0.0.1\noptions timeout:12 attempts:1\n")
        conf.flush()
        run("mount", "--bind", conf.name, os.path.realpath("/etc/resolv.conf"))
        for port in [80, 443, 25, 587, 8080]:
            threading.Thread(target=listen, args=(port,), daemon=True).start()
        threading.Thread(target=names, daemon=True).start()
        server = subprocess.Popen(told["serve"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        port = None
        for line in server.stdout:
            said += line
            found = re.search(r'"kind":"ready","url":"http://[^":]+:(\d+)"', line)
            if found:
                port = int(found[1])
                break
        answers = []
        if port is not None:
            if told.get("together"):
                answers = [None] * len(told["requests"])

                def at(place):
                    answers[place] = ask(port, told["requests"][place])

                threads = [threading.Thread(target=at, args=(place,)) for place in range(len(answers))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            else:
                answers = [ask(port, request) for request in told["requests"]]
        # It would wait for look-ups that never end.
        server.kill()
        said += server.stdout.read()
        server.wait()
    print(json.dumps({"answers": answers, "lookedUp": looked_up, "connected": connected, "said": said}))


main()
