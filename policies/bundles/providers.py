"""Where spans and access logs go, as istiod and the Telemetry objects both name it."""

from typing import Any

from policies.bundles import dependencies, overlay
from slipway.mesh import model

ZIPKIN = "slipway-zipkin"
ZIPKIN_OF_MACHINES = "slipway-zipkin-of-machines"  # where they do not reach its pods
ACCESS_LOG = "slipway-access-log"

_ALLOW_RESULT = "istio_dry_run_allow_shadow_engine_result"
_DENY_RESULT = "istio_dry_run_deny_shadow_engine_result"

# The path comes without its query, which may hold secrets. Source: Envoy 1.37
# configuration/observability/access_log/usage, command operators; the dry-run results are written by Istio's RBAC
# filters: istio/istio 1.29.1 pilot/pkg/security/authz/builder/builder.go.
LABELS = {
    "start_time": "%START_TIME%",
    "duration_ms": "%DURATION%",
    "caller": "%DOWNSTREAM_PEER_URI_SAN%",
    "callee": "%DOWNSTREAM_LOCAL_URI_SAN%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "sni": "%REQUESTED_SERVER_NAME%",
    "remote": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "local": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "protocol": "%PROTOCOL%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ)%",
    "authority": "%REQ(:AUTHORITY)%",
    "code": "%RESPONSE_CODE%",
    "code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_end": "%CONNECTION_TERMINATION_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
    "trace": "%TRACE_ID%",
    "dry_run_allow_http": f"%DYNAMIC_METADATA(envoy.filters.http.rbac:{_ALLOW_RESULT})%",
    "dry_run_deny_http": f"%DYNAMIC_METADATA(envoy.filters.http.rbac:{_DENY_RESULT})%",
    "dry_run_allow_tcp": f"%DYNAMIC_METADATA(envoy.filters.network.rbac:{_ALLOW_RESULT})%",
    "dry_run_deny_tcp": f"%DYNAMIC_METADATA(envoy.filters.network.rbac:{_DENY_RESULT})%",
}


def extension_providers(mesh: model.Mesh) -> list[dict[str, Any]]:
    """Return the providers that istiod's mesh configuration names and the Telemetry objects use.

    Applications pass on either kind of trace header: B3 is read and written, W3C beside it.
    Source: istio/api mesh/v1alpha1/config.proto, ZipkinTracingProvider, EnvoyFileAccessLogProvider.
    """
    log = {
        "name": ACCESS_LOG,
        "envoyFileAccessLog": {"path": "/dev/stdout", "logFormat": {"labels": dict(LABELS)}},
    }
    if mesh.tracing is None:
        return [log]
    zipkin = [_zipkin(ZIPKIN, dependencies.tracing_host(mesh.tracing), mesh.tracing.port)]
    if overlay.traced(mesh):
        zipkin.append(_zipkin(ZIPKIN_OF_MACHINES, overlay.TRACES_HOST, overlay.TRACES_PORT))
    return [log, *zipkin]


def _zipkin(name: str, service: str, port: int) -> dict[str, Any]:
    option = "USE_B3_WITH_W3C_PROPAGATION"
    return {"name": name, "zipkin": {"service": service, "port": port, "traceContextOption": option}}
