"""Starts `secretsctl` as a process of its own, which is what makes these settings right."""

import gc
import os
import sys


def start() -> int:
    """Runs one command; see `main`."""
    # Looking for pydantic's plugins among all installed packages takes as long as a whole render.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A run makes no cycles to speak of, but looking for them takes up to half of its time.
    gc.disable()
    from platform_secrets.secretsctl.commands import main

    code = main()
    # Nor at the end.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(start())
