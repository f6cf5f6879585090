"""The cluster's kubeconfig: how `kubectl` and Pulumi log in."""

import base64
import json
from typing import Any

from slipway.manifests import plain, yaml_reader

_LOGIN = "azurecli"
_KUBELOGIN = "kubelogin"
_FLAGS = frozenset({"--login", "-l"})


def readable(encoded: str) -> str:
    """Return the kubeconfig that Azure gave in base64, as JSON, with a login that needs nobody at the keyboard.

    Azure's own asks for a device code, which stops a pipeline for ever; the login of `az` is there for a person and
    after `azure/login` in a pipeline. Any other way of logging in is left as it is.
    Source: kubelogin documentation, concepts/login-modes/azurecli; Azure/AKS issue 4990.
    """
    document = plain.to_plain(yaml_reader.read(base64.b64decode(encoded), file="kubeconfig"))
    return json.dumps({**document, "users": [_user(item) for item in document["users"]]}, sort_keys=True)


def _user(item: dict[str, Any]) -> dict[str, Any]:
    command = item["user"].get("exec")
    if command is None or command["command"] != _KUBELOGIN:
        return item
    return {**item, "user": {**item["user"], "exec": {**command, "args": _with_login(command["args"])}}}


def _with_login(arguments: list[str]) -> list[str]:
    before = ["", *arguments]
    kept = [item for last, item in zip(before, arguments, strict=False) if not {last, item} & _FLAGS]
    return [*kept, "--login", _LOGIN]
