"""The options of commands that ask who reaches whom: where `live` is, and whose mesh configuration holds there."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """How sources are found: the environment that a git revision means, how to reach a cluster, Istio's revision.

    ``network_policies`` says what enforces NetworkPolicy in folders and clusters; empty to find it out.
    """

    environment: str = ""
    kubeconfig: str = ""
    context: str = ""
    istio_revision: str = ""
    network_policies: str = ""


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a source, as one argument ``where``."""

    @functools.wraps(command)
    def run(
        *arguments: Any,
        kubeconfig: str,
        context: str,
        istio_revision: str,
        network_policies: str | None,
        **others: Any,
    ) -> None:
        where = Where(
            kubeconfig=kubeconfig,
            context=context,
            istio_revision=istio_revision,
            network_policies=network_policies or "",
        )
        command(*arguments, where=where, **others)

    for option in (
        click.option(
            "--network-policies",
            type=click.Choice(["kube-router", "cilium", "none"]),
            help="For `live` and folders: what enforces NetworkPolicy.",
        ),
        click.option("--istio-revision", default="", help="For `live` and folders: whose mesh configuration holds."),
        click.option("--context", default="", help="For `live`: context of the kubeconfig."),
        click.option("--kubeconfig", default="", help="For `live`: default KUBECONFIG, then ~/.kube/config."),
    ):
        run = option(run)
    return run
