"""The program in the demo image: says its version, name and the path; /hang makes it answer nothing any more."""

import http.server
import os
import signal
import socket
import sys
import threading

hangs = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if hangs.is_set():
            threading.Event().wait()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"v{os.environ.get('VERSION', '1')} {socket.gethostname()} {self.path}\n".encode())
        if self.path == "/hang":
            hangs.set()

    def log_message(self, form: str, *values: object) -> None:
        print(self.client_address[0], form % values, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("listening as", os.getuid(), flush=True)
    http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()  # noqa: S104 - a pod's own network
