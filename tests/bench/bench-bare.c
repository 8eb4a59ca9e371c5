/* bench-bare.c - prepared statements and nothing else, on a store's schema
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-bare.h"

#include <sqlite3.h>
#include <string.h>

/*
 * The reference for writes and cold reads: what a careful C program without any of the store's
 * layers would do to bring the same rows into the same schema, with the same pragmas. It leaves out
 * what only the store promises: checksums (the bytes are there, zeroed), coherence with other
 * processes, and the background sync of the log once an interval.
 *
 * It pays for its checkpoints as the store does: when its log passes the same limit, a second
 * connection runs a PASSIVE one while the writer's holds BEGIN IMMEDIATE.
 */

#define TABLE_MAIN      1
#define FIRST_PLACE     (((gint64) TABLE_MAIN << 40) + 1)
#define RECORD_HEAD     5 /* version and checksum before a record in its column */
#define WAL_LIMIT_BYTES (64 * 1024 * 1024)
#define PAGE_BYTES      4096
#define CACHE_BYTES     (8 * 1024 * 1024)

struct _BenchBare
{
  sqlite3 *db;           /* (owned) */
  sqlite3 *checkpointer; /* (owned) (nullable) */
  sqlite3_stmt *begin;   /* (owned), and all below */
  sqlite3_stmt *commit;
  sqlite3_stmt *insert;
  sqlite3_stmt *upsert;
  sqlite3_stmt *select;
  gint64 next;   /* place of the next new row */
  int wal_pages; /* pages in the log, as of the last commit */
};

static void
check (BenchBare *self, int code)
{
  if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
    g_error ("bare SQLite: %s", sqlite3_errmsg (self->db));
}

static void
run (sqlite3 *db, const char *sql)
{
  if (sqlite3_exec (db, sql, NULL, NULL, NULL) != SQLITE_OK)
    g_error ("bare SQLite: %s: %s", sql, sqlite3_errmsg (db));
}

static sqlite3_stmt *
prepare (BenchBare *self, const char *sql)
{
  sqlite3_stmt *statement = NULL;

  check (self, sqlite3_prepare_v3 (self->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL));
  return statement;
}

static void
step (BenchBare *self, sqlite3_stmt *statement)
{
  check (self, sqlite3_step (statement));
  sqlite3_reset (statement);
}

static int
wal_hook_cb (gpointer user_data, sqlite3 *db, const char *schema, int n_pages)
{
  BenchBare *self = user_data;

  self->wal_pages = n_pages;
  return SQLITE_OK;
}

static sqlite3 *
connect_to (const char *path)
{
  sqlite3 *db = NULL;
  g_autofree char *pragmas =
      g_strdup_printf ("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                       "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -%d;"
                       "PRAGMA journal_size_limit = %d; PRAGMA temp_store = MEMORY;"
                       "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;",
                       CACHE_BYTES / 1024,
                       WAL_LIMIT_BYTES);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

  if (sqlite3_open_v2 (path, &db, flags, NULL) != SQLITE_OK)
    g_error ("bare SQLite: %s: %s", path, sqlite3_errmsg (db));
  run (db, pragmas);
  return db;
}

static void
prepare_all (BenchBare *self)
{
  self->begin = prepare (self, "BEGIN IMMEDIATE");
  self->commit = prepare (self, "COMMIT");
  self->insert = prepare (self,
                          "INSERT INTO entry (place, table_id, token, expires, value)"
                          " VALUES (?1, ?2, ?3, NULL, ?4)");
  self->upsert = prepare (self,
                          "INSERT INTO entry (place, table_id, token, expires, value)"
                          " VALUES (?1, ?2, ?3, NULL, ?4)"
                          " ON CONFLICT (table_id, token) DO UPDATE"
                          " SET expires = excluded.expires, value = excluded.value");
}

static void
prepare_select (BenchBare *self)
{
  self->select = prepare (self, "SELECT value FROM entry WHERE table_id = ?1 AND token = ?2");
}

BenchBare *
bench_bare_create (const char *path)
{
  BenchBare *self = g_new0 (BenchBare, 1);
  g_autofree char *schema = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_get_contents (BENCH_SCHEMA, &schema, NULL, &error))
    g_error ("%s", error->message);
  self->db = connect_to (path);
  run (self->db, schema);
  run (self->db, "INSERT INTO tables VALUES (1, x'', NULL, x'', 1, 0)");
  self->checkpointer = connect_to (path);
  self->next = FIRST_PLACE;
  sqlite3_wal_hook (self->db, wal_hook_cb, self);
  prepare_all (self);
  prepare_select (self);
  return self;
}

BenchBare *
bench_bare_open (const char *path)
{
  BenchBare *self = g_new0 (BenchBare, 1);

  self->db = connect_to (path);
  prepare_select (self);
  return self;
}

void
bench_bare_close (BenchBare *self)
{
  sqlite3_finalize (self->begin);
  sqlite3_finalize (self->commit);
  sqlite3_finalize (self->insert);
  sqlite3_finalize (self->upsert);
  sqlite3_finalize (self->select);
  sqlite3_close (self->checkpointer);
  if (sqlite3_close (self->db) != SQLITE_OK)
    g_error ("bare SQLite: %s", sqlite3_errmsg (self->db));
  g_free (self);
}

/* Brings one row in by @statement; whether it is a new one. */
static void
put_row (BenchBare *self, sqlite3_stmt *statement, const BenchItem *item)
{
  guint8 value[RECORD_HEAD + 64] = { 1 };

  g_assert (item->record_length <= 64);
  memcpy (value + RECORD_HEAD, item->record, item->record_length);
  sqlite3_bind_int64 (statement, 1, self->next);
  sqlite3_bind_int64 (statement, 2, TABLE_MAIN);
  sqlite3_bind_blob (statement, 3, item->key, (int) item->key_length, SQLITE_STATIC);
  sqlite3_bind_blob (statement, 4, value, RECORD_HEAD + (int) item->record_length, SQLITE_STATIC);
  step (self, statement);

  /* an update by the upsert leaves the last rowid alone */
  if (sqlite3_last_insert_rowid (self->db) == self->next)
    self->next++;
}

static void
checkpoint_if_due (BenchBare *self)
{
  if ((gint64) self->wal_pages * PAGE_BYTES < WAL_LIMIT_BYTES)
    return;
  run (self->db, "BEGIN IMMEDIATE");
  if (sqlite3_wal_checkpoint_v2 (self->checkpointer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) !=
      SQLITE_OK)
    g_error ("bare SQLite: %s", sqlite3_errmsg (self->checkpointer));
  run (self->db, "ROLLBACK");
  self->wal_pages = 0;
}

void
bench_bare_set (BenchBare *self, const BenchItem *item)
{
  step (self, self->begin);
  put_row (self, self->upsert, item);
  step (self, self->commit);
  checkpoint_if_due (self);
}

static void
sync_log (BenchBare *self)
{
  sqlite3_file *log = NULL;

  check (self, sqlite3_file_control (self->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log));
  if (log == NULL || log->pMethods == NULL ||
      log->pMethods->xSync (log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
    g_error ("bare SQLite: the log cannot be synced");
}

static void
put_all (BenchBare *self, sqlite3_stmt *statement, const BenchItem *items, guint n_items)
{
  step (self, self->begin);
  for (guint i = 0; i < n_items; i++)
    put_row (self, statement, &items[i]);
  step (self, self->commit);
  sync_log (self);
}

void
bench_bare_insert_all (BenchBare *self, const BenchItem *items, guint n_items)
{
  put_all (self, self->insert, items, n_items);
}

void
bench_bare_upsert_all (BenchBare *self, const BenchItem *items, guint n_items)
{
  put_all (self, self->upsert, items, n_items);
}

void
bench_bare_begin_reading (BenchBare *self)
{
  run (self->db, "BEGIN");
}

void
bench_bare_end_reading (BenchBare *self)
{
  run (self->db, "COMMIT");
}

guint8 *
bench_bare_get (BenchBare *self, const BenchItem *item, gsize *out_length)
{
  guint8 *value = NULL;

  sqlite3_bind_int64 (self->select, 1, TABLE_MAIN);
  sqlite3_bind_blob (self->select, 2, item->key, (int) item->key_length, SQLITE_STATIC);
  check (self, sqlite3_step (self->select));
  *out_length = (gsize) sqlite3_column_bytes (self->select, 0);
  value = g_memdup2 (sqlite3_column_blob (self->select, 0), *out_length);
  sqlite3_reset (self->select);
  return value;
}
