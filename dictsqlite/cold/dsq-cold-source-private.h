/* dsq-cold-source-private.h - one state of a store, as who copies or checks it goes through it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-columns-private.h"
#include "sqlite/dsq-statement-private.h"

G_BEGIN_DECLS

typedef struct _DsqColdSource DsqColdSource;

/* Used by one thread. What is given out stays until the next call. */
typedef struct
{
  /* All tables into @states, as at each opening, whose marks the codec knows from then on. To be
   * called first. */
  gboolean (*read_tables) (DsqColdSource *self, GArray *states, GError **error);
  /* Tables in the order of their ids, as they are stored; one that was not among the states is the
   * gravestone. */
  DsqStep (*next_table) (DsqColdSource *self, DsqColdStoredTable *out_table, GError **error);
  /* Rows of all tables in the order of their places. */
  DsqStep (*next_row) (DsqColdSource *self, DsqColdStoredRow *out_row, GError **error);
} DsqColdSourceFuncs;

struct _DsqColdSource
{
  const DsqColdSourceFuncs *funcs;
  DsqRecordCodec codec; /* (owned) of the state that it is */
};

/* That of a file, whose connection is in a transaction. */
typedef struct
{
  DsqColdSource source;
  DsqDatabase *database; /* (unowned) */
  const char *purpose;   /* (unowned) (static) verb and object of its errors */
  DsqStatement tables;
  DsqStatement rows;
  gint64 last_place; /* of the row before */
} DsqColdFileSource;

void dsq_cold_file_source_init (DsqColdFileSource *self,
                                DsqDatabase *database,
                                const char *purpose,
                                const guint8 *store_id,
                                DsqKeys *keys);
void dsq_cold_file_source_clear (DsqColdFileSource *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqColdFileSource, dsq_cold_file_source_clear)

/* Of a row with the columns id, token, name and mark, from which @out_table borrows. */
void dsq_cold_take_table (sqlite3_stmt *row, DsqColdStoredTable *out_table);

static inline const DsqTableState *
dsq_cold_find_state (const GArray *states, gint64 table)
{
  for (guint i = 0; i < states->len; i++)
    if (g_array_index (states, DsqTableState, i).table == table)
      return &g_array_index (states, DsqTableState, i);
  return NULL;
}

G_END_DECLS
