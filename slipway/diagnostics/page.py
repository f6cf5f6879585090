"""The page of codes, generated from the catalogue."""

from slipway.diagnostics import catalogue

_HEAD = """# Messages

Generated from `slipway/diagnostics/catalogue.py`. The first line of a message is `file:line:column: level CODE: what
is wrong`; `at` is the place in the declaration, `found` what stands there, `hint` an edit that mends it. A run tells
every mistake that it can see. A code is never used for anything else.
"""


def markdown() -> str:
    """Return the page: one section per code, with an anchor that messages link to."""
    sections = [
        f'\n<a id="{code.name.lower()}"></a>\n## {code.name}: {code.title}\n\n'
        f"{code.level.value.capitalize()}. {code.explanation}\n"
        for code in catalogue.codes()
    ]
    return _HEAD + "".join(sections)
