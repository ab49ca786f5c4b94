"""A browser, and axe in it: Chromium of a package of npm's, which needs nothing but glibc."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.node_program import NODE, SOURCE, installed_modules, node

_UNPACKED = "unpacked"
# The package brings the libraries of a distribution of its own, where it takes this for that one.
_WITH_LIBRARIES = {"AWS_LAMBDA_JS_RUNTIME": "24.x"}
# It has a font too, and looks for it elsewhere.
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{unpacked}/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>
"""
_UNPACK = "import('@sparticuz/chromium').then(({ default: one }) => one.executablePath())"


def looks(folder: Path, page: Path, spoilt: Path) -> dict[str, Any]:
    """What `node/look.mjs` sees of two pages, which are in `folder`."""
    installed = installed_modules("browser", _unpack)
    unpacked, fonts = installed.parent / _UNPACKED, folder / "fonts.conf"
    fonts.write_text(_FONTS.format(unpacked=unpacked, folder=folder))
    shutil.copy(SOURCE / "look.mjs", folder)
    (folder / "node_modules").symlink_to(installed)
    done = subprocess.run(  # noqa: S603
        [NODE, "look.mjs", page.as_uri(), spoilt.as_uri()],
        cwd=folder,
        env={
            **os.environ,
            **_WITH_LIBRARIES,
            "TMPDIR": str(unpacked),
            "FONTCONFIG_FILE": str(fonts),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _unpack(folder: Path) -> None:
    unpacked = folder / _UNPACKED
    unpacked.mkdir()
    node("-e", _UNPACK, cwd=folder, more={**_WITH_LIBRARIES, "TMPDIR": str(unpacked)})
