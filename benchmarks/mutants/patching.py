"""Puts a mutant in the place of the analyser, in a process that ends afterwards."""

import importlib
import importlib.util
import sys
from importlib import machinery
from types import CodeType, ModuleType

from benchmarks.mutants import making

# What holds objects of the analyser's modules, besides these.
_HOLDING = (
    "benchmarks.judge.logged",
    "benchmarks.judge.asking",
    "benchmarks.judge.cases",
    "benchmarks.judge.relations",
)


def put(mutant: making.Mutant) -> bool:
    """Put a mutant in place; false when the whole analyser had to be imported anew, and nothing old fits it.

    Raises what importing the mutant raises.
    """
    source = mutant.source(spoiling=True)
    code = compile(source, str(mutant.path), "exec", dont_inherit=True)
    if mutant.function and _replace(sys.modules[mutant.name], mutant.function, code):
        return True
    _import_anew(mutant.name, code)
    return False


def _replace(module: ModuleType, name: str, code: CodeType) -> bool:
    """Give the function of this qualified name its code from a compiled module; false when it cannot be given."""
    found = _named(code, name)
    function: object = module
    for part in name.split("."):
        function = _plain(vars(function)[part])
    if found is None or len(found.co_freevars) != len(function.__code__.co_freevars):
        return False
    function.__code__ = found
    return True


def _named(code: CodeType, name: str) -> CodeType | None:
    for item in code.co_consts:
        if isinstance(item, CodeType):
            if item.co_qualname == name:
                return item
            if name.startswith(f"{item.co_qualname}."):
                return _named(item, name)
    return None


def _plain(value: object) -> object:
    """Return the function that a property, a class method or a memory holds."""
    for name in ("fget", "func", "__func__", "__wrapped__"):
        value = getattr(value, name, value)
    return value


class _Loader(machinery.SourceFileLoader):
    """Gives a module code that was compiled before."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, _fullname: str) -> CodeType:
        return self._code


class _Finder:
    """Finds the mutant where its module is looked for."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name, self._code = name, code

    def find_spec(self, name: str, _path: object, _target: object = None) -> machinery.ModuleSpec | None:
        if name != self._name:
            return None
        file = self._code.co_filename
        return importlib.util.spec_from_file_location(name, file, loader=_Loader(name, file, self._code))


def _import_anew(name: str, code: CodeType) -> None:
    for known in list(sys.modules):
        if known.startswith(making.PACKAGE) or known in _HOLDING:
            parent, _, last = known.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(last, None)
            del sys.modules[known]
    sys.meta_path.insert(0, _Finder(name, code))
    for known in _HOLDING:
        importlib.import_module(known)
