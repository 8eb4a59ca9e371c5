/* fault-script.c - all that a store does, one after the other, and what must come of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-script.h"

#include <glib/gstdio.h>
#include <string.h>

#define BIG  20000
#define HOUR 3600000

static const char *const keys[N_SLOTS] = { "a", "b", "c", "big", "in table" };

void
script_state_init (ScriptState *self)
{
  *self = (ScriptState){ .n_fill = SCRIPT_N_FILL };
}

/* Little memory, so that the file is read and written all the time. */
DsqStore *
script_open (Script *self, DsqPersistMode mode, const char *password, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         self->path,
                         "persist-mode",
                         mode,
                         "background",
                         self->background,
                         "flush-interval",
                         1u,
                         "hot-capacity",
                         (guint64) 1,
                         "warm-capacity",
                         (guint64) 0,
                         "dirty-limit",
                         (guint64) 65536,
                         "cache-size",
                         (guint64) 65536,
                         "wal-limit",
                         (guint64) 1 << 20,
                         "busy-timeout",
                         20u,
                         "password",
                         self->encrypted ? password : NULL,
                         "kdf-memory",
                         (guint64) 19 << 20,
                         "kdf-passes",
                         2u,
                         NULL);
}

void
script_fill (Script *self)
{
  g_autofree char *value = g_strnfill (3000, 'f');
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < SCRIPT_N_FILL; i++)
    {
      g_autofree char *key = g_strdup_printf ("fill %u", i);

      dsq_store_set_string (self->store, key, value, NULL, &error);
      g_assert_no_error (error);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static DsqStore *
get_slot_store (Script *self, Slot slot, GError **error)
{
  return slot == SLOT_IN_TABLE ? dsq_store_get_table (self->store, "table", NULL, error)
                               : g_object_ref (self->store);
}

/* A string stands for its length. */
static gboolean
read_slot (Script *self, Slot slot, gint64 *out_value, GError **error)
{
  g_autoptr (DsqStore) store = get_slot_store (self, slot, error);
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) value = NULL;

  *out_value = 0;
  if (store == NULL)
    return FALSE;
  value = dsq_store_get (store, keys[slot], NULL, &problem);
  if (problem != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    *out_value = (gint64) strlen (g_variant_get_string (value, NULL));
  else if (value != NULL)
    *out_value = g_variant_get_int64 (value);
  return TRUE;
}

gboolean
script_read (Script *self, ScriptState *out_state, GError **error)
{
  gint64 count;

  for (guint slot = 0; slot < N_SLOTS; slot++)
    if (!read_slot (self, slot, &out_state->values[slot], error))
      return FALSE;
  count = dsq_store_count (self->store, NULL, error);
  if (count < 0)
    return FALSE;
  for (guint slot = 0; slot < SLOT_IN_TABLE; slot++)
    count -= out_state->values[slot] != 0;
  out_state->n_fill = count;
  return TRUE;
}

/* --- the steps -------------------------------------------------------------------------------- */

static gboolean
put (Script *self, Slot slot, gint64 value, GError **error)
{
  return dsq_store_set (self->store, keys[slot], g_variant_new_int64 (value), NULL, error);
}

/* The answer of a call that gives @expected unless it fails. */
static gboolean
is_answer (DsqAnswer answer, DsqAnswer expected, GError **error)
{
  if (*error == NULL)
    g_assert_cmpint (answer, ==, expected);
  return *error == NULL;
}

static gboolean
get (Script *self, GError **error)
{
  for (guint i = 0; i < SCRIPT_N_FILL; i += 7)
    {
      g_autofree char *key = g_strdup_printf ("fill %u", i);
      g_autofree char *value = dsq_store_get_string (self->store, key, NULL, error);

      if (value == NULL)
        return FALSE;
    }
  return TRUE;
}

static gboolean
set (Script *self, GError **error)
{
  return put (self, SLOT_A, 1, error);
}

static void
has_set (ScriptState *state)
{
  state->values[SLOT_A] = 1;
}

static gboolean
set_big (Script *self, GError **error)
{
  g_autofree char *value = g_strnfill (BIG, 'x');

  return dsq_store_set_string (self->store, keys[SLOT_BIG], value, NULL, error);
}

static void
has_set_big (ScriptState *state)
{
  state->values[SLOT_BIG] = BIG;
}

static gboolean
set_many (Script *self, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&builder, "{sv}", keys[SLOT_B], g_variant_new_int64 (2));
  g_variant_builder_add (&builder, "{sv}", keys[SLOT_C], g_variant_new_int64 (3));
  return dsq_store_set_many (self->store, g_variant_builder_end (&builder), NULL, error);
}

static void
has_set_many (ScriptState *state)
{
  state->values[SLOT_B] = 2;
  state->values[SLOT_C] = 3;
}

static gboolean
contains (Script *self, GError **error)
{
  return is_answer (dsq_store_contains (self->store, "fill 3", NULL, error), DSQ_ANSWER_YES, error);
}

static gboolean
increment (Script *self, GError **error)
{
  gint64 sum;

  return dsq_store_increment (self->store, keys[SLOT_A], 10, 0, &sum, NULL, error);
}

static void
has_incremented (ScriptState *state)
{
  state->values[SLOT_A] += 10;
}

static gboolean
compare_and_set (Script *self, GError **error)
{
  return is_answer (dsq_store_compare_and_set (self->store,
                                               keys[SLOT_B],
                                               g_variant_new_int64 (2),
                                               g_variant_new_int64 (4),
                                               NULL,
                                               error),
                    DSQ_ANSWER_YES,
                    error);
}

static void
has_exchanged (ScriptState *state)
{
  state->values[SLOT_B] = 4;
}

static gboolean
apply (Script *self, GError **error)
{
  g_auto (GVariantBuilder) expected = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  g_auto (GVariantBuilder) changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));

  g_variant_builder_add (&expected, "{smv}", keys[SLOT_C], g_variant_new_int64 (3));
  g_variant_builder_add (&changes, "{smv}", keys[SLOT_C], g_variant_new_int64 (6));
  g_variant_builder_add (&changes, "{smv}", keys[SLOT_BIG], NULL);
  return is_answer (dsq_store_apply (self->store,
                                     g_variant_builder_end (&expected),
                                     g_variant_builder_end (&changes),
                                     NULL,
                                     error),
                    DSQ_ANSWER_YES,
                    error);
}

static void
has_applied (ScriptState *state)
{
  state->values[SLOT_C] = 6;
  state->values[SLOT_BIG] = 0;
}

static gboolean
remove_one (Script *self, GError **error)
{
  return is_answer (dsq_store_remove (self->store, keys[SLOT_A], NULL, error),
                    DSQ_ANSWER_YES,
                    error);
}

static void
has_removed (ScriptState *state)
{
  state->values[SLOT_A] = 0;
}

static gboolean
steal (Script *self, GError **error)
{
  g_autoptr (GVariant) value = dsq_store_steal (self->store, keys[SLOT_B], NULL, error);

  return value != NULL;
}

static void
has_stolen (ScriptState *state)
{
  state->values[SLOT_B] = 0;
}

static gboolean
set_expiring (Script *self, GError **error)
{
  return dsq_store_set_expiring (self->store,
                                 keys[SLOT_A],
                                 g_variant_new_int64 (7),
                                 HOUR,
                                 NULL,
                                 error);
}

static void
has_set_expiring (ScriptState *state)
{
  state->values[SLOT_A] = 7;
}

static gboolean
touch (Script *self, GError **error)
{
  return is_answer (dsq_store_touch (self->store, keys[SLOT_A], 2 * HOUR, NULL, error),
                    DSQ_ANSWER_YES,
                    error);
}

static gboolean
get_expiry (Script *self, GError **error)
{
  return dsq_store_get_expiry (self->store, keys[SLOT_A], NULL, error) > 0;
}

static gboolean
touch_over (Script *self, GError **error)
{
  return is_answer (dsq_store_touch (self->store, keys[SLOT_A], 0, NULL, error),
                    DSQ_ANSWER_YES,
                    error);
}

static gboolean
expire (Script *self, GError **error)
{
  return dsq_store_expire (self->store, NULL, error) >= 0;
}

static gboolean
count (Script *self, GError **error)
{
  return dsq_store_count (self->store, NULL, error) >= 0;
}

static gboolean
walk (Script *self, GError **error)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  gsize n_some;

  do
    {
      g_autoptr (GVariant) some = dsq_cursor_next_many (cursor, 15, NULL, error);

      if (some == NULL)
        return FALSE;
      n_some = g_variant_n_children (some);
    }
  while (n_some > 0);
  return TRUE;
}

static gboolean
list_keys (Script *self, GError **error)
{
  g_auto (GStrv) names = NULL;

  /* an encrypted file hides their order */
  if (!self->encrypted)
    names = dsq_store_list_keys (self->store, "fill", NULL, 100, NULL, error);
  return *error == NULL;
}

static gboolean
get_many (Script *self, GError **error)
{
  static const char *const some[] = { "fill 1", "fill 20", "none", NULL };
  g_autoptr (GVariant) values = dsq_store_get_many (self->store, some, NULL, error);

  return values != NULL;
}

static gboolean
get_last (Script *self, GError **error)
{
  gsize length;

  g_free (dsq_store_get_last_pack (self->store, &length, error));
  return *error == NULL;
}

static gboolean
set_in_table (Script *self, GError **error)
{
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "table", NULL, error);

  return table != NULL &&
         dsq_store_set (table, keys[SLOT_IN_TABLE], g_variant_new_int64 (8), NULL, error);
}

static void
has_set_in_table (ScriptState *state)
{
  state->values[SLOT_IN_TABLE] = 8;
}

static gboolean
list_tables (Script *self, GError **error)
{
  g_auto (GStrv) names = dsq_store_list_tables (self->store, NULL, error);

  return names != NULL;
}

static gboolean
drop_table (Script *self, GError **error)
{
  dsq_store_drop_table (self->store, "table", NULL, error);
  return *error == NULL;
}

static void
has_dropped_table (ScriptState *state)
{
  state->values[SLOT_IN_TABLE] = 0;
}

static gboolean
transact (Script *self, GError **error)
{
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (self->store, error);
  gint64 sum;

  return transaction != NULL &&
         dsq_store_increment (DSQ_STORE (transaction), keys[SLOT_C], 5, 0, &sum, NULL, error) &&
         dsq_store_set (DSQ_STORE (transaction),
                        keys[SLOT_B],
                        g_variant_new_int64 (9),
                        NULL,
                        error) &&
         dsq_transaction_commit (transaction, NULL, error);
}

static void
has_transacted (ScriptState *state)
{
  state->values[SLOT_C] += 5;
  state->values[SLOT_B] = 9;
}

static gboolean
flush (Script *self, GError **error)
{
  return dsq_store_flush (self->store, NULL, error);
}

static gboolean
check (Script *self, GError **error)
{
  g_auto (GStrv) problems = dsq_store_check (self->store, NULL, error);

  g_assert_cmpstr (problems != NULL ? problems[0] : NULL, ==, NULL);
  return problems != NULL;
}

/* What is at its path is whole, or nothing is. */
static gboolean
copy (Script *self, GError **error)
{
  gboolean copied;

  if (self->mode == DSQ_PERSIST_MEMORY)
    return TRUE;
  copied = dsq_store_copy (self->store, self->copy, DSQ_COPY_SAME, NULL, NULL, NULL, NULL, error);
  if (copied)
    g_assert_cmpint (g_unlink (self->copy), ==, 0);
  else if (g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN))
    g_unlink (self->copy);
  else
    g_assert_false (g_file_test (self->copy, G_FILE_TEST_EXISTS));
  return copied;
}

static gboolean
change_password (Script *self, GError **error)
{
  g_autoptr (GBytes) old_password = g_bytes_new_static (SCRIPT_OLD_PASSWORD, 3);
  g_autoptr (GBytes) new_password = g_bytes_new_static (SCRIPT_NEW_PASSWORD, 3);

  if (!self->encrypted ||
      dsq_store_change_password (self->store, old_password, new_password, NULL, error))
    return TRUE;
  /* one that failed before may have set it all the same */
  if (!g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD))
    return FALSE;
  g_clear_error (error);
  return dsq_store_change_password (self->store, new_password, new_password, NULL, error);
}

static void
has_changed_password (ScriptState *state)
{
  state->has_new_password = TRUE;
}

/* In memory mode all that there is would be gone. */
static gboolean
reopen (Script *self, GError **error)
{
  if (self->mode == DSQ_PERSIST_MEMORY)
    return TRUE;
  if (self->store != NULL && !dsq_store_close (self->store, NULL, error))
    return FALSE;
  g_clear_object (&self->store);
  self->store = script_open (self, self->mode, SCRIPT_NEW_PASSWORD, error);
  return self->store != NULL;
}

static gboolean
clear (Script *self, GError **error)
{
  return dsq_store_clear (self->store, NULL, error);
}

static void
has_cleared (ScriptState *state)
{
  gint64 in_table = state->values[SLOT_IN_TABLE];

  memset (state->values, 0, sizeof state->values);
  state->values[SLOT_IN_TABLE] = in_table;
  state->n_fill = 0;
}

const ScriptStep script_steps[] = {
  { "get", get, NULL, FALSE },
  { "set", set, has_set, FALSE },
  { "set-big", set_big, has_set_big, FALSE },
  { "set-many", set_many, has_set_many, FALSE },
  { "contains", contains, NULL, FALSE },
  { "increment", increment, has_incremented, FALSE },
  { "compare-and-set", compare_and_set, has_exchanged, FALSE },
  { "flush", flush, NULL, TRUE },
  { "apply", apply, has_applied, FALSE },
  { "remove", remove_one, has_removed, FALSE },
  { "steal", steal, has_stolen, FALSE },
  { "set-expiring", set_expiring, has_set_expiring, FALSE },
  { "touch", touch, NULL, FALSE },
  { "get-expiry", get_expiry, NULL, FALSE },
  { "touch-over", touch_over, has_removed, FALSE },
  { "expire", expire, NULL, FALSE },
  { "count", count, NULL, FALSE },
  { "walk", walk, NULL, FALSE },
  { "list-keys", list_keys, NULL, FALSE },
  { "get-many", get_many, NULL, FALSE },
  { "get-last", get_last, NULL, FALSE },
  { "set-in-table", set_in_table, has_set_in_table, FALSE },
  { "list-tables", list_tables, NULL, FALSE },
  { "transact", transact, has_transacted, FALSE },
  { "check", check, NULL, FALSE },
  { "copy", copy, NULL, FALSE },
  { "change-password", change_password, has_changed_password, FALSE },
  { "reopen", reopen, NULL, TRUE },
  { "get-again", get, NULL, FALSE },
  { "drop-table", drop_table, has_dropped_table, FALSE },
  { "clear", clear, has_cleared, FALSE },
  { "set-again", set, has_set, FALSE },
};

const guint script_n_steps = G_N_ELEMENTS (script_steps);
