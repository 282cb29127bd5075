"""A receiver of webhooks for tests: checks the HMAC of each call as its documentation says, and tells what came.

Started with options as JSON: {"secret", "cert", "key"}. Prints its port, then a line of JSON for each call. A line of JSON on
standard input changes how it answers: {"status": 500, "headers": {…}} or {"hang": true}.
"""
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading

options = json.loads(sys.argv[1])
behavior = {}
lock = threading.Lock()


def tell(**event):
    with lock:
        print(json.dumps(event), flush=True)


def judge(headers, body):
    """Whether the signature is right; None without one."""
    said = headers.get("X-Sluice-Signature")
    if said is None:
        return None
    right = hmac.new(options.get("secret", "").encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(said, f"sha256={right}")


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tell(call={
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "isSigned": judge(self.headers, body),
            "body": json.loads(body),
        })
        if behavior.get("hang"):
            threading.Event().wait()
        self.send_response(behavior.get("status", 204))
        for name, value in behavior.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        tell(call={"path": self.path, "method": "GET"})
        self.send_error(405)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """Connections that break, or are no TLS."""


server = Server(("127.0.0.1", 0), Receiver)
if "cert" in options:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["cert"], options["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(port=server.server_address[1])
for line in sys.stdin:
    behavior = json.loads(line)
    tell(behaves=True)
