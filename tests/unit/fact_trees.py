"""Trees of files that say something about each other, and what may happen to them between two surveys."""

from __future__ import annotations

import json
import pathlib
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from agentstore.importers import Options
from agentstore.importers.importer import NO_FACTS, FileFacts, History
from agentstore.importers.registry import importer_named, importer_of
from tests.unit import importer_lines
from tests.unit.codex_families import STYLES, Clock, Thread
from tests.unit.importer_lines import assistant, line, result, said, use, user
from tests.unit.importer_seeds import SEEDS

Files = dict[str, bytes]
AGENTS = sorted({seed.agent for seed in SEEDS})


class Tree:
    """Files of one agent below a folder."""

    def __init__(self, agent: str, root: pathlib.Path, files: Files) -> None:
        self.importer = importer_named(agent)
        self.root = root
        self.options = Options(user_id="ada", machine="m", piece_bytes=3000)
        for name, data in files.items():
            self.write(name, data)

    def write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)

    def files(self) -> list[pathlib.Path]:
        """Those that are the agent's, not what lies beside them."""
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return [path for path in found if importer_of(path, [self.importer]) is not None]

    def survey(self, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS) -> History:
        return self.importer.survey(self.files(), self.options, known, grown)

    def bytes_of(self, path: pathlib.Path) -> dict[str, object]:
        """What a file, and what belongs to it alone, looks like."""
        around = set(self.importer.around(path))
        return {one.as_posix(): _look_of(one) for one in (path, *self.importer.beside(path)) if one not in around}


def _look_of(path: pathlib.Path) -> object:
    if path.is_dir():
        return sorted(one.name for one in path.iterdir())
    return (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else None


def facts_of(history: History) -> dict[pathlib.Path, bytes]:
    return {path: history.facts(path) for path in history.files}


def told(history: History) -> dict[pathlib.Path, Any]:
    """All that a survey gives."""
    return {path: (history.context(path), read(history, path)) for path in history.files}


def read(history: History, path: pathlib.Path) -> list[Any] | str:
    try:
        return list(history.read(path))
    except OSError as error:
        return repr(error)


# --- Trees -------------------------------------------------------------------------------------------------------


def seeds_of(agent: str) -> Files:
    files: Files = {}
    for seed in SEEDS:
        if seed.agent == agent:
            files |= {seed.path: seed.data, **seed.beside}
    return files


def drawn(agent: str, chance: random.Random) -> Files:
    """A tree of one agent: what its seeds have, copies of some of them, and files that tell of each other."""
    files = seeds_of(agent)
    for name in [name for name in files if chance.random() < 0.3]:
        files |= copied(name, files[name], chance)
    if agent == "claude-code":
        files |= dict(claude_family(chance))
    if agent == "codex":
        files |= dict(codex_family(chance))
    return files


def copied(name: str, data: bytes, chance: random.Random) -> Files:
    """The same file elsewhere: as it is, shorter, or with more."""
    lines = data.splitlines(keepends=True)
    kept = b"".join(lines[: chance.randint(1, len(lines) or 1)]) if chance.random() < 0.6 else data
    return {f"copy-{chance.randrange(3)}/{name}": kept}


def changed(tree: Tree, chance: random.Random) -> None:
    """A file comes, goes, grows or is written anew; mostly one that tells of others."""
    files = [path for path in sorted(tree.root.rglob("*")) if path.is_file()]
    telling = [path for path in files if path.relative_to(tree.root).as_posix() not in seeds_of(tree.importer.name)]
    path = chance.choice(telling if telling and chance.random() < 0.8 else files or [tree.root / "none"])
    if not path.exists():
        return
    data, name = path.read_bytes(), path.relative_to(tree.root).as_posix()
    lines = data.splitlines(keepends=True)
    kind = chance.choice(["gone", "copy", "grows", "cut", "again"])
    if kind == "gone":
        path.unlink()
    elif kind == "copy":
        for copy, kept in copied(name, data, chance).items():
            tree.write(copy, kept)
    elif kind == "grows":
        path.write_bytes(data + b"".join(chance.sample(lines, min(len(lines), 2))))
    elif kind == "cut":
        path.write_bytes(b"".join(lines[: len(lines) // 2]))
    else:
        for word in (b"ada/", b"ada"):
            if word in data:
                path.write_bytes(data.replace(word, b"eve" + word[3:]))
                return
        path.write_bytes(data.replace(b"Named", b"Called"))


def ids(chance: random.Random) -> Iterator[str]:
    while True:
        yield str(uuid.UUID(int=chance.getrandbits(128), version=4))


def claude_family(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Sessions in a few directories that give each other titles, go on in each other, and have subagents."""
    made = [one for one, _ in zip(ids(chance), range(chance.randint(2, 5)), strict=False)]
    uuids = [f"{one}-{number}" for one in made for number in range(4)]
    folders = ["/home/ada/clock", "/home/ada/clock-worktrees/x", "/home/ada/.t3/worktrees/clock/y", "/srv/tide"]
    for one in made:
        cwd = chance.choice(folders)
        agent = f"a{chance.randrange(3)}"
        about: dict[str, Any] = {"sessionId": one, "cwd": cwd}
        records = [user("why?", 0, uuid=f"{one}-0", **about), assistant(said("so"), uuid=f"{one}-1", **about)]
        embedded = {"type": "agent_progress", "agentId": agent, "message": user("look", 3, uuid="e"), "prompt": "look"}
        maybe = [
            line("summary", None, summary=f"About {chance.randrange(9)}", leafUuid=chance.choice(uuids)),
            line("continued-in", 9, continuedInSessionId=chance.choice(made), **about),
            line("worktree-state", 3, worktreeSession={"worktreePath": cwd, "originalCwd": chance.choice(folders)}),
            line("pr-link", 4, prUrl=f"https://github.com/ada/{chance.choice(['clock', 'tide'])}/pull/3", **about),
            line("progress", 5, data=embedded, uuid="p", **about),
        ]
        records += chance.sample(maybe, chance.randint(0, len(maybe)))
        if chance.random() < 0.5:
            remote = f"origin\tgit@github.com:{chance.choice(['ada', 'eve'])}/clock.git (fetch)\n"
            asked = assistant(use("t1", command="git remote -v"), second=6, id="msg_2", uuid=f"{one}-2", **about)
            records += [asked, result("t1", remote, 7, **{**about, "uuid": f"{one}-3"})]
        folder = f"projects/{cwd.replace('/', '-')}"
        name = one if chance.random() < 0.8 else "full"
        yield f"{folder}/{name}.jsonl", importer_lines.data(*records)
        if chance.random() < 0.5:
            own = user("look", 3, uuid="s", isSidechain=True, agentId=agent, **about)
            yield f"{folder}/{one}/subagents/agent-{agent}.jsonl", importer_lines.data(own)
            yield f"{folder}/{one}/subagents/agent-{agent}.meta.json", b'{"description": "Look"}'
        if chance.random() < 0.3:
            more = [user("else", 8, uuid=f"{one}-m", **about)] if chance.random() < 0.6 else []
            yield f"moved/{name}.jsonl", importer_lines.data(*records[: chance.randint(1, len(records))], *more)


def codex_family(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Threads, and forks and subagents that begin with what others said."""
    clock, style = Clock(chance), chance.choice(STYLES)
    threads: list[Thread] = []
    for _ in range(chance.randint(2, 4)):
        parent = chance.choice(threads) if threads and chance.random() < 0.7 else None
        cwd = chance.choice(["/src/app", "/src/app", "/src/app-worktrees/x", "/home/ada/.t3/worktrees/app/y"])
        more: dict[str, Any] = {"cwd": cwd}
        if parent is not None:
            more |= chance.choice([{"forked_from_id": parent.id}, _spawned(parent.id), _based(parent)])
        if chance.random() < 0.3:
            more["git"] = {"repository_url": f"git@github.com:{chance.choice(['ada', 'eve'])}/app.git"}
        thread = Thread(clock, chance, style, **more)
        if parent is not None and "history_base" not in more:
            thread.records += parent.records[: chance.randint(0, len(parent.records))]
        for _ in range(chance.randint(1, 4)):
            thread.turn()
        threads.append(thread)
        yield (
            f"sessions/2026/02/03/rollout-2026-02-03T10-00-00-{thread.id}.jsonl",
            b"".join(json.dumps(one).encode() + b"\n" for one in thread.records),
        )
    titles = [{"id": one.id, "thread_name": f"Named {chance.randrange(9)}"} for one in threads if chance.random() < 0.5]
    yield "session_index.jsonl", b"".join(json.dumps(one).encode() + b"\n" for one in titles)


def _spawned(parent: str) -> dict[str, Any]:
    return {"source": {"subagent": {"thread_spawn": {"parent_thread_id": parent}}}}


def _based(parent: Thread) -> dict[str, Any]:
    return {"history_base": {"thread_id": parent.id, "end_ordinal_exclusive": len(parent.records) // 2 + 1}}


Draw = Callable[[str, random.Random], Files]
