/* dsq-server-array.c - what goes with a statement, and what comes back
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-array-private.h"

/* Of pg_type.dat: constant. */
#define OID_BYTEA 17
#define OID_INT8  20

static void
add (DsqServerArgs *self, gconstpointer bytes, gsize length)
{
  self->values[self->n] = bytes;
  self->lengths[self->n] = (int) length;
  self->n++;
}

void
dsq_server_args_add_number (DsqServerArgs *self, gint64 number)
{
  guint64 *place = &self->numbers[self->n];

  *place = GUINT64_TO_BE ((guint64) number);
  add (self, place, sizeof *place);
}

void
dsq_server_args_add_bytes (DsqServerArgs *self, gconstpointer bytes, gsize length)
{
  add (self, bytes, length);
}

/* --- arrays ----------------------------------------------------------------------------------- */

/* Of one dimension, whose first index is 1. */
typedef struct
{
  guint32 n_dimensions;
  guint32 has_null;
  guint32 type;
  guint32 n_items;
  guint32 first;
} Head;

void
dsq_server_array_init (DsqServerArray *self, gboolean is_numbers)
{
  *self = (DsqServerArray){ .bytes = g_byte_array_new (), .is_numbers = is_numbers };
  g_byte_array_set_size (self->bytes, sizeof (Head));
}

void
dsq_server_array_clear (DsqServerArray *self)
{
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

static void
add_item (DsqServerArray *self, gint32 length, gconstpointer bytes)
{
  guint32 head = GUINT32_TO_BE ((guint32) length);

  g_byte_array_append (self->bytes, (const guint8 *) &head, sizeof head);
  if (length > 0)
    g_byte_array_append (self->bytes, bytes, (guint) length);
  self->n_items++;
}

void
dsq_server_array_add_number (DsqServerArray *self, gint64 number)
{
  guint64 bytes = GUINT64_TO_BE ((guint64) number);

  add_item (self, sizeof bytes, &bytes);
}

void
dsq_server_array_add_null (DsqServerArray *self)
{
  self->has_null = TRUE;
  add_item (self, -1, NULL);
}

void
dsq_server_array_add_bytes (DsqServerArray *self, gconstpointer bytes, gsize length)
{
  if (bytes == NULL)
    dsq_server_array_add_null (self);
  else
    add_item (self, (gint32) length, bytes);
}

void
dsq_server_args_add_array (DsqServerArgs *self, DsqServerArray *array)
{
  const Head head = {
    .n_dimensions = GUINT32_TO_BE (1u),
    .has_null = GUINT32_TO_BE ((guint32) array->has_null),
    .type = GUINT32_TO_BE (array->is_numbers ? OID_INT8 : OID_BYTEA),
    .n_items = GUINT32_TO_BE (array->n_items),
    .first = GUINT32_TO_BE (1u),
  };

  memcpy (array->bytes->data, &head, sizeof head);
  add (self, array->bytes->data, array->bytes->len);
}

/* --- results ---------------------------------------------------------------------------------- */

gboolean
dsq_server_get_number (const DsqLibpq *pq,
                       const PGresult *result,
                       int row,
                       int column,
                       gint64 *out_number)
{
  guint64 bytes;

  *out_number = 0;
  if (pq->getisnull (result, row, column) || pq->getlength (result, row, column) != sizeof bytes)
    return FALSE;
  memcpy (&bytes, pq->getvalue (result, row, column), sizeof bytes);
  *out_number = (gint64) GUINT64_FROM_BE (bytes);
  return TRUE;
}

gboolean
dsq_server_get_version (const DsqLibpq *pq,
                        const PGresult *result,
                        int row,
                        int column,
                        gint64 *out_version)
{
  return dsq_server_get_number (pq, result, row, column, out_version) && *out_version >= 1 &&
         *out_version <= G_MAXINT64 / 2;
}

const guint8 *
dsq_server_get_bytes (const DsqLibpq *pq,
                      const PGresult *result,
                      int row,
                      int column,
                      gsize *out_length)
{
  *out_length = (gsize) pq->getlength (result, row, column);
  return pq->getisnull (result, row, column) ? NULL
                                             : (const guint8 *) pq->getvalue (result, row, column);
}
