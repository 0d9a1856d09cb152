"""The reverse proxy of the guide, as the guide has it: a real nginx in front of pages that are served."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import ROOT
from tests.local.server_processes import wait_until
from tests.web.serving import SECONDS

NAME = "history.example"
USERS = {"ada": "ada's password", "mei": "mei's password"}
_GUIDE = ROOT / "docs" / "guides" / "web.md"
# What a distribution puts around a server block. Without root nginx may write to its own directory only.
_AROUND = """
daemon off;
error_log stderr;
pid nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    gzip on;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{}
}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def of_guide(language: str, number: int = 0) -> str:
    """A block of the guide in this language."""
    return _GUIDE.read_text().split(f"```{language}\n")[number + 1].partition("```")[0]


def adapted(text: str, changes: dict[str, str]) -> str:
    """With other ports and files. Each has to stand there: else what is tried is not what the guide says."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def nginx(upstream: int) -> Iterator[str]:
    """The guide's nginx in front of pages on this port, until the end of the block; its address.

    Tests are skipped where it, or what makes its certificate and passwords, is not installed.
    """
    program, openssl = shutil.which("nginx") or shutil.which("/usr/sbin/nginx"), shutil.which("openssl")
    if program is None or openssl is None:
        pytest.skip("no nginx here: apt install nginx-light openssl")
    port, plain = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="agentstore-nginx-") as name:
        home = Path(name)
        home.chmod(0o755)
        _make_files(openssl, home)
        server = adapted(
            of_guide("nginx"),
            {
                "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
                "listen 80": f"listen 127.0.0.1:{plain}",
                "127.0.0.1:8377": f"127.0.0.1:{upstream}",
                "/etc/nginx/": f"{home}/",
            },
        )
        (home / "nginx.conf").write_text(_AROUND.format(server))
        process = subprocess.Popen(
            [program, "-p", name, "-c", str(home / "nginx.conf")], stderr=subprocess.PIPE, text=True
        )
        try:
            _wait_for(port, process)
            yield f"https://{NAME}:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


def _make_files(openssl: str, home: Path) -> None:
    """A certificate that nobody else trusts, and the passwords."""
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
         "-keyout", str(home / "history.key"), "-out", str(home / "history.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = []
    for user, password in USERS.items():
        hashed = subprocess.run(
            [openssl, "passwd", "-apr1", "-stdin"], input=password, check=True, capture_output=True, text=True
        )
        lines.append(f"{user}:{hashed.stdout}")
    users = home / "history.users"
    users.write_text("".join(lines))
    users.chmod(0o644)  # read by what answers, which as root is another user


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    """Until it listens. Where it ends instead, why."""

    def listens() -> bool:
        assert process.poll() is None, process.communicate()[1]
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, "nginx listens")
