"""What the Python rivals share: arguments, values, and the line of a record."""

import json
import logging
import random
import string
import sys
from datetime import datetime, timezone

COUNT = 4096


def arguments():
    """Servers, topic, how many, and either a size in bytes or a group."""
    servers, topic, count, last = sys.argv[1:5]
    return servers, topic, int(count), last


def values(size):
    """Random text, made before the clock of any message starts."""
    letters = string.ascii_letters + string.digits
    return ["".join(random.choices(letters, k=size)).encode() for _ in range(COUNT)]


def logger():
    """One JSON line a record on stdout, through logging, as the prototype did it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    return logging.getLogger("consumer")


def line(topic, partition, offset, timestamp, key, value, headers):
    """The fields that every consumer logs."""
    return json.dumps(
        {
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "event": "record",
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "record_timestamp": timestamp,
            "key": key.decode() if key is not None else None,
            "value": value.decode() if value is not None else None,
            "headers": [[name, data.decode()] for name, data in headers or ()],
        }
    )
