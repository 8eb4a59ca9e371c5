/* test-watch-threads.c - being told what changes, by and beside other threads
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watch-support.h"

/* --- in the context of who asked for it ------------------------------------------------------- */

typedef struct
{
  DsqStore *store; /* (unowned) */
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  gboolean is_ready; /* (atomic) */
} Elsewhere;

static void
elsewhere_cb (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  Elsewhere *self = user_data;

  g_assert_true (g_thread_self () == self->thread);
  g_assert_nonnull (keys);
  g_assert_cmpstr (keys[0], ==, "k");
  g_main_loop_quit (self->loop);
}

static gpointer
elsewhere_thread (gpointer data)
{
  Elsewhere *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqWatch) watch = NULL;

  self->thread = g_thread_self ();
  g_main_context_push_thread_default (self->context);
  watch = dsq_store_watch (self->store, NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (watch, "changed", G_CALLBACK (elsewhere_cb), self);
  __atomic_store_n (&self->is_ready, TRUE, __ATOMIC_SEQ_CST);
  g_main_loop_run (self->loop);
  g_main_context_pop_thread_default (self->context);
  return NULL;
}

static void
test_news_comes_in_its_context (Fixture *self, gconstpointer mode)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  Elsewhere elsewhere = { self->store, context, loop, NULL, FALSE };
  GThread *thread = g_thread_new ("elsewhere", elsewhere_thread, &elsewhere);

  while (!__atomic_load_n (&elsewhere.is_ready, __ATOMIC_SEQ_CST))
    g_usleep (1000);
  set_string (self->store, "k", "v");
  g_thread_join (thread);
}

/* --- beside threads that write ---------------------------------------------------------------- */

#define N_WRITERS 3

typedef struct
{
  DsqStore *store; /* (unowned) */
  gboolean stop;   /* (atomic) */
} Writers;

static gpointer
writing_thread (gpointer data)
{
  Writers *self = data;

  for (guint i = 0; !__atomic_load_n (&self->stop, __ATOMIC_SEQ_CST); i++)
    {
      g_autofree char *key = g_strdup_printf ("k%u", i % 50);

      set_string (self->store, key, "v");
      if (i % 500 == 0)
        dsq_store_clear (self->store, NULL, NULL);
    }
  return NULL;
}

/* Some are dropped by this thread, with news that nobody has taken, and some by another one. */
static gpointer
dropping_thread (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

static void
test_watches_come_and_go_beside_writers (Fixture *self, gconstpointer mode)
{
  Writers writers = { self->store, FALSE };
  GThread *threads[N_WRITERS];
  guint n_told = 0;

  for (guint i = 0; i < N_WRITERS; i++)
    threads[i] = g_thread_new ("writer", writing_thread, &writers);
  for (guint i = 0; i < N_ROUNDS / 50 || n_told == 0; i++)
    {
      g_autoptr (GError) error = NULL;
      GThread *dropper;
      Listener kept;

      listen_to (&kept, self->store, i % 2 == 0 ? "k1" : NULL);
      dropper =
          g_thread_new ("dropper", dropping_thread, dsq_store_watch (self->store, NULL, &error));
      g_assert_no_error (error);
      for (guint n = 0; n < 3; n++)
        g_main_context_iteration (NULL, FALSE);
      n_told += kept.told->len > 0;
      stop_listening (&kept);
      g_thread_join (dropper);
    }
  __atomic_store_n (&writers.stop, TRUE, __ATOMIC_SEQ_CST);
  for (guint i = 0; i < N_WRITERS; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
    { "news-comes-in-its-context", test_news_comes_in_its_context, FALSE },
    { "watches-come-and-go-beside-writers", test_watches_come_and_go_beside_writers, FALSE },
  };

  return run_watch_tests (argc, argv, "watch-threads", tests, G_N_ELEMENTS (tests));
}
