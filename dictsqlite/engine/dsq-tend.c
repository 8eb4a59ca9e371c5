/* dsq-tend.c - what is seen to beside flushing: the filter of absent keys, idle readers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-file-private.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-flusher-private.h"
#include "engine/dsq-path-private.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/*
 * The filter is built when enough keys have been looked for in vain. The flusher's thread does it,
 * in between its flushes; without a thread each further key that is looked for in vain pays for a
 * small part of the build. A foreign commit resets the filter, and it all begins anew.
 */

/* Keys of the file that one step adds. */
#define THREAD_ROWS  8192
#define CALLER_ROWS  128
#define AT_ONCE_ROWS 65536

static void
begin_build_locked (DsqEngine *self)
{
  dsq_mutex_assert_held (&self->writer_lock);
  dsq_cold_filter_begin (self->cold->filter);
}

/* A step of the build, which is begun if need be; FALSE when it has ended. */
static gboolean
build_some (DsqEngine *self, guint max_rows)
{
  if (dsq_cold_filter_fill (self->cold->filter, max_rows))
    return TRUE;
  if (!dsq_cold_filter_wants_build (self->cold->filter, 0) ||
      !dsq_mutex_trylock (&self->writer_lock))
    return FALSE;
  begin_build_locked (self);
  dsq_mutex_unlock (&self->writer_lock);
  return dsq_cold_filter_fill (self->cold->filter, max_rows);
}

void
dsq_engine_note_absent (DsqEngine *self, guint64 n_keys)
{
  dsq_counters_add (&self->counters, DSQ_COUNT_COLD_MISSES, n_keys);
  if (!dsq_cold_filter_wants_build (self->cold->filter, n_keys))
    return;
  if (dsq_engine_option (self, background) && self->is_lasting)
    dsq_flusher_tick (self->flusher, TRUE);
  else
    build_some (self, CALLER_ROWS);
}

void
dsq_engine_build_filter_locked (DsqEngine *self, guint64 n_keys)
{
  dsq_mutex_assert_held (&self->writer_lock);
  if (!dsq_cold_filter_is_worth (self->cold->filter, n_keys))
    return;
  begin_build_locked (self);
  while (dsq_cold_filter_fill (self->cold->filter, AT_ONCE_ROWS))
    ;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Bytes of entries that are worth the time that trimming takes. */
#define MUCH_MEMORY (8u << 20)

guint64
dsq_engine_count_memory_locked (DsqEngine *self)
{
  guint64 n_bytes = 0;

  dsq_shards_assert_all_locked (self->shards);
  for (guint i = 0; i < self->shards->n_shards; i++)
    n_bytes += self->shards->all[i].hot.n_bytes + self->shards->all[i].warm.bytes;
  return n_bytes;
}

void
dsq_engine_trim_memory (guint64 n_bytes)
{
#ifdef __GLIBC__
  if (n_bytes >= MUCH_MEMORY)
    malloc_trim (0);
#endif
}

/* --- the thread ------------------------------------------------------------------------------- */

DsqTend
dsq_engine_tend (gpointer engine)
{
  DsqEngine *self = engine;
  gboolean goes_on = TRUE;
  gboolean holds_readers;

  if (!dsq_engine_enter (self, NULL))
    return DSQ_TEND_DONE;
  holds_readers = self->file != NULL && self->file->funcs->tend (self->file);
  if (dsq_cold_filter_wants_build (self->cold->filter, 0))
    while (goes_on && !dsq_flusher_is_hurried (self->flusher) && !dsq_engine_is_closed (self))
      {
        goes_on = build_some (self, THREAD_ROWS);
        holds_readers = self->file != NULL && self->file->funcs->tend (self->file);
      }
  goes_on = dsq_cold_filter_wants_build (self->cold->filter, 0);
  dsq_engine_leave (self);
  if (goes_on)
    return DSQ_TEND_SOON;
  return holds_readers ? DSQ_TEND_LATER : DSQ_TEND_DONE;
}
