"""The notebook, executed cell by cell in a kernel as a reader would, with warnings as errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import agentstore
from agentstore import AsyncClickHouseStore
from agentstore.ingest import IngestSummary, ingest
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOK = ROOT / "examples" / "history.ipynb"
SAMPLES = Path(agentstore.__file__).parent / "samples"
# Of our own code and of what the cells do: a kernel loads hundreds of modules, whose warnings are not ours to mend.
STRICT = """
import warnings

warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=PendingDeprecationWarning)  # the kernel's own, at its end
"""


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture
async def sample(store: AsyncClickHouseStore, org: str) -> str:
    async for event in ingest(store, org, places=[str(SAMPLES)], user="ada"):
        if isinstance(event, IngestSummary):
            assert event.messages > 30
    return org


def test_the_notebook_is_committed_without_what_it_put_out() -> None:
    for cell in read().cells:
        assert not cell.get("outputs"), cell.source
        assert cell.get("execution_count") is None


async def test_every_cell_runs_and_shows_what_it_says(
    server: Server, database: str, sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTSTORE_DSN", f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}")
    monkeypatch.setenv("AGENTSTORE_ORG", sample)
    monkeypatch.setenv("FIND", "tide")
    monkeypatch.setenv("AGENTSTORE_TZ", "Europe/Berlin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = read()
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))  # type: ignore[no-untyped-call]
    await NotebookClient(notebook, timeout=100, kernel_name="python3").async_execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    pictures = [sum("image/png" in output.get("data", {}) for output in cell.outputs) for cell in cells]
    assert pictures == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    printed = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert len([line for line in printed.splitlines() if "'tide'" in line]) == 5
    tables = [
        output.data["text/plain"] for cell in cells for output in cell.outputs if "text/html" in output.get("data", {})
    ]
    assert any("claude-opus-4-5" in table for table in tables)
    assert any("assistant" in table for table in tables)
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
