"""A user of the database who may write and not erase. In a module of its own: a process has one engine at a time."""

from __future__ import annotations

from pathlib import Path

from tests.web.granting import TITLE, WRITE, pages_of


def test_one_who_may_not_erase_is_told_that_it_is_not_done(tmp_path: Path) -> None:
    with pages_of(tmp_path, WRITE) as pages, pages.client() as client:
        client.headers["origin"] = pages.address
        assert client.post("/sessions/tide/star", data={"on": "1"}).status_code == 303
        answer = client.post("/sessions/tide/purge", data={"title": TITLE})
        assert answer.status_code == 403
        for told in ("not yet off the disk", "ALTER DELETE", "agentstore purge --go-on tide"):
            assert told in answer.text
        assert "longer" not in answer.text
