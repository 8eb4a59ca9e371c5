/* test-server-listener.c - threads of a store beside the one that hears of others' commits
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Threads read and watch two stores, and write into one of them, while a third commits, and until
 * the listeners' connections were cut, and made anew. What is read is never older than it may be,
 * and never older than what its reader has written.
 */

#include "config.h"

#include <poll.h>

#include "cold/postgresql/dsq-server-connection-private.h"
#include "dictsqlite.h"

#define STALENESS_MS 50
#define MAX_COMMITS  100000
#define MAX_SECONDS  120
#define LISTENERS    "pg_stat_activity WHERE query LIKE 'LISTEN%'"
/* That of the store which always listens. */
#define LISTENER LISTENERS " AND application_name = 'always'"

typedef struct
{
  DsqStore *always;  /* (unowned) that listens; who writes would learn by that, so nobody does */
  DsqStore *watched; /* (unowned) listens only while somebody watches it */

  /* (atomic) of the number that is committed */
  gint64 n_committed;
  gint64 *committed_at; /* (owned) monotonic, by number */

  gboolean is_over; /* (atomic) */
  guint n_reads;    /* (atomic) */
  guint n_writes;   /* (atomic) */
  guint n_told;     /* (atomic) */
} Shared;

static DsqStore *
open_store (const char *application, guint staleness_ms, gboolean background)
{
  g_autofree char *path = g_strdup_printf ("%s&table=listened&max_staleness=%u&application_name=%s",
                                           g_getenv ("DSQ_SERVER"),
                                           staleness_ms,
                                           application);
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    DSQ_PERSIST_WRITETHROUGH,
                                    "background",
                                    background,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static void
close_store (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (store);
}

static void
set_number (DsqStore *store, const char *key, gint64 number)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, number);
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set_string (store, key, text, NULL, &error));
  g_assert_no_error (error);
}

static gint64
get_number (DsqStore *store, const char *key)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = dsq_store_get_string (store, key, NULL, &error);

  g_assert_no_error (error);
  return text != NULL ? g_ascii_strtoll (text, NULL, 10) : 0;
}

/* --- the threads ------------------------------------------------------------------------------ */

static gboolean
goes_on (const Shared *self)
{
  return !__atomic_load_n (&self->is_over, __ATOMIC_SEQ_CST);
}

static void
count (guint *counter)
{
  __atomic_fetch_add (counter, 1, __ATOMIC_SEQ_CST);
}

static void
read_in (Shared *self, DsqStore *store)
{
  gint64 due = 0;

  while (goes_on (self))
    {
      const gint64 n_committed = __atomic_load_n (&self->n_committed, __ATOMIC_SEQ_CST);
      const gint64 old = g_get_monotonic_time () - STALENESS_MS * 1000;

      while (due < n_committed && self->committed_at[due + 1] < old)
        due++;
      g_assert_cmpint (get_number (store, "n"), >=, due);
      count (&self->n_reads);
    }
}

static gpointer
reader_thread (gpointer data)
{
  Shared *self = data;

  read_in (self, self->always);
  return NULL;
}

static gpointer
other_reader_thread (gpointer data)
{
  Shared *self = data;

  read_in (self, self->watched);
  return NULL;
}

static gpointer
writer_thread (gpointer data)
{
  Shared *self = data;
  g_autofree char *key = g_strdup_printf ("w%p", (void *) g_thread_self ());

  for (gint64 number = 1; goes_on (self); number++)
    {
      set_number (self->watched, key, number);
      g_assert_cmpint (get_number (self->watched, key), ==, number);
      count (&self->n_writes);
    }
  return NULL;
}

/* One that hears of something and goes, so that its thread begins and ends. */
static gboolean
watch_once (Shared *self, DsqStore *store)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqWatch) watch = dsq_store_watch_utf8 (store, (const guint8 *) "n", 1, &error);
  struct pollfd polled = { dsq_watch_get_fd (watch), POLLIN, 0 };
  gboolean is_told = FALSE, has_ended = FALSE;

  g_assert_no_error (error);
  while (!is_told && goes_on (self))
    if (poll (&polled, 1, 10) > 0)
      {
        gsize length;
        g_autofree guint8 *pack = dsq_watch_take (watch, &has_ended, &length);

        g_assert_false (has_ended);
        is_told = TRUE;
      }
  return is_told;
}

static gpointer
watch_thread (gpointer data)
{
  Shared *self = data;

  for (guint turn = 0; goes_on (self); turn++)
    if (watch_once (self, turn % 2 == 0 ? self->watched : self->always))
      count (&self->n_told);
  return NULL;
}

/* --- the server ------------------------------------------------------------------------------- */

static void
ask (DsqServerConnection *server, const char *sql, int *out_n_rows)
{
  DsqServerStep step = { .sql = sql, .purpose = "ask" };
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_server_run_steps (server, &step, 1, &error));
  g_assert_no_error (error);
  *out_n_rows = server->target->pq->ntuples (step.result);
  dsq_server_clear_steps (server, &step, 1);
}

/* Commits until the listener is there, and at least so many times. */
static void
commit_until_heard (Shared *self, DsqStore *other, DsqServerConnection *server, guint times)
{
  const gint64 deadline = g_get_monotonic_time () + MAX_SECONDS * G_USEC_PER_SEC;
  int n_listeners = 0;

  for (guint i = 0; i < times || n_listeners == 0; i++)
    {
      const gint64 number = self->n_committed + 1;

      g_assert_cmpint (number, <, MAX_COMMITS);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      set_number (other, "n", number);
      self->committed_at[number] = g_get_monotonic_time ();
      __atomic_store_n (&self->n_committed, number, __ATOMIC_SEQ_CST);
      ask (server, "SELECT 1 FROM " LISTENER, &n_listeners);
    }
}

static void
test_all_at_once (void)
{
  Shared shared = {
    .always = open_store ("always", STALENESS_MS, TRUE),
    .watched = open_store ("watched", STALENESS_MS, FALSE),
    .committed_at = g_new0 (gint64, MAX_COMMITS),
  };
  DsqStore *other = open_store ("other", 0, FALSE);
  const DsqServerTarget target = { .pq = dsq_libpq_load (NULL),
                                   .uri = g_getenv ("DSQ_SERVER"),
                                   .lock_wait_ms = 10000 };
  DsqServerConnection server = { .target = &target };
  static const GThreadFunc funcs[] = { reader_thread, reader_thread, other_reader_thread,
                                       writer_thread, writer_thread, watch_thread,
                                       watch_thread,  watch_thread };
  GThread *threads[G_N_ELEMENTS (funcs)];
  guint n_told;
  int n_ended;

  g_assert_true (dsq_server_connection_open (&server, NULL));
  /* the sanitizer does not see how GLib hands a new class to other threads */
  g_type_class_unref (g_type_class_ref (DSQ_TYPE_WATCH));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new (NULL, funcs[i], &shared);
  commit_until_heard (&shared, other, &server, 10);
  ask (&server, "SELECT pg_terminate_backend (pid, 60000) FROM " LISTENERS, &n_ended);
  g_assert_cmpint (n_ended, >=, 1);
  /* it listens again when a second has passed since it began to before */
  n_told = __atomic_load_n (&shared.n_told, __ATOMIC_SEQ_CST);
  commit_until_heard (&shared, other, &server, 10);
  while (__atomic_load_n (&shared.n_told, __ATOMIC_SEQ_CST) <= n_told + G_N_ELEMENTS (threads))
    commit_until_heard (&shared, other, &server, 1);
  __atomic_store_n (&shared.is_over, TRUE, __ATOMIC_SEQ_CST);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (shared.n_reads, >, 0);
  g_assert_cmpuint (shared.n_writes, >, 0);
  dsq_server_connection_close (&server);
  close_store (other);
  close_store (shared.watched);
  close_store (shared.always);
  g_free (shared.committed_at);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/server-listener/all-at-once", test_all_at_once);
  return g_test_run ();
}
