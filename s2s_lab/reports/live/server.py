"""The live page over HTTP, for this machine alone: nothing is written, and no address leads to a file."""

import hashlib
import html
import json
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from s2s_lab.faults import RequestError
from s2s_lab.reports.live.answers import Answers

HOST = "127.0.0.1"
FIRST_PORT, PORTS_TRIED = 8765, 50

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script but the page's own files; plotly writes its style into the page."""
NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
OWN_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')

PAGE = {
    "/": ("s2s_lab.reports.live.page", "live.html", "text/html"),
    "/page/report.css": ("s2s_lab.reports.template", "page.css", "text/css"),
    "/page/live.css": ("s2s_lab.reports.live.page", "live.css", "text/css"),
    "/page/base.js": ("s2s_lab.reports.template", "base.js", "text/javascript"),
    "/page/attention.js": ("s2s_lab.reports.template", "attention.js", "text/javascript"),
    "/page/table.js": ("s2s_lab.reports.live.page", "table.js", "text/javascript"),
    "/page/curves.js": ("s2s_lab.reports.live.page", "curves.js", "text/javascript"),
    "/page/details.js": ("s2s_lab.reports.live.page", "details.js", "text/javascript"),
    "/page/poll.js": ("s2s_lab.reports.live.page", "poll.js", "text/javascript"),
    "/page/plotly.js": ("plotly", "package_data/plotly.min.js", "text/javascript"),
}
"""Address -> package, file and kind of everything that the page is made of."""


@dataclass(frozen=True)
class Answer:
    """What is sent.

    Attributes:
        body: Bytes.
        kind: Its media type.
        status: Of HTTP.
        policy: What a browser may do with it.
    """

    body: bytes
    kind: str
    status: HTTPStatus = HTTPStatus.OK
    policy: str = NO_PAGE


class LiveServer(ThreadingHTTPServer):
    """Serves the live page on 127.0.0.1.

    Args:
        answers: Of the folder shown.
        port: To listen on; 0 for any free one.

    Raises:
        OSError: If the port is taken.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: Answers, port: int) -> None:
        self.answers = answers
        super().__init__((HOST, port), Handler)

    def server_bind(self) -> None:
        """Bind without asking anybody for the machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def address(self) -> str:
        """What is typed into a browser."""
        return f"http://{HOST}:{self.server_port}/"

    @property
    def hosts(self) -> set[str]:
        """The names under which a browser may ask; another one that leads here is somebody else's page."""
        bare = {HOST, "localhost"} if self.server_port == 80 else set()
        return bare | {f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a reader that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: LiveServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Send an answer."""
        self._send(self._answer())

    def do_HEAD(self) -> None:
        """Send an answer's headers."""
        self._send(self._answer())

    def version_string(self) -> str:
        """Not told."""
        return "s2s_lab"

    def log_message(self, format: str, *args: Any) -> None:
        """Not written."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that could not be understood, or a method that is not served."""
        self.close_connection = True
        self._send(_refusal(HTTPStatus(code), message or HTTPStatus(code).phrase))

    def _answer(self) -> Answer:
        try:
            address = urlsplit(self.path)
            fault = self._fault(address.path)
            if fault:
                return _refusal(HTTPStatus.FORBIDDEN, fault)
            if address.path in PAGE:
                return _part(address.path)
            if address.path not in ROUTES:
                return _refusal(HTTPStatus.NOT_FOUND, "nothing is served at this address")
            asked = parse_qs(address.query, max_num_fields=10)
            words = {name: values[-1] for name, values in asked.items()}
            return ROUTES[address.path](self.server.answers, words)
        except (RequestError, OSError) as error:
            return _refusal(HTTPStatus.NOT_FOUND, " ".join(str(error).split()))
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, " ".join(str(error).split()))
        except Exception as error:
            traceback.print_exc()
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}, see the terminal")

    def _fault(self, path: str) -> str:
        """Why a request is not this page's own; empty when it is."""
        named = self.headers.get_all("Host") or []
        if len(named) != 1 or named[0].lower() not in self.server.hosts:
            return f"expected the address {self.server.address}"
        site = self.headers.get("Sec-Fetch-Site", "none")
        if site not in ("none", "same-origin") and path != "/":
            return "asked for by another site's page"
        return ""

    def _send(self, answer: Answer) -> None:
        tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        known = getattr(self, "headers", None) is not None and self.headers.get("If-None-Match") == tag
        unchanged = known and answer.status is HTTPStatus.OK
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else answer.status)
        if not unchanged:
            self.send_header(
                "Content-Type", answer.kind if answer.kind == "image/png" else f"{answer.kind}; charset=utf-8"
            )
            self.send_header("Content-Length", str(len(answer.body)))
        if answer.status is HTTPStatus.OK:
            self.send_header("ETag", tag)
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.end_headers()
        if not unchanged and self.command != "HEAD":
            self.wfile.write(answer.body)


def _plain(value: Any) -> Answer:
    """JSON in ASCII: lone surrogates of hostile records pass as escapes."""
    return Answer(json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii"), "application/json")


def _text(value: str) -> Answer:
    return Answer(value.encode("utf-8", errors="replace"), "text/plain")


def _report(value: str) -> Answer:
    """A page with the policy that it gives itself: its scripts are named by their hashes."""
    found = OWN_POLICY.search(value, 0, 20_000)
    own = f"{html.unescape(found[1])}; form-action 'none'; frame-ancestors 'none'" if found else NO_PAGE
    return Answer(value.encode("utf-8", errors="replace"), "text/html", policy=own)


def _refusal(status: HTTPStatus, line: str) -> Answer:
    if status is HTTPStatus.NOT_IMPLEMENTED:  # the library's word for a method without a function
        status, line = HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are served"
    return Answer(f"s2s-dashboard: {line}\n".encode("utf-8", errors="replace"), "text/plain", status)


ROUTES: Mapping[str, Callable[[Answers, Mapping[str, str]], Answer]] = {
    "/api/runs": lambda answers, asked: _plain(answers.runs(asked.get("since", ""))),
    "/api/curves": lambda answers, asked: _plain(
        answers.curves(asked.get("runs", ""), asked.get("name", ""), asked.get("over", ""))
    ),
    "/api/run": lambda answers, asked: _plain(answers.run(asked.get("run", ""))),
    "/api/log": lambda answers, asked: _plain(answers.log(asked.get("run", ""), asked.get("from", ""))),
    "/api/attention": lambda answers, asked: _plain(
        answers.attention(asked.get("run", ""), asked.get("evaluation", ""))
    ),
    "/text": lambda answers, asked: _text(answers.text(asked.get("run", ""), asked.get("file", ""))),
    "/picture": lambda answers, asked: Answer(
        answers.picture(asked.get("run", ""), asked.get("name", "")), "image/png"
    ),
    "/report": lambda answers, asked: _report(answers.report(asked.get("experiment", ""))),
}
"""Address -> what answers it, from the words of the query."""


@cache
def _part(address: str) -> Answer:
    package, name, kind = PAGE[address]
    return Answer(files(package).joinpath(name).read_bytes(), kind, policy=POLICY)


def listen(answers: Answers, port: int | None) -> LiveServer:
    """Start to listen.

    Args:
        answers: Of the folder shown.
        port: The one asked for, 0 for any; where None the first free one from FIRST_PORT on.

    Raises:
        RequestError: If the port asked for is taken or may not be used, or all those tried are.
    """
    tried = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
    reason = ""
    for number in tried:
        try:
            return LiveServer(answers, number)
        except OSError as error:
            reason = error.strerror or str(error)
    if port is None:
        raise RequestError(f"ports {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are all taken; choose one by --port")
    raise RequestError(f"--port {port}: {reason}; without --port the next free one is taken")
