"""Mutants of a module, made mechanically: every place of every operator of cosmic-ray.

Source: cosmic-ray 8.7 cosmic_ray/operators: comparisons, operators of numbers and bits, ``and``, ``or``, ``not``,
constants, conditions, loops, exceptions and decorators.
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators import provider
from cosmic_ray.operators.operator import Operator

from slipway import reachability

FOLDER = Path(reachability.__file__).parent
PACKAGE = "slipway.reachability"
# Modules that take no part in the answer to one question, so that no measurement can judge them.
LEFT_OUT = {
    "__init__": "names only",
    "answers": "holds answers and prints them",
    "applied": "puts objects and surroundings together; previews and guardrails are its tests",
    "changes": "which questions a difference asks; held against all questions by the tests of differences",
    "classes": "which requests a matrix asks; the same",
    "difference": "compares two matrices; the same",
    "entrances": "which ways in a matrix asks; the same",
    "idle": "finds objects that select nothing; answers no question",
    "report": "prints",
    "security_groups": "of the judge's meshes only the running example has machines with security groups",
    "survey": "asks all questions; held against one question each by the tests of matrices",
}
# Operators that want arguments of their own.
_WITH_ARGUMENTS = {"VariableReplacer", "VariableInserter"}
# What a comparison for equality becomes: its opposite, and nothing else unless it is with a number. Which text sorts
# first, and whether two equal texts are one object, are accidents that no measurement can be about; members of an
# enumeration have no order at all.
# Source: other tools change nothing else: stryker-mutator.io/docs/mutation-testing-elements/supported-mutators,
# Equality Operator; pitest.org/quickstart/mutators, Negate Conditionals.
_EQUALITY = re.compile("ReplaceComparisonOperator_(Eq|NotEq|Is|IsNot)_")
_OPPOSITES = {f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")}
# What is the same of a small number: CPython has one object of each.
# Source: Python 3.11 Objects/longobject.c, IS_SMALL_INT.
_SAME_OF_SMALL = {"ReplaceComparisonOperator_Eq_Is", "ReplaceComparisonOperator_NotEq_IsNot"}

# What is put into the reasons of answers.
_WORDS = {"reason", "what", "who", "why"}

_Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: the ``occurrence``-th one of an operator in a module.

    ``function`` is the qualified name of the outermost function whose body changes, empty when it is none's;
    ``statement`` are the lines of the innermost statement that changes, without those of statements inside of it.
    """

    module: str
    operator: str
    occurrence: int
    line: int
    function: str
    statement: range

    @property
    def path(self) -> Path:
        """The file that is mutated."""
        return FOLDER / f"{self.module}.py"

    @property
    def name(self) -> str:
        """The module's full name."""
        return f"{PACKAGE}.{self.module}"

    def source(self, *, spoiling: bool = False) -> str:
        """Return the text of the mutated module.

        With ``spoiling`` it is made of the tree that is at hand, once, in a process that ends afterwards.
        """
        visitor = MutationVisitor(self.occurrence, provider.OperatorProvider()[self.operator]())
        mutated = visitor.walk(tree(self.path) if spoiling else get_ast(_text(self.path)))
        if not visitor.mutation_applied:
            raise ValueError(f"{self} is no mutant of {self.path}")
        return mutated.get_code()

    def change(self) -> tuple[str, str]:
        """Return the first line that differs, before and after."""
        pairs = zip(_text(self.path).splitlines(), self.source().splitlines(), strict=False)
        return next(((one.strip(), other.strip()) for one, other in pairs if one != other), ("", ""))


def modules() -> list[str]:
    """Return the modules that decide."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in LEFT_OUT)


def of(module: str) -> list[Mutant]:
    """Return all mutants of a module.

    Comparisons for equality become their opposite. Nothing is changed in annotations and signatures, which nobody
    runs, nor in decorators, which say how values are built (``frozen``, ``slots``) and remembered, but for removing
    them; and no decorator that only remembers is removed. The words of reasons, and what makes a text of a value, are
    printing.
    """
    text = _text(FOLDER / f"{module}.py")
    parsed = ast.parse(text)
    quiet, functions, statements = list(_quiet(parsed)), list(_functions(parsed, "")), list(_statements(parsed))
    numeric = list(_comparisons_of_numbers(parsed))
    found: list[Mutant] = []
    counts: dict[str, int] = {}
    for node in ast_nodes(tree(FOLDER / f"{module}.py")):
        for name, operator in _operators():
            for begin, end in operator.mutation_positions(node):
                occurrence = counts.get(name, 0)
                counts[name] = occurrence + 1
                if _is_inside(begin, end, quiet) and name != "RemoveDecorator":
                    continue
                if name in _SAME_OF_SMALL:
                    continue
                if _EQUALITY.match(name) and name not in _OPPOSITES and not _is_inside(begin, end, numeric):
                    continue
                if name == "RemoveDecorator" and "functools." in node.get_code():
                    continue
                inside = next((title for title, first, last in functions if first <= begin and end <= last), "")
                found.append(
                    Mutant(
                        module=module,
                        operator=name,
                        occurrence=occurrence,
                        line=begin[0],
                        function=inside,
                        statement=_innermost(statements, begin[0]),
                    )
                )
    return found


def _operators() -> list[tuple[str, Operator]]:
    known = provider.OperatorProvider()
    return [(name, known[name]()) for name in known if name not in _WITH_ARGUMENTS]


def _is_inside(begin: _Place, end: _Place, spans: Iterable[tuple[_Place, _Place]]) -> bool:
    return any(first <= begin and end <= last for first, last in spans)


@functools.cache
def tree(path: Path) -> Any:
    """Return the syntax tree of a module, the same one each time."""
    return get_ast(_text(path))


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _span(node: ast.AST) -> tuple[_Place, _Place]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _quiet(module: ast.Module) -> Iterator[tuple[_Place, _Place]]:
    """Return begin and end of annotations, signatures, decorators, and of what is printed."""
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in _WORDS
        ):
            yield _span(node)
        if isinstance(node, ast.FunctionDef) and node.name == "__str__":
            yield _span(node)
        if isinstance(node, ast.FunctionDef):
            yield (node.lineno, node.col_offset), _span(node.body[0])[0]
        if isinstance(node, ast.AnnAssign):
            yield _span(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from map(_span, node.decorator_list)


def _comparisons_of_numbers(module: ast.Module) -> Iterable[tuple[_Place, _Place]]:
    """Return begin and end of comparisons with a number or a length."""
    named = {
        node.targets[0].id: node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if any(_is_number(named.get(side.id, side) if isinstance(side, ast.Name) else side) for side in sides):
                yield _span(node)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int  # a truth value is one, too
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "len"


def _functions(owner: ast.Module | ast.ClassDef, prefix: str) -> Iterable[tuple[str, _Place, _Place]]:
    """Return qualified names of functions and methods with begin and end of their bodies."""
    for node in owner.body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", _span(node.body[0])[0], _span(node)[1]


def _statements(module: ast.Module) -> Iterable[range]:
    """Return the lines of statements, of handlers and of cases; of those that have a body, the lines before it."""
    for node in ast.walk(module):
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            body = getattr(node, "body", None) or getattr(node, "cases", None)
            end = node.end_lineno or node.lineno
            yield range(node.lineno, (max(_first(body), node.lineno + 1) if body else end + 1))
        if isinstance(node, ast.match_case):
            yield range(node.pattern.lineno, max(_first(node.body), node.pattern.lineno + 1))


def _first(body: list[Any]) -> int:
    """Return the line at which the first of some statements or cases begins."""
    return getattr(body[0], "lineno", 0) or body[0].pattern.lineno


def _innermost(statements: Iterable[range], line: int) -> range:
    found = [lines for lines in statements if line in lines]
    return min(found, key=len, default=range(line, line + 1))
