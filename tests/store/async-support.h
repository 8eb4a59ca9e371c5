/* async-support.h - a store in a scratch folder, and waiting for results
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "folder-support.h"

typedef struct
{
  char *folder;    /* (owned) */
  char *path;      /* (owned) */
  DsqStore *store; /* (owned) */
} Fixture;

static inline DsqStore *
open_store (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store =
      g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", self->path, "persist-mode", mode, NULL);

  g_assert_no_error (error);
  return store;
}

static inline void
set_up (Fixture *self, gconstpointer data)
{
  self->folder = make_folder ();
  self->path = g_build_filename (self->folder, "store.db", NULL);
  self->store = open_store (self, GPOINTER_TO_INT (data));
}

static inline void
tear_down (Fixture *self, gconstpointer data)
{
  /* a thread of the store may be on its way to drop the last reference */
  close_store (self->store);
  remove_folder (self->folder);
  g_free (self->path);
}

/* A new connection to the file, with nothing of it in memory. */
static inline void
reopen (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_no_error (error);
  g_clear_object (&self->store);
  self->store = open_store (self, mode);
}

/* --- waiting for a result --------------------------------------------------------------------- */

typedef struct
{
  GAsyncResult *result; /* (owned) (nullable) */
  GThread *thread;      /* (unowned) that the callback came in */
} Answer;

static inline void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Answer *answer = user_data;

  answer->thread = g_thread_self ();
  answer->result = g_object_ref (result);
}

/* Runs the thread's default context until the answer is there. */
static inline GAsyncResult *
wait_for (Answer *answer)
{
  GAsyncResult *result;

  while (answer->result == NULL)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
  result = g_steal_pointer (&answer->result);
  g_assert_true (answer->thread == g_thread_self ());
  return result;
}

static inline void
set_and_wait (DsqStore *store, const char *key, const char *value)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };

  dsq_store_set_string_async (store, key, value, NULL, answer_cb, &answer);
  /* never from inside the call */
  g_assert_null (answer.result);
  result = wait_for (&answer);
  g_assert_true (dsq_store_set_string_finish (store, result, &error));
  g_assert_no_error (error);
}

static inline char *
get_and_wait (DsqStore *store, const char *key)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  Answer answer = { NULL };
  char *value;

  dsq_store_get_string_async (store, key, NULL, answer_cb, &answer);
  g_assert_null (answer.result);
  result = wait_for (&answer);
  value = dsq_store_get_string_finish (store, result, &error);
  g_assert_no_error (error);
  return value;
}

static inline guint
count_workers (void)
{
  g_autoptr (GError) error = NULL;
  GDir *tasks = g_dir_open ("/proc/self/task", 0, &error);
  const char *name;
  guint n_workers = 0;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *comm = NULL;

      /* threads may be gone meanwhile */
      if (g_file_get_contents (path, &comm, NULL, NULL))
        n_workers += g_str_has_prefix (comm, "dsq-worker");
    }
  g_dir_close (tasks);
  return n_workers;
}

/* A thread that has left is seen for some moments more. */
static inline void
assert_no_workers_left (void)
{
  for (guint n_tries = 0; count_workers () > 0; n_tries++)
    {
      g_assert_cmpuint (n_tries, <, 5000);
      g_usleep (1000);
    }
}

static inline gboolean
boolean_of (gboolean (*finish) (DsqStore *, GAsyncResult *, GError **),
            DsqStore *store,
            Answer *answer)
{
  g_autoptr (GAsyncResult) result = wait_for (answer);
  g_autoptr (GError) error = NULL;
  gboolean value = finish (store, result, &error);

  g_assert_no_error (error);
  return value;
}

static inline void
add (const char *path, DsqPersistMode mode, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *whole = g_strdup_printf ("/dsq/%s/%s", path, modes[mode].name);

  g_test_add (whole, Fixture, GINT_TO_POINTER (mode), set_up, test, tear_down);
}
