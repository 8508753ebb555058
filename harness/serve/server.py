# SPDX-License-Identifier: GPL-2.0-only
"""Pages, JSON and badges over HTTP: only to read, from this machine unless told otherwise.

http.server does what is needed here: a few readers, no uploads, no file is ever served.
"""

import ipaddress
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from harness import __version__
from harness.errors import HostError, KharnessError, UsageError
from harness.serve import queries
from harness.serve.api import NotFoundError, answer
from harness.serve.badge import badge
from harness.serve.importing import Imported, import_folder
from harness.serve.markup import STYLES, page, style, style_address, wrong
from harness.serve.pages import content
from harness.serve.params import Params
from harness.serve.store import Store

REFRESH_S = 3.0
"""The folder is looked at no more often than that."""
SHARE = 9
"""Nor for more than a tenth of the time: a journal that grows is read again from its start."""
PATIENCE_S = 1.0
"""How long a reader waits for what is new; what takes longer is on the next page."""
LINE_LIMIT = 8 * 1024
"""Bytes of a request line; RFC 9112, 3, asks for 8000 at least."""
IDLE_S = 20
"""A connection on which nothing comes is closed."""
CONNECTIONS = 64
HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Reply:
    """What goes back to a reader."""

    status: HTTPStatus
    kind: str
    body: bytes


class Refresher:
    """Brings the database up to its folder, when somebody asks and not too often.

    Args:
        store: the database.
        folder: where run folders and JUnit files are.
        tell: is given what an import came to, and errors, a line each.
    """

    def __init__(self, store: Store, folder: Path, tell: Callable[[str], None]) -> None:
        self._store, self._folder, self._tell = store, folder, tell
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._due = 0.0

    def ask(self) -> None:
        """Looks at the folder if it is time to; waits for it, but not long."""
        with self._lock:
            if not self.busy and time.monotonic() >= self._due:
                self._thread = threading.Thread(target=self._refresh, daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_S)

    @property
    def busy(self) -> bool:
        """An import goes on."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> None:
        """Waits for an import that goes on; what is half done is rolled back with the process."""
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_S)

    def _refresh(self) -> None:
        began = time.monotonic()
        try:
            for problem in import_folder(self._store, self._folder).problems:
                self._tell(problem)
        except KharnessError as error:
            self._tell(str(error))
        finally:
            now = time.monotonic()
            self._due = now + max(REFRESH_S, SHARE * (now - began))


class Server(ThreadingHTTPServer):
    """The server; a context manager.

    Args:
        store: the database.
        refresher: keeps it up to date.
        host: address or name to listen on.
        port: 0 for any that is free.

    Raises:
        HostError: the port is in use, or is not to be had.
        UsageError: there is no such host.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, store: Store, refresher: Refresher, host: str, port: int) -> None:
        self.store, self.refresher, self.host = store, refresher, host
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            # The latter is Python's own, of parts without letters or with more than 63.
            words = getattr(error, "strerror", None) or "that is no name"
            raise UsageError(f"no host {host}: {words}") from error
        self.address_family = found[0]
        self.loopback = ipaddress.ip_address(found[4][0]).is_loopback
        try:
            super().__init__((str(found[4][0]), port), Handler)
        except (OSError, OverflowError) as error:
            words = getattr(error, "strerror", None) or error
            raise HostError(
                f"cannot listen on {host}, port {port}: {words}", "--port 0 takes one that is free"
            ) from error

    @property
    def url(self) -> str:
        """Where it is to be found."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"

    def knows(self, host: str) -> bool:
        """Whether a request that names this host is meant for this server.

        A page of a stranger can let its own name point to 127.0.0.1 and then read what is there
        (DNS rebinding): the name in the request is still the stranger's.
        """
        if not self.loopback:
            return True
        name = urlsplit(f"//{host}").hostname or ""
        return name in {"localhost", "127.0.0.1", "::1", self.host.lower()}

    def server_bind(self) -> None:
        """As in the base, without a look-up of the own name, which may take its time."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.host, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection, but only so many."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As in the base."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader who went away is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """A connection of a reader."""

    server: Server
    raw_requestline: bytes  # http.server sets it
    protocol_version = "HTTP/1.1"
    server_version = "kharness"
    sys_version = ""
    timeout = IDLE_S

    def parse_request(self) -> bool:
        """As in the base, with a smaller bound."""
        if len(self.raw_requestline) > LINE_LIMIT:
            self.requestline, self.request_version, self.command = "", "", ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return False
        if not super().parse_request():
            return False
        if self.command not in ("GET", "HEAD"):
            # What comes in the body is not read, so nothing can follow it.
            self.close_connection = True
            reply = _error(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", self.path)
            self._send(reply, {"Allow": "GET, HEAD"})
            return False
        return True

    def do_GET(self) -> None:
        """Answers."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or not _in_order(self.server.knows, hosts[0]):
            self._send(_error(HTTPStatus.BAD_REQUEST, "that is not this server's name", ""))
            return
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        try:
            self._answer()
        except KharnessError as error:
            usage = isinstance(error, UsageError)
            status = HTTPStatus.BAD_REQUEST if usage else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(_error(status, str(error), self.path))
        except NotFoundError as error:
            self._send(_error(HTTPStatus.NOT_FOUND, str(error), self.path))

    do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> None:
        try:
            target = urlsplit(self.path)
        except ValueError as error:
            raise UsageError("that is no address") from error
        path = unquote(target.path, errors="replace")
        if path == "/style.css":
            known = self.path == style_address()
            lasts = {"Cache-Control": "max-age=31536000, immutable"} if known else {}
            self._send(Reply(HTTPStatus.OK, "text/css; charset=utf-8", style()), lasts)
            return
        if path == "/favicon.ico":
            # Browsers ask for it where no page names an icon: beside a badge, and JSON.
            self._send(Reply(HTTPStatus.OK, "image/x-icon", b""))
            return
        self.server.refresher.ask()
        busy = self.server.refresher.busy
        with self.server.store.reading() as db:
            (meta,) = queries.ask(db, "meta")
            tag = f'"{meta["id"][:12]}-{meta["generation"]}-{_code()}{"-busy" if busy else ""}"'
            headers = {"ETag": tag}
            if meta["changed"]:
                headers["Last-Modified"] = formatdate(meta["changed"], usegmt=True)
            if tag in [t.strip() for t in self.headers.get("If-None-Match", "").split(",")]:
                self._send(Reply(HTTPStatus.NOT_MODIFIED, "", b""), headers)
                return
            params = Params(target.query)
            if path.startswith("/api/"):
                reply = _json(HTTPStatus.OK, answer(db, path, params))
            elif path == "/badge.svg":
                kernel, suite = params.text("kernel"), params.text("suite")
                found = queries.latest_of(db, kernel, suite)
                label = " on ".join(filter(None, (suite, kernel))) or "kharness"
                reply = Reply(HTTPStatus.OK, "image/svg+xml", badge(label, found))
            else:
                body = page(path, content(db, path, params), busy=busy)
                reply = Reply(HTTPStatus.OK, HTML, body)
        self._send(reply, headers)

    def _send(self, reply: Reply, headers: dict[str, str] | None = None) -> None:
        self.send_response(reply.status)
        for key, value in {**HEADERS, **(headers or {})}.items():
            self.send_header(key, value)
        if reply.kind:
            self.send_header("Content-Type", reply.kind)
        if reply.status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Who reads what is nobody's business."""


def serve(server: Server, started: Callable[[], None]) -> None:
    """Answers until it is interrupted.

    Args:
        server: listens already.
        started: is called when an interrupt ends it well.
    """
    try:
        started()
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.refresher.finish()


def _in_order(knows: Callable[[str], bool], host: str) -> bool:
    try:
        return knows(host)
    except ValueError:
        return False


def _json(status: HTTPStatus, data: object) -> Reply:
    text = json.dumps(data, ensure_ascii=True, indent=1) + "\n"
    return Reply(status, "application/json", text.encode())


def _error(status: HTTPStatus, words: str, path: str) -> Reply:
    if path.startswith("/api/"):
        return _json(status, {"error": words})
    return Reply(status, HTML, page("", wrong(status.phrase, words)))


@cache
def _code() -> str:
    """Changes when pages would look different with the same database."""
    parts = [*sorted(Path(__file__).parent.glob("*.py")), *STYLES]
    return sha256(b"".join([__version__.encode(), *(p.read_bytes() for p in parts)])).hexdigest()[
        :8
    ]


def words_of(done: Imported) -> str:
    """What an import came to, in one line."""
    words = (
        f"{done.results:,} results of {done.files:,} files read, {done.unchanged:,} known already"
    )
    return words + (f", {len(done.problems):,} could not be read" if done.problems else "")
