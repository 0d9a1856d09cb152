"""Cursor's files that are read together: looking them over, and reading each."""

from __future__ import annotations

import datetime as dt
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agentstore.importers.conversation import Conversation
from agentstore.importers.cursor import state_db, store_db
from agentstore.importers.cursor.composer import ComposerTaker, bubbles_of
from agentstore.importers.cursor.marks import Marks
from agentstore.importers.cursor.paths import Place, meta_in, place_of, project_name, root_of
from agentstore.importers.cursor.said import VERSION, Said, look_into
from agentstore.importers.cursor.sources import STATE, STORE, TEXT, Sources, kind_of, prompts_in
from agentstore.importers.cursor.state_db import Where
from agentstore.importers.cursor.text_transcript import read_text
from agentstore.importers.cursor.transcript import Around, TranscriptReader, timed
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of
from agentstore.importers.git_directory import repository_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, stretches
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Project, Repositories, project_of
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.sqlite_files import Database, open_database
from agentstore.importers.states import ImportState, Trace, proofs_in, state_of_sessions
from agentstore.importers.times import parse_millis
from agentstore.importers.tools import text_of
from agentstore.models import Session

AGENT = "cursor"
MOST_TEXT = 64 * 1024 * 1024
_HELD = "file/held by another"
_ON_THIS_MACHINE = -1  # a rank: surer than anything that a record says


class CursorHistory:
    """Files that are read together: one conversation may be in several, and they tell about each other."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        # Subagents come before the session that started them, so that who sees it sees all of it.
        self.files = sorted(files, key=lambda path: (path.parent.name != "subagents", path.as_posix()))
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._notes = Notes(Said, VERSION, self._look_into, options, known, grown)
        self._repositories = Repositories()
        self._sources = Sources(self._prompts)
        self._where: dict[str, Where] = {}
        self._chats: dict[pathlib.Path, dict[str, pathlib.Path]] = {}  # of a root: the CLI's folder of each session
        self._started: dict[str, dict[str, str]] = {}  # of a session: its subagents by their prompts
        self._looked_up: set[str] = set()
        self._folders: dict[str, str] = {}  # the directories of workspaces, by their hash
        for path in self.files:
            if kind_of(path) == STATE and (said := self._notes.said(path)):
                self._folders[path.parent.name] = said.folder
        for path in self.files:
            self._look_over(path)
        self._sources.decide()
        for where in self._where.values():
            self._learn(where.cwd)

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        said = self._notes.said(path)
        if said is None:
            return b""
        if kind_of(path) == STATE:
            return self._context_of_state(path, said)
        id = self._id_of(path)
        if not self._sources.is_session(id, path):
            return digest_of(True)
        where, place = self._where.get(id, Where()), place_of(path)
        started = sorted(self._started.get(id, {}).items())
        return digest_of(id, where, place, started, self._about(where.cwd, place.slug))

    def _context_of_state(self, path: pathlib.Path, said: Said) -> bytes:
        """Only what other files say: what it says itself changes with it."""
        own: dict[str, Where] = {}
        self._add_where(own, said, {path.parent.name: said.folder})
        told: list[object] = []
        for id in said.claims:
            where = self._where.get(id, Where())
            held = not self._sources.is_session(id, path)
            if held or where != own.get(id, Where()):
                told.append((id, held, where))
        learned = Repositories()
        for where in own.values():
            learned.learn_directory(where.cwd)
        beyond = self._repositories.beyond(learned, {where.cwd for where in own.values()} - {""})
        return digest_of(told, beyond) if told or beyond else b""

    def _about(self, cwd: str, slug: str = "") -> object:
        """What is known of a directory; of one that only the records tell as much as may matter to it."""
        if cwd:
            return self._repositories.about(cwd)
        is_plain = not self._options.local_git and "worktree" not in slug and "workspaces" not in slug and slug
        return None if is_plain else self._repositories.everything()

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        kind = kind_of(path)
        if kind == STATE:
            yield from self._read_state(path, state)
        elif not self._sources.is_session(self._id_of(path), path):
            yield ImportResult(file=name_of(path), skipped_records={_HELD: 1})
        elif kind == STORE:
            yield self._read_store(path)
        elif kind == TEXT:
            yield self._read_text(path)
        else:
            yield from self._read_lines(path, state)

    def _id_of(self, path: pathlib.Path) -> str:
        if kind_of(path) != STORE:
            return place_of(path).id
        said = self._notes.said(path)
        return said.id if said else name_of(pathlib.Path(path.parent.name))

    # --- looking over ------------------------------------------------------------------------------------------------

    def _look_into(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        return look_into(path, self._look, self._chat_of(path, place_of(path).id))

    def _look_over(self, path: pathlib.Path) -> None:
        said = self._notes.said(path) or Said()
        if kind_of(path) == STATE:
            for id in said.claims:
                self._sources.claim(id, path)
            self._add_where(self._where, said, self._folders)
            return
        id = self._id_of(path)
        self._sources.claim(id, path)
        known, parent = self._where.get(id, Where()), place_of(path).parent if kind_of(path) != STORE else ""
        self._where[id] = Where(known.cwd or said.cwd, known.branch, known.name or said.title, known.parent or parent)
        if parent and said.asked:
            self._started.setdefault(parent, {})[said.asked] = f"{AGENT}:{id}"

    def _add_where(self, wheres: dict[str, Where], said: Said, folders: Mapping[str, str]) -> None:
        """What a database says of conversations, where nothing else said it before."""
        heads = ((id, where._replace(cwd=where.cwd or folders.get(folder, ""))) for id, folder, where in said.heads)
        for id, where in [*heads, *said.listed]:
            known = wheres.get(id, Where())
            wheres[id] = Where(*(one or other for one, other in zip(known, where, strict=True)))
        for id, parent in said.parents:
            wheres[id] = wheres.get(id, Where())._replace(parent=parent)

    def _prompts(self, path: pathlib.Path, id: str) -> int:
        said = self._notes.said(path)
        if said is None:
            return -1
        if said.prompts is None:
            said.prompts = prompts_in(path)
            self._notes.touch(path)
        return said.prompts.get("", said.prompts.get(id, 0))

    def _chat_of(self, path: pathlib.Path, id: str) -> pathlib.Path | None:
        """The CLI's folder of the session of a transcript."""
        root = root_of(path)
        if root is None:
            return None
        if root not in self._chats:
            self._chats[root] = {one.name: one for one in root.glob("chats/*/*")}
        return self._chats[root].get(id)

    def _learn(self, cwd: str) -> None:
        self._repositories.learn_directory(cwd)
        if self._options.local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            if (found := repository_of(cwd, self._options.mask)).root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read_lines(self, path: pathlib.Path, state: ImportState | None) -> Iterator[ImportResult]:
        place, name = place_of(path), name_of(path)
        intake = Intake(name, self._options)
        created, updated = self._times(self._chat_of(path, place.id), intake)
        with path.open("rb") as stream:
            if state is not None:
                state.open(stream)
            make = functools.partial(self._session, place.id, place)
            started = self._started.get(place.id, {})
            around = Around(f"{AGENT}:{place.id}", make, place.slug, created, updated or _changed(path), started)
            reader = TranscriptReader(name, around, state)
            yield from pieces_of(reader, Trace(stream, state), stretches(stream), self._options.piece_bytes, intake)

    def _read_text(self, path: pathlib.Path) -> ImportResult:
        place, conversation = place_of(path), Conversation()
        with path.open("rb") as file:
            data = file.read(MOST_TEXT + 1)
        if len(data) > MOST_TEXT:
            problem = ImportProblem(name_of(path), 0, f"more than {MOST_TEXT:,} bytes, not read")
            return ImportResult(file=name_of(path), problems=[problem])
        intake = Intake(name_of(path), self._options)
        read_text(intake.whole(data).decode("utf-8", errors="replace"), conversation, f"{AGENT}:{place.id}")
        created, updated = self._times(self._chat_of(path, place.id), intake)
        session = self._session(place.id, place)
        result = self._result(name_of(path), session, conversation, created, updated or _changed(path))
        return intake.filled(result)

    def _read_store(self, path: pathlib.Path) -> ImportResult:
        name, id, problems = name_of(path), self._id_of(path), list[ImportProblem]()
        conversation = Conversation()
        mask = self._options.mask
        stored = store_db.read_store(path, lambda reason: problems.append(ImportProblem(name, 0, reason)), mask)
        try:
            store_db.take_stored(stored, conversation, f"{AGENT}:{id}")
        except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
            problems.append(ImportProblem(name, 0, "nested too deeply"))
        created, updated = self._times(path.parent, self._look)
        created = parse_millis(stored.meta.get("createdAt")) or created
        title = text_of(stored.meta, "name")[:300]
        session = self._session(id, Place(id), stored.cwd)
        if title and title != "New Agent":
            session = msgspec.structs.replace(session, display_name=title)
        result = self._result(name, session, conversation, created, updated or _changed(path))
        return msgspec.structs.replace(result, problems=problems)

    def _read_state(self, path: pathlib.Path, state: ImportState | None) -> Iterator[ImportResult]:
        """One result a conversation that has changed since the state, and one of the file with the state."""
        name, problems, held = name_of(path), list[ImportProblem](), 0
        before, kept = proofs_in(state), dict[str, bytes]()

        def report(reason: str) -> None:
            problems.append(ImportProblem(name, 0, reason))

        with open_database(path, report, self._options.mask) as database:
            ids = state_db.composer_ids(database)
            marks = Marks(database, self._repositories)
            for id in ids:
                if not self._sources.is_session(id, path):
                    held += 1
                    continue
                proof = marks.proof(id, self._where.get(id, Where()))
                if not proof or before.get(id) != proof:
                    data = state_db.composer(database, id, report)
                    yield from self._read_composer(name, id, data, database, problems)
                if proof:
                    kept[id] = proof
            for id, data in state_db.kept_composers(database, report):
                if self._sources.is_session(id, path):
                    yield from self._read_composer(name, id, data, database, problems)
            after = state_of_sessions(kept if database.is_whole else before)
        skipped = {_HELD: held} if held else {}
        yield ImportResult(file=name, problems=problems, skipped_records=skipped, state=after)

    def _read_composer(
        self, name: str, id: str, data: Record, database: Database, problems: list[ImportProblem]
    ) -> Iterator[ImportResult]:
        taker, file = ComposerTaker(f"{AGENT}:{id}", data), f"{name}#{id}"

        def report(reason: str) -> None:
            problems.append(ImportProblem(file, 0, reason))

        try:
            fetch = functools.partial(state_db.bubble, database, id, report)
            for bubble_id, bubble in bubbles_of(data, fetch):
                if not database.is_whole:
                    break  # what comes next may have lost what was before it
                taker.take(bubble_id, bubble)
        except RecursionError:
            report("nested too deeply")
        taker.finish()
        where = state_db.where_of(data, self._where.get(id, Where()))
        session = self._session(id, Place(id), where=where)
        result = self._result(file, session, taker.conversation, None, None)
        own, problems[:] = [one for one in problems if one.file == file], [one for one in problems if one.file != file]
        if result.sessions or own:
            yield msgspec.structs.replace(result, problems=own)

    def _session(self, id: str, place: Place, cwd: str = "", where: Where | None = None) -> Session:
        """The session's row, all but what is counted from its messages."""
        options, where = self._options, where or self._where.get(id, Where())
        directory, parent = where.cwd or cwd, place.parent or where.parent
        project = self._repositories.project(directory)
        if not directory and place.slug:
            project = Project(project_of(place.slug).id, project_name(place.slug), "")
        return Session(
            id=f"{AGENT}:{id}",
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=AGENT,
            parent_session_id=f"{AGENT}:{parent}" if parent else "",
            relationship_type="subagent" if parent else "",
            display_name=where.name,
            git_branch=where.branch,
        )

    def _result(
        self,
        file: str,
        session: Session,
        conversation: Conversation,
        created: dt.datetime | None,
        changed: dt.datetime | None,
    ) -> ImportResult:
        sessions = [timed(one, created, changed) for one in conversation.totals(session)]
        messages, calls, links = conversation.rows(session.id, session.user_id)
        touches = conversation.file_touches(session.id, session.project_path)
        return ImportResult(
            file=file, sessions=sessions, messages=messages, tool_calls=calls, git_links=links, file_touches=touches
        )

    @staticmethod
    def _times(folder: pathlib.Path | None, intake: Intake) -> tuple[dt.datetime | None, dt.datetime | None]:
        """When the CLI says that a session began and was changed."""
        meta = meta_in(folder, intake) if folder else {}
        return parse_millis(meta.get("createdAtMs")), parse_millis(meta.get("updatedAtMs"))


def _changed(path: pathlib.Path) -> dt.datetime | None:
    return parse_millis(path.stat().st_mtime_ns // 1_000_000)
