# run.py - compiles a Vala program against the vapi of the build, and runs it
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run.py PROGRAM.vala VALAC BUILD-FOLDER [ARGUMENT...]"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

program, valac, build = sys.argv[1:4]
arguments = sys.argv[4:]
root = Path(__file__).parents[2]
library = Path(build) / "dictsqlite"

with tempfile.TemporaryDirectory() as folder:
    # the C that valac writes has warnings of its own; they are not ours
    for_c = ["-w", f"-I{root / 'dictsqlite'}", f"-I{library}", f"-L{library}", "-ldictsqlite-1"]
    subprocess.run(
        [valac, "--vapidir", str(library), "--pkg", "dictsqlite-1", "--pkg", "gio-2.0",
         "--fatal-warnings", "--directory", folder, "--output", "program",
         *(word for option in for_c for word in ("-X", option)), program],
        check=True, env={**os.environ, "PKG_CONFIG_PATH": f"{build}/meson-uninstalled"},
    )
    done = subprocess.run(
        [f"{folder}/program", *arguments], check=False,
        env={**os.environ, "LD_LIBRARY_PATH": str(library), "G_DEBUG": "fatal-criticals"},
    )
sys.exit(done.returncode)
