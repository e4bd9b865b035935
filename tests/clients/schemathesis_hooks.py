"""What schemathesis does not know of itself: bodies that are lines of JSON."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context, value):
    """One value a line; text stands for itself, and what is no list is one line."""
    if isinstance(value, str):
        return value.encode()
    values = value if isinstance(value, list) else [value]
    return "".join(json.dumps(one) + "\n" for one in values).encode()
