/* file-image.c - stores' files as bytes, and what lies where in them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "file-content.h"
#include "file-image.h"

/* --- SQLite's own view ------------------------------------------------------------------------ */

/* Where the main file's header tells the journal mode. */
#define AT_WRITE_VERSION 18
#define AT_READ_VERSION  19
#define MODE_DELETE      1
#define MODE_WAL         2

sqlite3 *
image_open (const GByteArray *file)
{
  sqlite3 *handle = NULL;
  guint8 *copy = sqlite3_malloc64 (file->len);

  memcpy (copy, file->data, file->len);
  /* in memory there is no log */
  copy[AT_WRITE_VERSION] = copy[AT_READ_VERSION] = MODE_DELETE;
  g_assert_cmpint (sqlite3_open (":memory:", &handle), ==, SQLITE_OK);
  g_assert_cmpint (
      sqlite3_deserialize (handle,
                           "main",
                           copy,
                           file->len,
                           file->len,
                           SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
      ==,
      SQLITE_OK);
  return handle;
}

GByteArray *
image_take (sqlite3 *handle)
{
  GByteArray *file = g_byte_array_new ();
  sqlite3_int64 length = 0;
  guint8 *bytes = sqlite3_serialize (handle, "main", &length, 0);

  g_byte_array_append (file, bytes, (guint) length);
  file->data[AT_WRITE_VERSION] = file->data[AT_READ_VERSION] = MODE_WAL;
  sqlite3_free (bytes);
  sqlite3_close (handle);
  return file;
}

static gint64
get_number (sqlite3 *handle, const char *sql)
{
  sqlite3_stmt *statement = NULL;
  gint64 number;

  g_assert_cmpint (sqlite3_prepare_v2 (handle, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  number = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  return number;
}

/* --- which pages a row lies on ---------------------------------------------------------------- */

/* As https://www.sqlite.org/fileformat2.html has it. */
#define TABLE_INTERIOR 0x05
#define TABLE_LEAF     0x0D

guint32
image_get_u32 (const guint8 *at)
{
  return (guint32) at[0] << 24 | (guint32) at[1] << 16 | (guint32) at[2] << 8 | at[3];
}

static guint16
get_u16 (const guint8 *at)
{
  return (guint16) (at[0] << 8 | at[1]);
}

static const guint8 *
read_varint (const guint8 *at, gint64 *out_number)
{
  guint64 number = 0;

  for (guint i = 0; i < 8; i++)
    {
      number = number << 7 | (*at & 0x7F);
      if ((*at++ & 0x80) == 0)
        {
          *out_number = (gint64) number;
          return at;
        }
    }
  *out_number = (gint64) (number << 8 | *at++);
  return at;
}

static void
add_overflow (const GByteArray *file, ImageRow *row, const guint8 *payload, gint64 length)
{
  const gint64 usable = IMAGE_PAGE_SIZE;
  gint64 least = (usable - 12) * 32 / 255 - 23;
  gint64 local = least + (length - least) % (usable - 4);
  guint32 page;

  if (length <= usable - 35)
    return;
  if (local > usable - 35)
    local = least;
  for (page = image_get_u32 (payload + local); page != 0;)
    {
      g_array_append_val (row->pages, page);
      page = image_get_u32 (file->data + (gsize) (page - 1) * IMAGE_PAGE_SIZE);
    }
}

/* Adds the rows below a page, in the order of their places. */
static void
add_rows (const GByteArray *file, guint32 page, GArray *rows)
{
  const guint8 *bytes = file->data + (gsize) (page - 1) * IMAGE_PAGE_SIZE;
  const guint8 *header = page == 1 ? bytes + 100 : bytes;
  gboolean is_leaf = header[0] == TABLE_LEAF;
  guint n_cells = get_u16 (header + 3);

  g_assert_true (is_leaf || header[0] == TABLE_INTERIOR);
  for (guint i = 0; i < n_cells; i++)
    {
      const guint8 *cell = bytes + get_u16 (header + (is_leaf ? 8 : 12) + 2 * i);
      ImageRow row = { 0 };
      gint64 length;

      if (!is_leaf)
        {
          add_rows (file, image_get_u32 (cell), rows);
          continue;
        }
      row.pages = g_array_new (FALSE, FALSE, sizeof (guint32));
      g_array_append_val (row.pages, page);
      cell = read_varint (read_varint (cell, &length), &row.place);
      add_overflow (file, &row, cell, length);
      g_array_append_val (rows, row);
    }
  if (!is_leaf)
    add_rows (file, image_get_u32 (header + 8), rows);
}

/* --- as the library sees it ------------------------------------------------------------------- */

static DsqStore *
open_store (const char *path, gboolean is_encrypted)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    DSQ_PERSIST_LAZY,
                                    "background",
                                    FALSE,
                                    "password",
                                    is_encrypted ? IMAGE_PASSWORD : NULL,
                                    "kdf-memory",
                                    IMAGE_KDF_MEMORY,
                                    "kdf-passes",
                                    IMAGE_KDF_PASSES,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static DsqStore *
get_table (DsqStore *store, guint table)
{
  g_autoptr (GError) error = NULL;
  DsqStore *handle;

  if (table == 0)
    return g_object_ref (store);
  handle = dsq_store_get_table (store, content_tables[table], NULL, &error);
  g_assert_no_error (error);
  return handle;
}

static void
write_key (DsqStore *handle, guint table, guint number, guint version)
{
  gsize key_length, length;
  const guint8 *key = content_get_key (number, &key_length);
  const guint8 *record = content_get_record (table, number, version, &length);
  gint64 time_to_live = number % 11 == 0 ? G_GINT64_CONSTANT (1) << 40 : DSQ_NEVER;

  g_assert_true (
      dsq_store_set_expiring_record (handle, key, key_length, record, length, time_to_live, NULL));
}

/* Every @step-th key of all tables; what is written is in the file afterwards. */
static void
write_keys (DsqStore *store, guint step, guint version)
{
  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    {
      g_autoptr (DsqStore) handle = get_table (store, t);

      for (guint number = 0; number < content_n_keys[t]; number += step)
        write_key (handle, t, number, version);
    }
  g_assert_true (dsq_store_flush (store, NULL, NULL));
}

static void
remove_keys (DsqStore *store)
{
  for (guint number = 5; number < content_n_keys[0]; number += 25)
    {
      gsize length;
      const guint8 *key = content_get_key (number, &length);

      g_assert_cmpint (dsq_store_remove_key (store, key, length, NULL), ==, DSQ_ANSWER_YES);
    }
  g_assert_true (dsq_store_flush (store, NULL, NULL));
}

/* Which keys the rows of a sound image have, by walking it: both are in the order of places. */
static void
name_rows (DsqStore *store, GArray *rows)
{
  guint at = 0;

  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    {
      g_autoptr (DsqStore) handle = get_table (store, t);
      g_autoptr (DsqScan) scan = dsq_store_walk_pack (handle, FALSE, NULL);

      for (;;)
        {
          gsize length;
          g_autofree guint8 *pack = dsq_scan_next_pack (scan, 1, TRUE, &length, NULL, NULL);
          ImageRow *row = &g_array_index (rows, ImageRow, at);

          /* the number of items, its length, the key */
          g_assert_nonnull (pack);
          if (length <= 8)
            break;
          g_assert_true (content_find_key (pack + 8, length - 8, &row->number));
          row->table = t;
          at++;
        }
    }
  g_assert_cmpuint (at, ==, rows->len);
}

/* --- making them ------------------------------------------------------------------------------ */

static GByteArray *
read_file (const char *path)
{
  char *bytes = NULL;
  gsize length = 0;

  g_file_get_contents (path, &bytes, &length, NULL);
  return g_byte_array_new_take ((guint8 *) bytes, length);
}

static void
row_clear (gpointer data)
{
  g_array_unref (((ImageRow *) data)->pages);
}

static void
image_init (Image *self, const char *path, gboolean is_encrypted)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);

  self->is_encrypted = is_encrypted;
  self->file = read_file (path);
  self->log = read_file (log);
  self->rows = g_array_new (FALSE, FALSE, sizeof (ImageRow));
  g_array_set_clear_func (self->rows, row_clear);
}

static void
find_rows (Image *self, const char *path)
{
  sqlite3 *handle = image_open (self->file);
  g_autoptr (DsqStore) store = open_store (path, self->is_encrypted);

  add_rows (
      self->file,
      (guint32) get_number (handle, "SELECT rootpage FROM sqlite_schema WHERE name = 'entry'"),
      self->rows);
  sqlite3_close (handle);
  name_rows (store, self->rows);
  g_assert_true (dsq_store_close (store, NULL, NULL));
}

/* In memory if that can be: nothing is asked here of a medium. */
char *
images_make_folder (void)
{
  char *folder = g_strdup ("/dev/shm/dsq-fuzz-XXXXXX");

  if (g_mkdtemp (folder) != NULL)
    return folder;
  g_free (folder);
  folder = g_dir_make_tmp ("dsq-fuzz-XXXXXX", NULL);
  g_assert_nonnull (folder);
  return folder;
}

void
images_remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_unlink (path);
    }
  g_rmdir (folder);
}

static void
make_states (Image *images, const char *path, gboolean is_encrypted)
{
  g_autoptr (DsqStore) first = open_store (path, is_encrypted);
  g_autoptr (DsqStore) second = NULL;
  g_autoptr (DsqStore) dropped = NULL;

  dropped = dsq_store_get_table (first, "dropped", NULL, NULL);
  write_key (dropped, 1, 1, CONTENT_FIRST);
  g_clear_object (&dropped);
  write_keys (first, 1, CONTENT_FIRST);
  g_assert_true (dsq_store_close (first, NULL, NULL));
  image_init (&images[1], path, is_encrypted);
  second = open_store (path, is_encrypted);
  g_assert_cmpint (dsq_store_drop_table (second, "dropped", NULL, NULL), ==, DSQ_ANSWER_YES);
  remove_keys (second);
  write_keys (second, 3, CONTENT_SECOND);
  image_init (&images[2], path, is_encrypted);
  g_assert_true (dsq_store_close (second, NULL, NULL));
  image_init (&images[0], path, is_encrypted);
  g_assert_cmpuint (images[0].log->len, ==, 0);
  g_assert_cmpuint (images[2].log->len, >, 0);
  find_rows (&images[0], path);
  g_assert_cmpint (g_unlink (path), ==, 0);
}

Images *
images_new (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "image.db", NULL);
  Images *self = g_new0 (Images, 1);

  make_states (self->images, path, FALSE);
  make_states (self->images + IMAGE_N_STATES, path, TRUE);
  return self;
}

void
images_free (Images *self)
{
  for (guint i = 0; i < IMAGE_N; i++)
    {
      g_byte_array_unref (self->images[i].file);
      g_byte_array_unref (self->images[i].log);
      g_array_unref (self->images[i].rows);
    }
  g_free (self);
}
