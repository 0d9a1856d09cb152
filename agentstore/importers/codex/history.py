"""The rollouts that are read together."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import msgspec

from agentstore.importers.codex.reader import Around, Reader
from agentstore.importers.codex.records import entries_of_document
from agentstore.importers.codex.rollout import (
    MOST_DOCUMENT,
    document_of,
    is_compressed,
    is_document,
    opened,
)
from agentstore.importers.codex.rollouts import Rollouts
from agentstore.importers.codex.survey import Survey, Told
from agentstore.importers.codex.titles import keep_title, titles_beside
from agentstore.importers.facts import digest_of
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import remote_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import stretches
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState, Trace

_HELD = "file/held by another"
_TOLD, _ON_THIS_MACHINE = 0, 1  # how sure a remote is


class CodexHistory:
    """Files that are read together: parents tell what of their children's records is inherited (``survey``)."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self._options = options
        self._rollouts = Rollouts(options, known, grown)
        self._survey = Survey(files, self._rollouts)
        self._titles = titles_beside(files, options.mask)
        self._repositories = Repositories()
        # Subagents before their sessions, so that what is visible is complete.
        self.files = sorted(files, key=lambda path: (self._survey.told(path).relationship != "subagent", path))
        self._learn()

    def facts(self, path: pathlib.Path) -> bytes:
        return self._rollouts.facts(path)

    def context(self, path: pathlib.Path) -> bytes:
        told = self._survey.told(path)
        if told.is_held:
            return digest_of(True)
        return digest_of(told, self._title(told), self._about(path, told))

    def _about(self, path: pathlib.Path, told: Told) -> list[object]:
        """What is known of where a session ran."""
        said = self._rollouts.said(path)
        if said.meta.thread and said.meta.cwd:
            return [self._repositories.about(said.meta.cwd)]
        if (said.cwds or said.head) and not told.kin.until:
            return [self._repositories.about(cwd) for cwd in said.cwds]
        # Where its first records do not say it, a later one may name any directory.
        return self._repositories.everything()

    def _title(self, told: Told) -> str:
        return self._titles.get(told.scope.partition("~")[0], "")

    def _learn(self) -> None:
        for cwd, url in sorted({(meta.cwd, meta.remote) for meta in self._survey.metas}):
            self._repositories.learn_directory(cwd)
            self._repositories.learn_remote(cwd, remote_of(url), _TOLD)
            if self._options.local_git and cwd and (found := repository_of(cwd, self._options.mask)).root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """A compressed file or a document has no state: it is read anew, since nothing is added to one."""
        name, told = name_of(path), self._survey.told(path)
        if told.is_held:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        around = Around(told, self._options, self._repositories, self._title(told))
        intake = Intake(name, self._options)
        keep_title(path, told.scope.partition("~")[0], intake)
        if is_document(path):
            yield intake.filled(self._whole(path, Reader(name, around), intake))
            return
        if is_compressed(path):
            yield from self._unpacked(path, Reader(name, around), intake)
            return
        with opened(path) as stream:
            if state is not None:
                state.open(stream)
            reader = Reader(name, around, state)
            trace = Trace(stream, state)
            yield from pieces_of(reader, trace, stretches(stream), self._options.piece_bytes, intake)

    def _unpacked(self, path: pathlib.Path, reader: Reader, intake: Intake) -> Iterator[ImportResult]:
        def tell_broken() -> None:
            reader.report(reader.lines + 1, "the compression is broken: what follows is lost")

        with opened(path, tell_broken) as stream:
            for piece in pieces_of(reader, Trace(), stretches(stream), self._options.piece_bytes, intake):
                yield msgspec.structs.replace(piece, state=None)
        # It may be broken where a piece has ended.
        if (rest := reader.piece(None)).problems:
            yield rest

    def _whole(self, path: pathlib.Path, reader: Reader, intake: Intake) -> ImportResult:
        data = read_start(path, MOST_DOCUMENT + 1)
        if len(data) > MOST_DOCUMENT:
            reader.report(0, f"more than {MOST_DOCUMENT:,} bytes")
            return reader.piece(None)
        document = document_of(intake.whole(data), reader.report)
        if document is None:
            reader.report(0, "not a JSON object")
        for entry in entries_of_document(document):
            reader.take_entry(entry)
        return reader.piece(None)
