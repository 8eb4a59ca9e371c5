/* test-each-error.c - one of SQLite's calls fails, in what a cold tier does
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A task is done again and again, each time on a tier that is open anew, and another call fails
 * that opens, reads, writes, locks, maps or asks for memory: the first ones of each kind one by
 * one, and then with growing steps. Either the task is done all the same, or it says that it is
 * not, and can be done then.
 */

#include "config.h"

#include <errno.h>

#include "../run-length.h"
#include "cold-support.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "fault-vfs.h"
#include "sqlite/dsq-database-private.h"

#define N_KEYS 12

/* What a file is made to be, by SQL. */
typedef enum
{
  SOUND,
  DAMAGED,  /* its tables count more holes than places */
  BOASTFUL, /* they count more entries than it has room for */
  MODELESS, /* it is out of WAL mode */
  LOGGED,   /* a process was killed that had it open */
  N_FILES,
} File;

static const char *const made_by[N_FILES] = {
  [DAMAGED] = "UPDATE tables SET holes = 1000000",
  [BOASTFUL] = "UPDATE tables SET floor = 1100000",
  [MODELESS] = "PRAGMA journal_mode = DELETE",
};

typedef struct
{
  char *path;            /* (owned) */
  DsqColdTier *tier;     /* (owned) (nullable) */
  DsqColdTier *rest;     /* (owned) (nullable) another one on the file */
  DsqDatabase *database; /* (owned) (nullable) */
} Case;

typedef struct
{
  const char *name;
  File file;
  gboolean is_private;
  void (*prepare) (Case *self); /* (nullable) on a tier that is open */
  gboolean (*run) (Case *self, GError **error);
} Task;

/* --- in a transaction ------------------------------------------------------------------------- */

/* So many keys that one statement writes them. */
static gboolean
set (DsqColdTier *tier, const char *value, GError **error)
{
  DsqChange changes[N_KEYS];
  DsqTableState state;
  gboolean done;

  if (!tier->funcs->begin (tier, error))
    return FALSE;
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  for (guint i = 0; i < N_KEYS; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %02u", i);

      changes[i] = change_of (key, value, state.next + i, DSQ_PRESENCE_UNKNOWN);
    }
  done = tier->funcs->apply (tier, changes, N_KEYS, error);
  for (guint i = 0; i < N_KEYS; i++)
    dsq_entry_unref (changes[i].entry);
  return end_transaction (tier, done, error);
}

static gboolean
write_keys (Case *self, GError **error)
{
  if (!set (self->tier, "2", error))
    return FALSE;
  fault_arm (NULL);
  assert_value (self->tier, "key 11", "2");
  return TRUE;
}

static gboolean
set_in (DsqColdTier *tier, const DsqTableState *state, GError **error)
{
  DsqKey key = key_of ("key");
  DsqChange change = { .place = state->next };
  gboolean done;

  key.table = state->table;
  key.hash = dsq_hash (key.table, key.bytes, key.length);
  change.entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, 0);
  done = tier->funcs->apply (tier, &change, 1, error);
  dsq_entry_unref (change.entry);
  return done;
}

static gboolean
use_tables (Case *self, GError **error)
{
  DsqColdTier *tier = self->tier;
  const guint8 *name = (const guint8 *) "more";
  DsqTableState state;
  guint32 dropped = 0;
  gboolean done;

  if (!tier->funcs->begin (tier, error))
    return FALSE;
  done = tier->funcs->open_table (tier, name, 4, TRUE, &state, error) &&
         tier->funcs->savepoint (tier, error) &&
         tier->funcs->clear_table (tier, DSQ_TABLE_MAIN, error) &&
         tier->funcs->release (tier, TRUE, error) && set_in (tier, &state, error) &&
         tier->funcs->drop_table (tier, name, 4, &dropped, error);
  if (!end_transaction (tier, done, error))
    return FALSE;
  g_assert_cmpuint (dropped, ==, state.table);
  g_assert_cmpuint (stats_of (tier).entries, ==, 0);
  return TRUE;
}

static gboolean
shrink (Case *self, GError **error)
{
  gboolean more;

  return self->tier->file->funcs->shrink (self->tier->file, 1 << 20, &more, error);
}

static void
make_free (Case *self)
{
  g_autofree char *much = g_strnfill (300 << 10, 'x');
  g_autoptr (GError) error = NULL;

  put (self->tier, "much", much);
  put (self->tier, "much", NULL);
}

/* Names of tables, some of which have no file yet. */
static void
name_tables (Case *self)
{
  begin (self->tier);
  open_table (self->tier, "one");
  commit (self->tier);
}

/* --- reading ---------------------------------------------------------------------------------- */

static gboolean
list_tables (Case *self, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (!self->tier->funcs->list_tables (self->tier, names, error))
    return FALSE;
  g_assert_cmpuint (names->len, ==, 1);
  return TRUE;
}

static gboolean
list_keys (Case *self, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  const DsqKey from = key_of ("key 00"), until = key_of ("key 99");

  if (!self->tier->funcs->list_keys (self->tier, &from, &until, 99, keys, error))
    return FALSE;
  g_assert_cmpuint (keys->len, ==, N_KEYS);
  return TRUE;
}

static gboolean
probe_many (Case *self, GError **error)
{
  enum
  {
    N_PROBED = 300
  };
  g_autofree DsqKey *keys = g_new (DsqKey, N_PROBED);
  g_autofree gint64 *places = g_new (gint64, N_PROBED);

  for (guint i = 0; i < N_PROBED; i++)
    keys[i] = key_of (i == 1 ? "key 07" : "absent");
  if (!self->tier->funcs->probe (self->tier, keys, N_PROBED, places, error))
    return FALSE;
  g_assert_true (places[0] == 0 && places[1] == place_of (8));
  return TRUE;
}

static gboolean
find_expired (Case *self, GError **error)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqColdRow));
  DsqExpirySpan span = { .until = G_MAXINT64 - 1 };
  gint64 next;

  if (!self->tier->funcs->find_expired (self->tier, FALSE, &span, 9, rows, &next, error))
    return FALSE;
  g_assert_cmpuint (rows->len, ==, 0);
  return TRUE;
}

/* One that cannot be built is none, and keeps nothing from being found. */
static gboolean
build_filter (Case *self, GError **error)
{
  dsq_cold_filter_begin (self->tier->filter);
  dsq_cold_filter_begin (self->tier->filter);
  dsq_cold_filter_reset (self->tier->filter);
  dsq_cold_filter_begin (self->tier->filter);
  while (dsq_cold_filter_fill (self->tier->filter, 5))
    continue;
  fault_arm (NULL);
  assert_value (self->tier, "key 07", "1");
  return TRUE;
}

/* --- others ----------------------------------------------------------------------------------- */

/* Others have written what this one has to learn. */
static void
let_others_write (Case *self)
{
  g_autoptr (GError) error = NULL;

  self->rest = open_impatient (self->path, FALSE, &error);
  g_assert_no_error (error);
  put (self->rest, "key 03", "2");
}

/* One that is told of what they write. */
static void
let_others_tell (Case *self)
{
  let_others_write (self);
  catch_up (self->tier);
  put (self->rest, "key 03", "3");
}

static void
make_stale (Case *self)
{
  let_others_write (self);
  catch_up (self->tier);
}

/* The tables are damaged while somebody reads. */
static void
damage_meanwhile (Case *self)
{
  g_autoptr (GError) error = NULL;

  close_tier (self->tier);
  self->tier = open_impatient (self->path, TRUE, &error);
  g_assert_no_error (error);
  run_stock (self->path, made_by[DAMAGED]);
}

static gboolean
learn (Case *self, GError **error)
{
  return self->tier->funcs->catch_up (self->tier, error);
}

/* --- the whole file --------------------------------------------------------------------------- */

static gboolean
open_to (Case *self, gboolean read_only, GError **error)
{
  self->tier = open_impatient (self->path, read_only, error);
  return self->tier != NULL;
}

static gboolean
open_to_write (Case *self, GError **error)
{
  return open_to (self, FALSE, error);
}

static gboolean
open_to_read (Case *self, GError **error)
{
  return open_to (self, TRUE, error);
}

static void
connect_to_file (Case *self)
{
  g_clear_pointer (&self->tier, close_tier);
  run_stock (self->path, made_by[MODELESS]);
  self->database = dsq_database_open (self->path, DSQ_DATABASE_WRITE, 5, NULL);
}

static gboolean
set_wal_mode (Case *self, GError **error)
{
  if (!dsq_database_set_wal_mode (self->database, error))
    {
      /* which a connection is not used after */
      dsq_database_close (self->database);
      self->database = dsq_database_open (self->path, DSQ_DATABASE_WRITE, 5, NULL);
      return FALSE;
    }
  fault_arm (NULL);
  assert_stock (self->path, "PRAGMA journal_mode", "wal");
  return TRUE;
}

static void
note_progress (guint64 n_done, guint64 n_total, gpointer user_data)
{
  g_assert_cmpuint (n_done, <=, n_total);
}

static gboolean
back_up (Case *self, GError **error)
{
  g_autofree char *path = g_strconcat (self->path, "-copy", NULL);

  if (!self->tier->upkeep->backup (self->tier, path, note_progress, NULL, error))
    {
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
      return FALSE;
    }
  fault_arm (NULL);
  assert_sound (path);
  g_assert_no_errno (g_remove (path));
  return TRUE;
}

static gboolean
copy (Case *self, GError **error)
{
  g_autofree char *path = g_strconcat (self->path, "-copy", NULL);
  const DsqColdCopyOptions options = { .path = path, .progress = note_progress };

  if (!self->tier->upkeep->copy (self->tier, &options, error))
    {
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
      return FALSE;
    }
  fault_arm (NULL);
  assert_sound (path);
  g_assert_no_errno (g_remove (path));
  return TRUE;
}

static gboolean
rekey (Case *self, GError **error)
{
  const DsqColdCopyOptions options = { .path = self->path };

  return dsq_cold_rekey_file (self->path, NULL, 5, &options, error);
}

/* What a check finds is the file's, and not that there was no memory for it. */
static gboolean
check (Case *self, GError **error)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
  const gboolean checked = self->tier->upkeep->check (self->tier, problems, error);

  g_assert_cmpuint (problems->len, ==, 0);
  return checked;
}

static const Task tasks[] = {
  { "write", SOUND, FALSE, NULL, write_keys },
  { "tables", SOUND, FALSE, NULL, use_tables },
  { "shrink", SOUND, FALSE, make_free, shrink },
  { "list-tables", SOUND, FALSE, name_tables, list_tables },
  { "list-keys", SOUND, FALSE, NULL, list_keys },
  { "probe-many", SOUND, FALSE, NULL, probe_many },
  { "expired", SOUND, FALSE, NULL, find_expired },
  { "filter", SOUND, FALSE, NULL, build_filter },
  { "learn", SOUND, FALSE, let_others_write, learn },
  { "learn-told", SOUND, FALSE, let_others_tell, learn },
  { "learn-boastful", BOASTFUL, FALSE, let_others_write, learn },
  { "learn-damaged", SOUND, FALSE, damage_meanwhile, learn },
  { "wal-mode", SOUND, FALSE, connect_to_file, set_wal_mode },
  { "write-stale", SOUND, FALSE, make_stale, write_keys },
  { "open", SOUND, FALSE, NULL, open_to_write },
  { "open-to-read", SOUND, FALSE, NULL, open_to_read },
  { "open-damaged", DAMAGED, FALSE, NULL, open_to_read },
  { "open-boastful", BOASTFUL, FALSE, NULL, open_to_write },
  { "open-modeless", MODELESS, FALSE, NULL, open_to_write },
  { "open-logged", LOGGED, FALSE, NULL, open_to_write },
  { "backup", SOUND, FALSE, NULL, back_up },
  { "copy", SOUND, FALSE, NULL, copy },
  { "rekey", SOUND, FALSE, NULL, rekey },
  { "check", SOUND, FALSE, NULL, check },
  { "private-write", SOUND, TRUE, NULL, write_keys },
  { "private-tables", SOUND, TRUE, NULL, use_tables },
  { "private-later", SOUND, TRUE, name_tables, write_keys },
};

/* --- the tests -------------------------------------------------------------------------------- */

static GBytes *files[N_FILES]; /* (owned) */
static GBytes *log_left;       /* (owned) of the one that has it */

static void
make_files (void)
{
  g_autofree char *much = g_strnfill (1300000, 'x');

  for (guint i = 0; i < N_FILES; i++)
    {
      char *folder = make_folder ();
      g_autofree char *path = g_build_filename (folder, "store", NULL);
      g_autoptr (GError) error = NULL;
      DsqColdTier *tier = open_impatient (path, FALSE, &error);

      g_assert_true (set (tier, "1", &error));
      /* pages for the entries that it says it has */
      if (i == BOASTFUL)
        put (tier, "much", much);
      if (i == LOGGED)
        {
          g_autofree char *log = g_strconcat (path, "-wal", NULL);

          files[i] = read_file (path);
          log_left = read_file (log);
          close_tier (tier);
          remove_folder (folder);
          continue;
        }
      close_tier (tier);
      if (made_by[i] != NULL)
        run_stock (path, made_by[i]);
      files[i] = read_file (path);
      remove_folder (folder);
    }
}

/* With all that lies beside it. */
static void
remove_file (const char *path)
{
  static const char *const suffixes[] = { "", "-wal", "-shm", "-facts" };

  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *name = g_strconcat (path, suffixes[i], NULL);

      g_remove (name);
    }
}

static void
open_case (Case *self, const Task *task)
{
  const DsqColdOptions options = { .cache_bytes = 1 << 20 };
  g_autoptr (GError) error = NULL;
  DsqTableState state;

  if (task->is_private)
    self->tier = dsq_cold_tier_new_private (&options, &state);
  else
    write_file (self->path,
                g_bytes_get_data (files[task->file], NULL),
                g_bytes_get_size (files[task->file]));
  if (task->file == LOGGED)
    {
      g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

      write_file (log, g_bytes_get_data (log_left, NULL), g_bytes_get_size (log_left));
    }
  if (!task->is_private && task->run != open_to_write && task->run != open_to_read &&
      task->run != rekey)
    self->tier = open_impatient (self->path, FALSE, &error);
  g_assert_no_error (error);
  if (task->prepare != NULL)
    task->prepare (self);
}

static void
close_case (Case *self)
{
  g_clear_pointer (&self->database, dsq_database_close);
  g_clear_pointer (&self->rest, close_tier);
  g_clear_pointer (&self->tier, close_tier);
}

/* FALSE: it makes fewer such calls. */
static gboolean
try_nth (const Task *task, const char *folder, FaultKind kind, int error_number, guint n)
{
  const Fault fault = { kind, error_number, n, FALSE, FAULT_ALL };
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  Case self = { path, NULL, NULL, NULL };
  gboolean done, was_met;

  open_case (&self, task);
  fault_arm (&fault);
  done = task->run (&self, &error);
  was_met = fault_was_met ();
  fault_arm (NULL);
  g_assert_true (done == (error == NULL));
  if (!done)
    {
      g_test_message ("%s %u: %s", fault_kind_get_name (kind), n, error->message);
      g_assert_true (error->domain == DSQ_ERROR);
      g_assert_true (g_str_has_prefix (error->message, "Failed to "));
      g_clear_error (&error);
      g_assert_true (task->run (&self, &error));
      g_assert_no_error (error);
    }
  close_case (&self);
  remove_file (path);
  return was_met || !done;
}

static void
test_each_call (gconstpointer data)
{
  static const struct
  {
    FaultKind kind;
    int error;
  } kinds[] = {
    { FAULT_MEMORY, 0 },     { FAULT_OPEN, EMFILE }, { FAULT_READ, EIO },    { FAULT_READ, EMFILE },
    { FAULT_WRITE, ENOSPC }, { FAULT_WRITE, EIO },   { FAULT_WRITE, EFBIG }, { FAULT_LOCK, EIO },
    { FAULT_TRUNCATE, EIO }, { FAULT_MAP, ENOMEM },
  };
  /* steps grow by one with so many */
  const guint n_even = run_length (5, 10, 100000);
  char *folder = make_folder ();

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (guint n = 0; try_nth (data, folder, kinds[i].kind, kinds[i].error, n);
         n += run_length (5, 1, 1) + n / n_even)
      continue;
  remove_folder (folder);
}

/* With a recorder syncs are not made. */
static void
ignore_call (const FaultCall *call)
{
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  fault_install ();
  fault_record (ignore_call);
  make_files ();
  for (guint i = 0; i < G_N_ELEMENTS (tasks); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/each-error/", tasks[i].name, NULL);

      g_test_add_data_func (name, &tasks[i], test_each_call);
    }
  status = g_test_run ();
  for (guint i = 0; i < N_FILES; i++)
    g_bytes_unref (files[i]);
  g_bytes_unref (log_left);
  return status;
}
