"""A transcript that grows: what an agent writes down while somebody works with it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path


class Talk:
    """A session of Claude Code in a directory where the importer looks."""

    def __init__(self, home: Path, project: str = "tideclock") -> None:
        self.id = str(uuid.uuid4())
        self._cwd = f"/home/ada/{project}"
        self._path = home / ".claude" / "projects" / self._cwd.replace("/", "-") / f"{self.id}.jsonl"
        self._last: str | None = None

    def ask(self, text: str) -> None:
        """A prompt."""
        self._write("user", {"role": "user", "content": text})

    def answer(self, text: str) -> None:
        """An answer."""
        said = {"role": "assistant", "model": "claude-opus-4-5", "content": [{"type": "text", "text": text}]}
        self._write("assistant", {**said, "id": f"msg_{uuid.uuid4().hex}", "usage": {"output_tokens": 5}})

    def _write(self, kind: str, message: object) -> None:
        one = str(uuid.uuid4())
        record = {
            "type": kind, "uuid": one, "parentUuid": self._last, "sessionId": self.id, "cwd": self._cwd,
            "isSidechain": False, "userType": "external", "version": "2.1.41", "gitBranch": "main",
            "timestamp": dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z"), "message": message,
        }  # fmt: skip
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
        self._last = one
