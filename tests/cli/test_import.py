"""``agentstore import`` and ``reimport``, as processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agentstore.ingest import IngestPreview, IngestSummary
from tests.cli.running import Cli
from tests.cli.stores import make_newer
from tests.cli.terminals import CTRL_C, on_terminal
from tests.cli.test_hostile import EVIL
from tests.cli.trees import FILES, age, grown_sample, small_sample
from tests.faces.test_safe import is_harmless
from tests.local.server_processes import wait_until

# So many bytes of all.
HAS_BEGUN = re.compile(rb"[1-9][0-9.]*/[0-9.]+ MB")
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


def summary_of(cli: Cli, *arguments: str) -> IngestSummary:
    done = cli("import", "--json", *arguments)
    assert (done.code, done.err) == (0, "")
    return msgspec.json.decode(done.out, type=IngestSummary)


def stored(cli: Cli, org: str = "local") -> list[str]:
    done = cli("sessions", "--json", "--limit", "0", "--subagents", "--org", org)
    return sorted(line.replace(f'"org_id":"{org}"', "") for line in done.lines)


def test_from_nothing_to_a_table_and_again_to_no_change(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    done = own_cli("import", str(tree))
    assert (done.code, done.err) == (0, "")
    store = own_cli.dsn.removeprefix("local:").replace(str(own_cli.home), "~")
    assert done.lines[0].startswith(f"into {store}, organisation local, as ada on ")
    assert "agentstore config" in done.lines[1]
    assert done.lines[3].split() == ["agent", "files", "sessions", "messages", "calls", "commits"]
    rows = {line.split()[0]: line.split()[1:] for line in done.lines[4:-1]}
    assert set(rows) == {"claude-code", "codex", "gemini", "all"}
    assert rows["claude-code"][:2] == ["5", "5"]
    assert rows["all"][:2] == [str(FILES), str(FILES)]
    before = stored(own_cli)
    assert len(before) == FILES
    again = own_cli("import", str(tree))
    assert again.code == 0
    assert again.lines[4].split() == ["claude-code", "0", "0", "0", "0", "5", "unchanged"]
    assert stored(own_cli) == before
    narrow = own_cli("import", "--again", str(tree), width=40)
    assert max(map(len, narrow.lines[3:])) <= 40
    assert narrow.lines[-2].split()[:3] == ["all", str(FILES), str(FILES)]


def test_without_paths_the_places_of_the_agents_are_listed_and_read(own_cli: Cli) -> None:
    done = own_cli("import")
    assert (done.code, done.out) == (1, "")
    assert "agentstore import PATHS" in done.err
    small_sample(own_cli.home / "tree")
    (own_cli.home / ".claude").mkdir()
    (own_cli.home / "tree" / "ada" / "projects").rename(own_cli.home / ".claude" / "projects")
    done = own_cli("import")
    assert done.code == 0
    assert done.lines[3].split() == ["claude-code", "~/.claude/projects"]
    assert done.lines[5].split()[:3] == ["claude-code", "2", "2"]


def test_flags_and_the_environment_say_whose_it_is(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    flags = ["--user", "mei", "--user-name", "Mei 美", "--machine", "reef", "--org", "club", "--no-mask"]
    done = own_cli("import", str(tree / "mei"), *flags)
    assert "organisation club, as mei (Mei 美) on reef, secrets not masked" in done.out.replace("\n", " ")
    for line in own_cli("sessions", "--json", "--org", "club").lines:
        session = json.loads(line)
        assert (session["user_id"], session["user_name"], session["machine"]) == ("mei", "Mei 美", "reef")
    # The name that git knows is that of the user that git knows.
    (own_cli.home / ".gitconfig").write_text("[user]\n\tname = Git's\n\temail = git@example.org\n")
    assert "as jonas on" in own_cli("import", str(tree / "jonas" / "projects"), AGENTSTORE_USER="jonas").out
    assert "as git@example.org (Git's)" in own_cli("import", str(tree / "ada"), AGENTSTORE_USER="").out


def test_secrets_are_masked_unless_one_says_otherwise(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    (path,) = (tree / "jonas" / "projects").rglob("*.jsonl")
    path.write_text(path.read_text().replace("brotzeit", f"brotzeit {TOKEN}", 1))
    age(tree)
    assert sum(summary_of(own_cli, str(tree / "jonas" / "projects")).agents["claude-code"].secrets.values()) == 1
    assert TOKEN not in own_cli("show", "6d0a9b7e", "--json").out
    assert own_cli("search", TOKEN).code == 1
    assert summary_of(own_cli, str(tree / "jonas" / "projects"), "--again", "--no-mask").secrets == {}
    summary_of(own_cli, str(tree / "jonas" / "projects"), "--again", "--org", "open", "--no-mask", "--no-raw")
    nothing_kept = own_cli("reimport", "--org", "open")
    assert "1 no original" in nothing_kept.out
    (own_cli.home / "config.toml").write_text('mask = "perhaps"\n')
    done = own_cli("import", str(tree / "jonas" / "projects"))
    assert (done.code, done.out) == (2, "")
    assert "neither true nor false" in done.err


def test_a_dry_run_writes_nothing_and_makes_no_store(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    done = own_cli("import", "--dry-run", str(tree), "--json")
    told = msgspec.json.decode(done.out, type=IngestPreview)
    assert (done.code, told.agents["claude-code"].new) == (0, 5)
    assert not (own_cli.home / "store").exists()
    summary_of(own_cli, str(tree / "ada"))
    before = stored(own_cli)
    done = own_cli("import", "--dry-run", str(tree))
    rows = {line.split()[0]: line.split()[1:4] for line in done.lines[4:-1]}
    assert rows == {"claude-code": ["3", "0", "2"], "codex": ["1", "0", "0"], "gemini": ["1", "0", "0"]}
    assert stored(own_cli) == before


def test_reimport_reads_what_is_kept(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    assert own_cli("reimport").code == 1
    summary_of(own_cli, str(tree))
    before = stored(own_cli)
    for path in tree.rglob("*.json*"):
        path.unlink()
    done = own_cli("reimport", "--json")
    assert msgspec.json.decode(done.out, type=IngestSummary).files == {"read": FILES}
    assert stored(own_cli) == before
    one = own_cli("reimport", "6d0a", "--agent", "claude-code")
    assert one.lines[1].split()[:3] == ["claude-code", "1", "1"]
    assert own_cli("reimport", "--agent", "nobody").code == 1
    assert own_cli("reimport", "ffff").code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["/no/such/place"], 2, "there is no /no/such/place"),
        (["--watch", "--dry-run"], 2, "--watch and --dry-run"),
        (["--watch", "--again"], 2, "--watch and --again"),
        (["\x1b]0;evil\x07"], 2, "there is no ␛]0;evil␇"),
        (["~nobody-is-called-so/x"], 2, "there is no ~nobody-is-called-so/x"),
    ],
)
def test_what_cannot_be_imported_is_said(own_cli: Cli, arguments: list[str], code: int, said: str) -> None:
    done = own_cli("import", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err.splitlines()[0]
    assert "Traceback" not in done.err
    assert not (own_cli.home / "store").exists()


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_imported(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    (tree / "ada" / "projects" / "gone.jsonl").symlink_to(tree / "nowhere")
    done = own_cli("import", str(tree / "ada"))
    assert done.code == 2
    assert "1 file failed" in done.out
    assert "gone.jsonl: cannot be read: No such file or directory" in " ".join(done.out.split())
    assert len(stored(own_cli)) == 2


def test_hostile_names_of_files_and_folders_command_nothing(own_cli: Cli) -> None:
    evil = EVIL.replace("\x00", "").replace("/", "")
    tree = small_sample(own_cli.home / "tree")
    folder = own_cli.home / f"tree {evil}"
    tree.rename(folder)
    os.symlink("/nowhere", os.fsencode(folder) + b"/bad\xff\x1b[2J.jsonl")
    (folder / "mei").rename(folder / f"mei {evil}")
    for path in (folder / "jonas").rglob("*.jsonl"):
        path.write_text(path.read_text() + "{broken\x1b[2J\n")
    for arguments in (["--dry-run"], [], ["--json"], ["--user", evil, "--machine", evil, "--user-name", evil]):
        done = own_cli("import", str(folder), *arguments)
        assert done.code == 2  # of the link
        assert all(is_harmless(line) for line in (done.out + done.err).split("\n"))
        assert "Traceback" not in done.err
    assert len(stored(own_cli)) == FILES


def test_the_bar_is_on_the_terminal_and_nowhere_else(own_cli: Cli) -> None:
    tree = grown_sample(own_cli.home / "tree", 10)
    with on_terminal(own_cli.command("import", str(tree)), own_cli.environment, own_cli.home) as terminal:
        assert terminal.finish() == 0
    shown = terminal.shown.decode()
    assert "importing" in shown
    assert "kB" in shown
    assert "claude-code" in shown.rpartition("importing")[2]
    # With stdout elsewhere the bar stays on the terminal, and the table goes there.
    out = own_cli.home / "out.txt"
    command = own_cli.command("import", "--again", str(tree))
    with (
        out.open("wb") as stream,
        on_terminal(command, own_cli.environment, own_cli.home, columns=40, stdout_to=stream.fileno()) as terminal,
    ):
        assert terminal.finish() == 0
    assert b"importing" in terminal.shown
    assert b"claude-code" not in terminal.shown
    assert out.read_text().splitlines()[-2].split()[:3] == ["claude-code", "50", "50"]
    assert "\x1b" not in out.read_text()


def test_ctrl_c_in_the_middle_leaves_the_store_whole(own_cli: Cli) -> None:
    tree = grown_sample(own_cli.home / "tree", 150)
    command = own_cli.command("import", str(tree))
    with on_terminal(command, own_cli.environment, own_cli.home) as terminal:
        terminal.wait_until(HAS_BEGUN.search, "the bar has begun to move")
        terminal.press(CTRL_C)
        assert terminal.finish() == 130
    shown = terminal.shown.decode()
    assert "what was read is being stored" in shown
    assert "interrupted: " in shown
    assert "the store is whole" in shown
    assert "Traceback" not in shown
    some = stored(own_cli)
    assert f"interrupted: {len(some)} session" in shown
    assert 0 < len(some) < 750
    summary = summary_of(own_cli, str(tree))
    assert summary.files.get("read", 0) + summary.files["unchanged"] == 750
    summary_of(own_cli, str(tree), "--org", "clean")
    assert stored(own_cli) == stored(own_cli, "clean")


def test_a_second_ctrl_c_ends_it_at_once(own_cli: Cli) -> None:
    tree = grown_sample(own_cli.home / "tree", 100)
    with on_terminal(own_cli.command("import", str(tree)), own_cli.environment, own_cli.home) as terminal:
        terminal.wait_until(HAS_BEGUN.search, "the bar has begun to move")
        terminal.press(CTRL_C)
        terminal.press(CTRL_C)
        assert terminal.finish() == 130
    assert b"Traceback" not in terminal.shown
    assert b"interrupted" in terminal.shown
    summary_of(own_cli, str(tree))
    summary_of(own_cli, str(tree), "--org", "clean")
    assert stored(own_cli) == stored(own_cli, "clean")


def test_ctrl_c_before_anything_is_read(own_cli: Cli) -> None:
    """The store's server is being started, or the command is being loaded."""
    tree = small_sample(own_cli.home / "tree")
    with subprocess.Popen(
        own_cli.command("import", str(tree)),
        env=own_cli.environment,
        cwd=own_cli.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as process:
        store = own_cli.home / "store"
        while not store.exists() and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert b"Traceback" not in err
    assert summary_of(own_cli, str(tree)).files == {"read": FILES}


@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 2), (">/dev/full", 2), ("| true; exit ${PIPESTATUS[0]}", 141)]
)
def test_what_is_imported_is_stored_though_nobody_reads_of_it(own_cli: Cli, redirection: str, code: int) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    tree = small_sample(own_cli.home / "tree")
    done = subprocess.run(
        ["bash", "-c", f'"$0" "$@" import --json {tree} {redirection}', *own_cli.command()],
        env=own_cli.environment, cwd=own_cli.home, capture_output=True, timeout=60, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert len(stored(own_cli)) == FILES


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes nothing more."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writing, b"x" * 4096):
                pass
        os.set_blocking(writing, True)
        yield reading, writing
    finally:
        os.close(reading)


def test_a_full_pipe_is_waited_for_or_left_by_ctrl_c(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    for code in (0, 130):
        with full_pipe() as (reading, writing):
            process = subprocess.Popen(
                own_cli.command("import", "--json", str(tree), "--org", str(code)),
                env=own_cli.environment, cwd=own_cli.home, stdout=writing, stderr=subprocess.PIPE,
            )  # fmt: skip
            os.close(writing)
            wait_until(lambda org=str(code): len(stored(own_cli, org)) == FILES, "all is stored")  # type: ignore[misc]
            if code:
                while process.poll() is None:  # the first asks, and the loop may not come to it
                    process.send_signal(signal.SIGINT)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
            else:
                read = b""
                while data := os.read(reading, 65536):
                    read += data
                summary = msgspec.json.decode(read.strip(b"x"), type=IngestSummary)
                assert summary.files == {"read": FILES}
            _, err = process.communicate(timeout=60)
            assert process.returncode == code, err
            assert b"Traceback" not in err


def test_a_server_that_is_away_is_told_without_the_password(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    for command in (["import", str(tree)], ["import", "--dry-run", str(tree)], ["reimport"], ["import", "--watch"]):
        done = own_cli(*command, "--store", "clickhouse://ada:geheim@127.0.0.1:1/x")
        assert (done.code, done.out) == (2, "")
        assert "127.0.0.1:1" in done.err
        assert "geheim" not in done.err
        assert "Traceback" not in done.err


def test_a_store_of_a_newer_version_is_left_alone(own_cli: Cli) -> None:
    tree = small_sample(own_cli.home / "tree")
    make_newer(own_cli.dsn)
    for command in (["import", str(tree)], ["reimport"]):
        done = own_cli(*command)
        assert (done.code, done.out) == (2, "")
        assert "schema version 9999" in done.err.splitlines()[0]
        assert "upgrade agentstore" in done.err.splitlines()[1]


def test_sigterm_ends_an_import_as_ctrl_c_does(own_cli: Cli) -> None:
    tree = grown_sample(own_cli.home / "tree", 100)
    with on_terminal(own_cli.command("import", str(tree)), own_cli.environment, own_cli.home) as terminal:
        terminal.wait_until(HAS_BEGUN.search, "the bar has begun to move")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.finish() == 143
    assert b"terminated: " in terminal.shown
    assert summary_of(own_cli, str(tree)).files["unchanged"] > 0
