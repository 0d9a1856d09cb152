"""Transcripts of Claude Code that are written while somebody watches."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

_MESSAGES = 30
_WORDS = ("the", "connection", "retry", "def", "return", "self", "timeout", "import", "billing", "ledger", "None", "of")


def written(folder: Path) -> Callable[[], None]:
    """What writes one more session into the folder, whenever it is called."""
    rng = random.Random(18)
    home = folder / "-w-bench"
    home.mkdir(parents=True)

    def write() -> None:
        session = str(uuid.uuid4())
        lines = b"".join(_line(session, number, rng) for number in range(_MESSAGES))
        (home / f"{session}.jsonl").write_bytes(lines)

    return write


def _line(session: str, number: int, rng: random.Random) -> bytes:
    is_prompt = number % 6 == 0
    at = dt.datetime.now(dt.UTC) + dt.timedelta(milliseconds=number)
    text = " ".join(rng.choices(_WORDS, k=30 if is_prompt else 150))
    said: dict[str, object] = {"role": "user", "content": text}
    if not is_prompt:
        said = {
            "id": f"msg_{rng.getrandbits(96):024x}",
            "role": "assistant",
            "model": "claude-opus-4-5",
            "content": [{"type": "text", "text": text}],
            "usage": {"input_tokens": 12, "output_tokens": 200},
        }
    line = {
        "type": said["role"],
        "sessionId": session,
        "uuid": f"{session}-{number}",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "cwd": "/w/bench",
        "version": "2.1.0",
        "message": said,
    }
    return msgspec.json.encode(line) + b"\n"
