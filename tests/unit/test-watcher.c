/* test-watcher.c - what has changed of a table since it was last taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <string.h>

#include "engine/dsq-watcher-private.h"
#include "part-support.h"

#define N_THREADS 3
#define N_NOTES   (g_getenv ("DSQ_SHORT") != NULL ? 2000u : 20000u)

typedef struct
{
  DsqWatcher *watcher; /* (owned) */
  DsqWatcher *other;   /* (owned) of keys that begin with "a" */
  GSList *list;        /* (owned) of both */
  gboolean has_ended;  /* as last told */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->watcher = dsq_watcher_new ((const guint8 *) "", 0, &error);
  g_assert_no_error (error);
  self->other = dsq_watcher_new ((const guint8 *) "a", 1, &error);
  g_assert_no_error (error);
  self->list = g_slist_prepend (g_slist_prepend (NULL, self->other), self->watcher);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_slist_free (self->list);
  dsq_watcher_free (self->watcher);
  dsq_watcher_free (self->other);
}

static void
note (Fixture *self, const char *text)
{
  const DsqKey key = { (const guint8 *) text, (guint32) strlen (text), 1, 0 };

  dsq_watchers_note (self->list, &key);
}

static gboolean
is_readable (const DsqWatcher *watcher)
{
  struct pollfd polled = { watcher->fd, POLLIN, 0 };

  return poll (&polled, 1, 0) == 1;
}

/* With spaces between them; "*" for everything. */
static char *
take (Fixture *self, DsqWatcher *watcher)
{
  g_autoptr (GPtrArray) keys = dsq_watcher_take (watcher, &self->has_ended);
  GString *text = g_string_new (keys != NULL ? "" : "*");

  for (guint i = 0; keys != NULL && i < keys->len; i++)
    {
      gsize length;
      const char *key = g_bytes_get_data (keys->pdata[i], &length);

      g_string_append_printf (text, "%s%.*s", i > 0 ? " " : "", (int) length, key);
    }
  return g_string_free (text, FALSE);
}

static void
assert_taken (Fixture *self, DsqWatcher *watcher, const char *expected)
{
  g_autofree char *taken = NULL;

  g_assert_cmpint (is_readable (watcher), ==, *expected != '\0');
  taken = take (self, watcher);
  g_assert_cmpstr (taken, ==, expected);
  g_assert_false (self->has_ended);
  g_assert_false (is_readable (watcher));
}

static void
test_keys_come_once_and_in_order (Fixture *self, gconstpointer data)
{
  assert_taken (self, self->watcher, "");
  note (self, "b");
  note (self, "aa");
  note (self, "b");
  note (self, "a");
  assert_taken (self, self->watcher, "b aa a");
  assert_taken (self, self->watcher, "");
  note (self, "b");
  assert_taken (self, self->watcher, "b");
}

static void
test_each_has_its_prefix (Fixture *self, gconstpointer data)
{
  note (self, "b");
  note (self, "");
  assert_taken (self, self->other, "");
  note (self, "ab");
  note (self, "a");
  note (self, "ba");
  assert_taken (self, self->other, "ab a");
  dsq_watchers_note (self->list, NULL);
  assert_taken (self, self->other, "*");
}

static void
test_everything_holds_all_keys (Fixture *self, gconstpointer data)
{
  note (self, "a");
  dsq_watchers_note (self->list, NULL);
  note (self, "b");
  assert_taken (self, self->watcher, "*");
  note (self, "b");
  assert_taken (self, self->watcher, "b");
}

static void
test_too_many_are_everything (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) keys = NULL;

  for (guint i = 0; i < 1024; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      note (self, key);
      note (self, key);
    }
  keys = dsq_watcher_take (self->watcher, &self->has_ended);
  g_assert_nonnull (keys);
  g_assert_cmpuint (keys->len, ==, 1024);
  for (guint i = 0; i < 1025; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i);

      note (self, key);
    }
  assert_taken (self, self->watcher, "*");
}

static void
test_much_is_everything (Fixture *self, gconstpointer data)
{
  g_autofree char *longest = g_strnfill (1 << 20, 'b');
  g_autoptr (GPtrArray) keys = NULL;

  note (self, longest);
  keys = dsq_watcher_take (self->watcher, &self->has_ended);
  g_assert_nonnull (keys);
  g_assert_cmpuint (keys->len, ==, 1);
  note (self, longest);
  note (self, "b");
  assert_taken (self, self->watcher, "*");
}

static void
test_an_end_is_told_for_ever (Fixture *self, gconstpointer data)
{
  note (self, "b");
  dsq_watchers_end (self->list, NULL, FALSE);
  dsq_watchers_end (self->list, NULL, TRUE);
  note (self, "b");
  dsq_watchers_note (self->list, NULL);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *taken = NULL;

      g_assert_true (is_readable (self->watcher));
      taken = take (self, self->watcher);
      g_assert_cmpstr (taken, ==, "");
      g_assert_true (self->has_ended);
    }
}

static void
test_an_end_may_be_news (Fixture *self, gconstpointer data)
{
  g_autofree char *last = NULL;
  g_autofree char *none = NULL;

  note (self, "b");
  dsq_watchers_end (self->list, NULL, TRUE);
  last = take (self, self->watcher);
  g_assert_cmpstr (last, ==, "*");
  g_assert_true (self->has_ended);
  none = take (self, self->watcher);
  g_assert_cmpstr (none, ==, "");
}

static void *
noting_thread (void *data)
{
  for (guint i = 0; i < N_NOTES; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i % 100);

      note (data, key);
    }
  return NULL;
}

/* What was noted last comes after what was taken before, whoever was faster. */
static void
test_nothing_is_lost_between_threads (Fixture *self, gconstpointer data)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (g_bytes_hash, g_bytes_equal);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  struct pollfd polled = { self->watcher->fd, POLLIN, 0 };
  pthread_t threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, noting_thread, self), ==, 0);
  while (g_hash_table_size (taken) < 100)
    {
      GPtrArray *keys;

      g_assert_cmpint (poll (&polled, 1, 60 * 1000), ==, 1);
      keys = dsq_watcher_take (self->watcher, &self->has_ended);
      g_assert_nonnull (keys);
      g_ptr_array_add (all, keys);
      for (guint i = 0; i < keys->len; i++)
        g_hash_table_add (taken, keys->pdata[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("keys-come-once-and-in-order", test_keys_come_once_and_in_order),
    PART_TEST ("each-has-its-prefix", test_each_has_its_prefix),
    PART_TEST ("everything-holds-all-keys", test_everything_holds_all_keys),
    PART_TEST ("too-many-are-everything", test_too_many_are_everything),
    PART_TEST ("much-is-everything", test_much_is_everything),
    PART_TEST ("an-end-is-told-for-ever", test_an_end_is_told_for_ever),
    PART_TEST ("an-end-may-be-news", test_an_end_may_be_news),
    PART_TEST ("nothing-is-lost-between-threads", test_nothing_is_lost_between_threads),
  };

  return RUN_PART_TESTS ("watcher", argc, argv, tests);
}
