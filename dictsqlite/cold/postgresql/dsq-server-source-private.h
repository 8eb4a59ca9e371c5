/* dsq-server-source-private.h - one state of a store on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-source-private.h"
#include "cold/postgresql/dsq-server-private.h"

G_BEGIN_DECLS

/* It has a connection of its own, in a transaction that only reads. */
typedef struct
{
  DsqColdSource source;
  DsqColdServer *tier; /* (unowned) */
  DsqServerConnection connection;
  PGresult *tables; /* (owned) (nullable) */
  int next_table;
  gint64 last_table; /* the last id that was given out */
  gint64 last_id;    /* of those tables that there are */
  PGresult *page;    /* (owned) (nullable) */
  int next_row;
  gint64 last_place;
} DsqServerSource;

gboolean dsq_server_source_open (DsqServerSource *self,
                                 DsqColdServer *tier,
                                 DsqHeader *out_header,
                                 GError **error);
void dsq_server_source_close (DsqServerSource *self);

/* A result of DSQ_SERVER_HEADER. */
gboolean dsq_server_read_header (DsqColdServer *self,
                                 const PGresult *result,
                                 DsqHeader *out_header,
                                 gint64 *out_last_table,
                                 GError **error);

G_END_DECLS
