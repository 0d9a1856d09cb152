"""What is installed for the other Pythons: all that the unit tests need, nothing of our own."""

from __future__ import annotations

from tests.pythons import requirements


def test_extras_of_our_own_are_taken_for_what_they_need() -> None:
    found = requirements()
    assert not [one for one in found if one.startswith("agentstore")]
    for needed in ("asynch", "google-re2", "genai-prices", "pytest>", "hypothesis"):
        assert any(one.startswith(needed) for one in found), needed
