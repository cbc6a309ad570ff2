"""SQLite's own note of the latest commit, read where SQLite keeps it.

In WAL mode every commit, by whatever process, ends by rewriting the header of the *wal-index*, a
file that all connections map into memory (https://www.sqlite.org/walformat.html, section 2.1).
A connection learns that the database has changed by comparing that header with the one it saw
last. ``PRAGMA data_version`` does so between two system calls for a lock that a comparison does
not need; reading the 96 bytes in place costs a hundredth of it.

The mapping read is SQLite's, found in ``/proc/self/maps``: a file descriptor of our own would,
when closed, drop every lock SQLite holds on that file in this process (POSIX advisory locks).
It stays for as long as any connection of this process has the database open in WAL mode.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_HEADER_BYTES = 96
"""Two copies of 48 bytes, the second written first: a commit under way shows as a difference."""

_FORMAT = 3_007_000
"""What every SQLite with this wal-index writes into its first four bytes, in its byte order."""


def wal_index_reader(database: str) -> Callable[[], bytes] | None:
    """A function that answers the wal-index header of the open ``database`` as it is now.

    It may be called only while a connection of this process, in WAL mode and once read from, is
    open. None where there is no such mapping (another system, another mode, a format unknown).
    """
    address = _mapped_at(f"{os.path.realpath(database)}-shm")
    if address is None:
        return None
    header = memoryview((ctypes.c_ubyte * _HEADER_BYTES).from_address(address))
    return header.tobytes if int.from_bytes(header[:4], sys.byteorder) == _FORMAT else None


def _mapped_at(path: str) -> int | None:
    """Where the beginning of the file ``path`` is mapped, shared, in this process."""
    try:
        lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        # 7f2c1c000000-7f2c1c008000 rw-s 00000000 fe:01 1234  /srv/app.db-shm
        addresses, access, offset, _device, _inode, *names = line.split(maxsplit=5)
        if names == [path] and access.endswith("s") and int(offset, 16) == 0:
            return int(addresses.partition("-")[0], 16)
    return None
