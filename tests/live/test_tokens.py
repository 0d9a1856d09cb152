"""Tokens by model: each response of an agent is counted once in the organisation, with its largest output."""

from __future__ import annotations

from typing import Any

from agentstore import AsyncClickHouseStore, Message, ModelTokenUsage, SessionDelete
from tests.builders import at, message, session


def answer(ordinal: int, source_id: str, output: int, model: str = "opus", **fields: Any) -> Message:
    tokens = {"input_tokens": 1, "cache_read_tokens": 10, "cache_write_tokens": 100, "context_tokens": 111}
    return message(ordinal, model=model, source_id=source_id, output_tokens=output, **{**tokens, **fields})


def usage(model: str, output: int, messages: int) -> ModelTokenUsage:
    return ModelTokenUsage(model, messages, 10 * messages, 100 * messages, output, 111 * messages, messages)


async def test_a_response_is_counted_once_within_a_session(store: AsyncClickHouseStore, org: str) -> None:
    lines = [answer(0, "r1", 5), answer(1, "r1", 30), answer(2, "r1", 7), answer(3, "r2", 2)]
    await store.write_session(org, session("s"), lines)
    assert await store.token_usage_by_model(org) == [usage("opus", 32, 2)]


async def test_a_response_is_counted_once_across_sessions_with_its_largest_output(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(org, session("original"), [answer(0, "r1", 5), answer(1, "r2", 50)])
    await store.write_session(
        org, session("resumed", relationship_type="continuation"), [answer(0, "r1", 40), answer(1, "r2", 50)]
    )
    assert await store.token_usage_by_model(org) == [usage("opus", 90, 2)]


async def test_the_other_numbers_come_from_the_copy_with_the_largest_output(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(
        org, session("s"), [answer(0, "r", 9, input_tokens=5), answer(1, "r", 3, input_tokens=70, model="sonnet")]
    )
    [found] = await store.token_usage_by_model(org)
    assert (found.model, found.input_tokens, found.output_tokens, found.message_count) == ("opus", 5, 9, 1)


async def test_messages_without_a_source_are_responses_of_their_own(store: AsyncClickHouseStore, org: str) -> None:
    for id in ("a", "b"):
        await store.write_session(org, session(id), [answer(0, "", 5), answer(1, "", 5)])
    assert await store.token_usage_by_model(org) == [usage("opus", 20, 4)]


async def test_models_with_output_largest_first(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(
        org,
        session("s"),
        [
            answer(0, "1", 5, "b"),
            answer(1, "2", 5, "a"),
            answer(2, "3", 6, "c"),
            answer(3, "4", 0, "silent"),
            answer(4, "5", 2**63, "huge"),
            message(5, "a question without a model"),
        ],
    )
    found = await store.token_usage_by_model(org)
    assert [(one.model, one.output_tokens) for one in found] == [("huge", 2**63), ("c", 6), ("a", 5), ("b", 5)]


async def test_only_what_is_counted_counts(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("web", project_name="web", started_at=at(day=5)), [answer(0, "r1", 5)])
    await store.write_session(org, session("app", project_name="app", started_at=at(day=6)), [answer(0, "r1", 6)])
    hidden: dict[str, dict[str, Any]] = {
        "silent": {"user_message_count": 0},
        "subagent": {"relationship_type": "subagent"},
        "deleted": {},
    }
    for id, fields in hidden.items():
        await store.write_session(org, session(id, **fields), [answer(0, "r1", 1000), answer(1, id, 1000)])
    await store.write_session_deletes(org, [SessionDelete(session_id="deleted")])
    assert await store.token_usage_by_model(org) == [usage("opus", 6, 1)]
    # By project and by day it counts where it is whole: so parts add up to the whole.
    for filter in ({"project_name": "app"}, {"date_from": "2026-01-06"}):
        assert await store.token_usage_by_model(org, **filter) == [usage("opus", 6, 1)]
    for filter in ({"project_name": "web"}, {"date_to": "2026-01-05"}):
        assert await store.token_usage_by_model(org, **filter) == []
    assert await store.token_usage_by_model(f"{org}-other") == []
