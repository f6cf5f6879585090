"""What crosses the mesh's border: the hosts behind logical names, traces."""

from collections.abc import Mapping

from slipway.diagnostics import Collector, catalogue, wording
from slipway.mesh import model
from slipway.mesh.reading import Found
from slipway.mesh.values import scripts

_ZIPKIN_PORT = 9411  # Source: Zipkin's documentation, "Quickstart"
_SAMPLE_PERCENT = 1.0  # Source: istio/api mesh/v1alpha1/proxy.proto, Tracing.sampling


def host(name: str, found: Found, hosts: Mapping[str, Found], collector: Collector) -> str:
    """Return the host behind a logical name: the environment's, else the declaration's; reports its absence."""
    stated = hosts.get(name) or found.get("host")
    if stated is None:
        sentence = f"nothing says which host {wording.quoted(name)} is"
        hint = f"add `host: ...` here, or `hosts: {{{name}: ...}}` to the environment's file"
        collector.report(catalogue.MISSING_KEY, sentence, span=found.key, path=found.path, hint=hint)
        return ""
    if len(mixed := scripts(stated.raw)) > 1:
        sentence = f"{wording.quoted(stated.raw)} mixes letters of {' and '.join(mixed)}; it is {stated.text} in DNS"
        collector.report(
            catalogue.MIXED_SCRIPTS,
            sentence,
            span=stated.span,
            path=stated.path,
            found=stated.raw,
            hint=f"if it is meant, write `{stated.text}`",
        )
    return stated.text


def read_tracing(found: Found | None) -> model.Tracing | None:
    """Return where traces go, or None when nothing is stated."""
    zipkin = None if found is None else found.get("zipkin")
    if zipkin is None:
        return None
    return model.Tracing(
        sample_percent=zipkin.number_of("samplePercent", _SAMPLE_PERCENT),
        service=zipkin.text_of("service", "zipkin"),
        namespace=zipkin.text_of("namespace", "observability"),
        port=zipkin.whole_of("port", _ZIPKIN_PORT),
    )
