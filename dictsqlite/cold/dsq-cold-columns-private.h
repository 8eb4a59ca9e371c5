/* dsq-cold-columns-private.h - what rows hold, wherever they lie
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-row-private.h"
#include "cold/dsq-cold-types-private.h"

G_BEGIN_DECLS

/* What a row's statement binds of it, as it lies in the file. */
typedef struct
{
  DsqToken token;
  const guint8 *value; /* (unowned) */
  gsize value_length;
  const guint8 *name; /* (unowned) */
  gsize name_length;  /* 0: the name stays as it is, or is NULL */
} DsqColdColumns;

/* Sets DSQ_ERROR_CORRUPT. */
gboolean dsq_cold_set_damaged (const char *cause, GError **error);
/* Whether the place @after comes after @before, as each row's in a walk. Pages that were exchanged
 * show rows again and again, and a walk without end. */
gboolean dsq_cold_check_order (gint64 before, gint64 after, GError **error);
/* Whether what was read as a key is one. */
gboolean dsq_cold_check_key (const DsqKey *key, GError **error);
/* The sealed key of the row with that token, unsealed into *memory, which is the caller's to free
 * also after an error. @key has its table. */
gboolean dsq_cold_decode_name (const DsqRecordCodec *codec,
                               const DsqToken *token,
                               const guint8 *name,
                               gsize length,
                               DsqKey *key,
                               guint8 **memory,
                               GError **error);
/* The entry of a row, whose column says that it expires then, or 0. @token is that of @key. */
DsqEntry *dsq_cold_decode_value (const DsqRecordCodec *codec,
                                 const DsqKey *key,
                                 const DsqToken *token,
                                 gint64 expires,
                                 const guint8 *value,
                                 gsize length,
                                 GError **error);

/* A row as it lies there, of which nothing is believed yet. */
typedef struct
{
  gint64 place;
  gint64 table;
  gboolean has_expiry;
  gint64 expires;      /* 0: it has none, or one that is none */
  const guint8 *token; /* (unowned) (nullable) NULL: it is none */
  gsize token_length;
  const guint8 *name; /* (unowned) (nullable) */
  gsize name_length;
  const guint8 *value; /* (unowned) (nullable) NULL: it is none */
  gsize value_length;
} DsqColdStoredRow;

/* Likewise a row of the list of tables. */
typedef struct
{
  gint64 id;
  const guint8 *token; /* (unowned) (nullable) NULL: it is none */
  gsize token_length;
  const guint8 *name; /* (unowned) (nullable) */
  gsize name_length;
  const guint8 *mark; /* (unowned) (nullable) NULL: it is none */
  gsize mark_length;
} DsqColdStoredTable;

/* What a row says to who reads it; with @keys_only a tombstone of its key. */
DsqEntry *dsq_cold_decode_stored_row (const DsqRecordCodec *codec,
                                      const DsqColdStoredRow *row,
                                      gboolean keys_only,
                                      GError **error);
/* The name of a table, whose mark is known from then on. */
GBytes *dsq_cold_decode_stored_table (const DsqRecordCodec *codec,
                                      const DsqColdStoredTable *table,
                                      GError **error);

/* Where a row goes that @change inserts. */
gboolean dsq_cold_find_place (const DsqTableState *state,
                              const DsqChange *change,
                              gint64 *out_place,
                              GError **error);
/* What its insertion there does to the table. */
static inline void
dsq_cold_count_inserted (DsqTableState *state, gint64 place)
{
  state->count++;
  state->next = MAX (state->next, place + 1);
}

/* Bytes that dsq_cold_encode_row() wants to write to. */
gsize dsq_cold_row_length (const DsqRecordCodec *codec, const DsqEntry *entry, gboolean with_name);
/* @row borrows from @entry and @out. */
gboolean dsq_cold_encode_row (const DsqRecordCodec *codec,
                              const DsqEntry *entry,
                              gboolean with_name,
                              guint8 *out,
                              DsqColdColumns *row,
                              GError **error);

G_END_DECLS
