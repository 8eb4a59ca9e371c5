/* dsq-cold-copy.c - the whole content into a new file, under other keys or none
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A copy reads one state of a store, in one read transaction, row by row, and writes a file that
 * nobody knows of before it is whole and on the medium. Every value is opened and sealed again, so
 * that a damaged row ends it; but in a backup, which takes each as it is.
 *
 * To rekey a file is to copy it and to have the copy take its name. That is safe only while nobody
 * else has the file: who does would go on writing to one without a name, and a log that lies beside
 * the name would be taken to belong to the new file. So the file leaves WAL mode first, which
 * SQLite allows to the last who has it only; is locked while it is copied; and is made no store at
 * the end, so that who opened it in between finds that out.
 */

#include "config.h"

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-rows-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-schema-private.h"

/* Rows between two looks at the cancellable, and two reports. */
#define STEP_ROWS 256

#define COPY  "copy the store"
#define REKEY "change the key of the store"
/* The first one is in the copy already. */
#define SQL_INSERT  "INSERT OR REPLACE INTO tables VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
#define SQL_BURY    "INSERT INTO tables VALUES (?1, X'00', NULL, X'', 1, 0)"
#define SQL_UNSTORE "DELETE FROM store"

typedef struct
{
  DsqColdSource *from;     /* (unowned) */
  DsqRecordCodec to_codec; /* (owned) unless is_same */
  gboolean is_same;        /* all that is sealed is taken as it is, with its keys */
  DsqColdProgressFunc progress;
  gpointer user_data; /* (unowned) of progress */
  guint64 n_total;
  guint64 n_done;
} Copy;

static void
report (const Copy *self)
{
  guint depth;

  if (self->progress == NULL)
    return;
  dsq_mutex_assert_none_held ("a caller's function");
  depth = dsq_fork_pause ();
  self->progress (self->n_done, self->n_total, self->user_data);
  dsq_fork_resume (depth);
}

/* NULL in @bytes: the column is NULL. */
static void
bind_bytes (DsqStatement *statement, int at, const guint8 *bytes, gsize length)
{
  if (bytes != NULL)
    dsq_statement_bind_bytes (statement, at, bytes, length);
  else
    dsq_statement_bind_null (statement, at);
}

/* --- tables ----------------------------------------------------------------------------------- */

static gboolean
insert_table (DsqStatement *insert,
              const DsqColdStoredTable *table,
              const DsqTableState *state,
              GError **error)
{
  dsq_statement_bind_number (insert, 1, table->id);
  bind_bytes (insert, 2, table->token, table->token_length);
  bind_bytes (insert, 3, table->name, table->name_length);
  bind_bytes (insert, 4, table->mark, table->mark_length);
  dsq_statement_bind_number (insert, 5, dsq_cold_get_floor (state));
  dsq_statement_bind_number (insert, 6, dsq_cold_get_holes (state));
  return dsq_statement_run (insert, error);
}

/* A table gets a mark of its own in the copy, under which its name and its rows are sealed anew. */
static gboolean
seal_table (Copy *self,
            const DsqColdStoredTable *table,
            const DsqTableState *state,
            DsqStatement *insert,
            GError **error)
{
  g_autoptr (GBytes) token = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) name = NULL;
  g_autoptr (GBytes) sealed = NULL;
  DsqColdStoredTable made = { .id = table->id };
  const guint8 *bytes = NULL;
  DsqMarkColumn mark;
  gsize length;

  if (state->table != DSQ_TABLE_MAIN)
    {
      name = dsq_cold_decode_stored_table (&self->from->codec, table, error);
      if (name == NULL)
        return FALSE;
      bytes = g_bytes_get_data (name, &length);
      g_bytes_unref (token);
      token = dsq_row_make_table_token (&self->to_codec, bytes, length);
    }
  made.token = g_bytes_get_data (token, &made.token_length);
  if (!dsq_row_draw_mark (&self->to_codec,
                          state->table,
                          made.token,
                          made.token_length,
                          &mark,
                          error) ||
      (name != NULL && !dsq_row_encode_table_name (&self->to_codec,
                                                   state->table,
                                                   token,
                                                   bytes,
                                                   length,
                                                   &sealed,
                                                   error)))
    return FALSE;
  made.mark = mark.bytes;
  made.mark_length = mark.length;
  if (sealed != NULL)
    made.name = g_bytes_get_data (sealed, &made.name_length);
  return insert_table (insert, &made, state, error);
}

/* What the list says is checked as at each opening. What is in it and no table is the gravestone,
 * whose id is not to be given out in the copy either. */
static gboolean
copy_tables (Copy *self, DsqDatabase *to, GError **error)
{
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  g_auto (DsqStatement) insert = { NULL };
  g_auto (DsqStatement) bury = { NULL };
  DsqColdStoredTable table;
  gint64 last_id = 0;
  DsqStep step;

  if (!self->from->funcs->read_tables (self->from, states, error) ||
      !dsq_statement_prepare (&insert, to, SQL_INSERT, COPY, error) ||
      !dsq_statement_prepare (&bury, to, SQL_BURY, COPY, error))
    return FALSE;
  while ((step = self->from->funcs->next_table (self->from, &table, error)) == DSQ_STEP_ROW)
    {
      const DsqTableState *state = dsq_cold_find_state (states, table.id);
      gboolean is_copied;

      if (!dsq_cold_check_order (last_id, table.id, error))
        return FALSE;
      last_id = table.id;
      if (state != NULL)
        {
          self->n_total += (guint64) state->count;
          is_copied = self->is_same ? insert_table (&insert, &table, state, error)
                                    : seal_table (self, &table, state, &insert, error);
        }
      else
        {
          dsq_statement_bind_number (&bury, 1, table.id);
          is_copied = dsq_statement_run (&bury, error);
        }
      if (!is_copied)
        return FALSE;
    }
  return step == DSQ_STEP_DONE;
}

/* --- rows ------------------------------------------------------------------------------------- */

static gboolean
insert_row (DsqStatement *insert, const DsqColdStoredRow *row, GError **error)
{
  dsq_statement_bind_number (insert, 1, row->place);
  dsq_statement_bind_number (insert, 2, row->table);
  bind_bytes (insert, 3, row->token, row->token_length);
  if (row->has_expiry)
    dsq_statement_bind_number (insert, 4, row->expires);
  else
    dsq_statement_bind_null (insert, 4);
  bind_bytes (insert, 5, row->value, row->value_length);
  bind_bytes (insert, 6, row->name, row->name_length);
  return dsq_statement_run (insert, error);
}

static gboolean
seal_row (Copy *self,
          const DsqColdStoredRow *row,
          DsqStatement *insert,
          DsqColdBuffer *buffer,
          GError **error)
{
  g_autoptr (DsqEntry) entry = NULL;
  DsqColdColumns columns;

  if (row->place >> DSQ_FORMAT_POSITION_BITS != row->table)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CORRUPT,
                   "Failed to " COPY ": a row is not one of its table");
      return FALSE;
    }
  entry = dsq_cold_decode_stored_row (&self->from->codec, row, FALSE, error);
  if (entry == NULL)
    return FALSE;
  dsq_cold_buffer_make_room (buffer, dsq_cold_row_length (&self->to_codec, entry, TRUE));
  if (!dsq_cold_encode_row (&self->to_codec, entry, TRUE, buffer->bytes, &columns, error))
    return FALSE;
  dsq_cold_bind_row (insert, entry, row->place, &columns);
  return dsq_statement_run (insert, error);
}

static gboolean
copy_rows (Copy *self, DsqDatabase *to, DsqColdBuffer *buffer, GError **error)
{
  g_auto (DsqStatement) insert = { NULL };
  DsqColdStoredRow row;
  DsqStep step;

  if (!dsq_statement_prepare (&insert, to, DSQ_COLD_SQL_INSERT, COPY, error))
    return FALSE;
  while ((step = self->from->funcs->next_row (self->from, &row, error)) == DSQ_STEP_ROW)
    {
      if (self->is_same ? !insert_row (&insert, &row, error)
                        : !seal_row (self, &row, &insert, buffer, error))
        return FALSE;
      if (++self->n_done % STEP_ROWS != 0)
        continue;
      report (self);
      dsq_call_ask ();
      if (!dsq_call_check (error))
        return FALSE;
    }
  report (self);
  return step == DSQ_STEP_DONE;
}

static gboolean
fill (DsqDatabase *to, gpointer user_data, GError **error)
{
  Copy *self = user_data;
  DsqColdBuffer buffer = { NULL, 0 };
  gboolean filled = copy_tables (self, to, error) && copy_rows (self, to, &buffer, error);

  dsq_cold_buffer_clear (&buffer);
  return filled && dsq_call_check (error);
}

gboolean
dsq_cold_copy_source (DsqColdSource *from,
                      const DsqHeader *from_header,
                      const char *from_path,
                      const char *path,
                      DsqNewFilePlace place,
                      const DsqColdCopyOptions *options,
                      GError **error)
{
  Copy copy = {
    .from = from,
    .progress = options->progress,
    .user_data = options->user_data,
  };
  const DsqKdfCost cost =
      dsq_header_keep_cost (from_header, &options->kdf_cost, options->kdf_limit);
  DsqHeader header;
  DsqKeys *new_keys;
  gboolean copied;

  if (!dsq_header_init (&header, options->password, &cost, &new_keys, error))
    return FALSE;
  dsq_record_codec_init (&copy.to_codec, dsq_header_get_store_id (&header), new_keys);
  copied = dsq_new_file_publish_filled (path, from_path, &header, place, fill, &copy, error);
  dsq_record_codec_clear (&copy.to_codec);
  dsq_keys_free (new_keys);
  return copied;
}

gboolean
dsq_cold_backup_source (DsqColdSource *from,
                        const DsqHeader *header,
                        const char *path,
                        DsqColdProgressFunc progress,
                        gpointer user_data,
                        GError **error)
{
  Copy copy = { .from = from, .is_same = TRUE, .progress = progress, .user_data = user_data };
  DsqHeader same = *header;

  /* the first table comes with the others */
  same.first_mark.length = 0;
  return dsq_new_file_publish_filled (path, NULL, &same, DSQ_NEW_FILE_FAIL, fill, &copy, error);
}

/* --- a copy ----------------------------------------------------------------------------------- */

gboolean
dsq_cold_check_copy_password (const DsqHeader *header,
                              const DsqColdCopyOptions *options,
                              GError **error)
{
  DsqKeys *keys;

  if (!options->keeps_password)
    return TRUE;
  if (!dsq_header_check_cost (header, options->kdf_limit, error) ||
      !dsq_header_unlock (header, options->password, &keys, error))
    return FALSE;
  dsq_keys_free (keys);
  return TRUE;
}

/* @from is in a transaction, and of the file @source, with that header and those keys. */
static gboolean
copy_to (DsqDatabase *from,
         const DsqHeader *from_header,
         const char *source,
         DsqKeys *keys,
         const char *path,
         DsqNewFilePlace place,
         const DsqColdCopyOptions *options,
         GError **error)
{
  g_auto (DsqColdFileSource) state;

  dsq_cold_file_source_init (&state, from, COPY, dsq_header_get_store_id (from_header), keys);
  return dsq_cold_copy_source (&state.source, from_header, source, path, place, options, error);
}

gboolean
dsq_cold_copy (DsqColdTier *tier, const DsqColdCopyOptions *options, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autofree char *path = dsq_location_resolve (options->path, error);
  g_autoptr (DsqDatabase) from = path != NULL ? dsq_cold_open_snapshot (self, COPY, error) : NULL;
  DsqHeader header;

  return from != NULL && dsq_schema_read_header (from, &header, error) &&
         dsq_cold_check_copy_password (&header, options, error) &&
         copy_to (from, &header, self->path, self->keys, path, DSQ_NEW_FILE_FAIL, options, error);
}

/* --- another key ------------------------------------------------------------------------------ */

/* What an opening looks at: where that is damaged, the file stays as it is. */
static gboolean
check_tables (DsqDatabase *database, const DsqHeader *header, DsqKeys *keys, GError **error)
{
  g_autoptr (GArray) ignored = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  g_auto (DsqStatement) tables = { NULL };
  DsqRecordCodec codec;
  gboolean sound;

  dsq_record_codec_init (&codec, dsq_header_get_store_id (header), keys);
  sound = dsq_statement_prepare (&tables, database, DSQ_COLD_SQL_TABLES, REKEY, error) &&
          dsq_cold_read_tables (&codec, &tables, ignored, error);
  dsq_record_codec_clear (&codec);
  return sound;
}

/* Verified and unlocked, out of WAL mode, and locked. */
static DsqDatabase *
try_lock (const char *path,
          GBytes *password,
          guint64 kdf_limit,
          guint busy_timeout_ms,
          DsqHeader *out_header,
          DsqKeys **out_keys,
          GError **error)
{
  g_autoptr (DsqDatabase) database =
      dsq_database_open (path, DSQ_DATABASE_WRITE, busy_timeout_ms, error);

  if (database == NULL || !dsq_schema_verify (database, out_header, error) ||
      !dsq_header_check_cost (out_header, kdf_limit, error) ||
      !dsq_header_unlock (out_header, password, out_keys, error))
    return NULL;
  if (!check_tables (database, out_header, *out_keys, error))
    {
      g_clear_pointer (out_keys, dsq_keys_free);
      return NULL;
    }
  /* a log beside the name would be taken for the new file's */
  if (!dsq_database_run (database, "PRAGMA journal_mode = MEMORY", REKEY, error) ||
      !dsq_database_run (database, "BEGIN EXCLUSIVE", REKEY, error))
    {
      dsq_database_run (database, "PRAGMA journal_mode = WAL", REKEY, NULL);
      g_clear_pointer (out_keys, dsq_keys_free);
      return NULL;
    }
  return g_steal_pointer (&database);
}

/* What a refused file has in its log stays there, and what it had not beside it goes. */
static DsqDatabase *
lock_file (const char *path,
           GBytes *password,
           guint64 kdf_limit,
           guint busy_timeout_ms,
           DsqHeader *out_header,
           DsqKeys **out_keys,
           GError **error)
{
  DsqStoreBeside beside = dsq_store_file_look_beside (path);
  DsqDatabase *database;
  DsqLocation location;

  if (!dsq_location_inspect (path, FALSE, &location, NULL, error))
    return NULL;
  if (location != DSQ_LOCATION_STORE)
    {
      g_set_error (error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND, "Failed to " REKEY ": there is none");
      return NULL;
    }
  database = try_lock (path, password, kdf_limit, busy_timeout_ms, out_header, out_keys, error);
  if (database == NULL)
    dsq_store_file_remove_traces (path, beside);
  return database;
}

gboolean
dsq_cold_rekey_file (const char *given_path,
                     GBytes *old_password,
                     guint busy_timeout_ms,
                     const DsqColdCopyOptions *options,
                     GError **error)
{
  g_autofree char *path = dsq_location_resolve (given_path, error);
  DsqDatabase *database;
  DsqHeader header;
  DsqKeys *keys = NULL;
  GError *local_error = NULL;
  gboolean replaced;

  if (path == NULL)
    return FALSE;
  database =
      lock_file (path, old_password, options->kdf_limit, busy_timeout_ms, &header, &keys, error);
  if (database == NULL)
    return FALSE;

  replaced =
      copy_to (database, &header, path, keys, path, DSQ_NEW_FILE_REPLACE, options, &local_error);
  /* the new one has the name, whether or not that lasts */
  if (replaced || g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN))
    {
      dsq_database_run (database, SQL_UNSTORE, REKEY, NULL);
      dsq_database_run (database, "COMMIT", REKEY, NULL);
    }
  else
    {
      dsq_database_run (database, "ROLLBACK", REKEY, NULL);
      dsq_database_run (database, "PRAGMA journal_mode = WAL", REKEY, NULL);
    }
  dsq_database_close (database);
  dsq_keys_free (keys);
  if (!replaced)
    g_propagate_error (error, local_error);
  return replaced;
}
