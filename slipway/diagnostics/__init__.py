"""What went wrong, where it stands, and how to mend it."""

from slipway.diagnostics import catalogue, render, wording
from slipway.diagnostics.collector import Collector
from slipway.diagnostics.model import Diagnostic, DiagnosticsError, Level, Span

__all__ = ["Collector", "Diagnostic", "DiagnosticsError", "Level", "Span", "catalogue", "render", "wording"]
