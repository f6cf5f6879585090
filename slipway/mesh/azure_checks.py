"""What Azure would refuse, or what would be regretted after twenty minutes: found in the declaration alone."""

import ipaddress
import math
from dataclasses import dataclass

from slipway.diagnostics import Collector, catalogue, wording
from slipway.diagnostics.catalogue import Code
from slipway.mesh import azure, azure_facts, azure_plan, model
from slipway.mesh.reading import Found

SURGE = 1 / 3  # of a pool's nodes stand twice during an upgrade. Source: AKS baseline, `maxSurge: 33%`
MAX_PODS = 40  # per node; more would need a larger subnet than the example's
_BLOCKS = ("infrastructure", "nodes", "pods", "machines", "services")
# Source: Azure documentation, azure-resource-manager/troubleshooting/error-reserved-resource-name.
_RESERVED_INSIDE = ("microsoft", "windows")
_RESERVED_AT_START = ("login", "xbox")


def nodes_at_most(pool: azure.Pool) -> int:
    """Return how many nodes a pool has at most, while it is being upgraded."""
    return pool.maximum + math.ceil(pool.maximum * SURGE)


def addresses_of_pods(pool: azure.Pool) -> int:
    """Return how many addresses the pods of a pool take at most, given out in batches."""
    batches = math.ceil((MAX_PODS + azure_facts.SPARE) / azure_facts.BATCH)
    return nodes_at_most(pool) * batches * azure_facts.BATCH


def check(mesh: model.Mesh, *, positions: Found, collector: Collector) -> None:
    """Report what Azure refuses about the environment; does nothing on another platform, except for its keys."""
    stated = positions.get("azure")
    if mesh.azure is None or stated is None:
        _check_foreign_keys(mesh, positions, collector)
        return
    checking = _Checking(mesh=mesh, azure=mesh.azure, stated=stated, positions=positions, collector=collector)
    checking.ranges()
    checking.addresses()
    checking.capacity()
    checking.zones()
    checking.sizes()
    checking.versions()
    checking.names()
    checking.machines()


def _check_foreign_keys(mesh: model.Mesh, positions: Found, collector: Collector) -> None:
    if mesh.platform is model.PlatformKind.AZURE:
        return
    for machine in positions.entries("machines").values():
        for key in ("size", "zone", "diskGib"):
            if found := machine.get(key):
                sentence = f"`{key}` means nothing on the platform `{mesh.platform.value}`"
                collector.report(
                    catalogue.OTHER_PLATFORM, sentence, span=found.key, path=found.path, hint="remove it"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checking:
    mesh: model.Mesh
    azure: azure.Azure
    stated: Found
    positions: Found
    collector: Collector

    def _report(self, code: Code, sentence: str, hint: str, *, place: Found | None, found: str = "") -> None:
        at = place or self.stated
        self.collector.report(code, sentence, span=at.key, path=at.path, found=found or at.raw, hint=hint)

    def _block(self, name: str) -> Found | None:
        network = self.positions.get("network")
        return None if network is None else network.get(name)

    def ranges(self) -> None:
        """Networks that meet a connected one, or one that AKS keeps for itself; refused ones are empty."""
        foreign = [(item, "a network that this one is connected to") for item in self.azure.peers if item]
        foreign += [(item, "kept by AKS for itself") for item in azure_facts.RESERVED_RANGES]
        for name in _BLOCKS:
            block = getattr(self.mesh.network, name)
            for other, what in foreign if block else ():
                if ipaddress.ip_network(block).overlaps(ipaddress.ip_network(other)):
                    sentence = f"the network of {name}, `{block}`, overlaps `{other}`, which is {what}"
                    hint = "choose a network that has no address in common with it"
                    self._report(catalogue.AZURE_RANGE, sentence, hint, place=self._block(name), found=block)

    def addresses(self) -> None:
        """Addresses that Azure keeps, and those that lie outside of the subnet which they need."""
        network = self.mesh.network
        for name, found in sorted(self.positions.entries("machines").items()):
            address = found.get("address")
            if address is None or not address.text or not network.machines:
                continue
            block = ipaddress.IPv4Network(network.machines)
            index = int(ipaddress.IPv4Address(address.text)) - int(block.network_address)
            if 0 <= index < azure_facts.FIRST_ADDRESS:
                sentence = (
                    f"the address `{address.text}` of {wording.quoted(name)} is one of the four that Azure keeps"
                )
                hint = f"choose `{block[azure_facts.FIRST_ADDRESS]}` or a later one"
                self._report(catalogue.AZURE_RANGE, sentence, hint, place=address, found=address.raw)
        if not self._is_large_enough("infrastructure", azure_plan.INFRASTRUCTURE_PREFIX):
            return
        parts = azure_plan.infrastructure(network.infrastructure)
        balancers = dict.fromkeys(("controlPlane", "ingress", "egress"), parts.load_balancers)
        homes = {"vault": parts.endpoints, **balancers}
        for key, home in homes.items():
            place = self._block(key)
            if (
                place is not None
                and place.text
                and ipaddress.ip_address(place.text) not in ipaddress.ip_network(home)
            ):
                sentence = f"`{key}` is `{place.text}`, outside of its part of the infrastructure, `{home}`"
                self._report(catalogue.AZURE_RANGE, sentence, "leave it out: it has a default there", place=place)

    def _is_large_enough(self, name: str, longest: int) -> bool:
        block = getattr(self.mesh.network, name)
        if not block:
            return False
        if ipaddress.ip_network(block).prefixlen <= longest:
            return True
        sentence = f"the network of {name}, `{block}`, is too small for its parts"
        hint = f"give it a /{longest} or more"
        self._report(catalogue.AZURE_RANGE, sentence, hint, place=self._block(name), found=block)
        return False

    def capacity(self) -> None:
        """Subnets against the nodes and pods that they hold while the pools are at their largest and upgraded."""
        pools = self.azure.pools
        for name, pool in pools.all():
            if pool.minimum > pool.maximum:
                sentence = f"the pool {name} has at least {pool.minimum} nodes and at most {pool.maximum}"
                place = self._pool(name)
                self._report(catalogue.OUT_OF_RANGE, sentence, "raise `maximum`, or lower `minimum`", place=place)
        network = self.mesh.network
        nodes = sum(nodes_at_most(pool) for _, pool in pools.all())
        self._check_capacity("nodes", network.nodes, nodes, "nodes")
        if not network.pods:
            return
        if self.azure.pod_network is azure.PodNetwork.OVERLAY:
            needed = nodes * 2 ** (32 - azure_facts.OVERLAY_PREFIX)
            self._check_capacity("pods", network.pods, needed, f"nodes with a /{azure_facts.OVERLAY_PREFIX} each")
        elif self._is_large_enough("pods", azure_plan.PODS_PREFIX):
            parts = azure_plan.pods(network.pods)
            for name, pool in pools.all():
                part: str = getattr(parts, name)
                what = f"{MAX_PODS} pods on each node of the pool {name}"
                self._check_capacity("pods", part, addresses_of_pods(pool), what)

    def _check_capacity(self, name: str, block: str, needed: int, what: str) -> None:
        if not block:
            return
        there = ipaddress.ip_network(block).num_addresses - azure_facts.RESERVED_ADDRESSES
        if there < needed:
            sentence = f"`{block}` of the network of {name} has {there} addresses, and {what} need up to {needed}"
            hint = "give it a larger network, or the pools a lower `maximum`"
            self._report(catalogue.AZURE_RANGE, sentence, hint, place=self._block(name), found=block)

    def zones(self) -> None:
        """Zones in a region that has none, and machines in a zone that is not used."""
        region = self.azure.region
        if region in azure_facts.REGIONS_WITHOUT_ZONES and self.azure.zones:
            sentence = f"the region `{region}` has no availability zones (as read on {azure_facts.READ_ON})"
            hint = "state `zones: []`, or choose another region"
            self._report(catalogue.NO_ZONES, sentence, hint, place=self.stated.get("region"))
        for name, found in sorted(self.positions.entries("machines").items()):
            zone = found.get("zone")
            if zone is not None and zone.text and zone.text not in self.azure.zones:
                used = wording.listed(self.azure.zones) if self.azure.zones else "none"
                sentence = f"{wording.quoted(name)} stands in zone `{zone.text}`, and the environment uses {used}"
                self._report(catalogue.NO_ZONES, sentence, "add it to `azure.zones`, or remove it here", place=zone)

    def _pool(self, name: str) -> Found | None:
        pools = self.stated.get("pools")
        return None if pools is None else pools.get(name)

    def sizes(self) -> None:
        """Sizes that cannot do what their role needs."""
        system = self.azure.pools.system.size
        if azure_facts.UNFIT_FOR_SYSTEM_POOL.fullmatch(system):
            sentence = f"`{system}` is too small for the system pool: it needs two processors, and not burstable ones"
            hint = "choose a size of the D family, as `Standard_D4ds_v5`"
            pool = self._pool("system")
            self._report(catalogue.MACHINE_SIZE, sentence, hint, place=None if pool is None else pool.get("size"))
        for machine in self.mesh.machines:
            if azure_facts.WITHOUT_TRUSTED_LAUNCH.fullmatch(machine.size):
                found = self.positions.entries("machines")[machine.name].get("size")
                sentence = f"machines of the size `{machine.size}` cannot have Trusted Launch"
                hint = "choose a size of a newer family, as `Standard_D2s_v5`"
                self._report(catalogue.MACHINE_SIZE, sentence, hint, place=found)

    def versions(self) -> None:
        """Versions of Istio and Kubernetes that were not made for each other."""
        version, kubernetes = self.azure.istio, self.azure.kubernetes
        minor = ".".join(version.split(".")[:2])
        if not version.replace(".", "").isdigit() or version.count(".") != 2:  # noqa: PLR2004 - major.minor.patch
            sentence = f"nothing says which version of Istio the revision {wording.quoted(self.mesh.revision)} is"
            self._report(catalogue.MISSING_KEY, sentence, "add `istio: 1.29.1`", place=None)
        elif minor not in azure_facts.KUBERNETES_OF_ISTIO:
            known = wording.listed(azure_facts.KUBERNETES_OF_ISTIO)
            sentence = f"nothing is known of Istio {minor}; known are {known} (as read on {azure_facts.READ_ON})"
            hint = "choose a version of those"
            self._report(catalogue.VERSIONS_APART, sentence, hint, place=self.stated.get("istio"), found=version)
        elif kubernetes:
            first, last = azure_facts.KUBERNETES_OF_ISTIO[minor]
            if not first <= int(kubernetes.removeprefix("1.")) <= last:
                sentence = f"Istio {minor} is made for Kubernetes 1.{first} to 1.{last}, not for {kubernetes}"
                hint = f'choose a version between, as `kubernetes: "1.{last}"`, or another Istio'
                self._report(catalogue.VERSIONS_APART, sentence, hint, place=self.stated.get("kubernetes"))

    def names(self) -> None:
        """Names that belong to Microsoft, or that are no names of a machine."""
        texts = [(self.azure.vault, self.stated.get("vault")), (self.mesh.name, None), (self.mesh.environment, None)]
        if archive := self.stated.get("archive"):
            texts.append((self.azure.archive, archive))
        for text, place in texts:
            low = text.lower()
            word = next((item for item in _RESERVED_INSIDE if item in low), None)
            word = word or next((item for item in _RESERVED_AT_START if low.startswith(item)), None)
            if word is not None:
                sentence = f"{wording.quoted(text)} becomes part of names in Azure, and `{word}` is Microsoft's own"
                self._report(catalogue.AZURE_NAME, sentence, "choose another name", place=place, found=text)
        for name, found in sorted(self.positions.entries("machines").items()):
            if name.isdigit():
                sentence = f"{wording.quoted(name)} is only digits, and Azure takes no such name for a machine"
                self._report(catalogue.AZURE_NAME, sentence, f"name it `vm-{name}`", place=found, found=name)
            if "--" in name and found.get("database") is not None:
                sentence = f"{wording.quoted(name)} becomes the name of a blob container, which takes no `--`"
                self._report(catalogue.AZURE_NAME, sentence, "choose another name", place=found, found=name)

    def machines(self) -> None:
        """Needs of machines that the environment does not meet."""
        if not self.mesh.machines:
            return
        if self.azure.machines is None:
            sentence = "machines need an image, the sidecar's package and a public SSH key"
            hint = "add `machines: {image: ..., sidecar: {url: ..., sha256: ...}, adminKey: ...}` below `azure`"
            self._report(catalogue.MISSING_KEY, sentence, hint, place=None)
        elif self.azure.machines.sidecar_url.startswith("https://") and self._is_locked():
            sentence = (
                "machines fetch the sidecar's package over the internet, and egress is locked: none can boot anew"
            )
            hint = "put the package into the image and name it by `file:///...`"
            place = self.stated.get("machines")
            self._report(
                catalogue.OUT_OF_REACH, sentence, hint, place=None if place is None else place.get("sidecar")
            )

    def _is_locked(self) -> bool:
        return self.mesh.phases.egress is model.EgressMode.LOCKED
