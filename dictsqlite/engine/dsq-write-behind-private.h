/* dsq-write-behind-private.h - what is dirty, how much may be, and how it reaches the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-file-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"

G_BEGIN_DECLS

/* Whether a sync has failed: what is in memory can be read, and nothing written any more. */
static inline gboolean
dsq_engine_has_failed (DsqEngine *self)
{
  return self->file != NULL &&
         G_UNLIKELY (__atomic_load_n (&self->file->is_failed, __ATOMIC_ACQUIRE));
}

/* What has been committed is on the medium, where that is not so by itself. */
static inline gboolean
dsq_engine_sync (DsqEngine *self, GError **error)
{
  return self->file == NULL || self->file->funcs->sync (self->file, error);
}

/* Writes, or waits until it is written, while too much is dirty. */
gboolean dsq_engine_keep_budget (DsqEngine *self, GError **error);

static inline gboolean
dsq_engine_wait_for_budget (DsqEngine *self, GError **error)
{
  /* a flush keeps it */
  dsq_mutex_assert_not_held (&self->writer_lock, "the budget");
  dsq_mutex_assert_may_wait ("the budget");
  if (G_LIKELY (dsq_budget_is_kept (&self->budget)))
    return TRUE;
  return dsq_engine_keep_budget (self, error);
}

/* To be called after staging: wakes the flusher if that is needed. */
void dsq_engine_wake_flusher (DsqEngine *self);
/* Memory mode: drops entries until max_bytes are kept. */
void dsq_engine_trim_in_memory (DsqEngine *self);

static inline void
dsq_engine_note_dirty (DsqEngine *self)
{
  if (self->is_lasting)
    dsq_engine_wake_flusher (self);
  else if (G_UNLIKELY (dsq_engine_option (self, max_bytes) != 0) &&
           __atomic_load_n (&self->budget.n_bytes, __ATOMIC_RELAXED) >= self->memory_limit)
    dsq_engine_trim_in_memory (self);
}

/* Writes what is pending of all tables in one transaction; writer_lock held. */
gboolean dsq_engine_flush_locked (DsqEngine *self, GError **error);
/* The same within the transaction of a write, which has begun: what is staged is brought into it,
 * and nothing is staged until the flush ends. NULL: all is as before, and the transaction is over.
 */
typedef struct _DsqFlush DsqFlush;
DsqFlush *dsq_flush_begin_locked (DsqEngine *engine, GError **error);
/* It is committed: what was staged is clean. Before memory learns of the write. */
void dsq_flush_settle (DsqFlush *self);
/* Frees it, and rolls the transaction back if it is not committed. */
void dsq_flush_end_locked (DsqFlush *self, gboolean is_committed);
/* Drops a table, of a lasting store at the instant of a flush. FALSE in *out_dropped: it was not
 * there. */
gboolean dsq_engine_flush_and_drop_locked (DsqEngine *self,
                                           GBytes *name,
                                           gboolean *out_dropped,
                                           GError **error);
/* A round of the flusher's thread: writes all that is dirty, if that is due. */
DsqRound dsq_engine_work_behind (gpointer engine, gboolean is_idle);
/* Gives free pages of the file back, if they are many; writer_lock held. */
void dsq_engine_shrink_locked (DsqEngine *self, guint max_rounds);
/* Drops entries until max_bytes are kept; writer_lock held. */
gboolean dsq_engine_trim_slowly_locked (DsqEngine *self, GError **error);

static inline gboolean
dsq_engine_trim_locked (DsqEngine *self, GError **error)
{
  dsq_mutex_assert_held (&self->writer_lock);
  return G_LIKELY (dsq_engine_option (self, max_bytes) == 0) || self->file == NULL ||
         dsq_engine_trim_slowly_locked (self, error);
}

/* FALSE with DSQ_ERROR_INVALID_VALUE when an entry could not be kept under max_bytes. */
gboolean dsq_engine_refuse_too_large (DsqEngine *self, const DsqEntry *entry, GError **error);

static inline gboolean
dsq_engine_check_size (DsqEngine *self, const DsqEntry *entry, GError **error)
{
  return G_LIKELY (dsq_engine_option (self, max_bytes) == 0) ||
         dsq_engine_refuse_too_large (self, entry, error);
}

/* The same for what a key becomes: an entry that stays as large as it was may stay. */
gboolean dsq_engine_check_modified (DsqEngine *self,
                                    const DsqEntry *old,
                                    const DsqEntry *entry,
                                    GError **error);

/* Memory mode: whether there is more than memory may hold, and whether it is time to spill. */
gboolean dsq_engine_exceeds_memory (DsqEngine *self);
gboolean dsq_engine_wants_spill (DsqEngine *self);
/* Writers look at what is dirty where they do at first. */
void dsq_engine_reset_threshold (DsqEngine *self);
/* After a clear in memory mode: gives the temporary file back. */
void dsq_engine_drop_spilled (DsqEngine *self);

/* The cold tier's foreign function. */
void dsq_engine_on_foreign_change (const DsqTableState *states,
                                   guint n_states,
                                   const DsqColdChanged *changed,
                                   gpointer user_data);

G_END_DECLS
