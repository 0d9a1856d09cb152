"""What a tool is: its category, the skill it loads, and the one line that shows a call in a message.

The categories are those of agentsview, so that numbers can be compared with it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

_NAMES = {
    "Read": """
        LS Read ReadFile fetch file-picker find getConsoleContent listCodeDefinitionNames listFiles
        listFilesRecursive listFilesTopLevel list_directory list_files look_at ls read readFile
        read_context_file read_file read_files read_image read_shell_command_output read_subtree
        read_url_content read_web_page view view_file vision_analyze zencoder-rag-mcp__web_search
    """,
    "Edit": """
        ApplyPatch Edit EditFile StrReplace appliedDiff apply_file_diff apply_patch deleteFile edit
        edit_file editedExistingFile multi_patch multi_replace_file_content patch remove replace
        replace_file_content searchAndReplace str_replace undo undo_edit
    """,
    "Write": """
        NotebookEdit Write WriteFile createFile create_file insertContent newFileCreated write writeToFile
        write_file write_to_file
    """,
    "Bash": """
        Bash RunTerminalCommand Shell bash basher code_interpreter exec exec_command executeCode
        executeCommand execute_code execute_command process runCode run_command run_shell_command
        run_terminal_command shell shell_command shell_kill shell_status shell_tail terminal write_stdin
        write_to_long_running_shell_command
    """,
    "Grep": """
        Grep codebaseSearch finder fs_search grep grep_search keyword_search searchFiles search_codebase
        search_files
    """,
    "Glob": """
        Glob glob
    """,
    "Task": """
        Agent LaunchSubagent Task agents_list define_subagent delegate_task explore invoke_subagent
        manage_subagents manage_task newTask parallel send_message session_status sessions_history
        sessions_list sessions_send sessions_spawn spawn_agent spawn_agents subagent__ZencoderSubagent
        subagents task
    """,
    "Tool": """
        AskUserQuestion EnterMode ExitMode ProposePlanToUser Skill TodoWrite WebFetch WebSearch
        ask_permission ask_question ask_user browser browser_accessibility browser_back browser_click
        browser_close browser_console browser_emulate browser_get_images browser_navigate browser_network
        browser_press browser_profile browser_scroll browser_snapshot browser_type browser_vision
        call_mcp_tool canvas change_dir clarify code-reviewer code-searcher cronjob exit fetchInstructions
        finishTask generate_image gravity_index image llm_one_shot memory message nodes output_iframe
        question read_mcp_resource read_url render_ui report_intent schedule search search_web
        session_search skill skill_manage skill_view skills_list suggest_create_plan suggest_followups
        suggest_plan switchMode switch_mode text_to_speech todo todoWrite todo_action todo_read todo_write
        tts updateTodoList useMcpTool use_computer use_mcp_tool web_fetch web_search webfetch write_todos
    """,
}
CATEGORIES: Mapping[str, str] = {name: category for category, names in _NAMES.items() for name in names.split()}

# Tools that came after the table was published.
_LATER = {"PowerShell": "Bash", "local_shell": "Bash", "container.exec": "Bash"}

# Bounded, for commands may be long and hostile: see ``git_links``.
_SHELL_READS_SKILL = re.compile(
    r"\b(?:cat|sed|head|tail|less|more|bat|grep|rg|awk)\b[^|;&\n]{0,300}?([^\s'\"|;&]{0,300}SKILL\.md)\b"
)
_FRONT_MATTER_NAME = re.compile(r"^\s*(?:\d+[→\t])?name:\s*[\"']?([^\s\"'][^\"'\n]*?)[\"']?\s*$", re.MULTILINE)
_COMMANDS = frozenset({"command", "cmd"})
_SHELL = re.compile(r"(?:.*[/\\])?(?:(?:ba|z|da|k|fi)?sh|pwsh|powershell|cmd)(?:\.exe)?", re.IGNORECASE | re.DOTALL)
_GIVES_SCRIPT = re.compile(r"-[a-z]{0,4}c|-command|/c", re.IGNORECASE)
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.{1,4096})$", re.MULTILINE)
LOADS_SKILL = ("Skill", "skill", "activate_skill")
_TODO_MARKS = {"completed": "✓", "in_progress": "→"}
# SWE-agent's, which the table does not know.
_SWE_AGENT: Mapping[str, str] = {
    **dict.fromkeys(("open", "goto", "scroll_up", "scroll_down", "filemap", "view_image"), "Read"),
    **dict.fromkeys(("insert", "append", "str_replace_editor"), "Edit"),
    **dict.fromkeys(("search_dir", "search_file"), "Grep"),
    "create": "Write",
    "find_file": "Glob",
    "submit": "Tool",
}

# The names that VS Code has for its tools, as agentsview groups them, and Cursor's newer ones.
_EDITORS = {
    "Read": """
        copilot_getChangedFiles copilot_getErrors copilot_getNotebookSummary copilot_getVSCodeAPI copilot_githubRepo
        copilot_listCodeUsages copilot_readFile copilot_readNotebookCellOutput copilot_fetchWebPage
        copilot_openSimpleBrowser vscode_fetchWebPage_internal
    """,
    "Edit": """
        copilot_applyPatch copilot_editNotebook copilot_insertEdit copilot_multiReplaceString copilot_replaceString
        edit_file_v2 search_replace vscode_editFile_internal
    """,
    "Write": "copilot_createDirectory copilot_createFile copilot_deleteFile",
    "Bash": """
        copilot_getTerminalLastCommand copilot_getTerminalOutput copilot_getTerminalSelection
        copilot_runCommand copilot_runInTerminal copilot_runNotebookCell copilot_runTerminalLastCommand
        copilot_runTests copilot_runVscodeCommand copilot_terminalCommand get_terminal_output powershell runTests
        run_in_terminal run_terminal_cmd run_terminal_command_v2 terminal_last_command
    """,
    "Grep": "copilot_findFilesByName copilot_findTextInFiles copilot_searchCodebase copilot_searchFiles",
    "Glob": "copilot_findFiles copilot_listDir copilot_listDirectory",
    "Task": "manage_todo_list runSubagent task_v2",
    "Tool": "copilot_think",
}
_LATER |= {name: category for category, names in _EDITORS.items() for name in names.split()}


def category(name: str) -> str:
    """The category of a tool; "Other" for a name that nobody listed."""
    known = CATEGORIES.get(name) or _LATER.get(name) or _SWE_AGENT.get(name)
    if known is not None:
        return known
    return "Task" if "subagent" in name.lower() else "Other"


def starts_subagent(name: str) -> bool:
    """Whether calls of the tool may be linked with a subagent's session."""
    return category(name) == "Task" or "subagent" in name.lower()


def text_of(arguments: Any, *keys: str) -> str:
    """The first non-empty text among these keys of a tool's input; a command that is a list of words counts as text."""
    if isinstance(arguments, dict):
        for key in keys:
            value = arguments.get(key)
            if key in _COMMANDS and isinstance(value, list):
                value = command_text(value)
            if isinstance(value, str) and value:
                return value
    return ""


def command_text(words: list[Any]) -> str:
    """A command's words as one would type them; of a shell that is given a script (``bash -lc …``) the script."""
    texts = [word for word in words if isinstance(word, str)]
    if len(texts) > 2 and _SHELL.fullmatch(texts[0]) and _GIVES_SCRIPT.fullmatch(texts[-2]):
        return texts[-1]
    return shlex.join(texts)


def patched_files(patch: str) -> list[str]:
    """The files that a patch of ``apply_patch`` adds, changes or deletes."""
    return [found.strip() for found in _PATCHED.findall(patch)]


# --- skills ------------------------------------------------------------------------------------------------------


def skill_name(name: str, arguments: Any, result: str) -> str:
    """The skill that a call loads: named by the Skill tool, or inferred from opening a SKILL.md file."""
    if name in LOADS_SKILL:
        return text_of(arguments, "skill", "name", "command")
    path = _skill_file(name, arguments)
    if not path:
        return ""
    # The front matter is at the start; a ``name:`` further down is something else.
    titled = _FRONT_MATTER_NAME.search(result[:2000])
    return titled.group(1) if titled else _parent_directory(path)


def _skill_file(name: str, arguments: Any) -> str:
    kind = category(name)
    if kind == "Read":
        path = text_of(arguments, "file_path", "path", "filePath")
        return path if path.endswith("SKILL.md") else ""
    found = _SHELL_READS_SKILL.search(text_of(arguments, "command", "cmd")) if kind == "Bash" else None
    return found.group(1) if found else ""


def _parent_directory(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    return parts[-2] if len(parts) > 1 else ""


# --- a call as text ------------------------------------------------------------------------------------------------


def describe_call(name: str, arguments: Any) -> str:
    """The call as it stands in a message's content: ``[Read: path]``, ``[Bash]\\n$ command``, ``[Tool: name]`` …"""
    describe = _DESCRIBERS.get(name) or _DESCRIBERS.get(category(name))
    text = describe(arguments) if describe else ""
    return text or f"[Tool: {name}]"


def _bash(arguments: Any) -> str:
    description = text_of(arguments, "description")
    command = text_of(arguments, "command", "cmd", "CommandLine")
    head = f"[Bash: {description}]" if description else "[Bash]"
    return f"{head}\n$ {command}" if command else ""


def _labelled(label: str, *keys: str) -> Callable[[Any], str]:
    def describe(arguments: Any) -> str:
        value = text_of(arguments, *keys)
        return f"[{label}: {value}]" if value else ""

    return describe


def _todos(arguments: Any) -> str:
    todos = arguments.get("todos") if isinstance(arguments, dict) else None
    if not isinstance(todos, list):
        return ""
    items = [(_mark(todo), text_of(todo, "content", "activeForm")) for todo in todos]
    return "\n".join(["[Todos]", *(f"{mark} {text}" for mark, text in items if text)])


def _mark(todo: Any) -> str:
    return _TODO_MARKS.get(text_of(todo, "status"), "○")


def _question(arguments: Any) -> str:
    questions = arguments.get("questions") if isinstance(arguments, dict) else None
    texts = [text_of(item, "question") for item in questions] if isinstance(questions, list) else []
    return "\n".join(["[Question: AskUserQuestion]", *filter(None, texts)])


def _edit(arguments: Any) -> str:
    """The file; of a patch, the files."""
    files = text_of(arguments, *_PATH) or ", ".join(patched_files(text_of(arguments, "input", "patch"))[:20])
    return f"[Edit: {files}]" if files else ""


_PATH = ("file_path", "notebook_path", "path", "filePath", "absolute_path", "dir_path", "AbsolutePath", "TargetFile")
_DESCRIBERS: Mapping[str, Callable[[Any], str]] = {
    "AskUserQuestion": _question,
    "Bash": _bash,
    "Edit": _edit,
    "EnterPlanMode": lambda _arguments: "[Entering Plan Mode]",
    "ExitPlanMode": lambda arguments: "\n".join(filter(None, ("[Exiting Plan Mode]", text_of(arguments, "plan")))),
    "Glob": _labelled("Glob", "pattern"),
    "Grep": _labelled("Grep", "pattern"),
    "Read": _labelled("Read", *_PATH),
    "Skill": _labelled("Skill", "skill", "name", "command"),
    "Task": _labelled("Task", "description", "subagent_type", "prompt"),
    "TodoWrite": _todos,
    "WebFetch": _labelled("WebFetch", "url"),
    "WebSearch": _labelled("WebSearch", "query"),
    "Write": _labelled("Write", *_PATH),
}
