/* test-inherited.c - every call on a store that a fork inherited is an error at once
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "codec/dsq-value-private.h"
#include "engine/dsq-engine-entries-private.h"
#include "store/dsq-store-private.h"

#define DEADLINE 30

static const guint8 key[] = { 'k' };
static const guint8 record[] = { DSQ_VALUE_BYTES, 'v' };
static const guint8 no_pack[] = { 0, 0, 0, 0 };
static const guint8 is_close[] = { 1, 0, 0, 0, 1, 0, 0, 0, 'q' };
static const guint8 is_empty[] = { 1, 0, 0, 0, 1, 0, 0, 0, 'x' }; /* a pack of one operation */

typedef struct
{
  DsqStore *store;     /* (owned) */
  DsqStore *table;     /* (owned) */
  DsqChannel *channel; /* (owned) */
  DsqCursor *cursor;   /* (owned) a walk that has begun */
  DsqScan *scan;       /* (owned) another */
  gboolean is_there;   /* (atomic) locks are held */
  gboolean may_go_on;  /* (atomic) */
} Fixture;

/* --- the calls -------------------------------------------------------------------------------- */

static gsize length;
static gint64 number;

#define CALL(name, expression)                                                                     \
  static gboolean call_##name (Fixture *self, DsqStore *store, GError **error)                     \
  {                                                                                                \
    return (expression) != 0;                                                                      \
  }

CALL (get, dsq_store_get (store, "k", NULL, error))
CALL (set, dsq_store_set_string (store, "k", "v", NULL, error))
CALL (contains, dsq_store_contains (store, "k", NULL, error))
CALL (contains_other, dsq_store_contains (store, "other", NULL, error))
CALL (remove, dsq_store_remove (store, "k", NULL, error))
CALL (steal, dsq_store_steal (store, "k", NULL, error))
CALL (increment, dsq_store_increment (store, "n", 1, 0, &number, NULL, error))
CALL (get_record, dsq_store_get_record (store, key, sizeof key, &length, error))
CALL (set_record, dsq_store_set_record (store, key, sizeof key, record, sizeof record, error))
CALL (get_last_pack, dsq_store_get_last_pack (store, &length, error))
CALL (touch, dsq_store_touch (store, "k", 1000, NULL, error))
CALL (get_expiry, dsq_store_get_expiry (store, "k", NULL, error) >= 0)
CALL (expire, dsq_store_expire (store, NULL, error))
CALL (get_pack, dsq_store_get_pack (store, no_pack, sizeof no_pack, &length, error))
CALL (set_pack, dsq_store_set_pack (store, no_pack, sizeof no_pack, error))
CALL (apply,
      dsq_store_apply (store,
                       NULL,
                       g_variant_new_parsed ("{'k': @mv <'w'>, 'l': @mv nothing}"),
                       NULL,
                       error))
CALL (clear, dsq_store_clear (store, NULL, error))
CALL (count, dsq_store_count (store, NULL, error))
CALL (get_table, dsq_store_get_table (store, "table", NULL, error))
CALL (get_new_table, dsq_store_get_table (store, "new", NULL, error))
CALL (list_tables, dsq_store_list_tables (store, NULL, error))
CALL (walk_pack, dsq_store_walk_pack (store, FALSE, error))
CALL (next_key, dsq_scan_next_key_pack (self->scan, &length, error))
CALL (drop_table, dsq_store_drop_table (store, "table", NULL, error))
CALL (list_keys, dsq_store_list_keys (store, "k", NULL, 10, NULL, error))
CALL (list_prefix, dsq_store_list_keys_pack (store, key, 1, key, 0, 10, FALSE, &length, error))
CALL (next_pack, dsq_scan_next_pack (self->scan, 10, TRUE, &length, NULL, error))
CALL (next_many, dsq_cursor_next_many (self->cursor, 10, NULL, error))
CALL (flush, dsq_store_flush (store, NULL, error))
CALL (check, dsq_store_check (store, NULL, error))
CALL (backup, dsq_store_copy (store, "/none", DSQ_COPY_SAME, NULL, NULL, NULL, NULL, error))
CALL (copy, dsq_store_copy (store, "/none", DSQ_COPY_PLAIN, NULL, NULL, NULL, NULL, error))
CALL (close, dsq_store_close (store, NULL, error))
CALL (peek, dsq_store_peek_record (store, key, sizeof key, &length, error))
CALL (try_set, dsq_store_try_set_record (store, key, sizeof key, record, sizeof record, error))
CALL (try_count, dsq_store_try_count (store, error))
CALL (submit, dsq_channel_submit (self->channel, is_empty, sizeof is_empty, error))
CALL (submit_close, dsq_channel_submit (self->channel, is_close, sizeof is_close, error))

#undef CALL

static const struct
{
  const char *name;
  gboolean (*call) (Fixture *self, DsqStore *store, GError **error);
} calls[] = {
#define CALL(name)                                                                                 \
  {                                                                                                \
#name, call_##name                                                                             \
  }
  CALL (get),         CALL (set),        CALL (contains),      CALL (contains_other),
  CALL (remove),      CALL (steal),      CALL (list_keys),     CALL (increment),
  CALL (get_record),  CALL (set_record), CALL (get_last_pack), CALL (touch),
  CALL (get_expiry),  CALL (expire),     CALL (get_pack),      CALL (set_pack),
  CALL (apply),       CALL (clear),      CALL (count),         CALL (get_table),
  CALL (list_tables), CALL (drop_table), CALL (get_new_table), CALL (next_many),
  CALL (list_prefix), CALL (next_pack),  CALL (flush),         CALL (check),
  CALL (backup),      CALL (copy),       CALL (close),         CALL (peek),
  CALL (try_set),     CALL (try_count),  CALL (submit),        CALL (submit_close),
  CALL (walk_pack),   CALL (next_key),
#undef CALL
};

/* --- the child -------------------------------------------------------------------------------- */

static guint
try_call (Fixture *self, guint number_of_call, DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  alarm (DEADLINE);
  calls[number_of_call].call (self, store, &error);
  if (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED))
    return 0;
  fprintf (stderr,
           "# %s: %s\n",
           calls[number_of_call].name,
           error == NULL ? "no error" : error->message);
  return 1;
}

static int
call_everything (Fixture *self)
{
  guint n_wrong = 0;
  g_autofree DsqStats *stats = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    n_wrong += try_call (self, i, self->store) + try_call (self, i, self->table);
  n_wrong += dsq_channel_collect (self->channel, &length) != NULL;
  stats = dsq_store_get_stats (self->store);
  n_wrong += stats->hot_entries != 0;

  /* freeing touches nothing either */
  g_object_unref (self->cursor);
  dsq_scan_unref (self->scan);
  g_object_unref (self->channel);
  g_object_unref (self->table);
  g_object_unref (self->store);
  return n_wrong > 0;
}

/* A thread that holds what a write does while it looks at an entry, the only shard's lock or the
 * transaction, and waits. */
static gboolean
wait_cb (const DsqKey *k, DsqEntry *old, DsqEntry **out_new, gpointer user_data, GError **error)
{
  Fixture *self = user_data;
  guint depth = dsq_fork_pause ();

  __atomic_store_n (&self->is_there, TRUE, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n (&self->may_go_on, __ATOMIC_SEQ_CST))
    g_usleep (1000);
  dsq_fork_resume (depth);
  *out_new = NULL;
  return TRUE;
}

static gpointer
hold_locks (gpointer user_data)
{
  Fixture *self = user_data;
  DsqKey held;

  g_assert_true (dsq_store_make_key (self->store, key, sizeof key, &held, NULL));
  g_assert_true (
      dsq_engine_modify (self->store->engine, DSQ_PROMISE_STAGED, &held, wait_cb, self, NULL));
  return NULL;
}

/* A child ends well by a signal: a sanitizer would miss the threads that are not here, and valgrind
 * find what they had, and what is leaked on purpose. */
static void
end_well_if (gboolean is_well)
{
  if (is_well)
    kill (getpid (), SIGKILL);
  syscall (SYS_exit_group, 1);
}

static void
fork_while_locked (Fixture *self)
{
  GThread *thread = g_thread_new (NULL, hold_locks, self);
  pid_t child;
  int status;

  while (!__atomic_load_n (&self->is_there, __ATOMIC_SEQ_CST))
    g_usleep (1000);
  child = fork ();
  if (child == 0)
    end_well_if (call_everything (self) == 0);
  __atomic_store_n (&self->may_go_on, TRUE, __ATOMIC_SEQ_CST);
  g_thread_join (thread);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
}

static void
test_every_call (gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("dsq-inherited-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  Fixture self = { NULL };

  self.store = g_initable_new (DSQ_TYPE_STORE,
                               NULL,
                               &error,
                               "path",
                               path,
                               "persist-mode",
                               GPOINTER_TO_INT (mode),
                               "hot-capacity",
                               (guint64) 8, /* so that there is one shard */
                               NULL);
  g_assert_no_error (error);
  self.table = dsq_store_get_table (self.store, "table", NULL, &error);
  g_assert_no_error (error);
  g_assert_true (dsq_store_set_string (self.store, "k", "v", NULL, NULL));
  g_assert_true (dsq_store_set_string (self.table, "k", "v", NULL, NULL));
  self.channel = dsq_store_open_channel (self.store, &error);
  g_assert_no_error (error);
  self.cursor = dsq_store_walk (self.store, DSQ_WALK_FORWARD);
  g_variant_unref (dsq_cursor_next_many (self.cursor, 1, NULL, &error));
  g_assert_no_error (error);
  self.scan = dsq_store_walk_pack (self.store, FALSE, &error);
  g_assert_no_error (error);

  fork_while_locked (&self);

  g_assert_cmpint (dsq_store_count (self.store, NULL, &error), ==, 1);
  g_object_unref (self.cursor);
  dsq_scan_unref (self.scan);
  g_object_unref (self.channel);
  g_object_unref (self.table);
  g_assert_true (dsq_store_close (self.store, NULL, &error));
  g_object_unref (self.store);
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/dsq/inherited/memory",
                        GINT_TO_POINTER (DSQ_PERSIST_MEMORY),
                        test_every_call);
  g_test_add_data_func ("/dsq/inherited/lazy", GINT_TO_POINTER (DSQ_PERSIST_LAZY), test_every_call);
  g_test_add_data_func ("/dsq/inherited/writethrough",
                        GINT_TO_POINTER (DSQ_PERSIST_WRITETHROUGH),
                        test_every_call);
  return g_test_run ();
}
