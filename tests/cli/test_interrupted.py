"""Ctrl-C of a real process, and pipes that nobody reads for a while."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import termios

from tests.cli.long_session import LONG
from tests.cli.running import Cli
from tests.local.server_processes import wait_until


def test_ctrl_c_while_a_server_is_silent_is_130_in_one_line(sample_cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = subprocess.Popen(
            sample_cli.command("sessions", "--store", f"clickhouse://127.0.0.1:{silent.getsockname()[1]}/agentstore"),
            env=sample_cli.environment,
            cwd=sample_cli.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            silent.settimeout(60)
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, out, err) == (130, b"", b"agentstore: interrupted\n")


# Ctrl-C while the loop is between two steps of a task: that step is lost, and the task never ends, as this one.
LOST = """
import asyncio, os, signal
from agentstore.cli.at_once import run_at_once

async def main():
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

try:
    run_at_once(main())
except KeyboardInterrupt:
    os._exit(130)
"""


def test_ctrl_c_waits_for_no_task_whose_step_is_lost() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", LOST], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def waiting_bytes(pipe: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])


def test_a_full_pipe_is_waited_for_and_loses_nothing(long_cli: Cli) -> None:
    with subprocess.Popen(
        long_cli.command("show", "long"),
        env=long_cli.environment,
        cwd=long_cli.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        capacity = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        wait_until(lambda: waiting_bytes(descriptor) > capacity - 4096, "the pipe is full")
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert out.decode().count("\n#") == LONG
    assert f"of message {LONG - 1}." in out.decode()[-500:]


def test_ctrl_c_in_a_full_pipe_ends_it(long_cli: Cli) -> None:
    read, write = os.pipe()
    try:
        process = subprocess.Popen(
            long_cli.command("show", "long"),
            env=long_cli.environment,
            cwd=long_cli.home,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
        )
        try:
            capacity = fcntl.fcntl(read, fcntl.F_GETPIPE_SZ)
            wait_until(lambda: waiting_bytes(read) > capacity - 4096, "the pipe is full")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(read)
        os.close(write)
    assert (process.returncode, err) == (130, b"agentstore: interrupted\n")
