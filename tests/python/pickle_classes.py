# pickle_classes.py - a user's module, of which honest values and attacks are made
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Classes that a user would list, among things that a module has besides: what it imports,
functions, containers, and classes that are not what they seem."""

from __future__ import annotations

import copyreg
import enum
import os
import subprocess
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Generic, List, NamedTuple, TypeVar

MARKS: list = []
TABLE: dict = {}
SET: set = set()
renamed_function = os.mkdir


def helper(word="helped"):
    MARKS.append(word)
    return word


def __getattr__(name):
    if name == "surprise":  # others are asked for by pytest
        MARKS.append(f"__getattr__ {name}")
    raise AttributeError(name)


def rebuild(x, y):
    """What a user lists as 'pickle_classes:rebuild'."""
    point = Point(x, y)
    return point


copyreg.add_extension("posix", "mkdir", 117)

T = TypeVar("T")


class Plain:
    flag = "as it was"

    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def __eq__(self, other):
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None

    class Nested:
        def __eq__(self, other):
            return type(other) is type(self)

        __hash__ = object.__hash__

        class Deep(dict):
            pass

        class Kind(enum.Enum):
            ONE = 1

        class Rights(enum.Flag):
            READ = 1
            WRITE = 2


class Other(Plain):
    pass


@dataclass
class Record:
    name: str
    tags: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    a: int
    b: tuple = ()


@dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("a", "b")
    a: int
    b: int

    def __getstate__(self):
        return [self.a, self.b]

    def __setstate__(self, state):
        for name, value in zip(self.__slots__, state):
            object.__setattr__(self, name, value)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __eq__(self, other):
        return type(other) is Slots and (self.a, self.b) == (other.a, other.b)

    __hash__ = None


class WithSetstate(Plain):
    def __getstate__(self):
        return {"__version__": 2, "rest": [self.__dict__]}

    def __setstate__(self, state):
        assert state["__version__"] == 2
        self.__dict__.update(state["rest"][0])


class WithNewargs:
    def __new__(cls, a, *, b):
        self = super().__new__(cls)
        self.both = (a, b)
        return self

    def __getnewargs_ex__(self):
        return (self.both[0],), {"b": self.both[1]}

    def __eq__(self, other):
        return type(other) is type(self) and self.both == other.both

    __hash__ = None


class WithReduce:
    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return WithReduce, (self.value,)

    def __eq__(self, other):
        return type(other) is type(self) and self.value == other.value

    __hash__ = None


class Point:
    """Pickled by a function of its module."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __reduce__(self):
        return rebuild, (self.x, self.y)

    def __eq__(self, other):
        return type(other) is type(self) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None


Pair = namedtuple("Pair", "left right")


class Typed(NamedTuple):
    a: int
    b: str = "b"


class Color(enum.Enum):
    RED = 1
    GREEN = (1, 2)


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    RUN = enum.auto()


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Bits(enum.IntFlag):
    A = 1
    B = 2


class Problem(Exception):
    def __init__(self, message, code):
        super().__init__(message, code)
        self.code = code

    def __eq__(self, other):
        return type(other) is type(self) and self.args == other.args

    __hash__ = Exception.__hash__


class Items(list):
    pass


class Mapping(dict):
    pass


class Ordered(OrderedDict):
    pass


class Default(defaultdict):
    pass


class Members(set):
    pass


class Queue(deque):
    pass


class Text(str):
    pass


class Number(int):
    pass


class Raw(bytes):
    pass


class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item

    def __eq__(self, other):
        return type(other) is type(self) and self.item == other.item

    __hash__ = None


class Appending:
    """No container, but it has its methods."""

    def append(self, item):
        MARKS.append(item)

    add = append

    def __setitem__(self, key, value):
        MARKS.append(key)


class Setting:
    """Slots, and a property that runs code when it is set."""

    __slots__ = ("kept",)

    @property
    def prop(self):
        return None

    @prop.setter
    def prop(self, value):
        MARKS.append(value)


class SettingAll(Setting):
    """Runs code whatever is set."""

    __slots__ = ("other",)

    def __setattr__(self, name, value):
        MARKS.append(name)


class SettingError(Exception):
    """An exception with such a property: its state is set by attribute."""

    prop = Setting.prop


def shared():
    """What a user lists as 'pickle_classes:shared'."""
    return SHARED


SHARED = Plain()


# --- what is not what it seems


class MyPopen(Popen):
    """Its own class of this module, on a base that runs programs."""


class Meta(type):
    """Calling it makes a class."""


class LyingMeta(type):
    def __getattribute__(cls, name):
        lies = {"__module__": "pickle_classes", "__qualname__": "Liar"}
        return lies.get(name) or type.__getattribute__(cls, name)


Liar = LyingMeta("Liar", (Popen,), {"__module__": "elsewhere", "__qualname__": "Truth"})
Alias = Plain
Forged = type("NotForged", (), {"__module__": "pickle_classes"})


class Pretender:
    """No class, but it says it is one."""

    __class__ = type
    __module__ = "pickle_classes"
    __qualname__ = "pretender"

    def __call__(self, *args):
        return helper("pretender")


pretender = Pretender()
