/* test-refused.c - each call says why it is refused, and changes nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refused-verbs.h"
#include "store-support.h"

static void
set_up (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqStore) table = NULL;

  self->folder = make_folder ();
  self->store = open_small_store (self->folder, GPOINTER_TO_INT (mode), FALSE);
  table = dsq_store_get_table (self->store, "kept", NULL, NULL);
  g_assert_true (dsq_store_set_string (table, "key", "of the table", NULL, NULL));
  /* more than memory has room for, so that calls are met in the file as well */
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_string (self->store, key, "value", NULL, NULL));
    }
  g_assert_true (dsq_store_flush (self->store, NULL, NULL));
}

/* --- calls ------------------------------------------------------------------------------------ */

static guint8 *
pack_of (guint n_items, const guint8 *const *items, const guint32 *lengths, gsize *out_length)
{
  GByteArray *pack = g_byte_array_new ();

  g_byte_array_append (pack, (const guint8 *) &n_items, sizeof n_items);
  g_byte_array_append (pack, (const guint8 *) lengths, (guint) (n_items * sizeof *lengths));
  for (guint i = 0; i < n_items; i++)
    g_byte_array_append (pack, items[i], lengths[i]);
  *out_length = pack->len;
  return g_byte_array_free (pack, FALSE);
}

/* NULL, or what is wrong with what it says. */
static char *
find_fault (const Verb *verb, Call call, GQuark domain, int code)
{
  const guint8 *items[] = { (const guint8 *) call.key, record };
  const guint32 lengths[] = { (guint32) strlen (call.key), sizeof record };
  gboolean brings = call.entries != NULL;
  g_autofree guint8 *keys = pack_of (1, items, lengths, &call.keys_length);
  g_autofree guint8 *entries = NULL;
  g_autoptr (GError) error = NULL;

  call.keys = keys;
  if (brings)
    call.keys = call.entries, call.keys_length = call.entries_length;
  else
    call.entries = entries = pack_of (2, items, lengths, &call.entries_length);
  if (!verb->is_refused (&call, &error))
    return g_strdup_printf ("%s is not refused", verb->name);
  if (error == NULL)
    return g_strdup_printf ("%s does not say why", verb->name);
  if (!g_error_matches (error, domain, code))
    return g_strdup_printf ("%s: %s", verb->name, error->message);
  return NULL;
}

static void
assert_refused (const Verb *verb, Call call, GQuark domain, int code)
{
  g_autofree char *fault = find_fault (verb, call, domain, code);

  g_assert_cmpstr (fault, ==, NULL);
}

static void
assert_unchanged (DsqStore *store)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (store, "kept", NULL, NULL);
  g_autofree char *kept = dsq_store_get_string (table, "key", NULL, NULL);

  g_assert_cmpstr (kept, ==, "of the table");
  g_assert_cmpint (dsq_store_count (store, NULL, NULL), ==, 100);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);
      g_autofree char *value = dsq_store_get_string (store, key, NULL, NULL);

      g_assert_cmpstr (value, ==, "value");
      g_assert_cmpint (dsq_store_get_expiry (store, key, NULL, NULL), ==, DSQ_NEVER);
    }
}

/* --- why they are refused --------------------------------------------------------------------- */

static void
test_cancelled (Fixture *self, gconstpointer mode)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_cancellable_cancel (cancellable);
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (verbs[i].flags & VERB_CANCELS)
      for (guint at = 0; at <= 99; at += 99)
        {
          g_autofree char *key = g_strdup_printf ("key %u", at);
          const Call call = { self->store, cancellable, key };

          assert_refused (&verbs[i], call, G_IO_ERROR, G_IO_ERROR_CANCELLED);
        }
  assert_unchanged (self->store);
}

static void
test_closed (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "kept", NULL, NULL);

  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (!(verbs[i].flags & VERB_ENDS_WELL))
      {
        assert_refused (&verbs[i],
                        (Call){ self->store, NULL, "key 1" },
                        DSQ_ERROR,
                        DSQ_ERROR_CLOSED);
        assert_refused (&verbs[i], (Call){ table, NULL, "key" }, DSQ_ERROR, DSQ_ERROR_CLOSED);
      }
}

static void
test_dropped (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "dropped", NULL, NULL);

  g_assert_true (dsq_store_set_string (table, "key", "value", NULL, NULL));
  g_assert_cmpint (dsq_store_drop_table (self->store, "dropped", NULL, NULL), ==, DSQ_ANSWER_YES);
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (!(verbs[i].flags & VERB_WHOLE))
      assert_refused (&verbs[i], (Call){ table, NULL, "key" }, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  assert_unchanged (self->store);
}

static void
test_read_only (Fixture *self, gconstpointer mode)
{
  DsqStore *reader;

  if (GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY)
    return;
  close_store (self->store);
  reader = OPEN_IN (self->folder, "read-only", TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (verbs[i].flags & VERB_WRITES)
      assert_refused (&verbs[i], (Call){ reader, NULL, "key 1" }, DSQ_ERROR, DSQ_ERROR_READ_ONLY);
  assert_unchanged (reader);
  close_store (reader);
  self->store = open_small_store (self->folder, GPOINTER_TO_INT (mode), FALSE);
  assert_unchanged (self->store);
}

/* In a child, which has inherited the store. */
static void
test_inherited (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "kept", NULL, NULL);
  const pid_t child = fork ();
  int status;

  if (child == 0)
    {
      guint n_faults = 0;

      for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
        for (guint of_table = 0; of_table <= 1; of_table++)
          {
            const Call call = { of_table ? table : self->store, NULL, "key 1" };
            g_autofree char *fault = find_fault (&verbs[i], call, DSQ_ERROR, DSQ_ERROR_FORKED);

            if (fault != NULL)
              fprintf (stderr, "%s\n", fault);
            n_faults += fault != NULL;
          }
      _exit (MIN (n_faults, 100));
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  assert_unchanged (self->store);
}

static void
test_keys_that_are_none (Fixture *self, gconstpointer mode)
{
  g_autofree char *too_long = g_strnfill (DSQ_MAX_KEY_LENGTH + 1, 'k');

  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (verbs[i].flags & VERB_HAS_KEY)
      assert_refused (&verbs[i],
                      (Call){ self->store, NULL, too_long },
                      DSQ_ERROR,
                      DSQ_ERROR_INVALID_KEY);
  assert_unchanged (self->store);
}

/* One that is cut, one of keys without values, and times for other entries. */
static void
test_packs_that_are_none (Fixture *self, gconstpointer mode)
{
  const guint8 *items[] = { (const guint8 *) "key 1", record, (const guint8 *) "key 2" };
  const guint32 lengths[] = { 5, sizeof record, 5 };
  const gint64 times[] = { 1, 2 };
  gsize length;
  g_autofree guint8 *odd = pack_of (3, items, lengths, &length);
  g_autoptr (GError) error = NULL;
  Call call = { self->store, NULL, "key 1", NULL, odd, 0, length - 1 };

  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (verbs[i].flags & VERB_HAS_PACK)
      assert_refused (&verbs[i], call, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  call.entries_length = length;
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if ((verbs[i].flags & VERB_HAS_PACK) && (verbs[i].flags & VERB_WRITES))
      assert_refused (&verbs[i], call, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  {
    g_autofree guint8 *even = pack_of (2, items, lengths, &length);

    g_assert_cmpint (
        dsq_store_apply_pack (self->store, NULL, 0, even, length, FALSE, times, 2, &error),
        ==,
        DSQ_ANSWER_NO);
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
  }
  assert_unchanged (self->store);
}

static const struct
{
  const char *name;
  void (*func) (Fixture *self, gconstpointer mode);
} tests[] = {
  { "cancelled", test_cancelled },
  { "closed", test_closed },
  { "dropped", test_dropped },
  { "read-only", test_read_only },
  { "inherited", test_inherited },
  { "keys-that-are-none", test_keys_that_are_none },
  { "packs-that-are-none", test_packs_that_are_none },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    for (guint j = 0; j < G_N_ELEMENTS (modes); j++)
      {
        g_autofree char *path =
            g_strdup_printf ("/dsq/refused/%s/%s", tests[i].name, modes[j].name);
        gconstpointer mode = GINT_TO_POINTER (modes[j].mode);

        g_test_add (path, Fixture, mode, set_up, tests[i].func, tear_down);
      }
  return g_test_run ();
}
