"""Which host is tried next, for how long, and how long one that failed is left alone: plain asserts, no clock."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from agentstore.connection.hosts import FIRST_REST_SECONDS, FIRST_TRY_SECONDS, LONGEST_REST_SECONDS, Address, Hosts
from agentstore.settings import Host

A, B, C = (Host(name, 9000) for name in "abc")
ADDRESS = {host: Address(host, f"10.0.0.{number}") for number, host in enumerate((A, B, C), 1)}


def hosts(*named: Host, order: str = "in_order", seed: int = 0) -> Hosts:
    return Hosts(named or (A, B, C), order, random.Random(seed))


def tried(known: Hosts, now: float = 0.0, *, without: Address | None = None) -> list[Address]:
    """All addresses that one connection would try at this moment if each of them refused at once."""
    search, found = known.search(without=without), []
    while step := search.next(now, 10.0):
        address, _ = step
        if address.ip:
            found.append(address)
        else:
            search.resolved(address, [ADDRESS[address.host].ip])
    return found


def named(addresses: list[Address]) -> str:
    return "".join(address.host.name for address in addresses)


def test_in_the_order_given() -> None:
    assert [named(tried(hosts())) for _ in range(5)] == ["abc"] * 5


def test_in_random_order_every_host_is_first_as_often() -> None:
    firsts = Counter(named(tried(hosts(order="random", seed=seed)))[0] for seed in range(3000))
    assert set(firsts) == {"a", "b", "c"}
    assert all(850 < count < 1150 for count in firsts.values())


def test_a_host_that_refuses_inserts_rests_although_it_answers_reads() -> None:
    known = hosts()
    tried(known)
    known.refused(ADDRESS[A], 0.0)
    known.answered(ADDRESS[A], 0.1)
    assert named(tried(known, 0.2)) == "bca"
    assert not known.is_trusted(ADDRESS[A])
    known.answered(ADDRESS[A], FIRST_REST_SECONDS)
    assert known.is_trusted(ADDRESS[A])
    assert named(tried(known, FIRST_REST_SECONDS)) == "abc"


def test_a_store_keeps_to_the_order_that_it_drew() -> None:
    for seed in range(20):
        known = hosts(order="random", seed=seed)
        first = named(tried(known))
        assert {named(tried(known)) for _ in range(20)} == {first}
        known.failed(ADDRESS[A], began=0.0, now=0.0)
        assert named(tried(known, 0.1)) == first.replace("a", "") + "a"
        assert named(tried(known, 5.0)) == first


def test_a_host_that_failed_is_last_while_it_rests() -> None:
    known = hosts()
    tried(known)
    known.failed(ADDRESS[A], began=0.0, now=0.0)
    assert named(tried(known, 0.1)) == "bca"
    assert named(tried(known, 5.0)) == "abc"


def test_the_rest_grows_to_a_bound_and_is_forgotten_after_an_answer() -> None:
    known, now, rests = hosts(A, B), 0.0, []
    for _ in range(40):
        known.failed(ADDRESS[A], began=now, now=now)
        began = now
        while known.rests(ADDRESS[A], now):
            now += 0.01
        rests.append(now - began)
        now += 1.0
    assert FIRST_REST_SECONDS / 2 - 0.02 <= rests[0] <= FIRST_REST_SECONDS + 0.02
    assert all(later > earlier / 2 for earlier, later in itertools.pairwise(rests))
    assert LONGEST_REST_SECONDS / 2 - 0.02 <= max(rests) <= LONGEST_REST_SECONDS + 0.02
    assert len({round(rest, 1) for rest in rests[10:]}) > 10  # jittered: many clients must not come back at once
    known.answered(ADDRESS[A], now)
    assert known.is_trusted(ADDRESS[A])
    known.failed(ADDRESS[A], began=now, now=now)
    assert not known.rests(ADDRESS[A], now + FIRST_REST_SECONDS)


def test_where_all_rest_the_one_that_rests_least_longer_is_tried_at_once() -> None:
    known = hosts(A, B)
    tried(known)
    known.failed(ADDRESS[A], began=0.0, now=0.0)
    known.failed(ADDRESS[A], began=0.5, now=0.5)
    known.failed(ADDRESS[B], began=0.5, now=0.5)
    assert known.rests(ADDRESS[A], 0.9)
    assert known.rests(ADDRESS[B], 0.9)
    assert named(tried(known, 0.9)) == "ba"


def test_failures_side_by_side_are_one() -> None:
    known = hosts(A, B)
    for _ in range(8):
        known.failed(ADDRESS[A], began=0.0, now=1.0)  # eight connections that were tried at once
        known.lost(ADDRESS[A], 1.2)  # eight that were cut at once
    assert not known.rests(ADDRESS[A], 1.0 + FIRST_REST_SECONDS)
    assert "failed 1 times" in repr(known)


def test_when_a_rest_is_over_one_connection_tries_and_the_others_wait_for_what_it_finds() -> None:
    known = hosts(A, B)
    tried(known)
    known.failed(ADDRESS[A], began=0.0, now=0.0)
    first, second = known.search(), known.search()
    for search in (first, second):
        for host in (A, B):
            assert search.next(5.0, 10.0) == (Address(host), FIRST_TRY_SECONDS)
            search.resolved(Address(host), [ADDRESS[host].ip])
            if host is A:
                break
    step = first.next(5.0, 10.0)
    assert step
    assert step[0] == ADDRESS[A]
    step = second.next(5.0, 10.0)
    assert step
    assert step[0] == Address(B)
    known.answered(ADDRESS[A], 5.1)
    assert named(tried(known, 5.2)) == "ab"


def test_idle_connections_are_distrusted_from_a_failure_to_an_answer() -> None:
    known = hosts(A, B)
    assert known.is_trusted(ADDRESS[A])
    known.lost(ADDRESS[A], 0.0)
    assert not known.is_trusted(ADDRESS[A])
    assert not known.is_trusted(ADDRESS[A])
    assert known.is_trusted(ADDRESS[B])
    known.answered(ADDRESS[A], 100.0)
    assert known.is_trusted(ADDRESS[A])


def test_where_there_is_one_host_nothing_is_distrusted() -> None:
    known = hosts(A)
    assert not known.has_choice
    known.lost(ADDRESS[A], 0.0)
    assert known.is_trusted(ADDRESS[A])
    assert named(tried(known, 0.0)) == "a"


def test_all_addresses_of_a_name_are_tried_and_each_rests_for_itself() -> None:
    known = hosts(A, B)
    search = known.search()
    assert search.next(0.0, 10.0) == (Address(A), FIRST_TRY_SECONDS)
    search.resolved(Address(A), ["::1", "10.0.0.1", "::1"])
    step = search.next(0.0, 10.0)
    assert step
    assert step[0] == Address(A, "::1")
    known.failed(Address(A, "::1"), began=0.0, now=0.0)
    search = known.search()
    search.next(0.0, 10.0)
    search.resolved(Address(A), ["::1", "10.0.0.1"])
    step = search.next(0.1, 10.0)
    assert step
    assert step[0] == Address(A, "10.0.0.1")


def test_the_resolver_decides_between_ipv6_and_ipv4_and_the_draw_between_equals() -> None:
    firsts = set()
    for seed in range(50):
        search = hosts(A, order="random", seed=seed).search()
        assert search.next(0.0, 10.0)
        search.resolved(Address(A), ["10.0.0.1", "::1", "10.0.0.2", "::2"])
        found = [chosen[0].ip for _ in range(4) if (chosen := search.next(0.0, 10.0))]
        assert {":" in ip for ip in found[:2]} == {False}
        assert {":" in ip for ip in found[2:]} == {True}
        firsts.add((found[0], found[2]))
    assert len(firsts) == 4


def test_a_name_that_is_found_again_is_as_good_as_any() -> None:
    known = hosts(A, B)
    known.failed(Address(A), began=0.0, now=0.0)
    assert named(tried(known, 0.1)) == "ba"
    for now in (10.0, 10.0):  # two connections at once: the second must not leave the host alone for the first
        search = known.search()
        step = search.next(now, 10.0)
        assert step
        assert step[0] == Address(A)
        search.resolved(Address(A), ["10.0.0.1"])
    assert "failed" not in repr(known)


def test_one_name_with_two_addresses_is_a_choice() -> None:
    known = hosts(A)
    search = known.search()
    assert search.next(0.0, 10.0) == (Address(A), 10.0)
    search.resolved(Address(A), ["::1", "10.0.0.1"])
    assert known.has_choice
    assert search.next(0.0, 10.0) == (Address(A, "::1"), FIRST_TRY_SECONDS)
    assert search.next(1.0, 9.0) == (Address(A, "10.0.0.1"), 9.0)
    assert search.next(2.0, 8.0) is None


def test_the_only_host_gets_all_the_time() -> None:
    search = hosts(A).search()
    assert search.next(0.0, 10.0) == (Address(A), 10.0)
    search.resolved(Address(A), ["10.0.0.1"])
    assert search.next(0.0, 9.5) == (ADDRESS[A], 9.5)
    search.cut_short(ADDRESS[A])
    assert search.next(9.995, 0.005) is None  # a timer was early


@pytest.mark.parametrize("allowed", [0.5, 2.0, 10.0, 60.0])
def test_hosts_that_stall_use_up_the_time_together_and_none_alone(allowed: float) -> None:
    known, now, given = hosts(), 0.0, list[tuple[str, float]]()
    search = known.search()
    while step := search.next(now, allowed - now):
        address, seconds = step
        if not address.ip:
            search.resolved(address, [ADDRESS[address.host].ip])
            continue
        assert seconds <= allowed - now + 1e-9
        given.append((address.host.name, seconds))
        now += seconds
        search.cut_short(address)
        if now >= allowed - 1e-6:
            break
    assert "".join(name for name, _ in given[:3]) == "abc"  # each had its turn before one had its second
    assert all(seconds <= FIRST_TRY_SECONDS for _, seconds in given[:2])
    assert now == pytest.approx(allowed, rel=0.05)
    longer = [seconds for _, seconds in given[3:6]]
    assert allowed < 10 or all(seconds > FIRST_TRY_SECONDS for seconds in longer)


def test_the_last_host_that_may_be_slow_gets_what_is_left() -> None:
    known = hosts(A, B)
    search = known.search()
    assert search.next(0.0, 10.0) == (Address(A), 1.0)
    search.resolved(Address(A), ["10.0.0.1"])
    assert search.next(0.0, 10.0) == (ADDRESS[A], 1.0)
    search.cut_short(ADDRESS[A])
    step = search.next(1.0, 9.0)
    assert step
    assert step[0] == Address(B)
    search.resolved(Address(B), ["10.0.0.2"])
    step = search.next(1.0, 9.0)
    assert step
    assert step[0] == ADDRESS[B]
    assert search.next(1.0, 9.0) == (ADDRESS[A], 9.0)


def test_a_search_without_an_address_goes_elsewhere() -> None:
    assert named(tried(hosts(), without=ADDRESS[A])) == "bc"
    assert tried(hosts(A), without=ADDRESS[A]) == []


def test_what_was_heard_last() -> None:
    known = hosts()
    known.answered(ADDRESS[A], 5.0)
    assert known.heard(ADDRESS[A]) == 5.0
    assert known.heard(ADDRESS[B]) < 0.0


def test_an_address_is_shown_with_its_name() -> None:
    assert str(ADDRESS[A]) == "a:9000 (10.0.0.1)"
    assert str(Address(Host("::1", 9000), "::1")) == "[::1]:9000"
    assert str(Address(A)) == "a:9000"
