/* dsq-cold-ahead.c - sealing rows while the ones before them are written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-ahead-private.h"
#include "cold/dsq-cold-changes-private.h"
#include "cold/dsq-cold-rows-private.h"

/*
 * Ciphers and hashes are a sixth of what a short row costs the thread that writes it. In a large
 * flush another thread seals rows ahead, in blocks, while the writer has SQLite insert those
 * before. It lives within one call. Whoever seals holds the turn, so that nonces still have one
 * thread at a time; the writer takes it when no block is ready and nobody has it, and so never
 * waits for a thread that has not begun. Rows come out in order, and an error at its row.
 */

/* As many rows as the engine writes at a time: the thread hardly ever sleeps, and its waking does
 * not take the writer's processor away. */
#define N_BLOCKS   16
#define BLOCK_ROWS 256
/* What the writer seals at once. */
#define OWN_ROWS 32
/* A block does not grow beyond this; a row that is longer is left to the writer, which then has
 * nothing else. */
#define BLOCK_BYTES (256 << 10)

typedef struct
{
  DsqColdColumns rows[BLOCK_ROWS];
  gsize n_rows;
  DsqColdBuffer buffer; /* what rows borrow from */
  GError *error;        /* (owned) (nullable) of the row after the last */
} Block;

struct _DsqColdAhead
{
  const DsqRecordCodec *codec; /* (unowned) */
  const DsqChange *changes;    /* (unowned) */
  gsize n_changes;
  pthread_t thread;

  DsqMutex lock;
  pthread_cond_t made;    /* (mutex lock) the thread has given the turn back */
  pthread_cond_t wanted;  /* (mutex lock) there may be something for the thread to do */
  guint64 n_made;         /* (mutex lock) blocks sealed */
  guint64 n_freed;        /* (mutex lock) blocks that the writer is done with */
  gsize next;             /* (mutex lock) the first change that is in no block */
  gboolean is_turn_taken; /* (mutex lock) somebody is sealing block n_made */
  gboolean is_stopping;   /* (mutex lock) */

  Block blocks[N_BLOCKS]; /* a ring: those made and not freed are the writer's */

  /* the writer's */
  Block *block; /* (unowned) (nullable) under way */
  gsize at;     /* its next row */
};

/* --- sealing ---------------------------------------------------------------------------------- */

static gsize
row_length (const DsqRecordCodec *codec, const DsqChange *change)
{
  if (change->entry == NULL || dsq_entry_is_tombstone (change->entry))
    return 0;
  return dsq_cold_row_length (codec, change->entry, dsq_cold_has_name (change));
}

/* How many of @n changes the next block gets, at least one, and the memory for them. */
static gsize
plan_block (const DsqRecordCodec *codec, const DsqChange *changes, gsize n, gsize *out_bytes)
{
  gsize n_rows = 1;

  *out_bytes = row_length (codec, &changes[0]);
  for (; n_rows < n; n_rows++)
    {
      gsize length = row_length (codec, &changes[n_rows]);

      if (*out_bytes + length > BLOCK_BYTES)
        break;
      *out_bytes += length;
    }
  return n_rows;
}

static gboolean
seal_row (const DsqRecordCodec *codec,
          const DsqChange *change,
          guint8 *out,
          DsqColdColumns *row,
          GError **error)
{
  const DsqEntry *entry = change->entry;

  if (entry == NULL)
    return TRUE;
  if (!dsq_entry_is_tombstone (entry))
    return dsq_cold_encode_row (codec, entry, dsq_cold_has_name (change), out, row, error);
  dsq_row_make_token (codec, entry->table, dsq_entry_key (entry), entry->key_length, &row->token);
  return TRUE;
}

static void
seal_block (const DsqRecordCodec *codec, const DsqChange *changes, gsize n_rows, Block *block)
{
  guint8 *out = block->buffer.bytes;

  for (block->n_rows = 0; block->n_rows < n_rows; block->n_rows++)
    {
      const DsqChange *change = &changes[block->n_rows];

      if (!seal_row (codec, change, out, &block->rows[block->n_rows], &block->error))
        return;
      out += row_length (codec, change);
    }
}

/* Seals the next block, of @max_rows at most, without the lock meanwhile. The turn is free, and
 * there is room and something to seal. FALSE if a long row comes next and @may_be_long is not set.
 */
static gboolean
take_turn_locked (DsqColdAhead *self, gsize max_rows, gboolean may_be_long)
{
  Block *block = &self->blocks[self->n_made % N_BLOCKS];
  const DsqChange *changes = self->changes + self->next;
  gsize most = MIN (self->n_changes - self->next, max_rows);
  gsize n_rows, n_bytes;

  dsq_mutex_assert_held (&self->lock);
  self->is_turn_taken = TRUE;
  dsq_mutex_unlock (&self->lock);
  n_rows = plan_block (self->codec, changes, most, &n_bytes);
  may_be_long = may_be_long || n_bytes <= BLOCK_BYTES;
  if (may_be_long)
    {
      dsq_cold_buffer_make_room (&block->buffer, n_bytes);
      seal_block (self->codec, changes, n_rows, block);
    }
  dsq_mutex_lock (&self->lock);
  self->is_turn_taken = FALSE;
  if (!may_be_long)
    return FALSE;
  self->next += n_rows;
  self->n_made++;
  /* no row may come after one that failed */
  if (block->error != NULL)
    self->next = self->n_changes;
  return TRUE;
}

static void *
ahead_thread (void *data)
{
  DsqColdAhead *self = data;
  gsize left = G_MAXSIZE; /* a long row, the writer's */

  dsq_fork_enter ();
  dsq_mutex_lock (&self->lock);
  while (!self->is_stopping && self->next < self->n_changes)
    if (self->is_turn_taken || self->next == left || self->n_made - self->n_freed == N_BLOCKS)
      {
        dsq_cond_wait (&self->wanted, &self->lock);
      }
    else
      {
        if (!take_turn_locked (self, BLOCK_ROWS, FALSE))
          left = self->next;
        pthread_cond_signal (&self->made);
      }
  dsq_mutex_unlock (&self->lock);
  dsq_fork_leave ();
  return NULL;
}

/* --- the writer ------------------------------------------------------------------------------- */

/* The thread is woken for two blocks at least. */
static void
free_block_locked (DsqColdAhead *self)
{
  dsq_mutex_assert_held (&self->lock);
  if (self->block->buffer.length > BLOCK_BYTES)
    dsq_cold_buffer_clear (&self->block->buffer);
  self->block = NULL;
  self->n_freed++;
  if (self->n_made - self->n_freed <= N_BLOCKS / 2)
    pthread_cond_signal (&self->wanted);
}

static void
take_block_locked (DsqColdAhead *self)
{
  dsq_mutex_assert_held (&self->lock);
  while (self->n_made == self->n_freed)
    if (self->is_turn_taken)
      {
        dsq_cond_wait (&self->made, &self->lock);
      }
    else
      {
        take_turn_locked (self, OWN_ROWS, TRUE);
        pthread_cond_signal (&self->wanted);
      }
  self->block = &self->blocks[self->n_freed % N_BLOCKS];
  self->at = 0;
}

static void
ahead_free (DsqColdAhead *self)
{
  for (guint i = 0; i < N_BLOCKS; i++)
    {
      dsq_cold_buffer_clear (&self->blocks[i].buffer);
      g_clear_error (&self->blocks[i].error);
    }
  pthread_cond_destroy (&self->wanted);
  pthread_cond_destroy (&self->made);
  dsq_mutex_clear (&self->lock);
  g_free (self);
}

DsqColdAhead *
dsq_cold_ahead_start (const DsqRecordCodec *codec, const DsqChange *changes, gsize n_changes)
{
  DsqColdAhead *self = g_new0 (DsqColdAhead, 1);

  self->codec = codec;
  self->changes = changes;
  self->n_changes = n_changes;
  dsq_mutex_init (&self->lock, DSQ_RANK_AHEAD, 0);
  dsq_cond_init (&self->made);
  dsq_cond_init (&self->wanted);
  if (pthread_create (&self->thread, NULL, ahead_thread, self) == 0)
    return self;
  ahead_free (self);
  return NULL;
}

const DsqColdColumns *
dsq_cold_ahead_next (DsqColdAhead *self, GError **error)
{
  if (self->block == NULL || (self->at == self->block->n_rows && self->block->error == NULL))
    {
      dsq_mutex_lock (&self->lock);
      if (self->block != NULL)
        free_block_locked (self);
      take_block_locked (self);
      dsq_mutex_unlock (&self->lock);
    }
  if (self->at < self->block->n_rows)
    return &self->block->rows[self->at++];
  g_propagate_error (error, g_steal_pointer (&self->block->error));
  return NULL;
}

void
dsq_cold_ahead_finish (DsqColdAhead *self)
{
  guint depth;

  dsq_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  dsq_mutex_unlock (&self->lock);
  pthread_cond_signal (&self->wanted);
  dsq_mutex_assert_may_wait ("a thread");
  depth = dsq_fork_pause ();
  pthread_join (self->thread, NULL);
  dsq_fork_resume (depth);
  ahead_free (self);
}
