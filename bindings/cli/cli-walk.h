/* cli-walk.h - all entries of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-store.h"

G_BEGIN_DECLS

/* An entry, on its way from one store, or from text, to another. */
typedef struct
{
  const guint8
      *table; /* (unowned) (nullable) its name, NULL for the table that a store opens with */
  gsize table_length;
  const guint8 *key; /* (unowned) (nullable) NULL: only the table */
  gsize key_length;
  const guint8 *record; /* (unowned) its first byte is 0 where it is damaged: then an error's code,
                           a byte, and the message */
  gsize record_length;
  gint64 expires; /* milliseconds since 1970; 0: never */
} CliEntry;

typedef gboolean (*CliEntryFunc) (const CliEntry *entry, gpointer data, GError **error);

/* The time, in milliseconds since 1970, by the clock that entries expire by. */
gint64 cli_walk_now (void);

/* The next entries of a walk, as dsq_cursor_next_pack() gives them; where the file is damaged all
 * that come before that: then one by one, for which @batch, CLI_WALK_BATCH at first, is changed. */
#define CLI_WALK_BATCH 1000
guint8 *cli_walk_next (CliCall *call, DsqScan *scan, guint *batch, GError **error);

/* Calls @func with all entries of a table in their order; with what they hold beside the key, or
 * without. @name is put into the entries. */
gboolean cli_walk_table (CliCall *call,
                         DsqStore *table,
                         const guint8 *name,
                         gsize name_length,
                         CliEntryFunc func,
                         gpointer data,
                         GError **error);
/* Calls @func with the entry of one key, if there is one. */
gboolean cli_walk_key (DsqStore *table,
                       const guint8 *key,
                       gsize length,
                       CliEntryFunc func,
                       gpointer data,
                       GError **error);
/* All tables, each with an entry of no key before its own unless it is the first. Shows progress.
 */
gboolean
cli_walk_store (CliCall *call, DsqStore *store, CliEntryFunc func, gpointer data, GError **error);

/* Opens each table in turn: the first, whose name is NULL, and those that have names. */
typedef gboolean (*CliTableFunc) (DsqStore *table,
                                  const guint8 *name,
                                  gsize name_length,
                                  gpointer data,
                                  GError **error);
gboolean cli_walk_tables (DsqStore *store, CliTableFunc func, gpointer data, GError **error);

G_END_DECLS
