# _stats.py - a store's counters as a dict
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stats() gives."""

from __future__ import annotations

from typing import Any, Dict

from ._dsq import Stats

_COUNTERS = (
    "hot_capacity",
    "hot_entries",
    "hot_bytes",
    "hot_hits",
    "hot_misses",
    "evictions",
    "warm_capacity",
    "warm_entries",
    "warm_bytes",
    "warm_hits",
    "warm_misses",
    "dirty_entries",
    "dirty_bytes",
    "order_bytes",
    "cold_entries",
    "cold_hits",
    "cold_misses",
    "expired_entries",
    "max_bytes",
    "used_bytes",
    "dropped_entries",
    "dropped_bytes",
    "flushes",
    "failed_flushes",
    "commits",
    "syncs",
    "checkpoints",
    "foreign_changes",
    "writer_waits",
    "filter_keys",
    "filter_bytes",
    "filter_answers",
    "spill_bytes",
    "file_bytes",
    "wal_bytes",
    "unlocked_secrets",
    "last_error",
)


def stats_dict(native: Stats, persist_mode: str) -> Dict[str, Any]:
    """All counters of `native`, the names that DictSQLite v4.1 has, and the counters by tier."""
    stats: Dict[str, Any] = {"persist_mode": persist_mode}
    for name in _COUNTERS:
        stats[name] = getattr(native, name)
    # what is dirty is in the hot tier as well, beside what counts against its capacity
    stats["hot_tier_size"] = stats["hot_entries"] + stats["dirty_entries"]
    stats["hot_tier_capacity"] = stats["hot_capacity"]
    stats["encryption_enabled"] = bool(native.encrypted)
    stats["safe_pickle_enabled"] = False
    stats["tiers"] = {
        "hot": {
            "entries": stats["hot_tier_size"],
            "capacity": stats["hot_capacity"],
            "bytes": stats["hot_bytes"],
            "hits": stats["hot_hits"],
            "misses": stats["hot_misses"],
        },
        "warm": {
            "entries": stats["warm_entries"],
            "capacity": stats["warm_capacity"],
            "bytes": stats["warm_bytes"],
            "hits": stats["warm_hits"],
            "misses": stats["warm_misses"],
        },
        "cold": {
            "entries": stats["cold_entries"],
            "bytes": stats["file_bytes"] + stats["wal_bytes"] + stats["spill_bytes"],
            "hits": stats["cold_hits"],
            "misses": stats["cold_misses"],
        },
    }
    return stats
