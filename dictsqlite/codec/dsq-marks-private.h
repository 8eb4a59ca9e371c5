/* dsq-marks-private.h - what the rows of each table are bound to
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "codec/dsq-format-private.h"

G_BEGIN_DECLS

/* The marks of a file's tables, by id. Any thread. */
typedef struct _DsqMarks DsqMarks;

/* A table's: 16 random bytes, which nobody can draw again. */
typedef struct
{
  guint32 table;
  guint32 seed; /* CRC-32C of what all values of the table begin with, in a plain file */
  guint8 bytes[DSQ_FORMAT_MARK_LENGTH];
} DsqMark;

DsqMarks *dsq_marks_new (void);
void dsq_marks_free (DsqMarks *self);

/* A mark as it lies in its row's column, from which it is known again. */
void dsq_marks_put (DsqMarks *self, const DsqMark *mark, const guint8 *column, gsize column_length);
/* FALSE: there is none, or it was read from another column. */
gboolean dsq_marks_knows (DsqMarks *self, guint32 table, const guint8 *column, gsize column_length);
/* One that no table has, where there is none. */
DsqMark dsq_marks_get (DsqMarks *self, guint32 table, gboolean *out_is_known);

guint dsq_marks_get_size (DsqMarks *self);
/* Forgets those of tables that @is_used denies. */
void dsq_marks_prune (DsqMarks *self,
                      gboolean (*is_used) (guint32 table, gpointer user_data),
                      gpointer user_data);

G_END_DECLS
