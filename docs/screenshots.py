"""Pictures of the pages on the sample, into docs/images/: ``make screenshots``.

Everything in them is the sample's, times too, so that they change only where the pages do.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
IMAGES = ROOT / "docs" / "images"
SAMPLES = Path(str(files("agentstore"))) / "samples"
USERS = {"ada": "Ada", "jonas": "Jonas", "mei": "Mei 美"}
# Of the sample: the session that has most to show.
SESSION = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
SPAN = "since=2026-03-01&until=2026-03-08"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 400, "height": 800}
# Name, address, light or dark, size.
PICTURES: list[tuple[str, str, Any, Any]] = [
    ("web-sessions", f"/sessions?{SPAN}", "light", WIDE),
    ("web-session", f"/sessions/{SESSION}", "light", WIDE),
    ("web-search", "/search?q=tide", "light", WIDE),
    ("web-overview", f"/overview?{SPAN}&panel=days&show=messages", "light", WIDE),
    ("web-session-dark", f"/sessions/{SESSION}", "dark", WIDE),
    ("web-sessions-narrow", f"/sessions?{SPAN}", "light", NARROW),
]
# As many as fit.
_COLOURS = (128, 96, 64, 48, 32)
_LARGEST = 150_000
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


async def main() -> int:
    """Take all of them; 0 also where there is no browser."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        print("no pictures are taken: there is no chromium here (apt install chromium)", file=sys.stderr)
        return 0
    from agentstore import AsyncClickHouseStore
    from agentstore.ingest import ingest
    from benchmarks.web_process import Target, served

    with tempfile.TemporaryDirectory(prefix="agentstore-screenshots-") as home:
        target = Target(f"local:{home}/store", "local", Path(home), user="ada")
        async with AsyncClickHouseStore(target.dsn) as store:
            await store.ensure_schema()
            for user, name in USERS.items():
                async for _ in ingest(store, "local", places=SAMPLES / user, user=user, user_name=name, machine="tide"):
                    pass
            async with served(target) as pages:
                await _pictures(path, pages.address, pages.token)
    return 0


async def _pictures(path: str, address: str, token: str) -> None:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
        )
        for name, where, scheme, size in PICTURES:
            context = await browser.new_context(
                viewport=size, device_scale_factor=2, color_scheme=scheme, timezone_id="UTC", locale="en-GB"
            )
            page = await context.new_page()
            # A stream has no end, and the page is at rest when nothing is asked for any more.
            await page.add_init_script("window.EventSource = class { addEventListener() {} close() {} };")
            await page.goto(f"{address}/login?token={token}", timeout=60_000)
            await page.goto(address + where, wait_until="networkidle", timeout=60_000)
            file = IMAGES / f"{name}.png"
            file.write_bytes(_small(await page.screenshot(animations="disabled", caret="hide")))
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")
            await context.close()
        await browser.close()


def _small(png: bytes) -> bytes:
    """Of few colours, which is all that the pages have."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        told = io.BytesIO()
        few = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(told, "PNG", optimize=True)
        if len(told.getvalue()) <= _LARGEST:
            return told.getvalue()
    raise SystemExit(f"a picture is larger than {_LARGEST // 1000} KB")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
