"""Istio on AKS: official charts, with what node pools and AKS itself ask of them."""

from components.istio import charts
from slipway.mesh import azure, azure_plan

_SPREAD = {"minReplicas": 2, "maxReplicas": 5}
# AKS writes a namespaceSelector into every webhook, and undoes what others set. Source: Azure/AKS issue 1771.
_ISTIOD_VALUES = {
    "autoscaleMin": 2,
    "sidecarInjectorWebhookAnnotations": {"admissions.enforcer/disabled": "true"},
    "nodeSelector": {azure_plan.POOL_LABEL: "workloads"},
}
_GATEWAYS_ONLY = {
    "key": azure_plan.POOL_LABEL,
    "operator": "Equal",
    "value": azure_plan.GATEWAYS,
    "effect": "NoSchedule",
}
_GATEWAY_VALUES = {
    "autoscaling": {"enabled": True, **_SPREAD},
    "podDisruptionBudget": {"minAvailable": 1},
    "nodeSelector": {azure_plan.POOL_LABEL: azure_plan.GATEWAYS},
    "tolerations": [_GATEWAYS_ONLY],
}


def charts_of(settings: azure.Azure) -> charts.Charts:
    """Return where Istio comes from in an environment on Azure."""
    return charts.Charts(
        location=settings.charts or charts.OFFICIAL_CHARTS,
        version="" if settings.charts and "://" not in settings.charts else settings.istio,
        hub=settings.hub or charts.OFFICIAL_HUB,
        tag=settings.istio,
        istiod_values=_ISTIOD_VALUES,
        gateway_values=_GATEWAY_VALUES,
    )
