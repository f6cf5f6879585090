"""Requests that nobody on the way tells apart: they share one walk through the mesh.

Only policies and routes look into a request. What policies made of it is written down on its walk; another request to
the same destination of which they make the same takes the same way to the same answer. Routes may rewrite a request,
so a walk that met one is not shared.
"""

from collections.abc import Callable

from slipway.reachability.request import Http


class Walk:
    """What was made of one request's method, path and headers on its way."""

    def __init__(self) -> None:
        self._made: dict[object, tuple[Callable[[Http], object], object]] = {}
        self._alone = False

    def note(self, place: object, read: Callable[[Http], object], made: object) -> None:
        """Write down what ``read`` made of the request at a place."""
        self._made.setdefault(place, (read, made))

    def keep_alone(self) -> None:
        """State that something looked into the request in a way that is not written down."""
        self._alone = True

    def fits(self, http: Http) -> bool:
        """Return whether everybody on the way makes the same of another request."""
        return not self._alone and all(read(http) == made for read, made in self._made.values())
