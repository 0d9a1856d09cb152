"""Pages of somebody else, served on this machine, and what browsers have asked for there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Foreign:
    """A server with one page, whatever is asked for; and where each path was last asked for from."""

    port: int
    html: str = ""
    asked: list[str] = field(default_factory=list)
    referrers: dict[str, str] = field(default_factory=dict)

    @property
    def other_site(self) -> str:
        """To a browser on 127.0.0.1 this is another site."""
        return f"http://localhost:{self.port}"

    @property
    def same_site(self) -> str:
        """Another origin, but of the same site: browsers tell hosts apart there, and not their ports."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def foreign_pages() -> Iterator[Foreign]:
    """The server, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            foreign.asked.append(self.path)
            foreign.referrers[self.path] = self.headers.get("referer", "")
            body = foreign.html.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        foreign = Foreign(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield foreign
        finally:
            server.shutdown()
            thread.join()
