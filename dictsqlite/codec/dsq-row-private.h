/* dsq-row-private.h - the columns of a row, plain or sealed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-format-private.h"
#include "codec/dsq-record-private.h"

G_BEGIN_DECLS

/*
 *             plain                      sealed
 *   token     the key                    a hash of table and key, under a key of its own
 *   name      NULL                       the key
 *   value     the record, with a CRC     the record
 *
 * All functions take the codec of the file and do what its kind wants. Those that encode are for
 * one thread at a time, those that decode for any. What does not unseal is DSQ_ERROR_CORRUPT; no
 * message holds a key or a value. A row is bound to its table's mark, which dsq_row_decode_mark()
 * or dsq_row_draw_mark() has made known: of another table no row can be read.
 */

/* What a row is found by. */
typedef struct
{
  const guint8 *bytes; /* the caller's key, or sealed */
  guint32 length;
  guint8 sealed[DSQ_FORMAT_TOKEN_LENGTH];
} DsqToken;

void dsq_row_make_token (const DsqRecordCodec *codec,
                         guint32 table,
                         const guint8 *key,
                         guint32 length,
                         DsqToken *out_token);

/* --- value ------------------------------------------------------------------------------------ */

gsize dsq_row_value_length (const DsqRecordCodec *codec, const DsqRecord *record);
gboolean dsq_row_encode_value (const DsqRecordCodec *codec,
                               const DsqRecord *record,
                               const DsqToken *token,
                               guint8 *out,
                               GError **error);

/* Memory that decoding a value column of @length bytes needs: its body, or none in a plain file. */
gsize dsq_row_body_length (const DsqRecordCodec *codec, gsize length);
/* As dsq_record_decode(); what is set borrows from @body where that is needed, else from @value. */
gboolean dsq_row_decode_value (const DsqRecordCodec *codec,
                               DsqRecord *record,
                               const DsqToken *token,
                               const guint8 *value,
                               gsize length,
                               guint8 *body,
                               GError **error);

/* --- name ------------------------------------------------------------------------------------- */

/* Bytes of the name column for a key, or a table's name, of @length bytes; 0 in a plain file: NULL.
 */
gsize dsq_row_name_length (const DsqRecordCodec *codec, gsize length);
/* In an encrypted file. @purpose is DSQ_FORMAT_PURPOSE_NAME, or _TABLE with the table's own id. */
gboolean dsq_row_encode_name (const DsqRecordCodec *codec,
                              const char *purpose,
                              guint32 table,
                              const guint8 token[DSQ_FORMAT_TOKEN_LENGTH],
                              const guint8 *key,
                              gsize length,
                              guint8 *out,
                              GError **error);
/* Decodes the @length bytes of a name into @out, which has room for that many. */
gboolean dsq_row_decode_name (const DsqRecordCodec *codec,
                              const char *purpose,
                              guint32 table,
                              const guint8 *token,
                              gsize token_length,
                              const guint8 *name,
                              gsize length,
                              guint8 *out,
                              gsize *out_length,
                              GError **error);

/* --- tables ----------------------------------------------------------------------------------- */

/* The mark column of a table. */
typedef struct
{
  gsize length;
  guint8 bytes[DSQ_FORMAT_MARK_MAX_COLUMN];
} DsqMarkColumn;

/* Draws the mark of a new table, or anew that of one which is copied; @token is of its row. */
gboolean dsq_row_draw_mark (const DsqRecordCodec *codec,
                            guint32 table,
                            const guint8 *token,
                            gsize token_length,
                            DsqMarkColumn *out_column,
                            GError **error);
/* @column is NULL, and @length 0, for what is no blob. */
gboolean dsq_row_decode_mark (const DsqRecordCodec *codec,
                              guint32 table,
                              const guint8 *token,
                              gsize token_length,
                              const guint8 *column,
                              gsize length,
                              GError **error);

/* What a table called @name, which is UTF-8, is found by. */
GBytes *dsq_row_make_table_token (const DsqRecordCodec *codec, const guint8 *name, gsize length);
/* The name column of that table, or NULL in *out_name in a plain file. */
gboolean dsq_row_encode_table_name (const DsqRecordCodec *codec,
                                    guint32 table,
                                    GBytes *token,
                                    const guint8 *name,
                                    gsize length,
                                    GBytes **out_name,
                                    GError **error);
/* The name of the table whose row has these columns, and whose mark is known; @name is NULL where
 * the column is. */
GBytes *dsq_row_decode_table_name (const DsqRecordCodec *codec,
                                   guint32 table,
                                   const guint8 *token,
                                   gsize token_length,
                                   const guint8 *name,
                                   gsize length,
                                   GError **error);

G_END_DECLS
