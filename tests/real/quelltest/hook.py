# SPDX-License-Identifier: Apache-2.0
"""A webhook on 127.0.0.1: remembers what was posted to it, over TLS when it is given a certificate.

answer: the status of each answer; with location a redirect; None: it takes the request and never answers.
"""
import http.server
import json
import ssl
import threading

from . import proc


class Hook:
    """Start it with `with Hook(...) as hook`; posts are (path, headers, parsed JSON)."""

    def __init__(self, certificate=None, key=None, answer=200, location=None):
        self.port = proc.free_port()
        self.answer, self.location = answer, location
        self.posts, self.accepted = [], 0
        self.scheme = "https" if certificate else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}/hooks/key"
        self._leave = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                      do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._leave.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def events(self):
        return [post["event"] for _, _, post in list(self.posts)]

    def _handler(hook):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((self.path, dict(self.headers), json.loads(body)))
                if hook.answer is None:
                    hook._leave.wait(600)
                    self.close_connection = True
                    return
                self.send_response(hook.answer)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass
        return Handler
