/* dsq-stats.h - a snapshot of a store's counters
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-enums.h>

G_BEGIN_DECLS

#define DSQ_TYPE_STATS (dsq_stats_get_type ())

/**
 * DsqStats:
 * @persist_mode: the store's mode
 * @encrypted: whether the store has a password
 * @hot_capacity: most clean entries that the hot tier holds
 * @hot_entries: clean entries in the hot tier
 * @hot_bytes: bytes of keys and records in the hot tier, clean and dirty
 * @hot_hits: reads that the hot tier answered
 * @hot_misses: reads that went on to the next tier
 * @evictions: entries that left the hot tier to keep its capacity
 * @warm_capacity: most bytes that the warm tier takes
 * @warm_entries: entries in the warm tier
 * @warm_bytes: bytes that it takes
 * @warm_hits: reads that the warm tier answered
 * @warm_misses: reads that it was asked for and did not answer
 * @dirty_entries: writes, deletes included, that are not in the file yet
 * @dirty_bytes: bytes that those hold in memory
 * @order_bytes: bytes that the order of their keys takes beside, once a prefix has been asked for
 * @cold_entries: entries in the file, as last known
 * @cold_hits: reads that the file answered with an entry
 * @cold_misses: reads of keys that the file does not hold
 * @expired_entries: entries that were removed because they had expired
 * @max_bytes: what the store is kept to; 0: everything is kept
 * @used_bytes: what counts against that, or would: bytes of the file's pages that hold something,
 * as last measured with @max_bytes; in memory mode, @hot_bytes
 * @dropped_entries: entries that were dropped to keep to that
 * @dropped_bytes: bytes that dropping them has freed
 * @flushes: flushes that wrote something
 * @failed_flushes: flushes that failed
 * @commits: transactions committed
 * @syncs: syncs of the write-ahead log
 * @checkpoints: checkpoints run
 * @foreign_changes: times that another store or process was seen to have changed the file
 * @writer_waits: times that a writer waited because too much was dirty
 * @filter_keys: keys that the filter of absent keys holds; 0 before it is built
 * @filter_bytes: bytes that it takes
 * @filter_answers: reads of absent keys that it answered, so that the file was not asked
 * @spill_bytes: in memory mode, size of the private temporary file, in bytes; else 0
 * @file_bytes: size of the file, in bytes; 0 without one
 * @wal_bytes: size of its write-ahead log, in bytes
 * @unlocked_secrets: times that memory for a key or a password could not be locked, in any store of
 *   the process, so that it may be written to swap: beyond RLIMIT_MEMLOCK for instance
 * @last_error: (nullable): the message of the last failed flush, %NULL after a flush that succeeded
 *
 * A snapshot of a store's counters.
 *
 * Take one by [method@Store.get_stats]. Its fields are read only; later versions of the library
 * may append to them.
 *
 * Since: 1.0
 */
struct _DsqStats
{
  DsqPersistMode persist_mode;
  gboolean encrypted;
  guint64 hot_capacity;
  guint64 hot_entries;
  guint64 hot_bytes;
  guint64 hot_hits;
  guint64 hot_misses;
  guint64 evictions;
  guint64 warm_capacity;
  guint64 warm_entries;
  guint64 warm_bytes;
  guint64 warm_hits;
  guint64 warm_misses;
  guint64 dirty_entries;
  guint64 dirty_bytes;
  guint64 order_bytes;
  guint64 cold_entries;
  guint64 cold_hits;
  guint64 cold_misses;
  guint64 expired_entries;
  guint64 max_bytes;
  guint64 used_bytes;
  guint64 dropped_entries;
  guint64 dropped_bytes;
  guint64 flushes;
  guint64 failed_flushes;
  guint64 commits;
  guint64 syncs;
  guint64 checkpoints;
  guint64 foreign_changes;
  guint64 writer_waits;
  guint64 filter_keys;
  guint64 filter_bytes;
  guint64 filter_answers;
  guint64 spill_bytes;
  guint64 file_bytes;
  guint64 wal_bytes;
  guint64 unlocked_secrets;
  char *last_error;
};

DSQ_AVAILABLE_IN_1_0 GType dsq_stats_get_type (void) G_GNUC_CONST;
DSQ_AVAILABLE_IN_1_0 void dsq_stats_free (DsqStats *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqStats, dsq_stats_free)

G_END_DECLS
