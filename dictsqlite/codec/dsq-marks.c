/* dsq-marks.c - what the rows of each table are bound to
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-mutex-private.h"
#include "codec/dsq-marks-private.h"

typedef struct
{
  DsqMark mark;
  gsize column_length;
  guint8 column[DSQ_FORMAT_MARK_MAX_COLUMN];
} Known;

struct _DsqMarks
{
  DsqMutex lock;
  GHashTable *known; /* (owned) (lock) of Known, by id */
  /* That of the first table, which is always there and never another: read without the lock. */
  DsqMark first;      /* constant once has_first is set */
  gboolean has_first; /* (atomic) */
};

DsqMarks *
dsq_marks_new (void)
{
  DsqMarks *self = g_new0 (DsqMarks, 1);

  dsq_mutex_init (&self->lock, DSQ_RANK_MARKS, 0);
  self->known = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return self;
}

void
dsq_marks_free (DsqMarks *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->known);
  dsq_mutex_clear (&self->lock);
  g_free (self);
}

void
dsq_marks_put (DsqMarks *self, const DsqMark *mark, const guint8 *column, gsize column_length)
{
  Known *known = g_new0 (Known, 1);

  known->mark = *mark;
  known->column_length = MIN (column_length, sizeof known->column);
  if (known->column_length > 0)
    memcpy (known->column, column, known->column_length);
  dsq_mutex_lock (&self->lock);
  g_hash_table_replace (self->known, GUINT_TO_POINTER (mark->table), known);
  if (mark->table == DSQ_FORMAT_TABLE_MAIN && !self->has_first)
    {
      self->first = *mark;
      __atomic_store_n (&self->has_first, TRUE, __ATOMIC_RELEASE);
    }
  dsq_mutex_unlock (&self->lock);
}

gboolean
dsq_marks_knows (DsqMarks *self, guint32 table, const guint8 *column, gsize column_length)
{
  const Known *known;
  gboolean is_same;

  dsq_mutex_lock (&self->lock);
  known = g_hash_table_lookup (self->known, GUINT_TO_POINTER (table));
  is_same = known != NULL && known->column_length == column_length &&
            memcmp (known->column, column, column_length) == 0;
  dsq_mutex_unlock (&self->lock);
  return is_same;
}

DsqMark
dsq_marks_get (DsqMarks *self, guint32 table, gboolean *out_is_known)
{
  const Known *known;
  DsqMark mark = { .table = table };

  *out_is_known = TRUE;
  if (table == DSQ_FORMAT_TABLE_MAIN && __atomic_load_n (&self->has_first, __ATOMIC_ACQUIRE))
    return self->first;
  dsq_mutex_lock (&self->lock);
  known = g_hash_table_lookup (self->known, GUINT_TO_POINTER (table));
  *out_is_known = known != NULL;
  if (known != NULL)
    mark = known->mark;
  dsq_mutex_unlock (&self->lock);
  return mark;
}

guint
dsq_marks_get_size (DsqMarks *self)
{
  guint size;

  dsq_mutex_lock (&self->lock);
  size = g_hash_table_size (self->known);
  dsq_mutex_unlock (&self->lock);
  return size;
}

void
dsq_marks_prune (DsqMarks *self,
                 gboolean (*is_used) (guint32 table, gpointer user_data),
                 gpointer user_data)
{
  GHashTableIter iter;
  gpointer id;

  dsq_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    if (!is_used (GPOINTER_TO_UINT (id), user_data))
      g_hash_table_iter_remove (&iter);
  dsq_mutex_unlock (&self->lock);
}
