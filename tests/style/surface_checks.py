# surface_checks.py - checks of the public functions as a whole
# SPDX-License-Identifier: LGPL-2.1-or-later
"""That a reader can hold the public surface in the head: how much it is, its names, its list."""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterator, List, Set, Tuple

from c_checks import FUNCTION, differences, made_pairs, public_functions, public_headers
from files import Tree

MOST_FUNCTIONS = 160
PAGE = "docs/c.md"
RULER = re.compile(r"^/\* --- (.+?) -+ \*/$", re.MULTILINE)
ROW = re.compile(r"^\| (dsq-[\w-]+\.h)(?:: ([^|]+?))? \| (.+) \|$", re.MULTILINE)
WAITS = re.compile(r"^DSQ_AVAILABLE_IN_\w+\s[^;]*?\b(dsq_\w+) \([^;]*\bGCancellable \*",
                   re.MULTILINE)

# Where people's calls are; and what bindings' calls of the same thing end in.
OF_PEOPLE = ("dsq-store.h", "dsq-cursor.h", "dsq-transaction.h")
OF_BINDINGS = "dsq-store-records.h"
OF_LOOPS = "dsq-channel.h"
ENDINGS = re.compile(r"_(record|key|text|utf8|pack)$")
# The newest entry is of no use to who does not take it by compare_and_set_record(), words and
# stamps are for who keeps what he got.
ALONE = {"dsq_store_get_last_pack", "dsq_store_get_stamped_string", "dsq_store_get_stamped_text",
         "dsq_store_map_words", "dsq_store_set_stamped_text"}


def functions_of(tree: Tree, *headers: str) -> Set[str]:
    texts = (tree.text(f"dictsqlite/{header}") for header in headers)
    return {name for text in texts for name in FUNCTION.findall(text)}


def check_number(tree: Tree) -> List[str]:
    """Those that give the type of a class or an enumeration are not counted."""
    number = sum(not name.endswith("_get_type")
                 for name in public_functions(tree) | made_pairs(tree))
    return [f"{number} public functions, at most {MOST_FUNCTIONS}"] * (number > MOST_FUNCTIONS)


def check_pairs(tree: Tree) -> List[str]:
    """People's calls that can be cancelled can wait, and have a form that does not."""
    there = public_functions(tree) | made_pairs(tree)
    texts = (tree.text(f"dictsqlite/{header}") for header in OF_PEOPLE)
    waits = {name for text in texts for name in WAITS.findall(text)}
    return [f"{name} has no {name}{end}" for name in sorted(waits) if not name.endswith("_async")
            for end in ("_async", "_finish") if name + end not in there]


def check_names(tree: Tree) -> List[str]:
    """The same thing has the same name, whoever calls for it."""
    people = functions_of(tree, *OF_PEOPLE)
    bindings = {name for name in functions_of(tree, OF_BINDINGS) if name.startswith("dsq_store_")}
    loops = {name for name in functions_of(tree, OF_LOOPS)
             if name.startswith(("dsq_store_peek_", "dsq_store_try_"))}
    problems = [f"{name}: no call of people's has this name without its ending"
                for name in sorted(bindings - ALONE)
                if not ENDINGS.search(name) or ENDINGS.sub("", name) not in people]
    return problems + [f"{name}: there is no such call that waits" for name in sorted(loops)
                       if name.replace("_peek_", "_get_").replace("_try_", "_")
                       not in people | bindings]


def sections(tree: Tree) -> Iterator[Tuple[str, str, Set[str]]]:
    """The headers' parts, each with the functions that it declares."""
    for path in public_headers(tree):
        header = path.split("/")[-1]
        titles = RULER.split(tree.text(path))
        for title, text in zip(["", *titles[1::2]], titles[0::2]):
            if names := set(FUNCTION.findall(text)):
                yield header, title, names


def check_list(tree: Tree) -> List[str]:
    """The list of calls in the documentation is that of the headers, part by part."""
    listed = {(header, title): set(re.findall(r"`(\w+)`", names))
              for header, title, names in ROW.findall(tree.text(PAGE))}
    declared = {(header, title): names for header, title, names in sections(tree)
                if header in (*OF_PEOPLE, OF_BINDINGS, OF_LOOPS)}
    problems = differences(PAGE, {": ".join(part) for part in listed},
                           {": ".join(part) for part in declared})
    for part in listed.keys() & declared.keys():
        problems += differences(f"{PAGE}, {': '.join(part)}", listed[part], declared[part])
    return problems


CHECKS: Dict[str, Callable[[Tree], List[str]]] = {
    "few-enough-public-functions": check_number,
    "what-can-wait-has-its-pair": check_pairs,
    "the-same-thing-has-the-same-name": check_names,
    "the-list-of-calls-is-the-headers": check_list,
}
