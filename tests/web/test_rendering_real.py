"""Every message and call of real transcripts is rendered, harmless and within its bounds."""

from __future__ import annotations

import os
import pathlib

import pytest

from agentstore.importers import Options, import_tree
from agentstore.web.rendering import FIRST, finder, message_parts, told_call
from tests.web.pages import Page

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
pytestmark = pytest.mark.skipif(not ROOT.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")


def test_real_transcripts_are_rendered() -> None:
    texts = calls = 0
    for result in import_tree(ROOT, Options()):
        paths = {one.id: one.project_path for one in result.sessions}
        for message in result.messages:
            for part in message_parts(message.content, find=finder("the")):
                assert Page(part.html).wrong == []
                assert part.html
                # None of them is so long, or so odd, that it is not rendered.
                assert part.kind != "text" or 'class="plain"' not in part.html or "<mark>" in part.html
                texts += 1
        for call in result.tool_calls:
            told = told_call(call, paths.get(call.session_id, ""), finder("the"))
            assert told.summary or call.input_json in ("{}", "", '""', "null")
            assert len(Page(told.summary).text) <= 160
            for block in (told.body, told.result):
                if block is not None:
                    page = Page(block.html)
                    assert page.wrong == []
                    # Names of arguments, signs and the numbers of edits come on top.
                    assert len(page.text) <= FIRST.characters + 1_000
                    assert page.text.count("\n") <= FIRST.lines + 2
            calls += 1
    assert texts > 2_000
    assert calls > 2_000
