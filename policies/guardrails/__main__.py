"""The process that the engine starts."""

import datetime

from policies.guardrails import pack

if __name__ == "__main__":
    pack.serve(today=datetime.datetime.now(tz=datetime.UTC).date())
