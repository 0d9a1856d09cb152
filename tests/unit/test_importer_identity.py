"""Ids that cannot collide: whose file it is, by its place and by its records."""

from __future__ import annotations

import pytest

from agentstore.importers.claude_code.identity import Identity, Named, identity_of, order_of, subagent_id
from tests.unit.importer_lines import SESSION

OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"
AGENT = Identity(f"{SESSION}:agent-7c1e0b2", SESSION, "subagent", SESSION, ("agent-7c1e0b2",))


@pytest.mark.parametrize(
    "file",
    [
        f"p/{SESSION}/subagents/agent-7c1e0b2.jsonl",
        f"p/{SESSION}/subagents/workflows/run/agent-7c1e0b2.jsonl",
        f"/home/subagents/.claude/projects/x/{SESSION}/subagents/agent-7c1e0b2.jsonl",
        f"/srv/{OTHER}/subagents/x/{SESSION}/subagents/agent-7c1e0b2.jsonl",
        f"C:\\p\\{SESSION}\\subagents\\agent-7c1e0b2.jsonl",
        # A subagent's subagent, in the one folder of all, or in one of its own.
        f"p/{SESSION}/subagents/agent-a1/subagents/agent-7c1e0b2.jsonl",
        "p/agent-7c1e0b2.jsonl",  # the flat layout
        "export/0/subagents/agent-7c1e0b2.jsonl",  # no session's folder: the records know
        "export/copy.jsonl",  # a subagent's file under another name
        "",
    ],
)
def test_the_id_of_a_subagent_has_its_session_in_it(file: str) -> None:
    named = Named(session_id=SESSION, last_session_id=SESSION, agent_id="7c1e0b2", sidechain=True)
    found = identity_of(file, named)
    assert found._replace(replaces=()) == AGENT._replace(replaces=())
    assert found.replaces == (("copy",) if "copy" in file else ("agent-7c1e0b2",))
    assert subagent_id(found.root, "7c1e0b2") == subagent_id(found.root, "agent-7c1e0b2") == found.id


def test_the_same_agent_in_two_sessions_is_two() -> None:
    assert identity_of(f"p/{SESSION}/subagents/agent-a.jsonl", Named()).id != (
        identity_of(f"p/{OTHER}/subagents/agent-a.jsonl", Named()).id
    )


@pytest.mark.parametrize(
    ("file", "named", "expected"),
    [
        (f"p/{SESSION}.jsonl", Named(SESSION, SESSION), Identity(SESSION, "", "", SESSION)),
        (f"p/{SESSION}.jsonl", Named(OTHER, SESSION), Identity(SESSION, OTHER, "continuation", SESSION)),
        (
            f"p/{SESSION}.jsonl",
            Named(SESSION, SESSION, forked_from=OTHER),
            Identity(SESSION, OTHER, "fork", SESSION),
        ),
        # Exports that call every file the same: the records say which session it is, the last of them if there are two.
        ("6f/0/full.jsonl", Named(SESSION, SESSION), Identity(SESSION, "", "", SESSION, ("full",))),
        ("6f/0/full.jsonl", Named(OTHER, SESSION), Identity(SESSION, OTHER, "continuation", SESSION, ("full",))),
        ("6f/0/full.jsonl", Named(), Identity("full", "", "", "full")),
        ("6f/0/full.jsonl", Named("x" * 300, "x" * 300), Identity("full", "", "", "full")),
        ("", Named(SESSION, SESSION), Identity(SESSION, "", "", SESSION)),
        ("", Named(uuid="u"), Identity("u", "", "", "u")),
        ("", Named(), Identity("unknown", "", "", "unknown")),
        # An old sidechain inside a session's file has no agent's id.
        ("full.jsonl", Named(SESSION, SESSION, sidechain=True), Identity(SESSION, "", "", SESSION, ("full",))),
        ("agent-a.jsonl", Named(), Identity("agent-a", "", "subagent", "agent-a")),
    ],
)
def test_the_id_of_a_session(file: str, named: Named, expected: Identity) -> None:
    assert identity_of(file, named) == expected


def test_the_order_goes_by_the_last_folder_of_that_name() -> None:
    files = [
        f"subagents/x/p/{OTHER}.jsonl",
        f"subagents/x/p/{OTHER}/subagents/agent-b.jsonl",
        f"subagents/x/p/{SESSION}/subagents/workflows/r/agent-a.jsonl",
        f"subagents/x/p/{SESSION}.jsonl",
        "subagents/x/p/agent-flat.jsonl",
    ]
    assert sorted(files, key=order_of) == [files[4], files[2], files[3], files[1], files[0]]
