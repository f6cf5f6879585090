"""A cluster in memory with the interface of the real one: for tests of ours and of users' own runbooks."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slipway.world import kubernetes

Handler = Callable[[str, str, str, Sequence[str], bytes], kubernetes.Execution]


def _refuse(namespace: str, pod: str, container: str, argv: Sequence[str], _: bytes) -> kubernetes.Execution:
    raise kubernetes.KubernetesError(f"fake: nothing answers {' '.join(argv)} in {namespace}/{pod} ({container})")


@dataclass(slots=True, kw_only=True)
class FakeKubernetes:
    """Keeps what is applied; a Pod becomes ready at once when ``pods_become_ready``.

    ``handler`` answers :meth:`execute`; ``log_texts`` are answered by namespace, pod and container;
    ``deleted`` tells what was deleted, in order.
    """

    handler: Handler = _refuse
    pods_become_ready: bool = True
    log_texts: dict[tuple[str, str, str], str] = field(default_factory=dict)
    deleted: list[tuple[str, str, str]] = field(default_factory=list)
    _objects: dict[tuple[kubernetes.Kind, str, str], kubernetes.Object] = field(default_factory=dict)

    def get(self, kind: kubernetes.Kind, name: str, *, namespace: str = "") -> kubernetes.Object | None:
        """See :meth:`kubernetes.Kubernetes.get`."""
        return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def list(self, kind: kubernetes.Kind, *, namespace: str = "", labels: str = "") -> Sequence[kubernetes.Object]:
        """See :meth:`kubernetes.Kubernetes.list`; of selectors it knows ``a=b`` and ``a``, joined by commas."""
        return [
            copy.deepcopy(body)
            for (found, where, _), body in sorted(self._objects.items())
            if found == kind and namespace in {"", where} and _selects(labels, body["metadata"].get("labels", {}))
        ]

    def apply(self, body: Mapping[str, Any], *, manager: str = "slipway") -> kubernetes.Object:  # noqa: ARG002
        """See :meth:`kubernetes.Kubernetes.apply`; replaces the whole object."""
        kept = copy.deepcopy(dict(body))
        kind = kubernetes.Kind(api_version=kept["apiVersion"], kind=kept["kind"])
        if kind == kubernetes.POD and self.pods_become_ready:
            kept["status"] = {
                "phase": "Running",
                "podIP": f"10.61.0.{len(self._objects) + 10}",
                "conditions": [{"type": "Ready", "status": "True"}],
                **kept.get("status", {}),
            }
        self._objects[(kind, kept["metadata"].get("namespace", ""), kept["metadata"]["name"])] = kept
        return copy.deepcopy(kept)

    def delete(
        self,
        kind: kubernetes.Kind,
        name: str,
        *,
        namespace: str = "",
        grace_s: int | None = None,  # noqa: ARG002
    ) -> bool:
        """See :meth:`kubernetes.Kubernetes.delete`."""
        there = self._objects.pop((kind, namespace, name), None) is not None
        if there:
            self.deleted.append((kind.kind, namespace, name))
        return there

    def execute(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float,  # noqa: ARG002
    ) -> kubernetes.Execution:
        """See :meth:`kubernetes.Kubernetes.execute`; answered by ``handler``."""
        return self.handler(namespace, pod, container, argv, stdin)

    def logs(self, namespace: str, pod: str, container: str, *, since_s: int | None = None) -> str:  # noqa: ARG002
        """See :meth:`kubernetes.Kubernetes.logs`."""
        return self.log_texts.get((namespace, pod, container), "")


def _selects(selector: str, labels: Mapping[str, str]) -> bool:
    for term in filter(None, selector.split(",")):
        name, has_value, value = term.partition("=")
        if name not in labels or (has_value and labels[name] != value):
            return False
    return True
