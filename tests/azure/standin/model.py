"""What the stand-in knows of one resource type: where it stands and what Azure refuses about it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from standin import arm, cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One PUT or DELETE as a rule sees it; ``old`` is what was there before."""

    cloud: cloud.Cloud
    type: "ResourceType"
    id: str
    inputs: Mapping[str, Any]
    old: cloud.Record | None = None

    def refuse(self, code: str, message: str, *, status: int = 400) -> arm.RefusalError:
        """Return the refusal to raise."""
        return arm.RefusalError(status, code, f"{self.id}: {message}")


Rule = Callable[[Request], None]
Answer = Callable[[cloud.Cloud, cloud.Record], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """One type.

    ``name`` is the whole name's expression and ``name_says`` its meaning. ``replaces`` are properties whose change
    makes the provider replace the resource, beside those that its id is made of; ``fixed`` those whose change Azure
    refuses in an update; ``hidden`` those that Azure never gives back. ``in_use`` is the code with which Azure
    refuses to delete what something refers to. ``inline`` pairs a property with the child type that its items are,
    and ``inline_removes`` says whether a child that is not among them goes. ``unique`` names exist once in all of
    Azure; a ``singleton`` comes with what it belongs to. ``rules`` run before a PUT and ``delete_rules`` before a
    DELETE, ``made`` and ``gone`` after them; ``answer`` gives what Azure adds to the outputs.
    """

    token: str
    path: arm.Path
    name: str = r".{1,260}"
    name_says: str = "1 to 260 characters"
    replaces: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    in_use: str | None = None
    inline: tuple[tuple[str, str], ...] = ()
    inline_removes: bool = True
    unique: bool = False
    singleton: bool = False
    rules: tuple[Rule, ...] = ()
    delete_rules: tuple[Rule, ...] = ()
    made: Rule | None = None
    gone: Rule | None = None
    answer: Answer | None = None

    @property
    def short(self) -> str:
        """The token without the provider: ``network:Subnet``."""
        return self.token.removeprefix("azure-native:")

    @property
    def name_input(self) -> str:
        """The input that names the resource."""
        return self.path.parameters[-1]

    @property
    def is_top_level(self) -> bool:
        """Whether it stands directly in a resource group or the subscription."""
        return arm.parent_of(self.path.full) in {arm.ROOT, f"{arm.ROOT}/resourceGroups/{{resourceGroupName}}"}

    def allows_name(self, name: str) -> bool:
        """Return whether Azure takes ``name``."""
        return re.fullmatch(self.name, name) is not None
