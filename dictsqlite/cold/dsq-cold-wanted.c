/* dsq-cold-wanted.c - many keys looked up by one statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cold/dsq-cold-wanted-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-row-source-private.h"

#define PURPOSE "look up keys"
/* As many at a time, so that memory stays bounded. */
#define MAX_WANTS 16384

/* CROSS JOIN: for each that is wanted its row is looked up, and not the other way round. */
#define FROM_WANTED                                                                                \
  " FROM dsq_wanted AS wanted CROSS JOIN entry"                                                    \
  " ON entry.table_id = wanted.table_id AND entry.token = wanted.token"

enum
{
  AT_TABLE,
  AT_TOKEN
};

typedef struct
{
  const DsqKey *key; /* (unowned) */
  DsqToken token;
  gpointer out; /* (unowned) where its entry or place goes */
} Want;

struct _DsqColdWanted
{
  DsqStatement get, probe;
  DsqRowSource source;

  /* of the statement under way */
  Want **sorted;
  gsize n_wants;
  gsize n_given;
};

/* --- its rows --------------------------------------------------------------------------------- */

static DsqStep
next_want (gpointer user_data, GError **error)
{
  DsqColdWanted *self = user_data;

  return self->n_given++ < self->n_wants ? DSQ_STEP_ROW : DSQ_STEP_DONE;
}

static const Want *
current_want (const DsqColdWanted *self)
{
  return self->sorted[self->n_given - 1];
}

static void
give_column (gpointer user_data, sqlite3_context *context, int at)
{
  const Want *want = current_want (user_data);

  if (at == AT_TABLE)
    sqlite3_result_int64 (context, want->key->table);
  else
    sqlite3_result_blob64 (context, want->token.bytes, want->token.length, SQLITE_STATIC);
}

static const DsqRowSourceFuncs source_funcs = {
  .name = "dsq_wanted",
  .columns = "CREATE TABLE rows (table_id, token)",
  .next = next_want,
  .column = give_column,
};

DsqColdWanted *
dsq_cold_wanted_new (DsqDatabase *database, GError **error)
{
  DsqColdWanted *self = g_new0 (DsqColdWanted, 1);

  dsq_statement_plan (&self->get, database, "SELECT expires, value" FROM_WANTED, PURPOSE);
  dsq_statement_plan (&self->probe, database, "SELECT place" FROM_WANTED, PURPOSE);
  if (dsq_row_source_add (&self->source, database, &source_funcs, PURPOSE, error))
    return self;
  dsq_cold_wanted_free (self);
  return NULL;
}

void
dsq_cold_wanted_free (DsqColdWanted *self)
{
  dsq_statement_clear (&self->get);
  dsq_statement_clear (&self->probe);
  g_free (self);
}

/* --- looking up ------------------------------------------------------------------------------- */

/* The order of the index on (table_id, token): what is next is on a page that was just read. */
static int
compare_wants (gconstpointer a, gconstpointer b)
{
  const Want *left = *(const Want *const *) a;
  const Want *right = *(const Want *const *) b;
  guint32 length = MIN (left->token.length, right->token.length);
  int order;

  if (left->key->table != right->key->table)
    return left->key->table < right->key->table ? -1 : 1;
  order = memcmp (left->token.bytes, right->token.bytes, length);
  if (order != 0 || left->token.length == right->token.length)
    return order;
  return left->token.length < right->token.length ? -1 : 1;
}

/* Takes the row of a key from the statement. */
typedef gboolean (*TakeRowFunc) (const DsqRecordCodec *codec,
                                 DsqStatement *statement,
                                 const Want *want,
                                 GError **error);

static gboolean
take_entry (const DsqRecordCodec *codec, DsqStatement *statement, const Want *want, GError **error)
{
  DsqEntry **entry = want->out;

  /* an index that is damaged may lead to more than one row */
  g_clear_pointer (entry, dsq_entry_unref);
  *entry = dsq_cold_decode_row (codec, statement, 0, want->key, &want->token, error);
  return *entry != NULL;
}

static gboolean
take_place (const DsqRecordCodec *codec, DsqStatement *statement, const Want *want, GError **error)
{
  *(gint64 *) want->out = sqlite3_column_int64 (statement->handle, 0);
  return TRUE;
}

/* A table of the file's may have the name of ours, and be read in its place. */
static gboolean
check_given (const DsqColdWanted *self, GError **error)
{
  if (G_LIKELY (self->n_given > 0 && self->n_given <= self->n_wants))
    return TRUE;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CORRUPT,
                       "Failed to look up keys: the file has a table that is not its own");
  return FALSE;
}

static gboolean
step_through (DsqColdWanted *self,
              DsqStatement *statement,
              const DsqRecordCodec *codec,
              TakeRowFunc take,
              GError **error)
{
  gboolean taken = TRUE;
  DsqStep step = DSQ_STEP_DONE;

  dsq_row_source_begin (&self->source, self);
  while (taken && (step = dsq_statement_step (statement, error)) == DSQ_STEP_ROW)
    taken = check_given (self, error) && take (codec, statement, current_want (self), error);
  dsq_statement_reset (statement);
  dsq_row_source_end (&self->source, error);
  return taken && step == DSQ_STEP_DONE;
}

static gboolean
look_up (DsqColdWanted *self,
         DsqStatement *statement,
         const DsqRecordCodec *codec,
         const DsqKey *keys,
         gsize n_keys,
         TakeRowFunc take,
         guint8 *out,
         gsize out_size,
         GError **error)
{
  const gsize n_at_once = MIN (n_keys, MAX_WANTS);
  g_autofree Want *wants = g_new (Want, n_at_once);
  g_autofree Want **sorted = g_new (Want *, n_at_once);
  gboolean taken = TRUE;

  self->sorted = sorted;
  for (gsize at = 0; at < n_keys && taken; at += self->n_wants)
    {
      self->n_wants = MIN (n_keys - at, n_at_once);
      self->n_given = 0;
      for (gsize i = 0; i < self->n_wants; i++)
        {
          const DsqKey *key = &keys[at + i];

          wants[i].key = key;
          wants[i].out = out + (at + i) * out_size;
          dsq_row_make_token (codec, key->table, key->bytes, key->length, &wants[i].token);
          sorted[i] = &wants[i];
        }
      qsort (sorted, self->n_wants, sizeof *sorted, compare_wants);
      taken = step_through (self, statement, codec, take, error);
    }
  return taken;
}

gboolean
dsq_cold_wanted_get (DsqColdWanted *self,
                     const DsqRecordCodec *codec,
                     const DsqKey *keys,
                     gsize n_keys,
                     DsqEntry **out,
                     GError **error)
{
  return look_up (self,
                  &self->get,
                  codec,
                  keys,
                  n_keys,
                  take_entry,
                  (guint8 *) out,
                  sizeof *out,
                  error);
}

gboolean
dsq_cold_wanted_probe (DsqColdWanted *self,
                       const DsqRecordCodec *codec,
                       const DsqKey *keys,
                       gsize n_keys,
                       gint64 *out,
                       GError **error)
{
  return look_up (self,
                  &self->probe,
                  codec,
                  keys,
                  n_keys,
                  take_place,
                  (guint8 *) out,
                  sizeof *out,
                  error);
}
