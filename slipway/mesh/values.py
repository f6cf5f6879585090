"""Hosts, addresses, networks, ports and the other small values: checked and brought into one spelling."""

import ipaddress
import re
import unicodedata

import idna

from slipway.diagnostics import catalogue, wording
from slipway.mesh import names
from slipway.mesh.shape import Rejected

RESERVED_PORTS = range(15000, 15091)  # Source: Istio docs, ops/deployment/application-requirements, "Ports used"
CLUSTER_DOMAIN = "cluster.local"
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_CHARACTERS = 253  # Source: RFC 1035, 2.3.4, without the trailing dot
_PORT_NAME_CHARACTERS = 15  # Source: Kubernetes apimachinery pkg/util/validation, IsValidPortName
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_-]{0,62}")  # Source: PostgreSQL 15, 4.1.1; 63 bytes


def parse_host(text: str) -> str:
    """Return a host name in lower case, as A-labels, without a trailing dot; raises Rejected (MESH0309).

    A fully qualified name is needed: at least one dot, no wildcard, no address.
    Source: Istio 1.29.1 pkg/config/validation/agent, ValidateFQDN; RFC 5891.
    """
    if reason := _host_shape(text):
        raise Rejected(catalogue.HOST, f"{wording.quoted(text)} is not a host name: {reason[0]}", hint=reason[1])
    host = text.removesuffix(".").lower()
    if not host.isascii() or "xn--" in host:
        host = _a_labels(host, text)
    labels = host.split(".")
    if bad := next((item for item in labels if not _HOST_LABEL.fullmatch(item)), None):
        sentence = f"{wording.quoted(text)} is not a host name: the label {wording.quoted(bad)} is none"
        hint = "labels are letters, digits and `-` inside, 1 to 63 characters"
        raise Rejected(catalogue.HOST, sentence, hint=hint)
    if len(host) > _HOST_CHARACTERS or len(labels) == 1 or labels[-1].isdigit():
        sentence = f"{wording.quoted(text)} is not a fully qualified host name"
        hint = f"write at least two labels joined by a dot, not an address, at most {_HOST_CHARACTERS} characters"
        raise Rejected(catalogue.HOST, sentence, hint=hint)
    return host


def parse_outside_host(text: str) -> str:
    """Return a host as :func:`parse_host` does, or a wildcard such as ``*.example.com``; raises Rejected (MESH0309).

    The part behind ``*.`` has two labels at least: a wildcard over a whole registry names nobody.
    """
    return f"*.{parse_host(text[2:])}" if text.startswith("*.") else parse_host(text)


def _a_labels(host: str, text: str) -> str:
    """Return a host with letters beyond ASCII as it stands in DNS; what DNS would silently replace is refused."""
    try:
        mapped = idna.uts46_remap(host, std3_rules=True)
        encoded = idna.encode(mapped).decode("ascii")
    except idna.IDNAError as error:
        sentence = f"{wording.quoted(text)} is not a host name: {wording.shown(str(error))}"
        raise Rejected(catalogue.HOST, sentence, hint="write it as it is registered") from error
    if mapped != host:
        sentence = f"{wording.quoted(text)} is not a host name: it has characters that DNS replaces or leaves out"
        raise Rejected(catalogue.HOST, sentence, hint=f"write {wording.quoted(mapped)} if that is meant")
    return encoded


def _host_shape(text: str) -> tuple[str, str] | None:
    """Return what is wrong with the text around a host, and how to mend it."""
    if "://" in text:
        rest = text.split("://", 1)[1].split("/", 1)[0]
        return ("it has a scheme", f"write only the host: `{wording.shown(rest)}`")
    if "*" in text:
        return ("wildcards are not supported", "declare each host by its full name")
    if any(char.isspace() for char in text):
        return ("it has a space", f"remove it: `{wording.shown(''.join(text.split()))}`")
    if ":" in text:
        return ("it has a port", "write the port under the key `port`")
    if ".." in text or not text.strip("."):
        return ("a label is empty", "write the labels with one dot between them")
    return None


def scripts(host: str) -> tuple[str, ...]:
    """Return the alphabets that the most mixed label of a host uses, sorted; one or none is unsuspicious.

    The alphabet is the first word of a character's Unicode name (``LATIN``, ``CYRILLIC``).
    """
    mixes = [
        tuple(sorted({unicodedata.name(char, "?").split()[0] for char in item if char.isalpha()}))
        for item in host.split(".")
    ]
    return max(mixes, key=len)


def parse_address(text: str) -> str:
    """Return an IPv4 address in its one spelling; raises Rejected (MESH0311)."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ipaddress.AddressValueError as error:
        sentence = f"{wording.quoted(text)} is not an IPv4 address: {wording.shown(str(error))}"
        raise Rejected(
            catalogue.ADDRESS, sentence, hint="write four numbers from 0 to 255, as `10.60.2.11`"
        ) from error


def parse_network(text: str) -> str:
    """Return an IPv4 CIDR block in its one spelling; raises Rejected (MESH0312) for host bits and for ``/0``."""
    address, slash, _ = text.partition("/")
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        hint = "write `address/length`, as `10.60.2.0/24`"
        reason = wording.shown(str(error))
        if "host bits" in str(error):
            reason = f"{wording.quoted(address)} has bits set behind the length"
            hint = f"write the network: `{ipaddress.IPv4Network(text, strict=False)}`"
        raise Rejected(
            catalogue.CIDR, f"{wording.quoted(text)} is not an IPv4 network: {reason}", hint=hint
        ) from error
    if not slash or network.prefixlen == 0:
        sentence = f"{wording.quoted(text)} is not an IPv4 network of this plan: its length has to be 1 to 32"
        raise Rejected(catalogue.CIDR, sentence, hint="write `address/length`, as `10.60.2.0/24`")
    return str(network)


def parse_port(number: int) -> int:
    """Return a port's number; raises Rejected (MESH0307) for the sidecar's own ports."""
    if number in RESERVED_PORTS:
        first, last = RESERVED_PORTS[0], RESERVED_PORTS[-1]
        sentence = f"`{number}` is one of the ports {first} to {last}, on which the sidecar itself listens"
        raise Rejected(catalogue.RESERVED_PORT, sentence, hint="let the application listen on another port")
    return number


def parse_outside_port(number: int) -> int:
    """Return the port by which something outside is called; raises Rejected (MESH0307) for the sidecar's own.

    A sidecar has no listener of its own choice there, so that what is sent to such a port goes another way.
    Source: istio/istio 1.29.1 pilot/pkg/networking/core/listener.go, "conflicts with static listener".
    """
    if number in RESERVED_PORTS:
        first, last = RESERVED_PORTS[0], RESERVED_PORTS[-1]
        sentence = f"`{number}` is one of the ports {first} to {last}, which every caller's sidecar keeps for itself"
        raise Rejected(catalogue.RESERVED_PORT, sentence, hint="let it be called on another port")
    return number


def parse_port_name(text: str) -> str:
    """Return a port's name: a label of at most 15 characters with a letter; raises Rejected (MESH0205)."""
    names.parse_label(text)
    if len(text) > _PORT_NAME_CHARACTERS or "--" in text or not any(char.isalpha() for char in text):
        sentence = (
            f"{wording.quoted(text)} is not a name of a port: at most {_PORT_NAME_CHARACTERS} characters, "
            "with a letter, no `-` beside another"
        )
        raise Rejected(catalogue.NAME, sentence, hint="choose a shorter name, as `http` or `admin`")
    return text


def parse_token(text: str) -> str:
    """Return a name in an HTTP request (header, cookie, query parameter); raises Rejected (MESH0326).

    Source: RFC 9110, 5.6.2, `token`.
    """
    if _TOKEN.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not the name of a header, cookie or query parameter"
    raise Rejected(catalogue.REQUEST_NAME, sentence, hint="write it as `x-user`, without spaces, `:` or `=`")


def parse_header(text: str) -> str:
    """Return the name of a header whose value may stand in a policy, in lower case; raises Rejected (MESH0326).

    Source: istio/istio 1.29.1 pilot/pkg/security/authz/model/generator.go: `host` is matched by hosts, not here.
    """
    name = parse_token(text).lower()
    if name in {"authorization", "cookie", "proxy-authorization", "host"} or name.startswith("x-forwarded-"):
        sentence = f"{wording.quoted(text)} carries a secret, or is written by proxies; no policy can state its value"
        raise Rejected(catalogue.REQUEST_NAME, sentence, hint="name a header of the application, as `x-tenant`")
    return name


def parse_header_value(text: str) -> str:
    """Return the exact value of a header; raises Rejected (MESH0326) where a policy would take it for a pattern."""
    if _HEADER_VALUE.fullmatch(text) and "*" not in {text[0], text[-1]}:
        return text
    sentence = f"{wording.quoted(text)} is not an exact value of a header: printable, no space or `*` at an end"
    raise Rejected(catalogue.REQUEST_NAME, sentence, hint="state each value by itself")


def parse_label_key(text: str) -> str:
    """Return the key of a Kubernetes label; raises Rejected (MESH0320).

    Source: Kubernetes apimachinery pkg/util/validation, IsQualifiedName.
    """
    prefix, slash, name = text.rpartition("/")
    if _LABEL_NAME.fullmatch(name) and (not slash or names.is_subdomain(prefix)):
        return text
    sentence = f"{wording.quoted(text)} is not the key of a label"
    raise Rejected(catalogue.LABEL, sentence, hint="write it as `app` or `example.com/app`, 63 characters at most")


def parse_label_value(text: str) -> str:
    """Return the value of a Kubernetes label; raises Rejected (MESH0320)."""
    if _LABEL_VALUE.fullmatch(text):
        return text
    sentence = f"{wording.quoted(text)} is not the value of a label"
    hint = "use letters, digits, `-`, `_` and dots inside, 63 characters at most"
    raise Rejected(catalogue.LABEL, sentence, hint=hint)


def parse_version(text: str) -> str:
    """Return a value of the label ``version`` that is not ``cluster``; raises Rejected (MESH0224, MESH0320)."""
    if text == names.CLUSTER or not text:
        sentence = f"{wording.quoted(text)} is no version: the word means all pods, and nothing means nothing"
        raise Rejected(catalogue.RESERVED_NAME, sentence, hint="name it as the pods' label `version` does, as `v1`")
    return parse_label_value(text)


def parse_locality(text: str) -> str:
    """Return ``region`` or ``region/zone``; raises Rejected (MESH0320).

    Source: istio/api networking/v1/workload_entry.proto, `locality`.
    """
    parts = text.split("/")
    if all(part and _LABEL_VALUE.fullmatch(part) for part in parts) and len(parts) <= 2:  # noqa: PLR2004
        return text
    sentence = f"{wording.quoted(text)} is not a region or `region/zone`"
    raise Rejected(catalogue.LABEL, sentence, hint="write it as nodes are labelled, as `westeurope/westeurope-1`")


def parse_identifier(text: str) -> str:
    """Return the name of a database or a role that is not PostgreSQL's own; raises Rejected (MESH0321)."""
    if _IDENTIFIER.fullmatch(text) and text != "postgres" and not text.startswith("pg_"):
        return text
    sentence = f"{wording.quoted(text)} is not a name for a database or a role of an application"
    hint = "use a-z, 0-9, `_` and `-`, 63 characters at most; `postgres` and `pg_...` belong to PostgreSQL"
    raise Rejected(catalogue.IDENTIFIER, sentence, hint=hint)


def parse_file_path(text: str) -> str:
    """Return a relative path with ``/`` between its parts; raises Rejected (MESH0322)."""
    if text and not text.startswith("/") and "\\" not in text and not text.endswith("/") and ":" not in text:
        return text
    sentence = f"{wording.quoted(text)} is not a path relative to this file"
    raise Rejected(catalogue.FILE_PATH, sentence, hint="write it as `../examples/shop/machines/billing-vm.yaml`")
