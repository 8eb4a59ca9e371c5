/* dsq-channel.c - batches of operations and their results, for loops that watch a descriptor
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async/dsq-batch-private.h"
#include "base/dsq-mutex-private.h"
#include "dsq-channel.h"
#include "dsq-error.h"
#include "store/dsq-scan-private.h"

/* Where results are left. A job has it for itself: to let go of a channel, which may be an object
 * of a language's, may mean to wait for that language, and ends the thread where Python has ended.
 * So a job does that before anybody can know that it is done. */
typedef struct
{
  gint n_refs; /* (atomic) */
  DsqMutex lock;
  int fd;      /* (owned) (lock) an eventfd; -1 once the channel is gone */
  GQueue done; /* (lock) of Job, in the order in which they were done */
} Results;

/**
 * DsqChannel:
 *
 * A way to use a store from an event loop that is not GLib's: whole batches of operations go in,
 * and a descriptor tells when results are there to be collected.
 *
 * A binding gathers the operations of one turn of its loop, submits them in one call, and watches
 * the descriptor for reading. A callback then calls [method@Channel.collect] until that gives
 * nothing.
 *
 * ## Operations
 *
 * A batch is a pack, whose first item has a byte for each operation. The rest are the operations'
 * arguments in their order:
 *
 * | byte | arguments | result |
 * |---|---|---|
 * | `g` | key | its record, empty when missing |
 * | `c` | key | one byte: 1 if it is there, 2 if not |
 * | `s` | key, record | one byte, 1 |
 * | `d` | key | one byte: 1 if it was there, 2 if not |
 * | `G` | pack of keys | 1, and the pack of their records |
 * | `S` | pack of entries | one byte, 1: all are set |
 * | `n` | | 1, and the number of entries, 64 bits in the machine's byte order |
 * | `x` | | one byte, 1: the store is empty |
 * | `f` | | one byte, 1: everything is in the file and synced |
 * | `q` | | one byte, 1: the store is flushed and closed; a batch of its own |
 *
 * What comes of a batch is what comes of its operations in their order; flushing comes last. Its
 * writes share a transaction where the mode commits them, unless what is read between them keeps
 * them apart; each of them succeeds or fails by itself.
 *
 * Batches that write take place in the order in which they were submitted. Those that only read
 * wait for none, and none waits for them: a binding submits them when what they are to see is done.
 *
 * Where an operation fails its result is the byte 0, which no other result begins with; a byte that
 * is the error's code; a byte that is 1 for the domain %DSQ_ERROR and 2 for another; and the
 * message.
 *
 * Since: 1.0
 */
struct _DsqChannel
{
  GObject parent_instance;

  DsqStore *store;   /* (owned) */
  guint64 n_tickets; /* (atomic) */
  Results *results;  /* (owned) one reference */
};

G_DEFINE_FINAL_TYPE (DsqChannel, dsq_channel, G_TYPE_OBJECT)

/* One batch under way, or done. */
typedef struct
{
  DsqJob job;
  DsqChannel *channel; /* (owned) while under way */
  Results *results;    /* (owned) while under way, one reference */
  guint64 ticket;
  DsqBatch *batch;   /* (owned) (nullable) operations */
  DsqCursor *cursor; /* (owned) (nullable) a step of a walk */
  guint max_entries;
  gboolean keys_only;
  guint8 *result; /* (owned) (nullable) a pack, whose first item is the ticket */
  gsize length;
} Job;

static void
job_free (gpointer data)
{
  Job *self = data;

  g_clear_pointer (&self->batch, dsq_batch_free);
  g_clear_object (&self->cursor);
  g_free (self->result);
  g_free (self);
}

/* In the child of a fork the lock may be held for ever, and what it guards be half changed. */
static gboolean
is_inherited (DsqChannel *self)
{
  DsqEngine *engine = self->store != NULL ? dsq_store_get_engine (self->store, NULL) : NULL;

  return engine != NULL && dsq_engine_is_inherited (engine);
}

static Results *
results_new (void)
{
  Results *self = g_new0 (Results, 1);

  self->n_refs = 1;
  self->fd = -1;
  dsq_mutex_init (&self->lock, DSQ_RANK_CHANNEL, 0);
  g_queue_init (&self->done);
  return self;
}

static void
results_unref (Results *self)
{
  if (!g_atomic_int_dec_and_test (&self->n_refs))
    return;
  g_queue_clear_full (&self->done, job_free);
  dsq_mutex_clear (&self->lock);
  g_free (self);
}

static void
close_results (Results *self)
{
  dsq_mutex_lock (&self->lock);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  dsq_mutex_unlock (&self->lock);
  results_unref (self);
}

static void
dsq_channel_finalize (GObject *object)
{
  DsqChannel *self = DSQ_CHANNEL (object);

  if (!is_inherited (self))
    close_results (self->results);
  else if (self->results->fd >= 0)
    close (self->results->fd);
  g_clear_object (&self->store);
  G_OBJECT_CLASS (dsq_channel_parent_class)->finalize (object);
}

static void
dsq_channel_class_init (DsqChannelClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dsq_channel_finalize;
}

static void
dsq_channel_init (DsqChannel *self)
{
  self->results = results_new ();
}

/**
 * dsq_store_open_channel:
 * @self: a store
 * @error: return location for an error
 *
 * Makes a channel, of which a store may have any number.
 *
 * Returns: (transfer full): the channel
 *
 * Since: 1.0
 */
DsqChannel *
dsq_store_open_channel (DsqStore *self, GError **error)
{
  g_autoptr (DsqChannel) channel = NULL;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  if (dsq_store_get_engine (self, error) == NULL)
    return NULL;
  channel = g_object_new (DSQ_TYPE_CHANNEL, NULL);
  channel->store = g_object_ref (self);
  channel->results->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (channel->results->fd >= 0)
    return g_steal_pointer (&channel);
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_IO, "Failed to make a channel: %s", g_strerror (errno));
  return NULL;
}

/**
 * dsq_channel_get_fd:
 * @self: a channel
 *
 * The descriptor that can be read from when there are results. It belongs to the channel: watch it
 * only, without reading.
 *
 * Returns: the descriptor
 *
 * Since: 1.0
 */
int
dsq_channel_get_fd (DsqChannel *self)
{
  g_return_val_if_fail (DSQ_IS_CHANNEL (self), -1);

  return self->results->fd;
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* A result of nothing but the ticket and one item. */
static DsqPackBuilder *
begin_result (const Job *self)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();

  dsq_pack_builder_add (builder, (const guint8 *) &self->ticket, sizeof self->ticket);
  return builder;
}

static void
finish_result (Job *self, DsqPackBuilder *builder)
{
  static const guint8 failed[] = { 0, DSQ_ERROR_INVALID_VALUE, 1 };

  self->result = dsq_pack_builder_finish (builder, &self->length, NULL);
  if (self->result != NULL)
    return;
  /* 4 GiB or more */
  builder = begin_result (self);
  dsq_pack_builder_add (builder, failed, sizeof failed);
  self->result = dsq_pack_builder_finish (builder, &self->length, NULL);
}

static void
set_result (Job *self, const guint8 *item, gsize length)
{
  DsqPackBuilder *builder = begin_result (self);

  dsq_pack_builder_add (builder, item, length);
  finish_result (self, builder);
}

static void
set_pack_result (Job *self, const guint8 *pack, gsize length)
{
  DsqPackBuilder *builder = begin_result (self);

  dsq_pack_builder_add_behind (builder, 1, pack, length);
  finish_result (self, builder);
}

static void
set_error_result (Job *self, const GError *error)
{
  g_autoptr (GByteArray) item = dsq_pack_make_error (error);

  set_result (self, item->data, item->len);
}

static void
run_batch (DsqJob *job)
{
  Job *self = (Job *) job;

  dsq_batch_run (self->batch, self->channel->store);
  self->result = dsq_batch_take_result (self->batch, self->ticket, &self->length);
  dsq_handle_end_job (self->channel->store->handle);
}

static void
run_step (DsqJob *job)
{
  Job *self = (Job *) job;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *pack = NULL;
  gsize length;

  pack = dsq_scan_next_pack (dsq_cursor_get_scan (self->cursor),
                             self->max_entries,
                             self->keys_only,
                             &length,
                             NULL,
                             &error);
  if (error == NULL)
    set_pack_result (self, pack, length);
  else
    set_error_result (self, error);
  dsq_handle_end_job (self->channel->store->handle);
}

static void
run_close (DsqJob *job)
{
  static const guint8 done = 1;
  Job *self = (Job *) job;
  g_autoptr (GError) error = NULL;

  if (dsq_store_close (self->channel->store, NULL, &error))
    set_result (self, &done, 1);
  else
    set_error_result (self, error);
}

/* The descriptor can be read from as long as there are results: both change under the lock. */
static void
finish_job (DsqJob *job)
{
  Job *self = (Job *) job;
  Results *results = g_steal_pointer (&self->results);
  const guint64 one = 1;
  gssize n_written;

  g_clear_object (&self->cursor);
  g_clear_object (&self->channel);
  dsq_mutex_lock (&results->lock);
  g_queue_push_tail (&results->done, self);
  do
    n_written = write (results->fd, &one, sizeof one);
  while (n_written < 0 && errno == EINTR);
  dsq_mutex_unlock (&results->lock);
  results_unref (results);
}

static Job *
job_new (DsqChannel *channel, void (*run) (DsqJob *))
{
  Job *self = g_new0 (Job, 1);

  self->job = (DsqJob){ .run = run, .finish = finish_job };
  self->channel = g_object_ref (channel);
  self->results = channel->results;
  g_atomic_int_inc (&self->results->n_refs);
  self->ticket = __atomic_add_fetch (&channel->n_tickets, 1, __ATOMIC_RELAXED);
  return self;
}

static guint64
submit (DsqChannel *self, DsqLane lane, Job *job, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self->store, error);
  guint64 ticket = job->ticket;

  if (engine != NULL && dsq_handle_submit (self->store->handle, engine, lane, &job->job, error))
    return ticket;
  g_object_unref (job->channel);
  results_unref (job->results);
  job_free (job);
  return 0;
}

static gboolean
is_close (const guint8 *operations, gsize length)
{
  DsqPackReader reader;
  const guint8 *kinds;
  guint32 n_kinds;

  return dsq_pack_reader_init (&reader, operations, length, NULL) && reader.n_items == 1 &&
         dsq_pack_reader_next (&reader, &kinds, &n_kinds) && n_kinds == 1 && kinds[0] == 'q';
}

/**
 * dsq_channel_submit:
 * @self: a channel
 * @operations: (array length=length): the pack of operations
 * @length: bytes of @operations
 * @error: return location for an error
 *
 * Has operations done by one of the store's own threads.
 *
 * Returns: the ticket, more than 0, that their results have; 0 with @error set
 *
 * Since: 1.0
 */
guint64
dsq_channel_submit (DsqChannel *self, const guint8 *operations, gsize length, GError **error)
{
  DsqBatch *batch;
  Job *job;

  g_return_val_if_fail (DSQ_IS_CHANNEL (self), 0);

  if (is_close (operations, length))
    return submit (self, DSQ_LANE_CLOSE, job_new (self, run_close), error);
  batch = dsq_batch_new (operations, length, error);
  if (batch == NULL)
    return 0;
  job = job_new (self, run_batch);
  job->batch = batch;
  if (!dsq_batch_writes (batch))
    return submit (self, DSQ_LANE_READ, job, error);
  job->job.is_ordered = TRUE;
  job->job.reach = DSQ_REACH_WRITES;
  return submit (self, DSQ_LANE_WRITE, job, error);
}

/**
 * dsq_channel_submit_walk:
 * @self: a channel
 * @cursor: a cursor of the channel's store, not to be used until the result is there
 * @max_entries: the most entries to give
 * @keys_only: whether to give keys, or else entries
 * @error: return location for an error
 *
 * Has the next step of a walk done: what [method@Scan.next_pack] gives is the one result, behind
 * a byte that is 1.
 *
 * Returns: the ticket, more than 0, that the result has; 0 with @error set
 *
 * Since: 1.0
 */
guint64
dsq_channel_submit_walk (DsqChannel *self,
                         DsqCursor *cursor,
                         guint max_entries,
                         gboolean keys_only,
                         GError **error)
{
  Job *job;

  g_return_val_if_fail (DSQ_IS_CHANNEL (self), 0);
  g_return_val_if_fail (DSQ_IS_CURSOR (cursor), 0);

  job = job_new (self, run_step);
  job->cursor = g_object_ref (cursor);
  job->max_entries = max_entries;
  job->keys_only = keys_only;
  return submit (self, DSQ_LANE_READ, job, error);
}

/**
 * dsq_channel_collect:
 * @self: a channel
 * @out_length: (out): bytes returned
 *
 * Takes the results of one batch that is done. Call it again until it gives nothing. In the child
 * of a fork there are none.
 *
 * Returns: (transfer full) (array length=out_length): the pack of the ticket, 64 bits in the
 *   machine's byte order, and the results; empty when no more are there
 *
 * Since: 1.0
 */
guint8 *
dsq_channel_collect (DsqChannel *self, gsize *out_length)
{
  Results *results;
  guint8 *result;
  guint64 count;
  Job *job;

  g_return_val_if_fail (DSQ_IS_CHANNEL (self), NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  if (is_inherited (self))
    return NULL;
  results = self->results;
  dsq_mutex_lock (&results->lock);
  job = g_queue_pop_head (&results->done);
  /* quiet until the next one is done; when nothing was there to be read it is quiet already */
  if (results->done.length == 0 && read (results->fd, &count, sizeof count) < 0)
    count = 0;
  dsq_mutex_unlock (&results->lock);
  if (job == NULL)
    return NULL;
  *out_length = job->length;
  result = g_steal_pointer (&job->result);
  job_free (job);
  return result;
}
