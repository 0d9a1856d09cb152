"""Git links: by session, and from a commit or pull request back to the session."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import (
    AsyncClickHouseStore,
    GitLink,
    GitLinkEntry,
    GitLinkResult,
    InvalidArgumentError,
    SessionDelete,
    SessionFilter,
)
from tests.builders import at, commit, message, pull_request, session, stored

FULL = "0123456789abcdef0123456789abcdef01234567"


async def shas(store: AsyncClickHouseStore, org: str, sha: str) -> list[str]:
    return [found.commit_sha for found in await store.lookup_git_links(org, sha=sha)]


async def test_links_of_a_session_are_ordered_and_complete(store: AsyncClickHouseStore, org: str) -> None:
    links = [
        commit("s", "bbbb", message_ordinal=1, user_id="u", detected_at=at(1)),
        pull_request("s", "https://x/1", message_ordinal=1, detected_at=at(2, micro=5)),
        pull_request("s", "https://x/2", message_ordinal=2, commit_sha="cccc"),
        commit("s", "aaaa", message_ordinal=10),
    ]
    await store.write_git_links(org, [*links[::-1], commit("other", "aaaa")])
    assert await store.get_session_git_links(org, "s") == [stored(link, org) for link in links]


async def test_a_prefix_of_any_case_finds_the_commit(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_git_links(org, [commit("s", FULL), commit("s", FULL[:7] + "f" * 33)])
    for prefix in (FULL, FULL.upper(), FULL[:8], FULL[:8].upper()):
        assert await shas(store, org, prefix) == [FULL]
    assert len(await shas(store, org, FULL[:4])) == 2
    assert await shas(store, org, "1234") == []
    assert await shas(store, org, FULL + "0") == [FULL]


async def test_a_full_sha_finds_the_link_stored_short_and_in_capitals(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_git_links(org, [commit("short", FULL[:7]), commit("capitals", FULL[:10].upper())])
    assert sorted(await shas(store, org, FULL)) == sorted([FULL[:7], FULL[:10].upper()])
    assert len(await shas(store, org, FULL[:8])) == 2
    assert await shas(store, org, FULL[:7] + "0") == [FULL[:7]]
    assert await shas(store, org, FULL[:6] + "f") == []


async def test_links_without_a_sha_match_no_sha(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_git_links(org, [pull_request("s", "https://x/1"), commit("s", "abc")])
    assert await shas(store, org, "abcd") == []


async def test_a_pull_request_is_found_by_its_exact_url(store: AsyncClickHouseStore, org: str) -> None:
    url = "https://github.com/a/b/pull/1"
    await store.write_git_links(org, [pull_request("s", url), pull_request("s", url + "0")])
    assert [found.pr_url for found in await store.lookup_git_links(org, pr_url=url)] == [url]
    assert await store.lookup_git_links(org, pr_url=url.upper()) == []
    assert await store.lookup_git_links(org, pr_url=url[:-1] + "_") == []


async def test_with_both_the_sha_wins(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_git_links(org, [pull_request("s", "https://x/1"), commit("s", "abcd")])
    found = await store.lookup_git_links(org, sha="abcd", pr_url="https://x/1")
    assert [(link.commit_sha, link.pr_url) for link in found] == [("abcd", "")]


async def test_neither_or_no_hex_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(InvalidArgumentError, match="required"):
        await store.lookup_git_links(org)
    for bad in ("abc", "xyzw", "abcd ", "abcd%", "0x12", "ａｂｃｄ", "abcd\n"):
        with pytest.raises(InvalidArgumentError, match=r"^sha: ") as caught:
            await store.lookup_git_links(org, sha=bad, pr_url="https://x/1")
        assert caught.value.field == "sha"


async def test_newest_first_with_the_session_they_were_made_in(store: AsyncClickHouseStore, org: str) -> None:
    told = session(
        "told",
        user_id="u",
        user_name="Ada",
        project_id="p",
        project_name="web",
        agent_type="codex",
        first_message="hi",
        started_at=at(3, micro=4),
    )
    await store.write_session(org, told)
    await store.write_git_links(
        org,
        [
            commit("untold", "abcd1", user_id="v", detected_at=None),
            commit("told", "abcd2", detected_at=at(1), message_ordinal=7),
            pull_request("told", "https://x/1", commit_sha="abcd3", detected_at=at(2)),
        ],
    )
    assert await store.lookup_git_links(org, sha="abcd") == [
        GitLinkResult(
            session_id="told",
            user_id="u",
            user_name="Ada",
            project_id="p",
            project_name="web",
            agent_type="codex",
            started_at=at(3, micro=4),
            first_message="hi",
            commit_sha="abcd3",
            pr_url="https://x/1",
            link_type="pr",
            confidence="medium",
        ),
        GitLinkResult(
            session_id="told",
            user_id="u",
            user_name="Ada",
            project_id="p",
            project_name="web",
            agent_type="codex",
            started_at=at(3, micro=4),
            first_message="hi",
            commit_sha="abcd2",
            link_type="commit",
            confidence="high",
            message_ordinal=7,
        ),
        GitLinkResult(session_id="untold", user_id="v", commit_sha="abcd1", link_type="commit", confidence="high"),
    ]


async def test_links_of_subagents_are_found_and_of_deleted_sessions_not(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session("sub", relationship_type="subagent"), session("gone")])
    await store.write_git_links(org, [commit("sub", "abcd"), commit("gone", "abcd")])
    await store.write_session_deletes(org, [SessionDelete(session_id="gone")])
    assert [found.session_id for found in await store.lookup_git_links(org, sha="abcd")] == ["sub"]


async def latest(store: AsyncClickHouseStore, org: str, *asked: Any, limit: int = 100) -> list[tuple[str, str]]:
    """Session and what is linked, over all pages."""
    found: list[tuple[str, str]] = []
    cursor = ""
    while True:
        page = await store.list_git_links(org, *asked, limit=limit, cursor=cursor)
        assert len(page.links) <= limit
        found += [(one.session_id, one.commit_sha or one.pr_url) for one in page.links]
        if not (cursor := page.next_cursor):
            return found


async def test_the_latest_links_with_their_sessions(store: AsyncClickHouseStore, org: str) -> None:
    told = session("told", user_id="u", user_name="Ada", project_id="p", project_name="web", agent_type="codex",
                   first_message="hi", display_name="A title", started_at=at(3, micro=4))  # fmt: skip
    await store.write_batch(org, [told, session("sub", relationship_type="subagent", started_at=at(4))])
    await store.write_git_links(
        org,
        [
            commit("untold", "abcd1", user_id="v"),
            commit("untold", "abcd9", detected_at=at(9)),
            commit("told", "abcd2", user_id="v", message_ordinal=7),
            pull_request("told", "https://x/1", detected_at=at(3, micro=5), user_id="v"),
            commit("sub", "abcd4"),
        ],
    )
    order = [("untold", "abcd9"), ("sub", "abcd4"), ("told", "https://x/1"), ("told", "abcd2"), ("untold", "abcd1")]
    assert await latest(store, org) == order
    page = await store.list_git_links(org)
    of_told = GitLinkEntry(
        "told", "u", "Ada", "p", "web", "codex", at(3, micro=4), "hi", confidence="high", display_name="A title"
    )
    assert page.links[2:] == [
        replace(of_told, pr_url="https://x/1", link_type="pr", confidence="medium", detected_at=at(3, micro=5)),
        replace(of_told, commit_sha="abcd2", link_type="commit", message_ordinal=7),
        GitLinkEntry(session_id="untold", user_id="v", commit_sha="abcd1", link_type="commit", confidence="high"),
    ]
    # The same but for what it has more.
    fields = GitLinkResult.__struct_fields__
    assert {tuple(getattr(one, name) for name in fields) for one in page.links if one.commit_sha} == {
        tuple(getattr(one, name) for name in fields) for one in await store.lookup_git_links(org, sha="abcd")
    }
    assert await latest(store, org, SessionFilter(project_name="web")) == [order[2], order[3]]
    assert await latest(store, org, SessionFilter(include_subagents=True)) == order[1:4]
    assert await latest(store, org, SessionFilter(include_subagents=True, date_from=at(4))) == [order[1]]
    assert await latest(store, f"{org}-other") == []


async def test_pages_of_links_tell_each_once(store: AsyncClickHouseStore, org: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    sessions = [session(f"s{n}'", started_at=rng.choice((None, at(1), at(2)))) for n in range(4)]
    starts = {one.id: one.started_at for one in sessions}
    links = {
        (one.session_id, one.commit_sha): one
        for one in (
            commit(rng.choice([*starts, "untold"]), f"{n:04x}", message_ordinal=rng.randrange(3),
                   detected_at=rng.choice((None, at(1), at(1, micro=1), at(2))))
            for n in range(40)
        )
    }  # fmt: skip
    await store.write_batch(org, sessions)
    await store.write_git_links(org, links.values())

    def key(one: GitLink) -> tuple[Any, ...]:
        made = one.detected_at or starts.get(one.session_id)
        return made is not None, made or at(), one.session_id, one.message_ordinal, one.commit_sha

    expected = [(one.session_id, one.commit_sha) for one in sorted(links.values(), key=key, reverse=True)]
    for limit in (1, 7, 1000):
        assert await latest(store, org, limit=limit) == expected


async def test_the_latest_links_that_count(store: AsyncClickHouseStore, org: str) -> None:
    said = [message(0, role="assistant", source_id="r", output_tokens=1)]
    await store.write_session(org, session("origin"), said)
    await store.write_git_links(org, [commit("origin", "abcd1")])
    await store.write_git_links(org, [commit("fork", "abcd1"), commit("fork", "abcd2"), commit("gone", "abcd3")])
    await store.write_session(org, session("fork", started_at=at(5)), [*said, message(1)])
    await store.write_session(org, session("gone", started_at=at(6)))
    assert await latest(store, org) == [("gone", "abcd3"), ("fork", "abcd2"), ("origin", "abcd1")]
    await store.write_session_deletes(org, [SessionDelete(session_id="gone")])
    assert await latest(store, org) == [("fork", "abcd2"), ("origin", "abcd1")]
    await store.purge_sessions(org, ["origin", "gone"])  # and the copy is the fork's own
    assert await latest(store, org) == [("fork", "abcd2"), ("fork", "abcd1")]


async def test_lists_of_links_that_cannot_be_asked_for(store: AsyncClickHouseStore, org: str) -> None:
    bad: Any
    for bad in (0, 1001, "5", None):
        with pytest.raises(InvalidArgumentError, match=r"^limit: "):
            await store.list_git_links(org, limit=bad)
    for bad in ("x", "é", (await store.list_sessions(org)).next_cursor or "W10", 5):
        with pytest.raises(InvalidArgumentError, match=r"^cursor: "):
            await store.list_git_links(org, cursor=bad)
    for bad in ("project", {}, 0):
        with pytest.raises(InvalidArgumentError, match=r"^filter: "):
            await store.list_git_links(org, bad)
