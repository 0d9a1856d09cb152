"""Which files a tool call read, wrote, edited, deleted or moved: what its arguments say, where its result was no error.

Tools are known by their names, however an agent or a server joins and capitalises the words; which of them read and
which write is told in ``_TOOLS`` (counted on real transcripts: Claude Code, Codex, Copilot CLI, Cursor, Gemini CLI,
OpenCode, SWE-agent; read in public source: Cline, Roo Code, OpenHands, VS Code, Windsurf). Of commands only what is
certain counts (``shell_files``). Listings and searches read no file that they name.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from agentstore.importers.file_paths import is_absolute, joined, placed
from agentstore.importers.patches import Touched, in_patch
from agentstore.importers.shell_files import in_command
from agentstore.importers.shell_text import bare_name, command_of, is_shell
from agentstore.importers.tools import text_of
from agentstore.models import FileOperation, FileTouch

_NAMES: dict[FileOperation, str] = {
    "read": """
        copilotreadfile fsread notebookread open openfile read readfile readfilev2 readfiles readimage readmanyfiles
        readmediafile readmultiplefiles readnotebook readtextfile view viewfile viewfileoutline viewimage
    """,
    "write": """
        copilotcreatefile create createfile fswrite newfilecreated savefile write writefile writetofile
    """,
    "edit": """
        applydiff applyfilediff appendfile applieddiff copiloteditfile copilotinsertedit copilotmultireplacestring
        copilotreplacestring edit editedexistingfile editfile editfilev2 editnotebook editnotebookfile insert
        insertcontent inserteditintofile insertline multiedit multireplacefilecontent multireplacestringinfile
        notebookedit replace replacefilecontent replaceinfile replacestringinfile searchandreplace searchreplace
        strreplace strreplaceinfile undoedit
    """,
    "delete": "delete deletefile remove removefile",
    "move": "move movefile rename renamefile",
}
_TOOLS: dict[str, FileOperation] = {name: operation for operation, names in _NAMES.items() for name in names.split()}
_PATCHES = frozenset({"applypatch", "patch", "multipatch", "copilotapplypatch"})
_EDITORS = frozenset({"strreplaceeditor", "strreplacebasededittool", "texteditor", "fswrite", "edit", "memory"})
_COMMANDS: dict[str, FileOperation] = {
    "view": "read", "read": "read", "create": "write", "write": "write", "str_replace": "edit", "insert": "edit",
    "undo_edit": "edit", "append": "edit", "delete": "delete", "rename": "move",
}  # fmt: skip
_PATH = (
    "file_path", "filePath", "path", "target_file", "targetFile", "filename", "file", "absolute_path", "notebook_path",
    "notebookPath", "relativeWorkspacePath", "relative_path", "TargetFile", "AbsolutePath", "file_name", "filepath",
    "uri", "fileName",
)  # fmt: skip
_SEVERAL = ("paths", "file_paths", "filePaths", "files", "include", "edits", "replacements", "operations", "args")
_FROM = ("source", "old_path", "oldPath", "source_path", "sourcePath", "from", "src")
_TO = ("destination", "new_path", "newPath", "destination_path", "destinationPath", "to", "dest", "target")
_PATCH_TEXT = ("input", "patch", "patchText", "patch_text", "diff", "content")
_WORKDIR = ("workdir", "cwd", "Cwd", "directory", "dir_path", "working_directory", "workingDirectory")
_OPEN_FILE = re.compile(r"^\[File: ([^\n]{1,4096}?) \(\d+ lines total\)\]", re.MULTILINE)
_IS_FOLDER = re.compile(
    r"Here's the files and directories|<type>directory</type>|\s*<path>[^\n]*</path>\n<type>directory"
)
_PATTERN = re.compile(r"[*?\[{]")
_MOST = 500  # files of one call


@functools.lru_cache(1000)
def may_touch(name: str) -> bool:
    """Whether calls of a tool may touch files."""
    plain = bare_name(name)
    return plain in _TOOLS or plain in _PATCHES or plain in _EDITORS or is_shell(name)


def touches_in(name: str, input_json: str, result: str) -> Sequence[Touched]:
    """What a call did with files, as it was told. ``result`` is no error's."""
    if (operation := _of_one_file(name)) and (path := _only_path(input_json)):
        return () if operation == "read" and _is_folder(result) else (Touched(operation, path),)
    plain = bare_name(name)
    try:
        arguments = msgspec.json.decode(input_json.encode("utf-8", errors="replace"))
    except (msgspec.MsgspecError, RecursionError):
        return ()
    if is_shell(name):
        return _of_shell(plain, arguments, result)
    found = _of_patch(arguments) if plain in _PATCHES else _of_tool(plain, arguments, result)
    # Tools that read several files take patterns, which name none.
    sure = (one for one in found if one.path and (one.operation != "read" or not _PATTERN.search(one.path)))
    return tuple(itertools.islice(sure, _MOST))


@functools.lru_cache(1000)
def _of_one_file(name: str) -> FileOperation | None:
    """What a tool does whose calls name one file; of most calls this is all there is to know."""
    plain = bare_name(name)
    operation = _TOOLS.get(plain)
    return None if operation == "move" or plain in _EDITORS else operation


def _is_folder(result: str) -> bool:
    return result.startswith(("Here's", "<", "\n")) and _IS_FOLDER.match(result) is not None


class _FilePath(msgspec.Struct):
    """What most calls say: without the texts, which take time to decode."""

    file_path: str = ""
    filePath: str = ""
    owner: msgspec.Raw | None = None


# As most agents write it: before the texts, which need not be read then.
_PATH_FIRST = re.compile(r'\{(?:"\w{1,30}":(?:true|false|\d{1,9}),){0,3}"(?:file_path|filePath)":"([^"\\]{1,4096})"')
_decode_path = msgspec.json.Decoder(_FilePath).decode


def _only_path(input_json: str) -> str:
    if first := _PATH_FIRST.match(input_json):
        return first.group(1)
    try:
        told = _decode_path(input_json)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    return "" if told.owner is not None else told.file_path or told.filePath


def _of_shell(plain: str, arguments: Any, result: str) -> list[Touched]:
    words = arguments.get("command") if isinstance(arguments, dict) else None
    if isinstance(words, list) and len(words) > 1 and words[0] in ("apply_patch", "applypatch"):
        found = list(in_patch(words[1])) if isinstance(words[1], str) else []
    else:
        escape = "`" if plain in ("powershell", "pwsh") else "\\"
        found = in_command(command_of(arguments), result, escape=escape)
    workdir = text_of(arguments, *_WORKDIR)
    if workdir and found:
        found = [one._replace(base=joined(workdir, one.base) if one.base else workdir) for one in found]
    return found[:_MOST]


def _of_patch(arguments: Any) -> Iterator[Touched]:
    text = arguments if isinstance(arguments, str) else text_of(arguments, *_PATCH_TEXT)
    found = False
    for one in in_patch(text):
        found = True
        yield one
    if not found:
        yield from (Touched("edit", path) for path in _paths(arguments))


def _of_tool(plain: str, arguments: Any, result: str) -> Iterator[Touched]:
    if not isinstance(arguments, dict) or ("owner" in arguments and "repo" in arguments):
        return  # the latter is a file of a forge
    operation = _TOOLS.get(plain)
    if plain in _EDITORS and (command := arguments.get("command")) is not None:
        operation = _COMMANDS.get(command) if isinstance(command, str) else None
    if operation == "move":
        if (old := text_of(arguments, *_FROM, *_PATH)) and (new := text_of(arguments, *_TO)):
            yield Touched("move", old, new)
        return
    if operation is None or (operation == "read" and _is_folder(result)):
        return
    told = False
    for path in _paths(arguments):
        told = True
        yield Touched(operation, path)
    # SWE-agent edits the file that is open, which the answer names.
    shown = _OPEN_FILE.search(result) if not told and plain in ("edit", "insert", "create") else None
    if shown and "NOT been applied" not in result:
        yield Touched(operation, shown.group(1))


def _paths(arguments: Any) -> Iterator[str]:
    if not isinstance(arguments, dict):
        return
    if path := text_of(arguments, *_PATH):
        yield path
    for key in _SEVERAL:
        value = arguments.get(key)
        for one in value[:_MOST] if isinstance(value, list) else [value] if isinstance(value, dict) else ():
            if isinstance(one, str):
                yield one
            elif isinstance(one, dict):
                inner = one.get("file")
                files = inner[:_MOST] if isinstance(inner, list) else [one]
                yield from filter(None, (text_of(each, *_PATH) for each in files))


# --- rows ----------------------------------------------------------------------------------------------------------


class TouchingCall(NamedTuple):
    """A call that touched files, and when it was answered. ``cwd`` is where the agent was, ``root`` where the session
    ran; "" where that is not known."""

    message_ordinal: int
    call_index: int
    tool_use_id: str
    moment: dt.datetime | None
    touched: Sequence[Touched]
    cwd: str
    root: str

    def rows(self, session_id: str, root: str = "") -> Iterator[FileTouch]:
        """One row for each path; ``root`` is where the session ran, if that was not known before."""
        for path, (operation, moved_from, moved_to) in sorted(self._paths(self.root or root).items()):
            yield FileTouch(
                session_id,
                path,
                operation,
                "",
                self.message_ordinal,
                self.tool_use_id,
                self.call_index,
                moved_from,
                moved_to,
                self.moment,
            )

    def _paths(self, root: str) -> dict[str, tuple[FileOperation, str, str]]:
        found: dict[str, tuple[FileOperation, str, str]] = {}
        cwd = self.cwd or root
        for one in self.touched:
            base = one.base and (one.base if is_absolute(one.base) or not cwd else f"{cwd}/{one.base}")
            path = placed(one.path, base or cwd, root)
            if one.operation != "move":
                _note(found, path, one.operation)
            elif path and (target := placed(one.moved_to, base or cwd, root)) and target != path:
                found[path] = ("move", "", target)
                found[target] = ("move", path, "")
        return found


def _note(found: dict[str, tuple[FileOperation, str, str]], path: str, operation: FileOperation) -> None:
    """The last change of a path stands; reading is none, and an edit of what was just made is part of making it."""
    known = found.get(path)
    is_less = operation == "read" or (operation == "edit" and known is not None and known[0] in ("write", "move"))
    if path and (known is None or known[0] == "read" or not is_less):
        found[path] = (operation, "", "")
