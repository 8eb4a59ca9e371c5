/* dsq-server-array-private.h - what goes with a statement, and what comes back
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-libpq-private.h"

G_BEGIN_DECLS

#define DSQ_SERVER_MAX_ARGS 10

/* Arguments, in PostgreSQL's binary format. What they point to stays until the statement was run.
 */
typedef struct
{
  int n;
  const char *values[DSQ_SERVER_MAX_ARGS]; /* (unowned) (nullable) */
  int lengths[DSQ_SERVER_MAX_ARGS];
  guint64 numbers[DSQ_SERVER_MAX_ARGS]; /* where the values of numbers are */
} DsqServerArgs;

void dsq_server_args_add_number (DsqServerArgs *self, gint64 number);
/* NULL in @bytes: the value is NULL. */
void dsq_server_args_add_bytes (DsqServerArgs *self, gconstpointer bytes, gsize length);

/* An array, of bigint or of bytea. */
typedef struct
{
  GByteArray *bytes; /* (owned) */
  guint32 n_items;
  gboolean has_null;
  gboolean is_numbers;
} DsqServerArray;

void dsq_server_array_init (DsqServerArray *self, gboolean is_numbers);
void dsq_server_array_clear (DsqServerArray *self);
void dsq_server_array_add_number (DsqServerArray *self, gint64 number);
/* NULL in @bytes: the item is NULL. */
void dsq_server_array_add_bytes (DsqServerArray *self, gconstpointer bytes, gsize length);
void dsq_server_array_add_null (DsqServerArray *self);
/* As an argument; nothing is added after that. */
void dsq_server_args_add_array (DsqServerArgs *self, DsqServerArray *array);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqServerArray, dsq_server_array_clear)

/* --- results ---------------------------------------------------------------------------------- */

/* A column of a row. FALSE: it is NULL, or not of that type's length. */
gboolean dsq_server_get_number (const DsqLibpq *pq,
                                const PGresult *result,
                                int row,
                                int column,
                                gint64 *out_number);
/* One that can be counted on from: above 0, and of which there can be as many more. */
gboolean dsq_server_get_version (const DsqLibpq *pq,
                                 const PGresult *result,
                                 int row,
                                 int column,
                                 gint64 *out_version);
/* NULL for NULL; else not, also where *out_length is 0. */
const guint8 *dsq_server_get_bytes (const DsqLibpq *pq,
                                    const PGresult *result,
                                    int row,
                                    int column,
                                    gsize *out_length);

G_END_DECLS
