"""Git links: by session, and from a commit or pull request back to the session."""

from __future__ import annotations

import pytest

from agentstore import AsyncClickHouseStore, GitLinkResult, InvalidArgumentError, SessionDelete
from tests.builders import at, commit, pull_request, session, stored

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
