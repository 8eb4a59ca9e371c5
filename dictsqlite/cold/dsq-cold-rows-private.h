/* dsq-cold-rows-private.h - rows of the cold tier, as statements take and give them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-columns-private.h"
#include "cold/dsq-cold-tier-private.h"
#include "sqlite/dsq-statement-private.h"

G_BEGIN_DECLS

typedef struct _DsqColdSqlite DsqColdSqlite;

typedef struct
{
  const char *sql;
  const char *purpose;
} DsqColdSql;

/* Binds as dsq_cold_bind_row() does. */
#define DSQ_COLD_SQL_INSERT                                                                        \
  "INSERT INTO entry (place, table_id, token, expires, value, name)"                               \
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"

/* Both kinds of connection have these. */
#define DSQ_COLD_SQL_GET "SELECT expires, value FROM entry WHERE table_id = ?1 AND token = ?2"
/* With the last place in use of each, which is one descent of the tree. What is longer than it can
 * be is not fetched. */
#define DSQ_COLD_SQL_TABLES                                                                        \
  "SELECT id, CASE WHEN length (token) <= 1048577 THEN token END,"                                 \
  " CASE WHEN length (mark) <= 57 THEN mark END, floor, holes, place, table_id"                    \
  " FROM tables LEFT JOIN (SELECT place, table_id FROM entry)"                                     \
  " ON place = (SELECT max(place) FROM entry WHERE place > id << 40 AND place < (id + 1) << 40)"   \
  " WHERE id >= ?1 AND id <= ?2 ORDER BY id"

/* For dsq_cold_take_table(): all but the first and the gravestone. */
#define DSQ_COLD_SQL_NAMES                                                                         \
  "SELECT id, token, name, mark FROM tables WHERE id > 1 AND token <> X'00' ORDER BY id"

/* A walk's columns. The planner would rather go through all of a table by its other index. */
#define DSQ_COLD_SQL_EXPIRED                                                                       \
  "SELECT expires, value, place, token, table_id, name FROM entry INDEXED BY entry_expires"        \
  " WHERE expires >= ?1 AND (expires > ?1 OR place > ?2) AND expires <= ?3"                        \
  " AND +table_id IN (SELECT id FROM tables)"                                                      \
  " ORDER BY expires, place"
#define DSQ_COLD_SQL_NEXT_EXPIRY                                                                   \
  "SELECT min(expires) FROM entry INDEXED BY entry_expires WHERE expires > ?1"

/* At most: each is in two trees, and a page has 64 KiB. */
#define DSQ_COLD_ENTRIES_OF_A_PAGE 4096

/* Memory for names and values under way to SQLite. */
typedef struct
{
  guint8 *bytes; /* (owned) */
  gsize length;
} DsqColdBuffer;

/* Each is prepared when it is first used: most are by few who open a file. */
void dsq_cold_plan (DsqStatement *statements,
                    DsqDatabase *database,
                    const DsqColdSql *sql,
                    guint n_statements);
void dsq_cold_clear_statements (DsqStatement *statements, guint n_statements);

static inline void
dsq_cold_bind_token (DsqStatement *statement,
                     int at_table,
                     int at_token,
                     guint32 table,
                     const DsqToken *token)
{
  dsq_statement_bind_number (statement, at_table, table);
  dsq_statement_bind_bytes (statement, at_token, token->bytes, token->length);
}

/* The entry of the row that @statement stands at, whose columns @at_expires and @at_expires + 1 are
 * expires and value. @token is that of @key. */
DsqEntry *dsq_cold_decode_row (const DsqRecordCodec *codec,
                               DsqStatement *statement,
                               int at_expires,
                               const DsqKey *key,
                               const DsqToken *token,
                               GError **error);
/* Token and key of a row. A sealed key is unsealed into *memory, which is the caller's to free. */
gboolean dsq_cold_decode_key (const DsqRecordCodec *codec,
                              sqlite3_stmt *row,
                              int at_token,
                              int at_name,
                              DsqKey *key,
                              DsqToken *out_token,
                              guint8 **memory,
                              GError **error);
/* Binds ?2 table_id, ?3 token, ?4 expires, ?5 value, ?1 place unless it is 0, which stands for an
 * update, and ?6 name if there is one. The bindings borrow from @row and what it borrows from. */
void dsq_cold_bind_row (DsqStatement *statement,
                        const DsqEntry *entry,
                        gint64 place,
                        const DsqColdColumns *row);

/* What was in it is gone. */
void dsq_cold_buffer_make_room (DsqColdBuffer *self, gsize length);
void dsq_cold_buffer_clear (DsqColdBuffer *self);

/* Steps a statement of DSQ_COLD_SQL_GET. */
gboolean dsq_cold_get_row (const DsqRecordCodec *codec,
                           DsqStatement *statement,
                           const DsqKey *key,
                           DsqEntry **out_entry,
                           GError **error);
/* Steps a statement of DSQ_COLD_SQL_TABLES, whose marks @codec knows from then on; @states, of
 * DsqTableState, is replaced after success only. */
gboolean dsq_cold_read_tables (const DsqRecordCodec *codec,
                               DsqStatement *statement,
                               GArray *states,
                               GError **error);
/* The same for those alone that have keys in @changed, and those that are new; *out_n_more: how
 * many more rows all have by it. With FALSE nothing is changed, and nothing told: all are to be
 * read. */
gboolean dsq_cold_read_changed_tables (const DsqRecordCodec *codec,
                                       DsqStatement *statement,
                                       const DsqColdChanged *changed,
                                       GArray *states,
                                       gint64 *out_n_more);
/* What a table's row stores of its state. */
static inline gint64
dsq_cold_get_floor (const DsqTableState *state)
{
  return state->next & DSQ_FORMAT_POSITION_MAX;
}

static inline gint64
dsq_cold_get_holes (const DsqTableState *state)
{
  return dsq_cold_get_floor (state) - 1 - state->count;
}

static inline void
dsq_cold_copy_tables (GArray *to, const GArray *from)
{
  g_array_set_size (to, 0);
  g_array_append_vals (to, from->data, from->len);
}

G_END_DECLS
