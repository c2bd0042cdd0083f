"""Becomes the PostgreSQL server: drops root, ties its life to the parent's, checks that it can get in, executes it.

Run as a script by `server_process`, with nothing but the standard library, because what is imported after root is gone
may be out of reach: argv is UID GID (or - -), PARENT, FOLDER, PROGRAM, ARGUMENTS.
It does not guarantee that a system without prctl (not Linux) ends the server with the parent.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_DROP = 91
CANNOT_ENTER = 92
CANNOT_EXECUTE = 93


def main(uid: str, gid: str, parent: str, folder: str, program: str, *arguments: str) -> int:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if uid != "-":
        try:
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
        except OSError:
            return CANNOT_DROP
    if libc is not None:
        # After the change of user, which clears it. SIGQUIT: at once, the log of writes is replayed at the next start.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != int(parent):
            return 0
    try:
        os.chdir(folder)
    except OSError:
        return CANNOT_ENTER
    os.umask(0o077)
    try:
        os.execv(program, [program, *arguments])  # noqa: S606  (the whole point)
    except OSError:
        return CANNOT_EXECUTE


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
