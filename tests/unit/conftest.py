"""What holds for each unit test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.databases import closed_afterwards


@pytest.fixture(autouse=True)
def databases_are_closed() -> Iterator[None]:
    with closed_afterwards():
        yield
