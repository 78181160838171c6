"""Peak memory of this process."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """The largest resident memory of this process so far in MiB, or None if the system does not tell."""
    # On Linux `getrusage` includes the memory of the process that this one was forked from.
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)):
        return int(found[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
