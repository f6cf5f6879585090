"""A tree of nodes as plain dicts, lists and scalars."""

from collections.abc import Callable
from typing import Any

from slipway.manifests import scalars
from slipway.manifests.nodes import MappingNode, Node, ScalarNode, SequenceNode


def to_plain(node: Node, *, resolve: Callable[[str], scalars.Scalar] = scalars.resolve) -> Any:
    """Return the values of a tree; ``resolve`` types plain scalars, by default as YAML 1.2 does.

    Keys are texts as written. What an alias names is one object in several places, so nobody may change the result.
    """
    match node:
        case ScalarNode():
            return resolve(node.text) if node.plain else node.text
        case SequenceNode():
            return [to_plain(item, resolve=resolve) for item in node.items]
        case MappingNode():
            return {entry.key.text: to_plain(entry.value, resolve=resolve) for entry in node.entries}
