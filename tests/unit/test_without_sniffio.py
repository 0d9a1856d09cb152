"""Deadlines are kept whether or not sniffio is there: litestar, openai and others bring it, and anyio then asks it.

The test environment has it, so every other test runs with it; here those about deadlines run in a process without.
"""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import agentstore

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = Path(agentstore.__file__).parent
DEADLINES = ["test_batcher.py", "test_delivery.py", "test_retry.py", "test_receipt.py"]

# None in sys.modules is what an import finds that is to fail.
RUN = """
import sys
sys.modules["sniffio"] = None
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


def test_sniffio_is_in_the_test_environment() -> None:
    assert importlib.util.find_spec("sniffio") is not None, "pip install sniffio, which the dev extra names"


def test_the_deadline_tests_hold_without_sniffio() -> None:
    files = [str(Path(__file__).with_name(name)) for name in DEADLINES]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *files], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_asks_anyio_for_the_time(path: Path) -> None:
    """Outside a task it raises where sniffio is installed, as in a callback of the loop; see write.looptime."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        assert name != "current_time", f"line {getattr(node, 'lineno', '?')}"
        imported = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        assert "current_time" not in imported
