"""From the keys below ``azure`` to their values."""

from slipway.diagnostics import Collector, catalogue
from slipway.mesh import azure, azure_keys, azure_plan, model
from slipway.mesh.reading import Found

_ZONES = ("1", "2", "3")  # Source: Azure documentation, reliability/availability-zones-overview: three at least


def read_azure(
    found: Found | None, *, mesh: str, name: str, positions: Found, collector: Collector
) -> azure.Azure | None:
    """Return the settings of the environment ``name`` of ``mesh``, or None on another platform.

    Reports MESH0202 where Azure needs them, MESH0809 where nothing does.
    """
    on_azure = positions.text_of("platform") == model.PlatformKind.AZURE.value
    if found is None:
        if on_azure:
            hint = 'add `azure: {region: westeurope, kubernetes: "1.34", admins: [...]}`'
            place = positions.get("platform") or positions
            sentence = "the platform `azure` needs the key `azure`"
            collector.report(catalogue.MISSING_KEY, sentence, span=place.span, path="azure", hint=hint)
        return None
    if not on_azure:
        sentence = f"`azure` means nothing on the platform `{positions.text_of('platform')}`"
        hint = "remove it, or state `platform: azure`"
        collector.report(catalogue.OTHER_PLATFORM, sentence, span=found.key, path=found.path, hint=hint)
        return None
    region = found.text_of("region")
    zones = _ZONES if found.get("zones") is None else tuple(sorted(item.text for item in found.list("zones")))
    return azure.Azure(
        region=region,
        kubernetes=found.text_of("kubernetes"),
        istio=found.text_of("istio") or positions.text_of("revision").replace("-", "."),
        pod_network=azure.PodNetwork(found.text_of("pods", azure.PodNetwork.POD_SUBNET.value)),
        api_networks=tuple(sorted(item.text for item in found.list("api"))),
        admins=tuple(sorted(item.text for item in found.list("admins"))),
        zones=zones,
        pools=_pools(found.get("pools")),
        maintenance=_maintenance(found.get("maintenance")),
        vault=found.text_of("vault") or azure_plan.vault_name(mesh=mesh, environment=name, region=region),
        peers=tuple(sorted(item.text for item in found.list("peers"))),
        options=frozenset(azure.Option(item.text) for item in found.list("options") if item.text),
        keep_data=found.get("keepData") is None or found.is_stated("keepData"),
        relay_image=found.text_of("relayImage", azure_keys.RELAY_IMAGE),
        machines=_machines(found.get("machines")),
        prices=found.text_of("prices"),
        archive=found.text_of("archive") or azure_plan.archive_name(mesh=mesh, environment=name, region=region),
        charts=found.text_of("charts"),
        hub=found.text_of("hub"),
        stacks=azure.Stacks(found.text_of("stacks", azure.Stacks.ONE.value)),
    )


def _pools(found: Found | None) -> azure.Pools:
    default = azure_keys.POOLS
    if found is None:
        return default
    return azure.Pools(
        system=_pool(found.get("system"), default.system),
        workloads=_pool(found.get("workloads"), default.workloads),
        gateways=_pool(found.get("gateways"), default.gateways),
    )


def _pool(found: Found | None, default: azure.Pool) -> azure.Pool:
    if found is None:
        return default
    return azure.Pool(
        size=found.text_of("size", default.size),
        minimum=found.whole_of("minimum", default.minimum),
        maximum=found.whole_of("maximum", max(default.maximum, found.whole_of("minimum", 1))),
    )


def _maintenance(found: Found | None) -> azure.Maintenance:
    default = azure_keys.MAINTENANCE
    if found is None:
        return default
    day = azure.Day(found.text_of("day") or default.day.value)
    return azure.Maintenance(day=day, hour=found.whole_of("hour", default.hour))


def _machines(found: Found | None) -> azure.MachineImage | None:
    if found is None:
        return None
    sidecar = found.get("sidecar")
    return azure.MachineImage(
        image=found.text_of("image"),
        sidecar_url="" if sidecar is None else sidecar.text_of("url"),
        sidecar_sha256="" if sidecar is None else sidecar.text_of("sha256"),
        admin_key=found.text_of("adminKey"),
    )
