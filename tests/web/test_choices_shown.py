"""What a filter offers: shown as what can be seen, sent back as what it is."""

from __future__ import annotations

from agentstore.web.templating import environment

HIDDEN = 'a\u202eb\x1b"<i>'


def options(value: str, *known: tuple[str, str]) -> str:
    return str(environment().get_template("filters.html").module.select("project", "Project", value, list(known)))  # type: ignore[attr-defined]


def test_a_value_comes_back_as_it_is_and_its_name_is_seen() -> None:
    html = options(HIDDEN, (HIDDEN, HIDDEN))
    assert '<option value="a\u202eb\x1b&#34;&lt;i&gt;" selected>' in html
    assert html.count(HIDDEN[:3]) == 1
    assert "<i>" not in html


def test_a_value_that_is_not_offered_is_chosen_all_the_same() -> None:
    html = options(HIDDEN, ("other", "Other"))
    assert '<option value="a\u202eb\x1b&#34;&lt;i&gt;" selected>' in html
    assert '<option value="other">Other</option>' in html
