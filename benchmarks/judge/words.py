"""What random policies and random requests talk about, so that they meet often enough to decide."""

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from benchmarks.judge import fleet

_T = TypeVar("_T")

METHODS = ("GET", "POST", "PUT", "DELETE")
METHOD_PATTERNS = ("GET", "POST", "PUT", "GET", "POST", "P*", "*T", "*E", "*", "get")
PATHS = (
    "/", "/api", "/api/v1/items", "/api/v1/items/7", "/api/v2", "/admin", "/info.json", "/files/a/b/c", "/apix",
    "/api/v1/items?q=admin", "//admin", "/ADMIN", "/x/../admin", "/admin/", "/x/./admin", "/%61dmin",
    "/%2Fapp%5cadmin", "/x%2f..%2fadmin", "/a*b", "/aXb", "/x\\admin", "/files//b", "/api/v1/", "/info.json?x=/admin",
    "/admin#top", "/data/report.json", "/files/a", "/foo*", "/files/%7e/b", "/x/..",
    "/a|b", "/files/a^b/b/c", "/api/x{y/items", "/API/v1", "/Info.json",
)  # fmt: skip
PLAIN_PATHS = PATHS[:9]
PATH_PATTERNS = (
    "/api*", "/api/*", "/admin", "/admin*", "*.json", "/", "*", "/api/v1/items", "/files/{*}/b/{**}", "/api/{**}",
    "/api/{*}/items", "/a*b", "*admin", "/files/{*}", "/x/../admin", "//admin", "/{*}", "/info.json", "*foo*", "/api",
)  # fmt: skip
HEADER = "x-role"
HEADER_VALUES = ("admin", "user", "administrator", "superadmin", "")
HEADER_PATTERNS = ("admin", "adm*", "*admin", "*", "user", "a*n")


def some(random_: random.Random, values: Sequence[_T], most: int = 2) -> list[_T]:
    """Return one or more different values, seldom many."""
    wanted = min(len(values), 1 if chance(random_, 0.6) else random_.randint(1, most))
    return random_.sample(list(values), wanted)


def principals(random_: random.Random, lot: fleet.Lot) -> list[str]:
    """Return principals as people write them, and as they should not."""
    first, second = lot.namespaces
    usual = [f"cluster.local/ns/{item.namespace}/sa/{item.account}" for item in lot.applications]
    odd = [
        "*",
        f"cluster.local/ns/{first}/*",
        f"cluster.local/ns/{second}/*",
        "*/sa/web",
        f"*/ns/{first}/sa/job",
        f"spiffe://cluster.local/ns/{first}/sa/web",
        f"old.example/ns/{first}/sa/web",
        f"*.local/ns/{second}/sa/api",
        "cluster.local/*",
        "*web*",
        f"cluster.local/ns/*/sa/{random_.choice(('web', 'job'))}",
        f"*/ns/{first}/sa/j.b",
    ]
    return some(random_, usual if chance(random_, 0.6) else odd, 3)


def namespaces(random_: random.Random, lot: fleet.Lot) -> list[str]:
    """Return namespaces and patterns of them."""
    first, second = lot.namespaces
    return some(random_, (first, second, f"{fleet.PREFIX}-*-a", "*", "*-b", fleet.PLAIN, "judge", first[:-1] + "*"))


def accounts(random_: random.Random, lot: fleet.Lot) -> list[str]:
    """Return service accounts, with and without their namespace."""
    first, second = lot.namespaces
    return some(random_, ("web", "job", f"{first}/web", f"{second}/web", f"{second}/api", f"{fleet.PLAIN}/bare"), 3)


def blocks(random_: random.Random, addresses: Sequence[str]) -> list[str]:
    """Return address blocks around the fleet's addresses."""
    one = random_.choice(addresses)
    wide = one.rsplit(".", 1)[0] + ".0/24"
    return some(random_, (one, one, f"{one}/32", wide, "10.0.0.0/8", "0.0.0.0/0", "192.0.2.0/24", "127.0.0.6"), 3)


def hosts(random_: random.Random, lot: fleet.Lot) -> list[str]:
    """Return values for the field hosts."""
    item = random_.choice(lot.applications)
    return some(
        random_,
        (
            item.hostname, f"{item.hostname}:*", f"*.{fleet.DOMAIN}", f"{item.name}.*", "*:81", "*", item.name,
            f"*{fleet.DOMAIN}", item.hostname.upper(), "secret.example.com", "secret.example.com:*", f"{item.name}*",
            "shop.example.com", "*.example.com", "*.example.com:*",
        ),
        3,
    )  # fmt: skip


def header_hosts(random_: random.Random, item: fleet.Application, port: int) -> str:
    """Return a Host header for a request to an application: its name most often."""
    name = item.hostname
    usual = name if port == fleet.WEB_PORT else f"{name}:{port}"
    odd = (
        name, f"{name}:{port}", name.upper(), f"{name}.", item.name, f"{item.name}.{item.namespace}",
        "secret.example.com", f"{item.name}.{item.namespace}.svc", "secret.example.com:8080", f"{name}:9999",
    )  # fmt: skip
    return usual if chance(random_, 0.75) else random_.choice(odd)


def ports(random_: random.Random) -> list[str]:
    """Return values for the field ports: workload ports, and a Service's, which are none."""
    return some(random_, ("8080", "8081", "9000", "7000", "8080", "9000", "80", "8443", "18080", "18443"), 3)


def chance(random_: random.Random, share: float) -> bool:
    """Return true in a share of all cases."""
    return random_.random() < share


def text_match(random_: random.Random, values: Sequence[str]) -> dict[str, Any]:
    """Return a match of a VirtualService for one of these texts."""
    value = random_.choice(list(values))
    kind = random_.choice(("exact", "prefix", "prefix", "regex"))
    if kind == "prefix":
        return {"prefix": value[: random_.randint(1, len(value))]}
    return {"exact": value} if kind == "exact" else {"regex": value.replace("*", ".*").replace("\\", "")}
