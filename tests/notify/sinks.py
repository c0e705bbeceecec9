"""Receivers of messages: mail servers of aiosmtpd, and an HTTP server that does as it is told."""

import email
import email.policy
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Mailbox:
    """Keeps every message with the addresses of its envelope."""

    def __init__(self):
        self.mails = []
        self.refuse = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return "550 no such person: " + address
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        encrypted = session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None
        self.mails.append((tuple(envelope.rcpt_tos), mail, encrypted))
        return "250 OK"


def mail_server():
    """A mail server without encryption."""
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    return mailbox, controller, port


class Strict(Controller):
    """A mail server that takes mail only after STARTTLS, from whoever knows the password."""

    def __init__(self, handler, context, port):
        self.context = context
        super().__init__(handler, hostname="127.0.0.1", port=port)

    def factory(self):
        def authenticate(server, session, envelope, mechanism, data):
            known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"remit", b"mail password")
            return AuthResult(success=known)

        return SMTP(
            self.handler,
            hostname="localhost",
            tls_context=self.context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=authenticate,
        )


class Wrapped(Controller):
    """A mail server that speaks TLS from the first byte."""

    def _trigger_server(self):
        # The controller's own knock uses the server's context, which can only answer.
        with socket.create_connection((self.hostname, self.port), 5) as raw:
            with ssl._create_unverified_context().wrap_socket(raw) as knock:
                knock.recv(1024)


def wrapped_mail_server(context: ssl.SSLContext):
    mailbox = Mailbox()
    port = free_port()
    controller = Wrapped(mailbox, hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    return mailbox, controller, port


def strict_mail_server(context: ssl.SSLContext):
    mailbox = Mailbox()
    port = free_port()
    controller = Strict(mailbox, context, port)
    controller.start()
    return mailbox, controller, port


class Web:
    """Receives POSTs. `status` is what a path answers; a path in `frozen` takes the request and is silent."""

    def __init__(self, port=0):
        self.received = []
        self.attempts = []
        self.status = {}
        self.frozen = set()
        self.thaw = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.attempts.append((self.path, headers, body))
                if self.path in outer.frozen:
                    outer.thaw.wait(60)
                    self.close_connection = True
                    return
                status = outer.status.get(self.path, 204)
                if status < 300:
                    outer.received.append((self.path, headers, body))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path):
        return [(headers, body) for where, headers, body in self.received if where == path]

    def tried(self, path):
        return [(headers, body) for where, headers, body in self.attempts if where == path]
