"""``python -m agentstore.local --path PATH``: serve a local store in the foreground."""

from __future__ import annotations

import sys

from agentstore.local.process.main import main

if __name__ == "__main__":
    sys.exit(main())
