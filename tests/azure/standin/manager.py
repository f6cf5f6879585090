"""The resource manager: what Azure does with a PUT, a GET and a DELETE."""

import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from standin import arm, catalogue, cloud, differences, faults, model, references

_MODELLED = frozenset(catalogue.ARM_TYPES)


class PartialError(Exception):
    """The resource exists, but its operation failed half-way."""

    def __init__(self, record: cloud.Record, reason: str) -> None:
        super().__init__(reason)
        self.record = record


class Site(Protocol):
    """Where resources are more than records; both methods raise :class:`arm.RefusalError` for what fails there."""

    def made(self, record: cloud.Record) -> None:
        """Bring what was put to what it says."""
        ...

    def gone(self, record: cloud.Record) -> None:
        """Remove what was deleted."""
        ...


class Manager:
    """The operations on one cloud; ``site`` hears of them afterwards.

    Every method raises :class:`arm.RefusalError` where Azure says no.
    """

    def __init__(self, known: cloud.Cloud, control: faults.Faults, site: Site | None = None) -> None:
        self.cloud = known
        self._faults = control
        self._site = site
        self._cancelled = threading.Event()

    def create(self, kind: model.ResourceType, inputs: Mapping[str, Any]) -> cloud.Record:
        """Put what does not exist yet. Raises :class:`PartialError` for one that was made and then failed."""
        resource_id = kind.path.id(inputs)
        effect = self._faults.meet("create", kind, resource_id)
        with self.cloud.lock:
            if self.cloud.get(resource_id) is not None and not kind.singleton:
                # Source: pulumi-azure-native, provider/pkg/azure, `CanCreate`.
                raise arm.RefusalError(409, "Exists", f"cannot create already existing resource '{resource_id}'")
            record = self._put(kind, resource_id, inputs, effect)
        return self._finish(record, effect)

    def update(self, kind: model.ResourceType, resource_id: str, inputs: Mapping[str, Any]) -> cloud.Record:
        """Put what exists."""
        effect = self._faults.meet("update", kind, resource_id)
        with self.cloud.lock:
            old = self.cloud.get(resource_id)
            if old is None:
                raise arm.RefusalError(404, "ResourceNotFound", f"{resource_id} was not found")
            for path, _ in differences.changes(old.inputs, dict(inputs)):
                fixed = differences.matches(path, kind.fixed)
                if fixed is not None:
                    message = f"Changing property '{fixed}' of {resource_id} is not allowed."
                    raise arm.RefusalError(409, "PropertyChangeNotAllowed", message)
            record = self._put(kind, resource_id, inputs, effect)
        return self._finish(record, effect)

    def read(self, kind: model.ResourceType, resource_id: str) -> cloud.Record | None:
        """Return what has the id."""
        self._faults.meet("read", kind, resource_id)
        return self.cloud.get(resource_id)

    def delete(self, kind: model.ResourceType, resource_id: str) -> None:
        """Remove the resource and everything below it; one that is not there is fine."""
        effect = self._faults.meet("delete", kind, resource_id)
        self._wait(effect.seconds)
        with self.cloud.lock:
            record = self.cloud.get(resource_id)
            if record is None:
                return
            doomed = [record, *self.cloud.below(record.id)]
            self._check_locks(record.id, levels={"CanNotDelete", "ReadOnly"}, below=True)
            for item in doomed:
                self._check_delete(item, doomed)
            self.cloud.remove(*doomed)
            for item in doomed:
                self._after(item)
        for item in doomed if self._site is not None else ():
            self._site.gone(item)

    def cancel(self) -> None:
        """Let every operation that waits end with an error."""
        self._cancelled.set()
        self._cancelled = threading.Event()

    def _put(
        self, kind: model.ResourceType, resource_id: str, inputs: Mapping[str, Any], effect: faults.Effect
    ) -> cloud.Record:
        old = self.cloud.get(resource_id)
        request = model.Request(cloud=self.cloud, type=kind, id=resource_id, inputs=inputs, old=old)
        self._check(request)
        record = cloud.Record(
            id=resource_id,
            token=kind.token,
            inputs=dict(inputs),
            made=old.made if old is not None else self.cloud.next_made(),
            ready_s=time.time() + effect.seconds,
            failed=effect.partial is not None,
        )
        self.cloud.put(record)
        try:
            self._put_inline(kind, record)
        except arm.RefusalError:
            self._restore(record, old)
            raise
        if kind.made is not None:
            kind.made(request)
        return record

    def _restore(self, record: cloud.Record, old: cloud.Record | None) -> None:
        """Undo a PUT that Azure refuses as a whole because of one of its children."""
        if old is not None:
            self.cloud.put(old)
        else:
            self.cloud.remove(record, *self.cloud.below(record.id))

    def _check(self, request: model.Request) -> None:
        kind, name = request.type, arm.name_of(request.id)
        if not kind.allows_name(name):
            raise request.refuse("InvalidResourceName", f"the name {name!r} is not allowed: {kind.name_says}")
        self._check_parent(request.id)
        self._check_locks(request.id, levels={"ReadOnly"}, below=False)
        if kind.unique and request.old is None:
            self._check_unique(request, name)
        references.check(self.cloud, request.id, request.inputs, modelled=_MODELLED)
        for rule in kind.rules:
            rule(request)

    def _check_parent(self, resource_id: str) -> None:
        parent = arm.parent_of(resource_id)
        while parent != arm.ROOT and "/providers/" in parent and not _must_exist(parent):
            parent = arm.parent_of(parent)
        if parent == arm.ROOT or self.cloud.get(parent) is not None:
            return
        group = arm.group_of(parent)
        if group is not None and self.cloud.get(group) is None:
            raise arm.RefusalError(
                404, "ResourceGroupNotFound", f"Resource group '{arm.name_of(group)}' could not be found."
            )
        raise arm.RefusalError(
            404, "ParentResourceNotFound", f"{resource_id}: its parent resource '{parent}' could not be found."
        )

    def _check_unique(self, request: model.Request, name: str) -> None:
        for other in self.cloud.all(arm.type_of(request.id)):
            if arm.name_of(other.id).lower() == name.lower():
                raise request.refuse("NameAlreadyExists", f"the name {name} is already in use", status=409)

    def _check_locks(self, resource_id: str, *, levels: set[str], below: bool) -> None:
        """Refuse what a lock on the resource, on what it stands in or, with ``below``, in it forbids."""
        mine = f"{resource_id.lower()}/"
        for lock in self.cloud.all("Microsoft.Authorization/locks"):
            scope = f"{arm.parent_of(lock.id).lower()}/"
            covers = mine.startswith(scope) or (below and scope.startswith(mine))
            if lock.inputs.get("level") in levels and covers and lock.key != resource_id.lower():
                message = f"The scope '{resource_id}' cannot perform the operation because of the lock {lock.id}."
                raise arm.RefusalError(409, "ScopeLocked", message)

    def _put_inline(self, kind: model.ResourceType, record: cloud.Record) -> None:
        """Put the children that stand in their parent's own inputs, and remove those that no longer do."""
        for name, token in kind.inline:
            items = record.inputs.get(name)
            if items is None:
                continue
            child = catalogue.by_token(token)
            segment = child.path.template.split("/")[-2]
            wanted = {item["name"].lower() for item in items}
            for item in items:
                self._put_child(child, f"{record.id}/{segment}/{item['name']}", item)
            for old in self.cloud.below(record.id):
                gone = old.token == token and arm.name_of(old.id).lower() not in wanted
                if gone and kind.inline_removes:
                    self.delete(child, old.id)

    def _put_child(self, child: model.ResourceType, resource_id: str, item: Mapping[str, Any]) -> None:
        old = self.cloud.get(resource_id)
        inputs = {key: value for key, value in item.items() if key != "name"} | {child.name_input: item["name"]}
        references.check(self.cloud, resource_id, inputs, modelled=_MODELLED)
        for rule in child.rules:
            rule(model.Request(cloud=self.cloud, type=child, id=resource_id, inputs=inputs, old=old))
        made = old.made if old is not None else self.cloud.next_made()
        self.cloud.put(cloud.Record(id=resource_id, token=child.token, inputs=inputs, made=made, inline=True))

    def _check_delete(self, record: cloud.Record, doomed: list[cloud.Record]) -> None:
        kind = catalogue.by_token(record.token)
        request = model.Request(cloud=self.cloud, type=kind, id=record.id, inputs=record.inputs, old=record)
        if kind.in_use is not None:
            keys = {item.key for item in doomed}
            users = [item for item in references.users(self.cloud, record.id) if item.key not in keys]
            if users:
                message = f"it is in use by {', '.join(sorted(item.id for item in users))} and cannot be deleted"
                raise request.refuse(kind.in_use, message)
        if record is doomed[0]:
            for rule in kind.delete_rules:
                rule(request)

    def _after(self, record: cloud.Record) -> None:
        kind = catalogue.by_token(record.token)
        if kind.gone is not None:
            kind.gone(model.Request(cloud=self.cloud, type=kind, id=record.id, inputs=record.inputs, old=record))

    def _finish(self, record: cloud.Record, effect: faults.Effect) -> cloud.Record:
        self._wait(effect.seconds)
        if effect.partial is not None:
            raise PartialError(record, f'Code="{effect.partial.code}" Message="{effect.partial.message}"')
        if self._site is not None:
            try:
                self._site.made(record)
            except arm.RefusalError as error:
                raise PartialError(record, str(error)) from error
        return record

    def _wait(self, seconds: float) -> None:
        if seconds and self._cancelled.wait(seconds):
            raise arm.RefusalError(499, "OperationCancelled", "the engine cancelled the operation")


def _must_exist(resource_id: str) -> bool:
    found = catalogue.ARM_TYPES.get(arm.type_of(resource_id).lower())
    return found is not None and not found.singleton
