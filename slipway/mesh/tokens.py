"""What verifies end users' tokens: issuers, audiences, public keys."""

import json
import re
from typing import Any

from slipway.diagnostics import catalogue, wording
from slipway.mesh import values
from slipway.mesh.shape import Rejected

_NAME = re.compile(r"[!-~]{1,512}")
_URL = re.compile(r"https://([^/:@]+)(:[0-9]{1,5})?(/[!-~]*)?")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # Source: RFC 7518, 6.2.2, 6.3.2, 6.4.1
_WILD = "*"
_HIDDEN = "(not shown: it may hold a secret)"
_COPY = "copy what the issuer's `jwks_uri` answers"
_REPLACE = "take it out, and replace the key: it has been written down"


def parse_name(text: str) -> str:
    """Return an issuer or audience; raises Rejected (MESH0331) for one that policies would take for a pattern.

    Source: istio/api security/v1/authorization_policy.proto, `Condition.values`: `*` at either end is a pattern.
    """
    if _NAME.fullmatch(text) and not text.startswith(_WILD) and not text.endswith(_WILD):
        return text
    sentence = f"{wording.quoted(text)} is not an issuer or an audience: printable, without spaces, no `*` at an end"
    raise Rejected(catalogue.TOKEN, sentence, hint="write it as the token's claim has it")


def parse_url(text: str) -> str:
    """Return an https URL of a named host; raises Rejected (MESH0331).

    istiod fetches it: an address or a name of the platform would be asked with istiod's rights.
    Source: Istio security bulletin ISTIO-SECURITY-2026-003.
    """
    found = _URL.fullmatch(text)
    if found is None:
        sentence = f"{wording.quoted(text)} is not an https URL of a host"
        raise Rejected(catalogue.TOKEN, sentence, hint="write it as `https://login.example.com/keys`")
    host = values.parse_host(found[1])
    if host.endswith((".local", ".internal", ".svc", ".localhost")):
        sentence = f"{wording.quoted(text)} leads inside: istiod would ask its own platform"
        raise Rejected(catalogue.TOKEN, sentence, hint="state the keys themselves as `jwks`")
    return text


def parse_jwks(text: str) -> str:
    """Return public keys as canonical JSON; raises Rejected (MESH0331), for private keys above all.

    Source: RFC 7517, 5.
    """
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        sentence = f"the keys are not JSON: {wording.shown(str(error))}"
        raise Rejected(catalogue.TOKEN, sentence, hint=_COPY, found=_HIDDEN) from error
    keys: Any = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(item, dict) and "kty" in item for item in keys):
        sentence = "the keys are not a JSON Web Key Set: a map with a list `keys`, each with `kty`"
        raise Rejected(catalogue.TOKEN, sentence, hint=_COPY, found=_HIDDEN)
    if any(_PRIVATE & item.keys() for item in keys):
        sentence = "one of the keys is private or symmetric; whoever reads it can make tokens"
        raise Rejected(catalogue.TOKEN, sentence, hint=_REPLACE, found=_HIDDEN)
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
