"""What a panel says and where it leads, taken from its HTML."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import httpx

_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_LINK = re.compile(r'href="(/sessions[^"]*)"')
_NUMBER = re.compile(r'<td class="number[^"]*"[^>]*>([^<]*)</td>')
_CELL = re.compile(r'<a href="([^"]+)" title="[^"]*: ([\d,]+) sessions?">')
_TOTAL = re.compile(r'class="total">\s*([\d,]+) session')


def panel(client: httpx.Client, name: str, query: str) -> str:
    """The HTML of a panel, as the page's script gets it."""
    answer = client.get(f"/overview/{name}?{query}", headers={"x-part": "panel"})
    assert answer.status_code == 200, answer.text
    assert "<html" not in answer.text
    return answer.text


def rows(told: str, number: int = 0) -> list[tuple[str, int]]:
    """Where each row of a table leads, and one of its numbers."""
    found = []
    for row in _ROW.findall(told):
        link, numbers = _LINK.search(row), _NUMBER.findall(row)
        if link and numbers:
            found.append((html.unescape(link.group(1)), int(numbers[number].replace(",", ""))))
    return found


def cells(told: str) -> list[tuple[str, int]]:
    """The same of a heatmap, each cell once."""
    found = dict.fromkeys((html.unescape(link), int(number.replace(",", ""))) for link, number in _CELL.findall(told))
    return list(found)


def total(client: httpx.Client, link: str) -> int:
    """How many sessions the list behind a link says it has."""
    answer = client.get(link)
    assert answer.status_code == 200, answer.text
    found = _TOTAL.search(answer.text)
    return int(found.group(1).replace(",", "")) if found else 0


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
