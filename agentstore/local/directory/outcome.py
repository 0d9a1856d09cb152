"""How a start ended: what a server tells the client that starts it, through a pipe."""

from __future__ import annotations

from typing import Literal

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError
from agentstore.local.directory.layout import StoreDirectory
from agentstore.local.directory.log_file import log_tail

INSTALL_HINT = "pip install 'agentstore[local]'"


class Outcome(msgspec.Struct, frozen=True):
    """How a start ended: the server is ready, another one has the path, or it failed and will exit."""

    result: Literal["ready", "taken", "failed"]
    is_config_error: bool = False
    message: str = ""
    hint: str = ""

    def error(self, directory: StoreDirectory) -> ConfigError | ConnectionFailedError:
        """The exception a client raises for a failed start."""
        if self.is_config_error:
            return ConfigError(self.message, hint=self.hint)
        return failure(
            f"the local server on {directory.root} did not start: {self.message}", log_tail(directory), self.hint
        )


def failure(message: str, details: str, hint: str = "") -> ConnectionFailedError:
    """The error of a failed start, with what was said about it."""
    return ConnectionFailedError(f"{message}\n{details}" if details else message, hint=hint)
