/* dsq-batch.c - the operations of one batch, whatever they are
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "async/dsq-batch-private.h"
#include "dsq-error.h"

/*
 * What comes of a batch is what came of its operations one by one. It is cut into groups, each of
 * which is made at once: reads of what no write of the group before them was for, by one
 * transaction; then its writes in their order, by one transaction; then the other reads, late ones.
 * A write of what a late read is for begins the next group. Flushing, which shows in nothing else,
 * comes last.
 */

typedef enum
{
  OPERATION_GET = 'g',
  OPERATION_CONTAINS = 'c',
  OPERATION_SET = 's',
  OPERATION_REMOVE = 'd',
  OPERATION_GET_PACK = 'G',
  OPERATION_SET_PACK = 'S',
  OPERATION_COUNT = 'n',
  OPERATION_CLEAR = 'x',
  OPERATION_FLUSH = 'f',
} OperationKind;

typedef struct
{
  guint8 kind;          /* OperationKind */
  gboolean is_late;     /* a read that comes after the writes of its group */
  const guint8 *key;    /* (unowned) in the pack; a pack of keys or entries */
  const guint8 *record; /* (unowned) (nullable) in the pack */
  guint32 key_length;
  guint32 record_length;
  DsqKey made;        /* of one key */
  DsqEntry *entry;    /* (owned) (nullable) to be written, or as found */
  guint8 *result;     /* (owned) (nullable) a longer one */
  gsize length;       /* of result */
  guint8 result_byte; /* a short one, or what stands before a longer one */
  GError *error;      /* (owned) (nullable) */
} Operation;

struct _DsqBatch
{
  guint8 *pack; /* (owned) */
  Operation *operations;
  guint32 n_operations;
};

#define RESULT_TRUE  1
#define RESULT_FALSE 2

/* --- what is asked ---------------------------------------------------------------------------- */

/* Arguments that an operation has, or -1 for none that we know. */
static int
count_arguments (guint8 kind)
{
  switch (kind)
    {
    case OPERATION_GET:
    case OPERATION_CONTAINS:
    case OPERATION_REMOVE:
    case OPERATION_GET_PACK:
    case OPERATION_SET_PACK:
      return 1;
    case OPERATION_SET:
      return 2;
    case OPERATION_COUNT:
    case OPERATION_CLEAR:
    case OPERATION_FLUSH:
      return 0;
    default:
      return -1;
    }
}

static gboolean
is_write (guint8 kind)
{
  return kind == OPERATION_SET || kind == OPERATION_REMOVE || kind == OPERATION_SET_PACK ||
         kind == OPERATION_CLEAR;
}

static gboolean
has_key (guint8 kind)
{
  return kind == OPERATION_GET || kind == OPERATION_CONTAINS || kind == OPERATION_SET ||
         kind == OPERATION_REMOVE;
}

static gboolean
read_operations (DsqBatch *self, DsqPackReader *reader)
{
  const guint8 *kinds;

  if (!dsq_pack_reader_next (reader, &kinds, &self->n_operations))
    return FALSE;
  self->operations = g_new0 (Operation, self->n_operations);
  for (guint32 i = 0; i < self->n_operations; i++)
    {
      Operation *operation = &self->operations[i];
      int n_arguments = count_arguments (kinds[i]);

      operation->kind = kinds[i];
      if (n_arguments < 0 ||
          (n_arguments > 0 &&
           !dsq_pack_reader_next (reader, &operation->key, &operation->key_length)) ||
          (n_arguments > 1 &&
           !dsq_pack_reader_next (reader, &operation->record, &operation->record_length)))
        return FALSE;
    }
  return reader->n_left == 0;
}

DsqBatch *
dsq_batch_new (const guint8 *pack, gsize length, GError **error)
{
  DsqBatch *self = g_new0 (DsqBatch, 1);
  DsqPackReader reader;

  self->pack = g_memdup2 (pack, length);
  if (!dsq_pack_reader_init (&reader, self->pack, length, error))
    {
      dsq_batch_free (self);
      return NULL;
    }
  if (read_operations (self, &reader))
    return self;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to read the batch: its operations and arguments do not match");
  dsq_batch_free (self);
  return NULL;
}

void
dsq_batch_free (DsqBatch *self)
{
  for (guint32 i = 0; i < self->n_operations; i++)
    {
      g_clear_pointer (&self->operations[i].entry, dsq_entry_unref);
      g_free (self->operations[i].result);
      g_clear_error (&self->operations[i].error);
    }
  g_free (self->operations);
  g_free (self->pack);
  g_free (self);
}

gboolean
dsq_batch_writes (const DsqBatch *self)
{
  for (guint32 i = 0; i < self->n_operations; i++)
    if (is_write (self->operations[i].kind) || self->operations[i].kind == OPERATION_FLUSH)
      return TRUE;
  return FALSE;
}

/* --- order ------------------------------------------------------------------------------------ */

static void
prepare (Operation *self, DsqStore *store)
{
  if (!has_key (self->kind) ||
      !dsq_store_make_key (store, self->key, self->key_length, &self->made, &self->error))
    return;
  if (self->kind == OPERATION_SET)
    self->entry =
        dsq_store_make_entry (&self->made, self->record, self->record_length, &self->error);
  else if (self->kind == OPERATION_REMOVE)
    self->entry = dsq_entry_new_tombstone (&self->made);
}

static guint
hash_key (gconstpointer key)
{
  return (guint) ((const DsqKey *) key)->hash;
}

static gboolean
equal_keys (gconstpointer a, gconstpointer b)
{
  const DsqKey *left = a;
  const DsqKey *right = b;

  return left->length == right->length && memcmp (left->bytes, right->bytes, left->length) == 0;
}

/* What a group's operations are for. */
typedef struct
{
  GHashTable *written;   /* (owned) of DsqKey */
  GHashTable *read_late; /* (owned) of DsqKey */
  gboolean is_all_written;
  gboolean is_all_read_late;
} Reach;

static void
reach_init (Reach *self)
{
  *self = (Reach){ g_hash_table_new (hash_key, equal_keys),
                   g_hash_table_new (hash_key, equal_keys),
                   FALSE,
                   FALSE };
}

static void
reach_clear (Reach *self)
{
  g_hash_table_unref (self->written);
  g_hash_table_unref (self->read_late);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reach, reach_clear)

/* FALSE: the write would change what a late read of the group is for. */
static gboolean
add_write (Reach *self, Operation *operation)
{
  if (self->is_all_read_late ||
      (!has_key (operation->kind) && g_hash_table_size (self->read_late) > 0))
    return FALSE;
  if (!has_key (operation->kind))
    self->is_all_written = TRUE;
  else if (g_hash_table_contains (self->read_late, &operation->made))
    return FALSE;
  else
    g_hash_table_add (self->written, &operation->made);
  return TRUE;
}

static void
add_read (Reach *self, Operation *operation)
{
  operation->is_late = self->is_all_written || g_hash_table_size (self->written) > 0;
  if (!has_key (operation->kind))
    self->is_all_read_late |= operation->is_late;
  else if (!self->is_all_written)
    operation->is_late = g_hash_table_contains (self->written, &operation->made);
  if (has_key (operation->kind) && operation->is_late)
    g_hash_table_add (self->read_late, &operation->made);
}

/* Where the group that begins at @start ends. */
static guint32
find_group (DsqBatch *self, guint32 start)
{
  g_auto (Reach) reach = { NULL };

  reach_init (&reach);
  for (guint32 i = start; i < self->n_operations; i++)
    {
      Operation *operation = &self->operations[i];

      if (operation->error != NULL || operation->kind == OPERATION_FLUSH)
        continue;
      if (!is_write (operation->kind))
        add_read (&reach, operation);
      else if (!add_write (&reach, operation))
        return i;
    }
  return self->n_operations;
}

/* --- reads ------------------------------------------------------------------------------------ */

/* By one transaction. What is damaged is its own result. */
static void
get_together (DsqEngine *engine, Operation **gets, gsize n_gets)
{
  g_autoptr (GError) error = NULL;
  g_autofree DsqKey *keys = g_new (DsqKey, n_gets);
  g_autofree DsqEntry **found = g_new0 (DsqEntry *, n_gets);

  for (gsize i = 0; i < n_gets; i++)
    keys[i] = gets[i]->made;
  if (n_gets == 1)
    dsq_store_get_entry (engine, keys, found, &error);
  else
    dsq_store_get_entries (engine, keys, n_gets, found, &error);
  for (gsize i = 0; i < n_gets; i++)
    {
      gets[i]->entry = found[i];
      gets[i]->error = error != NULL ? g_error_copy (error) : NULL;
    }
}

static void
count (Operation *self, DsqStore *store)
{
  gint64 n_entries = dsq_store_count (store, NULL, &self->error);

  self->result = g_memdup2 (&n_entries, sizeof n_entries);
  self->length = sizeof n_entries;
}

static void
read_one (Operation *self, DsqStore *store, DsqEngine *engine)
{
  gboolean contains;

  if (self->kind == OPERATION_GET_PACK)
    self->result =
        dsq_store_get_pack (store, self->key, self->key_length, &self->length, &self->error);
  else if (self->kind == OPERATION_COUNT)
    count (self, store);
  else if (dsq_engine_contains (engine, &self->made, &contains, &self->error))
    self->result_byte = contains ? RESULT_TRUE : RESULT_FALSE;
}

static void
run_reads (Operation *operations, guint32 n, DsqStore *store, DsqEngine *engine, gboolean are_late)
{
  g_autofree Operation **gets = g_new (Operation *, n);
  gsize n_gets = 0;

  for (guint32 i = 0; i < n; i++)
    {
      Operation *operation = &operations[i];

      if (operation->error != NULL || operation->is_late != are_late)
        continue;
      if (operation->kind == OPERATION_GET)
        gets[n_gets++] = operation;
      else if (!is_write (operation->kind) && operation->kind != OPERATION_FLUSH)
        read_one (operation, store, engine);
    }
  if (n_gets > 0)
    get_together (engine, gets, n_gets);
}

/* --- writes ----------------------------------------------------------------------------------- */

/* Sets and removals that follow each other. */
static void
write_together (DsqStore *store, DsqEngine *engine, Operation **operations, gsize n_operations)
{
  g_autofree DsqEachWrite *writes = g_new0 (DsqEachWrite, n_operations);

  for (gsize i = 0; i < n_operations; i++)
    writes[i].entry = operations[i]->entry;
  dsq_engine_write_each (engine, dsq_store_get_promise (store), writes, n_operations);
  for (gsize i = 0; i < n_operations; i++)
    {
      Operation *operation = operations[i];
      gboolean is_true = operation->kind == OPERATION_SET || writes[i].was_present;

      operation->error = writes[i].error;
      operation->result_byte = is_true ? RESULT_TRUE : RESULT_FALSE;
      g_clear_pointer (&operation->entry, dsq_entry_unref);
    }
}

static void
write_all (Operation *self, DsqStore *store)
{
  self->result_byte = RESULT_TRUE;
  if (self->kind == OPERATION_CLEAR)
    dsq_store_clear (store, NULL, &self->error);
  else
    dsq_store_set_pack (store, self->key, self->key_length, &self->error);
}

static void
run_writes (Operation *operations, guint32 n, DsqStore *store, DsqEngine *engine)
{
  g_autofree Operation **together = g_new (Operation *, n);
  gsize n_together = 0;

  for (guint32 i = 0; i < n; i++)
    {
      Operation *operation = &operations[i];

      if (operation->error != NULL || !is_write (operation->kind))
        continue;
      if (has_key (operation->kind))
        {
          together[n_together++] = operation;
          continue;
        }
      write_together (store, engine, together, n_together);
      n_together = 0;
      write_all (operation, store);
    }
  write_together (store, engine, together, n_together);
}

static void
run_flushes (DsqBatch *self, DsqStore *store)
{
  for (guint32 i = 0; i < self->n_operations; i++)
    {
      Operation *operation = &self->operations[i];

      if (operation->kind != OPERATION_FLUSH)
        continue;
      operation->result_byte = RESULT_TRUE;
      dsq_store_flush (store, NULL, &operation->error);
    }
}

void
dsq_batch_run (DsqBatch *self, DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  DsqEngine *engine = dsq_store_get_engine (store, &error);

  /* the handle of a table was closed since */
  for (guint32 i = 0; i < self->n_operations && engine == NULL; i++)
    self->operations[i].error = g_error_copy (error);
  if (engine == NULL)
    return;
  for (guint32 i = 0; i < self->n_operations; i++)
    prepare (&self->operations[i], store);
  for (guint32 start = 0, end; start < self->n_operations; start = end)
    {
      Operation *group = &self->operations[start];

      end = find_group (self, start);
      run_reads (group, end - start, store, engine, FALSE);
      run_writes (group, end - start, store, engine);
      run_reads (group, end - start, store, engine, TRUE);
    }
  run_flushes (self, store);
}

/* --- what came of it -------------------------------------------------------------------------- */

static void
add_result (DsqPackBuilder *builder, const Operation *self, const GError *error)
{
  g_autoptr (GByteArray) item = NULL;

  if (error != NULL)
    item = dsq_pack_make_error (error);
  else if (self->kind == OPERATION_GET)
    {
      dsq_pack_builder_add (builder,
                            self->entry != NULL ? dsq_entry_record (self->entry) : NULL,
                            self->entry != NULL ? self->entry->record_length : 0);
      return;
    }
  else
    {
      dsq_pack_builder_add_behind (builder,
                                   self->result != NULL ? RESULT_TRUE : self->result_byte,
                                   self->result,
                                   self->result != NULL ? self->length : 0);
      return;
    }
  dsq_pack_builder_add (builder, item->data, item->len);
}

static guint8 *
build_result (DsqBatch *self,
              guint64 ticket,
              const GError *all_failed,
              gsize *out_length,
              GError **error)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();

  dsq_pack_builder_add (builder, (const guint8 *) &ticket, sizeof ticket);
  for (guint32 i = 0; i < self->n_operations; i++)
    {
      const Operation *operation = &self->operations[i];

      add_result (builder, operation, all_failed != NULL ? all_failed : operation->error);
    }
  return dsq_pack_builder_finish (builder, out_length, error);
}

guint8 *
dsq_batch_take_result (DsqBatch *self, guint64 ticket, gsize *out_length)
{
  g_autoptr (GError) error = NULL;
  guint8 *result = build_result (self, ticket, NULL, out_length, &error);

  /* more than fits into a pack */
  if (result == NULL)
    result = build_result (self, ticket, error, out_length, NULL);
  return result;
}
