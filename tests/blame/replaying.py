"""Repositories made by carrying the edit calls of transcripts out, once more: git tells which call each line is from.

Nothing of ``agentstore.blame`` is used. Every call is a commit of the first repository, so that ``git blame`` knows the
truth, and each but deletions of the second, which knows whose the lines were before those; of the third, which is the
one that is asked about, only some sessions were committed, some of those are linked.
What no call wrote is of the checkout (the file as an agent read it before, where a call does not fit what is there) or
a person's: copies of lines that are put at the beginning and the end now and then.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentstore import AsyncClickHouseStore, FileHistoryEntry, GitLink, ToolCall

ORG = "replayed"
PERSON = "person"
CHECKOUT = "checkout"
_NUMBERED = re.compile(r"\s*(\d+)(?:\u2192|\t)(.*)")


@dataclass
class Call:
    """An edit call, and the files as they were read before it."""

    touch: FileHistoryEntry
    call: ToolCall
    read: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return json.dumps([self.touch.session_id, self.touch.message_ordinal, self.touch.tool_use_id])

    @property
    def seconds(self) -> int:
        assert self.touch.touched_at
        return int(self.touch.touched_at.timestamp())


@dataclass
class Version:
    """A file after somebody has written it: when, and how often it has each line."""

    who: str
    seconds: int
    counts: Counter[str]


@dataclass
class Replayed:
    """A repository to ask about, and the truth: by path, the keys of the call (or the person) of each line.

    There are several where a line was moved: who wrote it first, and who put it where it is. And where it came with the
    checkout: then it is also of the calls that had written it into the file before, wherever else it was in between.
    """

    top: Path
    project_id: str
    links: list[GitLink] = field(default_factory=list)
    truth: dict[str, list[set[str]]] = field(default_factory=dict)


async def calls_of(store: AsyncClickHouseStore, org: str, project_id: str) -> list[Call]:
    """The edit calls of a project in the order in which they were made."""
    touched = [one async for one in _touched(store, org, project_id) if one[0].touched_at]
    touched.sort(key=lambda one: (one[0].touched_at, one[0].session_id, one[0].message_ordinal))
    read: dict[str, list[str]] = {}
    found: list[Call] = []
    for touch, call in touched:
        if touch.path.startswith(("/", "~")):
            continue
        if touch.operation != "read":
            found.append(Call(touch, call, list(read.get(touch.path, ()))))
        elif text := shown(call.result_content):
            read.setdefault(touch.path, []).append(text)
    return found


async def _touched(
    store: AsyncClickHouseStore, org: str, project_id: str
) -> AsyncIterator[tuple[FileHistoryEntry, ToolCall]]:
    calls: dict[str, dict[tuple[int, str, int], ToolCall]] = {}
    cursor = ""
    while True:
        page = await store.file_history(
            org, "", project_id=project_id, operations=("read", "write", "edit", "delete"), limit=1000, cursor=cursor
        )
        for touch in page.touches:
            if touch.session_id not in calls:
                all_of_them = await store.get_session_tool_calls(org, touch.session_id)
                calls[touch.session_id] = {
                    (one.message_ordinal, one.tool_use_id, one.call_index): one for one in all_of_them
                }
            yield touch, calls[touch.session_id][(touch.message_ordinal, touch.tool_use_id, touch.call_index)]
        cursor = page.next_cursor
        if not cursor:
            return


def shown(result: str) -> str:
    """A whole file as it was shown, its lines with their numbers; "" of a part."""
    lines = [_NUMBERED.fullmatch(line) for line in result.split("\n")]
    told = [(int(line.group(1)), line.group(2)) for line in lines if line]
    if not told or [number for number, _ in told] != list(range(1, len(told) + 1)):
        return ""
    return "".join(f"{text}\n" for _, text in told)


class Replaying:
    """Carries calls out in all repositories."""

    def __init__(self, folder: Path, project_id: str, seed: int = 1) -> None:
        self.replayed = Replayed(folder / "asked", project_id)
        self._true, self._kept = folder / "true", folder / "kept"
        self._random = random.Random(seed)
        self._who: dict[str, tuple[str, int]] = {}
        self._versions: dict[str, list[Version]] = {}
        self._deleted: dict[str, int] = {}
        self._left_out: list[Call] = []
        for top in (self._true, self._kept, self.replayed.top):
            top.mkdir(parents=True)
            git(top, "init", "-q", "-b", "main")

    def carry_out(self, calls: list[Call]) -> Replayed:
        """All calls; those whose arguments are not among the plain ones are left out."""
        last = {one.touch.session_id: at for at, one in enumerate(calls)}
        modes = {id: number % 3 for number, id in enumerate(sorted(last))}
        for at, one in enumerate(calls):
            if one.touch.operation == "delete":
                self._delete(one)
            else:
                self._edit(one)
            if at % 7 == 3:
                self._person_copies_a_line(one)
            mode = modes[one.touch.session_id]
            if last[one.touch.session_id] == at and mode < 2:
                sha = self._commit(self.replayed.top, one.seconds)
                if sha and mode == 0:
                    self.replayed.links.append(GitLink(
                        one.touch.session_id, "commit", "high", message_ordinal=one.touch.message_ordinal,
                        commit_sha=sha, detected_at=one.touch.touched_at,
                    ))  # fmt: skip
        for path in sorted(path for path in self._versions if self._content(path) is not None):
            self.replayed.truth[path] = list(self._truth(path))
        return self.replayed

    def _truth(self, path: str) -> Iterator[set[str]]:
        told = [blamed(self._true, path, *options) for options in ((), ("--minimal",), ("-M1",))]
        versions = self._versions[path]
        asked = blamed_until(self.replayed.top, path)
        lines = (self._content(path) or "").removesuffix("\n").split("\n")
        counts = Counter(lines)
        kept = blamed(self._kept, path)
        for line, committed, was, shas in zip(lines, asked, kept, zip(*told, strict=True), strict=True):
            owners = {self._who[sha] for sha in shas}
            # The file was deleted and put back within one commit: the line is as it was committed before.
            if committed and committed < self._deleted.get(path, 0):
                owners.add(self._who[was])
            if counts[line] == 1:  # then who brought it in last is told without any comparison
                came = [at for at, version in enumerate(versions)
                        if version.counts[line] and not (at and versions[at - 1].counts[line])]  # fmt: skip
                owners.add((versions[came[-1]].who, came[-1]))
                # Taken away and put back within one commit, it is as it was committed before.
                owners |= {(versions[at].who, at) for at in came if committed}
                owners -= {(versions[at].who, at) for at in came[:-1] if versions[at].seconds > committed}
            found = {who for who, _ in owners}
            if CHECKOUT in found:
                until = max(
                    at for at, version in enumerate(versions) if version.who == CHECKOUT and version.counts[line]
                )
                found |= {
                    versions[at].who for at in range(until)
                    if versions[at].counts[line] > (versions[at - 1].counts[line] if at else 0)
                }  # fmt: skip
                found |= {one.key for one in self._left_out if one.touch.path == path
                          and any(line in new.split("\n") for _, new, _ in pairs_of(one))}  # fmt: skip
            yield found

    def _content(self, path: str) -> str | None:
        file = self._true / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def _write(self, call: Call, content: str, who: str) -> None:
        versions = self._versions.setdefault(call.touch.path, [])
        versions.append(Version(who, call.seconds, Counter(content.removesuffix("\n").split("\n"))))
        for top in (self._true, self._kept, self.replayed.top):
            file = top / call.touch.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="")
        for top in (self._true, self._kept):
            if sha := self._commit(top, call.seconds):
                self._who[sha] = who, len(versions) - 1
        if who in (PERSON, CHECKOUT):
            self._commit(self.replayed.top, call.seconds)

    def _edit(self, call: Call) -> None:
        try:
            for before, after in steps_of(call, self._content(call.touch.path)):
                if before is not None:
                    self._write(call, before, CHECKOUT)
                self._write(call, after, call.key)
        except DoesNotFit:
            self._left_out.append(call)

    def _delete(self, call: Call) -> None:
        if self._content(call.touch.path) is None:
            return
        self._versions[call.touch.path].append(Version(call.key, call.seconds, Counter()))
        self._deleted[call.touch.path] = call.seconds
        for top in (self._true, self.replayed.top):
            (top / call.touch.path).unlink()
        self._commit(self._true, call.seconds)

    def _person_copies_a_line(self, call: Call) -> None:
        content = self._content(call.touch.path)
        if content:
            line = self._random.choice(content.removesuffix("\n").split("\n"))
            at_the_end = self._random.random() < 0.5
            whole = content if content.endswith("\n") else f"{content}\n"
            self._write(call, f"{whole}{line}\n" if at_the_end else f"{line}\n{whole}", PERSON)

    @staticmethod
    def _commit(top: Path, seconds: int) -> str:
        git(top, "add", "-A")
        if not git(top, "status", "--porcelain"):
            return ""
        git(top, "commit", "-q", "-m", "as it was", seconds=seconds)
        return git(top, "rev-parse", "HEAD").strip()


def steps_of(one: Call, content: str | None) -> Iterator[tuple[str | None, str]]:
    """What had to be in the file before, where it was something else; and the file after the call."""
    for old, new, everywhere in pairs_of(one):
        if old is None:
            content = new
            yield None, content
            continue
        before = None
        if content is None or content.count(old) == 0:
            fitting = [text for text in one.read if old in text]
            if not fitting and content is not None:
                raise DoesNotFit
            lines = f"of a person: the beginning of {one.touch.path}\n{old}\nof a person: its end\n"
            before = content = fitting[-1] if fitting else lines
        content = content.replace(old, new) if everywhere else content.replace(old, new, 1)
        yield before, content


class DoesNotFit(Exception):
    """What the call replaces was nowhere."""


def pairs_of(one: Call) -> Iterator[tuple[str | None, str, bool]]:
    """The texts that the call put in place of others; None: of the whole file."""
    given = json.loads(one.call.input_json)
    texts = [text for value in given.values() for text in (value if isinstance(value, list) else [value])]
    patch = next((text for text in texts if isinstance(text, str) and "*** Begin Patch" in text), "")
    if patch:
        yield from _patched(patch, one.touch.path)
    elif isinstance(given.get("content"), str):
        yield None, given["content"], False
    elif given.get("old_string") and isinstance(given.get("new_string"), str):
        yield given["old_string"], given["new_string"], bool(given.get("replace_all"))


def _patched(patch: str, path: str) -> Iterator[tuple[str | None, str, bool]]:
    for part in re.split(r"^\*\*\* (?=(?:Add|Update|Delete) File: |End Patch)", patch, flags=re.MULTILINE)[1:]:
        header, _, body = part.partition("\n")
        if not header.endswith(path):
            continue
        if header.startswith("Add File"):
            yield None, "".join(f"{line[1:]}\n" for line in body.split("\n") if line.startswith("+")), False
        for hunk in re.split(r"^@@.*\n", body, flags=re.MULTILINE)[1:] if header.startswith("Update File") else ():
            lines = hunk.removesuffix("\n").split("\n")
            old = "".join(f"{line[1:]}\n" for line in lines if line[:1] in ("-", " ", ""))
            new = "".join(f"{line[1:]}\n" for line in lines if line[:1] in ("+", " ", ""))
            if old:
                yield old, new, False


def git(top: Path, *arguments: str, seconds: int = 1_000_000_000) -> str:
    """Run git as nobody in particular, at that time."""
    when = f"{seconds} +0000"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(top), "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
        "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when,
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", "-C", str(top), *arguments],
        env=environment, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.decode("utf-8", errors="replace")


def blamed(top: Path, path: str, *options: str) -> list[str]:
    """The commit of each line."""
    told = git(top, "blame", "--line-porcelain", *options, "HEAD", "--", path).split("\n")
    return [line.split(" ")[0] for line, before in zip(told, ["\t", *told], strict=False)
            if before.startswith("\t") and line]  # fmt: skip


def blamed_until(top: Path, path: str) -> list[int]:
    """When each line was committed, as seconds; 0: it is not."""
    if not git(top, "ls-tree", "HEAD", "--", path) if git(top, "rev-list", "-1", "--all") else True:
        return [0] * len((top / path).read_text(encoding="utf-8").removesuffix("\n").split("\n"))
    found, when, is_committed = [], 0, False
    for line in git(top, "blame", "--line-porcelain", "--", path).split("\n"):
        if line.startswith("committer-time "):
            when = int(line.split(" ")[1])
        elif line == "author Not Committed Yet":
            is_committed = False
        elif line.startswith("author "):
            is_committed = True
        elif line.startswith("\t"):
            found.append(when if is_committed else 0)
    return found
