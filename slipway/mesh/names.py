"""Names of Kubernetes objects: their limits, and how a name is made from parts that may be too long for it."""

import hashlib
import re

from slipway.diagnostics import catalogue, wording
from slipway.mesh.shape import Rejected

LABEL_CHARACTERS = 63  # Source: RFC 1123; Kubernetes apimachinery pkg/util/validation, DNS1123LabelMaxLength
SUBDOMAIN_CHARACTERS = 253  # Source: same, DNS1123SubdomainMaxLength
REVISION_CHARACTERS = LABEL_CHARACTERS - len("istiod-")
CLUSTER = "cluster"  # the word in `runsOn` for pods
# Networks of a mesh whose machines have no way to pods' addresses, as Istio names them on both sides.
NETWORK_OF_PODS, NETWORK_OF_MACHINES = "pods", "machines"
RESERVED_NAMESPACES = frozenset({"istio-system", "istio-ingress", "istio-egress"})
_ANYBODY = "default"
_HASH_CHARACTERS = 8
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SERVICE_LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_OTHER = re.compile(r"[^a-z0-9]+")


def parse_label(text: str) -> str:
    """Return ``text`` when it is a DNS-1123 label; raises Rejected (MESH0205) otherwise."""
    if len(text) <= LABEL_CHARACTERS and _LABEL.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not a name: a-z, 0-9 and `-` inside, at most {LABEL_CHARACTERS} characters"
    raise Rejected(catalogue.NAME, sentence, hint=_suggestion(text))


def parse_service(text: str) -> str:
    """Return ``text`` when it is a DNS-1035 label, as a Kubernetes Service needs; raises Rejected (MESH0205).

    Source: Kubernetes apimachinery pkg/util/validation, IsDNS1035Label.
    """
    if not _SERVICE_LABEL.match(text) and _LABEL.fullmatch(text):
        sentence = f"{wording.quoted(text)} is not a name of a service: it has to start with a letter"
        raise Rejected(catalogue.NAME, sentence, hint=f"name it `service-{wording.shown(text)}`")
    return parse_label(text)


def parse_own_namespace(text: str) -> str:
    """Return the name of a namespace that services may stand in; raises Rejected (MESH0205, MESH0224)."""
    if text in RESERVED_NAMESPACES or text.startswith("kube-"):
        sentence = (
            f"{wording.quoted(text)} belongs to Kubernetes, to Istio or to the gateways; no service may stand in it"
        )
        raise Rejected(catalogue.RESERVED_NAME, sentence, hint="give the services a namespace of their own")
    return parse_label(text)


def parse_service_account(text: str) -> str:
    """Return the name of a ServiceAccount that is somebody's own; raises Rejected (MESH0205, MESH0224).

    Source: Kubernetes documentation, concepts/security/service-accounts: pods that name none get `default`.
    """
    if text == _ANYBODY:
        sentence = f"`{_ANYBODY}` is the identity of every pod that names none; it cannot be a service's own"
        raise Rejected(catalogue.RESERVED_NAME, sentence, hint="give the pods a ServiceAccount of their own")
    return parse_subdomain(text)


def parse_machine(text: str) -> str:
    """Return the name of a machine, which is its ServiceAccount's too; raises Rejected (MESH0205, MESH0224)."""
    if text in {CLUSTER, _ANYBODY}:
        why = "pods in `runsOn`" if text == CLUSTER else "the identity of every pod that names none"
        sentence = f"no machine can be called {wording.quoted(text)}: the word means {why}"
        raise Rejected(catalogue.RESERVED_NAME, sentence, hint="give it another name")
    return parse_label(text)


def parse_revision(text: str) -> str:
    """Return an Istio revision; raises Rejected (MESH0205) when `istiod-<revision>` is no name of a Service."""
    parse_label(text)
    if len(text) > REVISION_CHARACTERS:
        sentence = f"{wording.quoted(text)} is too long for a revision: at most {REVISION_CHARACTERS} characters"
        raise Rejected(catalogue.NAME, sentence, hint="write it as `1-29-1`")
    return text


def is_subdomain(text: str) -> bool:
    """Whether ``text`` is a DNS-1123 subdomain: labels joined by dots."""
    return len(text) <= SUBDOMAIN_CHARACTERS and all(_LABEL.fullmatch(item) for item in text.split("."))


def parse_subdomain(text: str) -> str:
    """Return ``text`` when it is a DNS-1123 subdomain (labels joined by dots); raises Rejected (MESH0205)."""
    if is_subdomain(text):
        return text
    sentence = (
        f"{wording.quoted(text)} is not a name: a-z, 0-9, `-` and dots inside, "
        f"at most {SUBDOMAIN_CHARACTERS} characters"
    )
    raise Rejected(catalogue.NAME, sentence, hint=_suggestion(text))


def _suggestion(text: str) -> str:
    better = _OTHER.sub("-", text.lower()).strip("-")[:LABEL_CHARACTERS].strip("-")
    return f"name it `{better}`" if better else "choose a name of letters, digits and `-`"


def label(*parts: str, limit: int = LABEL_CHARACTERS) -> str:
    """Return a DNS-1123 label made of ``parts`` joined by ``-``, at most ``limit`` characters long.

    Characters that a label does not have become ``-``. A name that had to be changed or cut ends in eight
    hexadecimal digits of a hash of the parts, and keeps its tail, so two different inputs do not meet. Raises
    ValueError when no letter or digit is left or ``limit`` leaves no room for the hash.
    """
    return _fit("-".join(parts), parts, limit)


def subdomain(*parts: str, limit: int = SUBDOMAIN_CHARACTERS) -> str:
    """Return a DNS-1123 subdomain made of ``parts`` joined by dots; limits and errors as in :func:`label`."""
    plain = ".".join(parts)
    if len(plain) <= limit and all(_LABEL.fullmatch(item) for item in plain.split(".")):
        return plain
    return _fit(plain, parts, limit)


def _fit(plain: str, parts: tuple[str, ...], limit: int) -> str:
    if len(plain) <= limit and _LABEL.fullmatch(plain):
        return plain
    room = limit - _HASH_CHARACTERS - 1
    legal = _OTHER.sub("-", plain.lower()).strip("-")
    if room < 1 or not legal:
        raise ValueError(f"no name of at most {limit} characters can be made of {parts!r}")
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_CHARACTERS]
    return f"{legal[-room:].strip('-')}-{digest}"
