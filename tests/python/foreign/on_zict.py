# on_zict.py - zict's mappings over stores, in the place of the dicts that its tests give them
# SPDX-License-Identifier: LGPL-2.1-or-later

import ast
import collections

import foreign
from dictsqlite_v4 import DictSQLiteV4

LEFT_OUT = {
    "setup.py": "no test",
    "*/test_file.py": "File is a mapping over files",
    "*/test_lmdb.py": "LMDB is a mapping over a file",
    "*/test_zip.py": "Zip is a mapping over a file",
    "*/test_buffer.py::test_stress_*": "a race of Buffer's, where a dict lets others run",
    "*/test_lru.py::test_str": "wants the name of dict",
}
if foreign.MODE == "memory":
    LEFT_OUT["*::test_pickle"] = "a copy by pickle, which a store without a file has not"
EDITS = (
    ("zict/tests/*.py", r"^from collections import UserDict$", "from on_zict import UserDict"),
)


class Dict(DictSQLiteV4):
    """zict closes what it can, and its tests read on in it, as dicts cannot be closed."""

    def __init__(self, path=None, **parameters):
        foreign.opened()
        super().__init__(path or foreign.new_path(), **{"persist_mode": foreign.MODE, **parameters})

    def close(self):
        self.flush()


class UserDict(collections.UserDict):
    """What zict's tests make slow mappings of."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        self.data = Dict()
        self.update(*args, **kwargs)


class StoresForDicts(ast.NodeTransformer):
    """Wherever an empty dict is made, but not where one is compared."""

    new_store = ast.parse("on_zict.Dict()", mode="eval").body

    def visit_Compare(self, node):
        return node

    def visit_Assign(self, node):
        # a dict of the test's own
        return node if ast.unparse(node.targets[0]) == "futures" else self.generic_visit(node)

    def visit_Dict(self, node):
        self.generic_visit(node)
        return node if node.keys else self.new_store

    def visit_Call(self, node):
        self.generic_visit(node)
        return self.new_store if ast.unparse(node) == "dict()" else node


def install():
    for path in (foreign.SOURCE / "zict/tests").glob("test_*.py"):
        tree = StoresForDicts().visit(ast.parse(path.read_text()))
        future = [line for line in path.read_text().splitlines() if line.startswith("from __fut")]
        text = ast.unparse(ast.fix_missing_locations(tree))
        path.write_text("\n".join([*future[:1], "import on_zict", text]))
