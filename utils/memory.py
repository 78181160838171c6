"""How much memory this process has used."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def peak_memory_mib() -> float | None:
    """The largest resident memory of this process so far, or None where the system does not tell."""
    # On Linux `getrusage` counts in what the process was forked from, which a large parent makes a large number.
    status = Path("/proc/self/status")
    if status.exists() and (peak := re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)):
        return int(peak[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
