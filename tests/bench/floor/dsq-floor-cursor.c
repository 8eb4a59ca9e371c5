/* dsq-floor-cursor.c - DsqCursor's packed calls over no engine at all
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-floor-cursor.h"

#include "dsq-floor-pack.h"

struct _DsqFloorCursor
{
  GObject parent_instance;

  guint n_left; /* entries not handed out yet; one thread */
};

G_DEFINE_FINAL_TYPE (DsqFloorCursor, dsq_floor_cursor, G_TYPE_OBJECT)

static void
dsq_floor_cursor_class_init (DsqFloorCursorClass *klass)
{
}

static void
dsq_floor_cursor_init (DsqFloorCursor *self)
{
  self->n_left = DSQ_FLOOR_ENTRIES;
}

static guint
take (DsqFloorCursor *self, guint max_entries)
{
  guint n = MIN (self->n_left, max_entries);

  self->n_left -= n;
  return n;
}

/**
 * dsq_floor_cursor_next_pack:
 * @self: a cursor
 * @max_entries: most entries to return
 * @keys_only: whether their keys are enough
 * @out_length: length of the pack, in bytes
 * @cancellable: (nullable): not looked at
 * @error: return location for an error
 *
 * Returns the next entries.
 *
 * Returns: (array length=out_length) (transfer full): a pack of keys, or of keys and records,
 *   without any at the end
 */
guint8 *
dsq_floor_cursor_next_pack (DsqFloorCursor *self,
                            guint max_entries,
                            gboolean keys_only,
                            gsize *out_length,
                            GCancellable *cancellable,
                            GError **error)
{
  guint n = take (self, max_entries);

  if (keys_only)
    return dsq_floor_pack_repeat (n, DSQ_FLOOR_KEY, DSQ_FLOOR_KEY, out_length);
  return dsq_floor_pack_repeat (2 * n, DSQ_FLOOR_KEY, DSQ_FLOOR_RECORD, out_length);
}

/**
 * dsq_floor_cursor_check:
 * @self: a cursor
 * @n_used: entries of the last pack that were used
 * @error: return location for an error
 *
 * Finds that nothing changed.
 *
 * Returns: %TRUE
 */
gboolean
dsq_floor_cursor_check (DsqFloorCursor *self, guint n_used, GError **error)
{
  return TRUE;
}
