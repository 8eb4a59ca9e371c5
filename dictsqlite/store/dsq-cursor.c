/* dsq-cursor.c - a walk over a store's entries, in order
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-value-private.h"
#include "store/dsq-scan-private.h"

/**
 * DsqCursor:
 *
 * A walk over a store's entries, in the order of their insertion or in reverse.
 *
 * Make one by [method@Store.walk]. It reads in batches and holds neither a lock nor a read
 * transaction between them, so that a store of any size can be walked in little memory and for as
 * long as one likes. What was there all the time is met once, whatever other threads and processes
 * write meanwhile: that is seen or not. The walk ends at the last entry that there was when it
 * began. When the thread that steps it changes the number of entries itself, the next step gives
 * %DSQ_ERROR_CHANGED, as a Python dict does.
 *
 * A cursor is for one thread at a time.
 *
 * Since: 1.0
 */
struct _DsqCursor
{
  GObject parent_instance;

  DsqScan *scan; /* (owned) constant; its first step begins the walk */
};

G_DEFINE_FINAL_TYPE (DsqCursor, dsq_cursor, G_TYPE_OBJECT)

static void
dsq_cursor_finalize (GObject *object)
{
  g_clear_pointer (&DSQ_CURSOR (object)->scan, dsq_scan_unref);
  G_OBJECT_CLASS (dsq_cursor_parent_class)->finalize (object);
}

static void
dsq_cursor_class_init (DsqCursorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dsq_cursor_finalize;
}

static void
dsq_cursor_init (DsqCursor *self)
{
}

/**
 * dsq_store_walk:
 * @self: a store
 * @order: the direction
 *
 * Starts a walk over the entries. It begins with the first call of the cursor: nothing is read, and
 * nothing can fail, before.
 *
 * Returns: (transfer full): a cursor before the first entry
 *
 * Since: 1.0
 */
DsqCursor *
dsq_store_walk (DsqStore *self, DsqWalkOrder order)
{
  DsqCursor *cursor;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  cursor = g_object_new (DSQ_TYPE_CURSOR, NULL);
  cursor->scan = dsq_scan_new (self, order);
  return cursor;
}

DsqScan *
dsq_cursor_get_scan (DsqCursor *self)
{
  return self->scan;
}

/* An entry's key as a C string; NULL of what is none. */
static char *
dup_key (const DsqEntry *entry)
{
  const guint8 *key = dsq_entry_key (entry);

  if (!dsq_key_codec_is_c_string (key, entry->key_length))
    return NULL;
  return g_strndup ((const char *) key, entry->key_length);
}

/**
 * dsq_cursor_next_many:
 * @self: a cursor
 * @max_entries: the most entries to give
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Gives the next entries whose keys are strings, at least one unless the walk is at its end; fewer
 * than asked when they are large.
 *
 * Keys that other languages have no string for are skipped: Python's integers or tuples, and
 * strings that hold NUL characters. A value that [method@Store.get] cannot give, since it has no
 * form as a #GVariant or is damaged, is nothing.
 *
 * Returns: (transfer full): an `a(smv)` of keys and values, empty at the end; %NULL with @error set
 *
 * Since: 1.0
 */
GVariant *
dsq_cursor_next_many (DsqCursor *self, guint max_entries, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(smv)"));
  guint n_added = 0;
  guint n_taken;

  g_return_val_if_fail (DSQ_IS_CURSOR (self), NULL);

  if (!dsq_call_begin (&call, cancellable, error))
    return NULL;
  do
    {
      g_autoptr (GPtrArray) entries = dsq_scan_next_entries (self->scan, max_entries, error);

      if (entries == NULL)
        return NULL;
      n_taken = entries->len;
      for (guint i = 0; i < n_taken; i++)
        {
          const DsqEntry *entry = entries->pdata[i];
          g_autofree char *key = dup_key (entry);

          if (key == NULL)
            continue;
          g_variant_builder_add (&builder, "(s@mv)", key, dsq_store_maybe_value (entry));
          n_added++;
        }
    }
  while (n_added == 0 && n_taken > 0);
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}
