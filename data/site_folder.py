#!/usr/bin/env python3
# site_folder.py - where this Python looks for packages below a prefix
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Usage: site_folder.py PREFIX: prints the folder, as seen from PREFIX."""

import os
import site
import sys

prefix = os.path.normpath(sys.argv[1])
folders = [os.path.relpath(folder, prefix) for folder in site.getsitepackages()]
below = [folder for folder in folders if folder.split(os.sep)[0] in ("lib", "lib64")]
print(below[0] if below else "lib/python3/dist-packages")
