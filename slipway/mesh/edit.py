"""Change one scalar of a YAML text in place: comments, order and every other character stay."""

import json
import re
from collections.abc import Sequence
from typing import Any

from slipway.diagnostics import DiagnosticsError, Span, wording
from slipway.manifests import decoding, plain, scalars, yaml_reader
from slipway.manifests.nodes import MappingNode, Node, ScalarNode, SequenceNode

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9/._-]*")


class NotEditable(Exception):  # noqa: N818 - reads as the sentence that it is
    """The path leads to no scalar, or to one that cannot be replaced without touching something else."""


def replace(text: str, *, file: str, path: Sequence[str | int], value: str | int | bool) -> str:
    """Return ``text`` with the scalar at ``path`` (keys and list positions from 0) replaced by ``value``.

    Raises DiagnosticsError when ``text`` is not readable, and :class:`NotEditable` when there is no scalar at the
    path, or when the result would differ anywhere else, as with an alias.
    """
    text = decoding.decode(text, file=file)
    document = yaml_reader.read(text, file=file)
    span = scalar_at(document, path)
    changed = text[: span.start] + _written(value) + text[span.end :]
    wanted = _with(plain.to_plain(document), path, value)
    by_hand = f"{span}: {_shown(path)} is an alias, an anchor or a block of lines: edit it by hand"
    try:
        result = plain.to_plain(yaml_reader.read(changed, file=file))
    except DiagnosticsError as error:
        raise NotEditable(by_hand) from error
    if result != wanted:
        raise NotEditable(by_hand)
    return changed


def scalar_at(document: Node, path: Sequence[str | int]) -> Span:
    """Return the place of the scalar at ``path``; raises :class:`NotEditable` when there is none."""
    node: Node | None = document
    for step in path:
        node = _child(node, step)
        if node is None:
            raise NotEditable(f"{document.span.file}: there is nothing at {_shown(path)}")
    if not isinstance(node, ScalarNode):
        raise NotEditable(f"{document.span.file}: {_shown(path)} is no single value")
    return node.span


def _child(node: Node | None, step: str | int) -> Node | None:
    match node, step:
        case MappingNode(), str():
            return next((entry.value for entry in node.entries if entry.key.text == step), None)
        case SequenceNode(), int() if 0 <= step < len(node.items):
            return node.items[step]
        case _:
            return None


def _with(tree: Any, path: Sequence[str | int], value: str | int | bool) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return {key: _with(item, rest, value) if key == step else item for key, item in tree.items()}
    return [_with(item, rest, value) if index == step else item for index, item in enumerate(tree)]


def _written(value: str | int | bool) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    same = scalars.resolve(value) == value and scalars.ambiguity(value) is None
    return value if same and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _shown(path: Sequence[str | int]) -> str:
    return wording.quoted(".".join(str(step) for step in path))
