"""The ingress certificate in the lab: signed by the lab's public authority, kept in a Kubernetes Secret only."""

from typing import Any

import pulumi
from pulumi import dynamic


class LabCertificateProvider(dynamic.ResourceProvider):
    """Writes a TLS Secret; the private key goes from the authority to the cluster and is never an output.

    Without fields and at module level, for the reason given in `components.lab.machine`.
    """

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> dynamic.DiffResult:
        keys = ("instance", "host", "secret", "namespace")
        changed = [key for key in keys if _olds.get(key) != _news.get(key)]
        return dynamic.DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        from slipway.lab import ingress_certificate  # noqa: PLC0415 - the provider runs in a process of its own

        ingress_certificate.ensure(
            props["instance"], host=props["host"], secret=props["secret"], namespace=props["namespace"]
        )
        return dynamic.CreateResult(id_=f"{props['namespace']}/{props['secret']}", outs=props)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        from slipway.lab import ingress_certificate  # noqa: PLC0415

        exists = ingress_certificate.exists(props["instance"], secret=props["secret"], namespace=props["namespace"])
        return dynamic.ReadResult(id_=id_ if exists else "", outs=props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from slipway.lab import ingress_certificate  # noqa: PLC0415

        ingress_certificate.remove(_props["instance"], secret=_props["secret"], namespace=_props["namespace"])


class LabCertificate(dynamic.Resource, module="lab", name="Certificate"):
    """A TLS Secret for one ingress host."""

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        super().__init__(LabCertificateProvider(), name, {**props}, opts)
