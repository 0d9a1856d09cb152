"""The seed of tests that read damaged transcripts."""

from __future__ import annotations

import os
import random


def mutation_seed() -> int:
    """Another one each time in ``make test-faults``, which asks for many mutations. In ``make test``, where somebody's
    change is tested and not the world's luck, the same one. ``AGENTSTORE_MUTATION_SEED`` names one."""
    asked = os.environ.get("AGENTSTORE_MUTATION_SEED")
    if asked:
        return int(asked)
    return random.SystemRandom().randrange(2**32) if "AGENTSTORE_MUTATIONS" in os.environ else 20261129
