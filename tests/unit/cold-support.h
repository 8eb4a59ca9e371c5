/* cold-support.h - what the tests of the file's rooms share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/dsq-fork-private.h"
#include "codec/dsq-format-private.h"
#include "codec/dsq-hash-private.h"
#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-open-private.h"
#include "dsq-error.h"

/* It ends, and says that all was well. */
static inline void
wait_for_process (GPid process)
{
  g_autoptr (GError) error = NULL;
  int status;

  g_assert_cmpint (waitpid (process, &status, 0), ==, process);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
}

/* --- a scratch folder ------------------------------------------------------------------------- */

static inline char *
make_folder (void)
{
  char *folder = g_dir_make_tmp ("dsq-test-XXXXXX", NULL);

  g_assert_nonnull (folder);
  return folder;
}

static inline int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The names in @folder, sorted, with spaces between. */
static inline GPtrArray *
read_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return names;
}

static inline char *
list_folder (const char *folder)
{
  g_autoptr (GPtrArray) names = read_folder (folder);

  return g_strjoinv (" ", (char **) names->pdata);
}

static inline void
remove_folder (char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_no_errno (g_remove (path));
    }
  g_assert_no_errno (g_rmdir (folder));
  g_free (folder);
}

static inline GBytes *
read_file (const char *path)
{
  char *content;
  gsize length;

  if (!g_file_get_contents (path, &content, &length, NULL))
    return g_bytes_new_static ("", 0);
  return g_bytes_new_take (content, length);
}

/* All that there is in a folder: names, modes, links, sizes, times and contents. */
static inline char *
describe_folder (const char *folder)
{
  g_autoptr (GPtrArray) names = read_folder (folder);
  GString *described = g_string_new (NULL);

  for (guint i = 0; names->pdata[i] != NULL; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *hash = NULL;
      struct stat info;

      g_assert_no_errno (lstat (path, &info));
      if (S_ISREG (info.st_mode))
        {
          g_autoptr (GBytes) content = read_file (path);

          hash = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, content);
        }
      g_string_append_printf (described,
                              "%s %o %u %u %u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld %s\n",
                              name,
                              info.st_mode,
                              (guint) info.st_nlink,
                              info.st_uid,
                              info.st_gid,
                              (gint64) info.st_size,
                              (gint64) info.st_mtim.tv_sec,
                              info.st_mtim.tv_nsec,
                              hash != NULL ? hash : "");
    }
  return g_string_free (described, FALSE);
}

/* --- the file, as stock SQLite sees it -------------------------------------------------------- */

static inline sqlite3 *
open_stock (const char *path)
{
  sqlite3 *handle = NULL;

  g_assert_cmpint (sqlite3_open (path, &handle), ==, SQLITE_OK);
  sqlite3_busy_timeout (handle, 60000);
  return handle;
}

static inline void
run_stock (const char *path, const char *sql)
{
  sqlite3 *handle = open_stock (path);
  char *message = NULL;

  sqlite3_exec (handle, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
}

static inline char *
ask_stock (const char *path, const char *sql)
{
  sqlite3 *handle = open_stock (path);
  sqlite3_stmt *statement = NULL;
  char *answer;

  g_assert_cmpint (sqlite3_prepare_v2 (handle, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  answer = g_strdup ((const char *) sqlite3_column_text (statement, 0));
  sqlite3_finalize (statement);
  g_assert_cmpint (sqlite3_close (handle), ==, SQLITE_OK);
  return answer;
}

#define assert_stock(path, sql, expected)                                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *answer_ = ask_stock (path, sql);                                              \
    g_assert_cmpstr (answer_, ==, expected);                                                       \
  }                                                                                                \
  G_STMT_END

/* Sound, and with the counts that its rows give. */
static inline void
assert_sound (const char *path)
{
  assert_stock (path, "PRAGMA integrity_check", "ok");
  assert_stock (path,
                "SELECT count(*) FROM tables WHERE (SELECT count(*) FROM entry"
                " WHERE table_id = tables.id) <> max (floor, 1 + (SELECT"
                " coalesce (max (place), 0) & (1 << 40) - 1 FROM entry"
                " WHERE table_id = tables.id)) - 1 - holes",
                "0");
}

/* --- a tier ----------------------------------------------------------------------------------- */

typedef struct
{
  guint n_calls; /* (atomic) */
  gint64 count;  /* of the main table, as last told */
  gint64 next;
  guint n_known;       /* (atomic) calls that named keys */
  char last_keys[256]; /* those of the last call, a space behind each */
} Foreign;

static inline void
note_foreign (const DsqTableState *states,
              guint n_states,
              const DsqColdChanged *changed,
              gpointer user_data)
{
  Foreign *foreign = user_data;

  g_assert_cmpuint (n_states, >=, 1);
  g_assert_cmpuint (states[0].table, ==, DSQ_TABLE_MAIN);
  __atomic_fetch_add (&foreign->n_calls, 1, __ATOMIC_RELEASE);
  foreign->count = states[0].count;
  foreign->next = states[0].next;
  foreign->last_keys[0] = '\0';
  if (changed == NULL)
    return;
  __atomic_fetch_add (&foreign->n_known, 1, __ATOMIC_RELEASE);
  for (gsize i = 0; i < changed->n_keys; i++)
    {
      g_autofree char *name =
          g_strndup ((const char *) changed->keys[i].bytes, changed->keys[i].length);

      g_strlcat (foreign->last_keys, name, sizeof foreign->last_keys);
      g_strlcat (foreign->last_keys, " ", sizeof foreign->last_keys);
    }
}

static inline void
watch_foreign (DsqColdTier *tier, const DsqTableState *state, Foreign *foreign)
{
  note_foreign (state, 1, NULL, foreign);
  foreign->n_calls = 0;
  tier->foreign_func = note_foreign;
  tier->foreign_data = foreign;
}

static inline DsqColdTier *
open_watched (const DsqColdOptions *options, Foreign *foreign, GError **error)
{
  DsqTableState state;
  DsqColdTier *tier = dsq_cold_tier_open_sqlite (options, &state, error);

  if (tier != NULL)
    watch_foreign (tier, &state, foreign);
  return tier;
}

static inline DsqColdTier *
try_open (const char *path, Foreign *foreign, GError **error)
{
  const DsqColdOptions options = {
    .path = path,
    .busy_timeout_ms = 60000, /* SQLite lets writers starve for long under valgrind */
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 16 << 20,
  };

  return open_watched (&options, foreign, error);
}

/* One that waits for nobody. */
static inline DsqColdTier *
open_impatient (const char *path, gboolean read_only, GError **error)
{
  const DsqColdOptions options = {
    .path = path,
    .busy_timeout_ms = 5,
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 1 << 20,
    .read_only = read_only,
  };
  static Foreign foreign;

  return open_watched (&options, &foreign, error);
}

static inline DsqColdTier *
open_tier (const char *path, Foreign *foreign)
{
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier = try_open (path, foreign, &error);

  g_assert_no_error (error);
  g_assert_nonnull (tier);
  return tier;
}

static inline void
close_tier (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  tier->funcs->close (tier, &error);
  g_assert_no_error (error);
}

static inline DsqKey
key_of (const char *text)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), DSQ_TABLE_MAIN, 0 };

  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

static inline gint64
place_of (gint64 position)
{
  return ((gint64) DSQ_TABLE_MAIN << DSQ_FORMAT_POSITION_BITS) + position;
}

/* A set of @key to the string @value, or a tombstone when that is NULL. */
static inline DsqChange
change_of (const char *key, const char *value, gint64 place, DsqPresence presence)
{
  DsqKey a_key = key_of (key);
  DsqChange change = { .place = place, .presence = presence };

  if (value != NULL)
    {
      g_autofree char *record = g_strdup_printf ("%c%s", DSQ_VALUE_STRING, value);

      change.entry = dsq_entry_new (&a_key, (const guint8 *) record, strlen (record), 0);
    }
  else
    change.entry = dsq_entry_new_tombstone (&a_key);
  return change;
}

/* In a transaction under way. */
static inline DsqPresence
apply_one (DsqColdTier *tier, const char *key, const char *value, DsqPresence presence)
{
  g_autoptr (GError) error = NULL;
  DsqTableState state;
  DsqChange change;

  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  change = change_of (key, value, value != NULL ? state.next : 0, presence);
  tier->funcs->apply (tier, &change, 1, &error);
  g_assert_no_error (error);
  dsq_entry_unref (change.entry);
  return change.presence;
}

static inline void
begin (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  tier->funcs->begin (tier, &error);
  g_assert_no_error (error);
}

static inline void
commit (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  tier->funcs->commit (tier, NULL, NULL, &error);
  g_assert_no_error (error);
}

/* Commits what could be done, and takes back what could not. */
static inline gboolean
end_transaction (DsqColdTier *tier, gboolean done, GError **error)
{
  if (done)
    return tier->funcs->commit (tier, NULL, NULL, error);
  tier->funcs->rollback (tier);
  return FALSE;
}

/* A transaction of its own. */
static inline DsqPresence
put (DsqColdTier *tier, const char *key, const char *value)
{
  DsqPresence presence;

  begin (tier);
  presence = apply_one (tier, key, value, DSQ_PRESENCE_UNKNOWN);
  commit (tier);
  return presence;
}

static inline void
assert_entry (const DsqEntry *entry, const char *expected)
{
  if (expected == NULL)
    {
      g_assert_null (entry);
      return;
    }
  g_assert_nonnull (entry);
  g_assert_cmpuint (dsq_entry_record (entry)[0], ==, DSQ_VALUE_STRING);
  g_assert_cmpmem (dsq_entry_record (entry) + 1,
                   entry->record_length - 1,
                   expected,
                   strlen (expected));
}

static inline void
assert_value (DsqColdTier *tier, const char *key, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey a_key = key_of (key);

  g_assert_true (dsq_cold_tier_get (tier, &a_key, &entry, &error));
  g_assert_no_error (error);
  assert_entry (entry, expected);
}

static inline void
catch_up (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tier->funcs->catch_up (tier, &error));
  g_assert_no_error (error);
}

static inline DsqTableState
open_table (DsqColdTier *tier, const char *name)
{
  g_autoptr (GError) error = NULL;
  DsqTableState state;

  g_assert_true (
      tier->funcs->open_table (tier, (const guint8 *) name, strlen (name), TRUE, &state, &error));
  g_assert_no_error (error);
  return state;
}

static inline DsqColdStats
stats_of (DsqColdTier *tier)
{
  DsqColdStats stats = { 0 };

  tier->funcs->get_stats (tier, &stats);
  return stats;
}

static inline DsqTableState
state_of (DsqColdTier *tier)
{
  DsqTableState state;

  begin (tier);
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  tier->funcs->rollback (tier);
  return state;
}

/* The keys in walking order, with spaces between. */
static inline char *
walk_keys (DsqColdTier *tier, gint64 place, DsqWalkOrder order, guint max_rows, gsize max_bytes)
{
  gboolean is_last;
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  g_autoptr (GString) keys = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  tier->funcs->walk (tier,
                     DSQ_TABLE_MAIN,
                     place,
                     order,
                     max_rows,
                     max_bytes,
                     FALSE,
                     rows,
                     &is_last,
                     &error);
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      DsqEntry *entry = g_array_index (rows, DsqColdRow, i).entry;

      g_string_append (keys, i > 0 ? " " : "");
      g_string_append_len (keys, (const char *) dsq_entry_key (entry), entry->key_length);
      dsq_entry_unref (entry);
    }
  return g_string_free (g_steal_pointer (&keys), FALSE);
}

#define assert_walk(tier, expected)                                                                \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *keys_ = walk_keys (tier, 0, DSQ_WALK_FORWARD, 100, G_MAXSIZE);                \
    g_assert_cmpstr (keys_, ==, expected);                                                         \
  }                                                                                                \
  G_STMT_END

/* --- files by hand ---------------------------------------------------------------------------- */

static inline void
make_store (const char *path)
{
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);

  put (tier, "a", "1");
  close_tier (tier);
}

/* To the byte: g_file_set_contents() may leave room at the end. */
static inline void
write_file (const char *path, const void *content, gsize length)
{
  FILE *file = g_fopen (path, "wb");

  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (content, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Copies the file and what lies beside it, as a crash at this moment would leave them. */
static inline void
copy_as_crashed (const char *from, const char *to)
{
  const char *suffixes[] = { "", "-wal", "-journal" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *source = g_strconcat (from, suffixes[i], NULL);
      g_autofree char *target = g_strconcat (to, suffixes[i], NULL);
      g_autoptr (GBytes) content = read_file (source);

      if (g_file_test (source, G_FILE_TEST_EXISTS))
        write_file (target, g_bytes_get_data (content, NULL), g_bytes_get_size (content));
    }
}

static inline guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* Of this thread, in nanoseconds. */
static inline gint64
processor_time (void)
{
  struct timespec now;

  g_assert_cmpint (clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now), ==, 0);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* One that does not get at the file in time is done by somebody else, or later. */
static inline void
checkpoint_beside_others (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  if (!tier->file->funcs->checkpoint (tier->file, &error))
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
}

/* As an engine calls the tiers. */
static inline int
run_inside (void)
{
  int result;

  dsq_fork_enter ();
  result = g_test_run ();
  dsq_fork_leave ();
  return result;
}
