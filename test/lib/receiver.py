"""An HTTP server that webhooks are pointed at: it answers as it is told, and keeps what it was sent."""
import http.server
import json
import ssl
import threading
import time


class Receiver:
    """`answers` are used up in turn, then 200: a status, (status, headers), or a number of seconds as a float, which
    is how long it says nothing at all."""

    def __init__(self, answers=(), tls=None):
        self.answers = list(answers)
        self.got = []          # (seconds, headers, body)
        self.over = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((time.monotonic(), self.headers, body))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                if isinstance(answer, float):
                    receiver.over.wait(answer)
                    self.close_connection = True
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for pair in headers.items():
                    self.send_header(*pair)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}/T0/path-secret"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True)
        self.thread.start()

    @property
    def bodies(self):
        return [json.loads(body) for _, _, body in self.got]

    @property
    def events(self):
        return [(body["event"], body["change"]) for body in self.bodies]

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
