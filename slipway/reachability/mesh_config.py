"""What istiod's mesh configuration says about who reaches whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.diagnostics import Collector
from slipway.reachability.fields import Fields

# Settings of telemetry, time and scale, of the control plane itself, and of Kubernetes Ingress.
_HARMLESS = (
    *("accessLogFile", "accessLogFormat", "accessLogEncoding", "enableTracing", "defaultProviders"),
    *("enablePrometheusMerge", "extensionProviders", "tcpKeepalive", "connectTimeout"),
    *("protocolDetectionTimeout", "dnsRefreshRate"),
    *("ingressClass", "ingressService", "ingressControllerMode", "ingressSelector", "configSources", "certificates"),
    *("verifyCertificateAtClient", "localityLbSetting", "defaultHttpRetryPolicy", "meshMTLS", "tlsDefaults"),
    *("serviceSettings", "inboundClusterStatName", "outboundClusterStatName", "disableEnvoyListenerLog"),
    *("enableEnvoyAccessLogService", "proxyListenPort", "proxyInboundListenPort", "proxyHttpPort", "caCertificates"),
    *("inboundTrafficPolicy", "hboneIdleTimeout", "h2UpgradePolicy", "defaultSidecarServiceExportTo"),
)  # fmt: skip
_NORMALIZATIONS = {"DEFAULT": "BASE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshConfig:
    """Settings with istiod's defaults.

    ``dns_capture`` is about proxies that answer DNS; ``unmodelled`` names settings that matter and are not modelled.

    Source: istio 1.29.1 pkg/config/mesh/mesh.go, DefaultMeshConfig.
    """

    root_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    registry_only: bool = False
    auto_mtls: bool = True
    dns_capture: bool = False
    normalization: str = "BASE"
    service_export: tuple[str, ...] = ("*",)
    virtual_service_export: tuple[str, ...] = ("*",)
    destination_rule_export: tuple[str, ...] = ("*",)
    unmodelled: tuple[str, ...] = ()


def read(settings: Mapping[str, Any], collector: Collector) -> MeshConfig:
    """Return the typed settings of istiod's ``meshConfig``."""
    fields = Fields(settings, "meshConfig", collector)
    fields.ignore(*_HARMLESS)
    outbound = fields.map("outboundTrafficPolicy")
    mode = outbound.text("mode", "REGISTRY_ONLY" if fields.has("outboundTrafficPolicy") else "ALLOW_ANY")
    normalization = fields.map("pathNormalization").text("normalization", "BASE")
    metadata = (settings.get("defaultConfig") or {}).get("proxyMetadata") or {}
    fields.ignore("defaultConfig")
    auto = fields.flag("enableAutoMtls")
    return MeshConfig(
        root_namespace=fields.text("rootNamespace", "istio-system"),
        trust_domain=fields.text("trustDomain", "cluster.local"),
        trust_domain_aliases=fields.texts("trustDomainAliases"),
        registry_only=mode == "REGISTRY_ONLY",
        auto_mtls=auto is not False,
        dns_capture=metadata.get("ISTIO_META_DNS_CAPTURE") == "true",
        normalization=_NORMALIZATIONS.get(normalization, normalization),
        service_export=fields.texts("defaultServiceExportTo") or ("*",),
        virtual_service_export=fields.texts("defaultVirtualServiceExportTo") or ("*",),
        destination_rule_export=fields.texts("defaultDestinationRuleExportTo") or ("*",),
        unmodelled=fields.rest(),
    )
