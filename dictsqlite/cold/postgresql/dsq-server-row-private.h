/* dsq-server-row-private.h - a row on its way to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-connection-private.h"

G_BEGIN_DECLS

/* What it points to is the caller's. */
typedef struct
{
  gint64 store;
  gint64 table;
  const guint8 *token;
  gsize token_length;
  gint64 place;
  gboolean has_expiry;
  gint64 expires;
  const guint8 *value;
  gsize value_length;
  const guint8 *name; /* (nullable) */
  gsize name_length;
} DsqServerRow;

/* Arguments of DSQ_SERVER_SET behind the store. */
#define DSQ_SERVER_ROW_ARRAYS 6

void dsq_server_row_init_arrays (DsqServerArray *arrays);
void dsq_server_row_add (const DsqServerRow *self, DsqServerArray *arrays);
/* Adds it to the copy that is under way. */
gboolean
dsq_server_row_copy (const DsqServerRow *self, DsqServerConnection *connection, GError **error);

G_END_DECLS
