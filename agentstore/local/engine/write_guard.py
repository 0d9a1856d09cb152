"""Ends this process at the first write of the engine that fails, before the engine can take it for a success.

chdb 26.9 leaves out what ClickHouse does when write(2) fails: it drops the bytes and goes on, so an INSERT is reported
and a merge is committed with files that lack their ends, and the merge's source parts are removed. ClickHouse would
throw there; this cannot be put in from outside. But a process that ends at once is safe: a part gets its name only
after its last write, so what was in the making is gone at the next start, and what was committed is there.

So the engine's ``write`` is led through a few instructions of ours. They call the real one and pass on what it returns,
unless it failed on a file for want of space, quota or a working disk. Then they empty the reserve file and try again,
once. If that fails too, the process kills itself: nothing that runs later, no handler and no destructor, may commit.
The instructions call nothing of Python, since engine threads must not wait for the interpreter.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

# The same numbers are in CODE. Anything else (EPIPE, EINTR, EAGAIN) is not about a file, and the engine's business.
FATAL_ERRORS = (errno.EIO, errno.EFBIG, errno.ENOSPC, errno.EROFS, errno.EDQUOT)

TEXT = b"agentstore: the engine could not write to its files, and ends before it can commit what is incomplete\n"

# System V AMD64. Addresses in [] are those of the table behind the code; fd is ebx, buf r12, count r13.
CODE = bytes.fromhex(
    "53 41 54 41 55"  # push rbx; push r12; push r13: kept across calls, and the stack is aligned for them
    "89fb 4989f4 4989d5"  # ebx, r12, r13 = fd, buf, count
    "e86b000000 4885c0 7960"  # call attempt; if rax >= 0: goto out
    "e86f000000 85c0 7450"  # call is_fatal; if not: goto failed
    "8b3dc2000000 31f6 ff15a2000000"  # [ftruncate]([reserve], 0)
    "e84a000000 4885c0 793f"  # call attempt; if rax >= 0: goto out
    "e84e000000 85c0 742f"  # call is_fatal; if not: goto failed
    "bf02000000 488d35a3000000 8b1599000000 ff1567000000"  # [write](2, text, [length])
    "ff1579000000 89c7 be09000000 ff1574000000"  # [kill]([getpid](), SIGKILL)
    "f390 ebfc"  # forever: pause; goto forever: the signal may take a moment
    "48c7c0ffffffff"  # failed: rax = -1; errno is the write's
    "415d 415c 5b c3"  # out: pop r13; pop r12; pop rbx; ret
    "89df 4c89e6 4c89ea ff2535000000"  # attempt: goto [write](fd, buf, count)
    "83fb02 7e23"  # is_fatal: standard streams are no files of the store
    "53 ff1531000000 5b 8b00"  # eax = *[__errno_location]()
    "83f805 7417 83f81b 7412 83f81c 740d 83f81e 7408 83f87a 7403"  # one of FATAL_ERRORS: goto yes
    "31c0 c3"  # no: return 0
    "b801000000 c3"  # yes: return 1
    "cccccccc"
)
_TABLE = struct.Struct("<QQQQQii")
_LIBC_FUNCTIONS = ("write", "__errno_location", "ftruncate", "getpid", "kill")


class UnguardedError(Exception):
    """The guard cannot be put in here; the text says why."""


_installed: dict[str, mmap.mmap] = {}  # never freed: the engine calls it for as long as the process lives
# A descriptor that is the guard's alone and is never closed: a number used again would empty somebody else's file.
_reserve = -1


def install(library: str) -> None:
    """Lead the ``write`` of a loaded shared library through the guard; once more does nothing.

    Raises UnguardedError, with nothing changed, on other systems than Linux on x86-64 and where memory stays protected.
    """
    if library in _installed:
        return
    if not (sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 1 << 32):
        raise UnguardedError(f"not on {sys.platform} {platform.machine()}")
    try:
        slots = list(_slots(library, "write"))
        if not slots:
            raise UnguardedError(f"{library} does not import write")
        # Before the page is made: the descriptor's number is written into it, and never changes.
        _use_reserve(None)
        page, address = _make(_reserve)
        # The last that can fail, and before anything is changed: what is half installed would count as a guard.
        for slot in slots:
            _protect(slot, mmap.PROT_READ | mmap.PROT_WRITE)
        # Before the first slot leads there: memory that the engine may call is not freed any more.
        _installed[library] = page
        for slot in slots:
            # One aligned store: callers see the old function or the new one.
            ctypes.c_uint64.from_address(slot).value = address
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise UnguardedError(f"{library}: {error}") from error


def use_reserve(descriptor: int | None) -> None:
    """The file that the guard empties before it gives up, from now on; None for none."""
    if _installed:
        _use_reserve(descriptor)


def _use_reserve(descriptor: int | None) -> None:
    global _reserve
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)  # it cannot be emptied, and nobody minds
    try:
        if _reserve < 0:
            _reserve = fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, 3)
        # In one step and under the same number: there is no moment in which the guard could empty another file.
        os.dup2(nothing if descriptor is None else descriptor, _reserve, inheritable=False)
    finally:
        os.close(nothing)


def _make(reserve: int) -> tuple[mmap.mmap, int]:
    """The guard in memory of its own, and its address."""
    libc = ctypes.CDLL(None)
    addresses = [ctypes.cast(getattr(libc, name), ctypes.c_void_p).value for name in _LIBC_FUNCTIONS]
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    page.write(CODE + _TABLE.pack(*addresses, reserve, len(TEXT)) + TEXT)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    # Never writable and executable at once: hardened systems allow only one of them.
    _protect(address, mmap.PROT_READ | mmap.PROT_EXEC)
    return page, address


def _protect(address: int, protection: int) -> None:
    page = address & -mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), protection):
        raise OSError(ctypes.get_errno(), "mprotect")


# Where a loaded library keeps the addresses of what it imports: ELF64, "Dynamic Section" and "Relocation".

_PT_DYNAMIC = 2
_DT_PLTRELSZ, _DT_STRTAB, _DT_SYMTAB, _DT_JMPREL = 2, 5, 6, 23
_RELOCATION = struct.Struct("<QQq")
_SYMBOL_BYTES = 24


def _slots(library: str, symbol: str) -> Iterator[int]:
    """The addresses of the pointers through which the library calls this function."""
    base = _base(library)
    dynamic = dict(_dynamic_section(library, base))
    relocations = ctypes.string_at(base + dynamic[_DT_JMPREL], dynamic[_DT_PLTRELSZ])
    for offset, info, _ in _RELOCATION.iter_unpack(relocations):
        entry = base + dynamic[_DT_SYMTAB] + (info >> 32) * _SYMBOL_BYTES
        name = base + dynamic[_DT_STRTAB] + ctypes.c_uint32.from_address(entry).value
        if ctypes.string_at(name) == symbol.encode():
            yield base + offset


def _base(library: str) -> int:
    """Where the library is loaded. Raises ValueError if it is not."""
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        span, _, offset, _, _, *path = line.split(maxsplit=5)
        if path == [library] and int(offset, 16) == 0:
            return int(span.partition("-")[0], 16)
    raise ValueError("it is not loaded")


def _dynamic_section(library: str, base: int) -> Iterator[tuple[int, int]]:
    """Tags and values; glibc has made absolute addresses of some values, which are made relative again."""
    with open(library, "rb") as file:
        header = file.read(64)
        start, size, count = *struct.unpack_from("<Q", header, 32), *struct.unpack_from("<HH", header, 54)
        file.seek(start)
        table = file.read(size * count)
    for number in range(count):
        kind, _, _, address, _, _, length, _ = struct.unpack_from("<IIQQQQQQ", table, number * size)
        if kind == _PT_DYNAMIC:
            for tag, value in struct.iter_unpack("<qQ", ctypes.string_at(base + address, length)):
                yield tag, value - base if value >= base else value
