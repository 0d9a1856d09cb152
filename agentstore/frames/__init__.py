"""Frames of what a store has: Arrow, polars, pandas. ``pip install 'agentstore[frames]'``."""

from __future__ import annotations

from agentstore.errors import ConfigError

try:
    import pyarrow  # noqa: F401
except ImportError:
    raise ConfigError("frames need pyarrow", hint="pip install 'agentstore[frames]'") from None

from agentstore.frames.reads import ArrowReads
from agentstore.frames.schemas import schema_of
from agentstore.frames.tables import pandas_of, polars_of, to_arrow, to_pandas, to_polars

__all__ = ["ArrowReads", "pandas_of", "polars_of", "schema_of", "to_arrow", "to_pandas", "to_polars"]
