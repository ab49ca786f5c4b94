"""Starts `secretsctl` as a process of its own, which is what makes these settings right."""

import gc
import os
import signal
import sys


def start() -> int:
    """Runs one command; see `main`."""
    # Looking for pydantic's plugins among all installed packages takes as long as a whole render.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A run makes no cycles to speak of, but looking for them takes up to half of its time.
    gc.disable()
    is_interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_interruptible:
        # Before anything is begun, and after all is done, Ctrl-C has nothing to tell.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from platform_secrets.secretsctl.commands import main

    try:
        if is_interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
        if is_interruptible:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        code = 130
    # Nor at the end.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(start())
