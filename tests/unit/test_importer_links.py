"""Git links of a whole session, the files of a tree, and the sample that ships with the package."""

from __future__ import annotations

import collections
import pathlib

import pytest

import agentstore
from agentstore.importers import (
    ImportProblem,
    find_claude_code,
    import_claude_code,
    import_claude_code_tree,
    import_tree,
)
from tests.unit.importer_lines import FILE, SESSION, assistant, at, data, line, result, use, user

SAMPLES = pathlib.Path(agentstore.__file__).parent / "samples"


def test_a_commit_is_linked_once_by_its_best_proof_at_the_time_of_its_result() -> None:
    read = import_claude_code(
        data(
            user("go"),
            assistant(use("t1", command="git revert HEAD")),
            result("t1", "[main 1a2b3c4] x", second=3),
            assistant(use("t2", command="git commit"), id="msg_2", second=4),
            result("t2", "[main 1a2b3c4] x", second=5),
            line("pr-link", 6, prUrl="https://github.com/o/r/pull/3", prNumber=3),
        ),
        file=FILE,
        user_id="ada",
    )
    links = {link.link_type: link for link in read.git_links}
    assert len(read.git_links) == 2
    commit, request = links["commit"], links["pr"]
    assert (commit.confidence, commit.message_ordinal, commit.user_id) == ("high", 2, "ada")
    assert commit.detected_at is not None
    assert commit.detected_at.isoformat() == at(5).replace("Z", "000+00:00")
    assert (request.pr_url, request.message_ordinal) == ("https://github.com/o/r/pull/3", 2)


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    home = tmp_path / "projects" / "-home-ada-clock"
    (home / SESSION / "subagents" / "workflows" / "run").mkdir(parents=True)
    (home / f"{SESSION}.jsonl").write_bytes(data(user("main")))
    (home / "agent-old.jsonl").write_bytes(data(user("flat", isSidechain=True)))
    (home / SESSION / "subagents" / "agent-a1.jsonl").write_bytes(data(user("sub", isSidechain=True)))
    (home / SESSION / "subagents" / "agent-a1.meta.json").write_text("{}")
    (home / SESSION / "subagents" / "workflows" / "run" / "journal.jsonl").write_bytes(data(line("started")))
    (home / "aaaaaaaa-0000-4000-8000-000000000000.jsonl").write_bytes(
        data(line("summary", None, summary="The clock", leafUuid="user-0"))
    )
    (tmp_path / "rollout-x.jsonl").write_text('{"timestamp":"x","type":"session_meta","payload":{}}\n')
    (tmp_path / "cursor.jsonl").write_text('{"role":"user","message":{"content":"x"}}\n')
    return tmp_path


def test_all_transcripts_are_found_subagents_before_their_session(tree: pathlib.Path) -> None:
    assert [path.name for path in find_claude_code(tree)] == [
        "agent-old.jsonl",
        "agent-a1.jsonl",
        f"{SESSION}.jsonl",
        "aaaaaaaa-0000-4000-8000-000000000000.jsonl",
    ]
    (one,) = find_claude_code(tree / "cursor.jsonl")
    assert one.name == "cursor.jsonl"


def test_a_tree_joins_titles_over_files_in_any_order(tree: pathlib.Path) -> None:
    sessions = {s.id: s for read in import_claude_code_tree(tree, user_id="u") for s in read.sessions}
    assert set(sessions) == {f"{SESSION}:agent-old", f"{SESSION}:agent-a1", SESSION}
    assert sessions[SESSION].display_name == "The clock"
    assert sessions[f"{SESSION}:agent-a1"].parent_session_id == SESSION
    assert {s.user_id for s in sessions.values()} == {"u"}


def test_a_file_that_cannot_be_read_or_is_garbage_is_a_problem(tree: pathlib.Path) -> None:
    home = tree / "projects" / "-home-ada-clock"
    (home / "agent-gone.jsonl").symlink_to(home / "nowhere")
    (home / "agent-broken.jsonl").write_bytes(b"\x7fELF\x00\x01\n")
    problems = [problem for read in import_claude_code_tree(tree) for problem in read.problems]
    gone, broken = (home / "agent-gone.jsonl").as_posix(), (home / "agent-broken.jsonl").as_posix()
    assert ImportProblem(gone, 0, "cannot be read: No such file or directory") in problems
    assert [problem.line for problem in problems if problem.file == broken] == [1]


def test_a_tree_that_does_not_exist_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        list(import_claude_code_tree(tmp_path / "nothing"))


def test_the_sample_shows_everything_a_store_can_tell() -> None:
    read = [r for user_dir in ("ada", "jonas", "mei") for r in import_claude_code_tree(SAMPLES / user_dir)]
    sessions = [s for r in read for s in r.sessions]
    calls = [c for r in read for c in r.tool_calls]
    assert not [problem for r in read for problem in r.problems]
    assert not [name for r in read for name in r.unknown_records]
    assert {s.relationship_type for s in sessions} == {"", "subagent"}
    assert {s.project_name for s in sessions} == {"tideclock", "brotzeit"}
    assert len({m.model for r in read for m in r.messages} - {""}) == 3
    assert {link.link_type for r in read for link in r.git_links} == {"commit", "pr"}
    assert {"Bash", "Read", "Edit", "Grep", "Task", "Write", "TodoWrite"} <= {c.tool_name for c in calls}
    assert any(c.is_error for c in calls)
    assert {c.subagent_session_id for c in calls} - {""} <= {s.id for s in sessions}
    assert "横浜: a second hand for the tide clock" in {s.display_name for s in sessions}
    assert all(s.total_output_tokens and s.user_message_count for s in sessions)


def test_the_sample_is_of_three_agents() -> None:
    read = list(import_tree(SAMPLES))
    assert not [problem for r in read for problem in r.problems]
    assert not [name for r in read for name in r.unknown_records]
    sessions = [s for r in read for s in r.sessions]
    agents = collections.Counter(s.agent_type for s in sessions)
    assert agents == {"claude-code": 5, "codex": 1, "gemini": 1}
    assert {s.project_name for s in sessions} == {"tideclock", "brotzeit"}
    assert len({s.project_id for s in sessions if s.project_name == "brotzeit"}) == 1
    assert all(s.total_output_tokens and s.user_message_count for s in sessions)
