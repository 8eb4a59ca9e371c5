/* dsq-sweep-rows.c - what has expired, removed in a transaction
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-sweep-private.h"
#include "engine/dsq-write-through-private.h"

/*
 * Written through, what has expired is removed in the transaction that finds it: a part of it
 * before each, since others wait meanwhile, and all before a write that asks for that. Where
 * something is left the rows that the transaction's writes are about are removed by their keys, so
 * that these find them absent.
 */

/* Rows looked for at a time. */
#define BATCH 1024

/* Rows removed before others get their turn: a few milliseconds. */
#define MAX_ROWS 512
/* The same for who wants all of them to go. */
#define MAX_WANTED_ROWS 4096

static gboolean
remove_from (DsqEngine *self, DsqSweptRows *swept, guint first, GError **error)
{
  for (guint i = first; i < swept->rows->len; i++)
    {
      DsqChange change = { .presence = DSQ_PRESENCE_PRESENT };

      change.entry = g_array_index (swept->rows, DsqColdRow, i).entry;
      g_array_append_val (swept->changes, change);
    }
  return swept->rows->len == first ||
         self->cold->funcs->apply (self->cold,
                                   &g_array_index (swept->changes, DsqChange, first),
                                   swept->rows->len - first,
                                   error);
}

gboolean
dsq_engine_sweep_in_transaction (DsqEngine *self,
                                 gboolean wants_all,
                                 DsqSweptRows *swept,
                                 GError **error)
{
  DsqExpirySpan span = { G_MININT64, G_MAXINT64, 0 };
  guint max_rows = wants_all ? MAX_WANTED_ROWS : MAX_ROWS;
  guint n_before;

  swept->is_swept = TRUE;
  swept->n_forgotten = dsq_expiry_get_n_forgotten (&self->expiry);
  span.until = dsq_engine_now (self);
  swept->rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  swept->changes = g_array_new (FALSE, TRUE, sizeof (DsqChange));
  do
    {
      n_before = swept->rows->len;
      if (!self->cold->funcs->find_expired (self->cold,
                                            TRUE,
                                            &span,
                                            MIN (BATCH, max_rows - n_before),
                                            swept->rows,
                                            &swept->next,
                                            error) ||
          !remove_from (self, swept, n_before, error))
        return FALSE;
    }
  while (swept->next <= span.until && swept->rows->len < max_rows);
  swept->is_last = swept->next > span.until;
  return TRUE;
}

static gboolean
sweep_key (DsqEngine *self, const DsqKey *key, DsqSweptRows *swept, GError **error)
{
  g_autoptr (DsqEntry) found = NULL;
  DsqColdRow row = { 0 };

  if (!self->cold->funcs->get_in_transaction (self->cold, key, &found, error))
    return FALSE;
  if (found == NULL || !dsq_engine_has_expired (self, found))
    return TRUE;
  row.entry = dsq_entry_new (key, NULL, 0, dsq_entry_expires (found));
  g_array_append_val (swept->rows, row);
  return remove_from (self, swept, swept->rows->len - 1, error);
}

static gboolean
sweep_write (DsqEngine *self, const DsqWrite *write, DsqSweptRows *swept, GError **error)
{
  gboolean success = write->key == NULL || sweep_key (self, write->key, swept, error);

  for (gsize i = 0; i < write->n_changes && success && write->key == NULL; i++)
    {
      DsqKey key = dsq_entry_as_key (write->changes[i].entry);

      success = sweep_key (self, &key, swept, error);
    }
  for (gsize i = 0; i < write->n_expected && success; i++)
    {
      DsqKey key = dsq_entry_as_key (write->expected[i]);

      success = sweep_key (self, &key, swept, error);
    }
  return success;
}

gboolean
dsq_engine_sweep_writes (DsqEngine *self,
                         const DsqWrite *writes,
                         DsqSweptRows *swept,
                         GError **error)
{
  gboolean success = TRUE;

  for (const DsqWrite *write = writes; write != NULL && success && !swept->is_last;
       write = dsq_write_next (write))
    success = sweep_write (self, write, swept, error);
  return success;
}

void
dsq_engine_clear_swept_rows (DsqSweptRows *swept)
{
  g_clear_pointer (&swept->changes, g_array_unref);
  g_clear_pointer (&swept->rows, dsq_cold_rows_free);
  *swept = (DsqSweptRows){ 0 };
}
