/* test-engine-errors.c - what an engine makes of single calls of its file that fail
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-engine-upkeep-private.h"
#include "faulty-file.h"

/* Rows that have long expired, and are thousands of places: more than one step sweeps. */
static void
put_expired (Fixture *self, guint n_rows)
{
  Foreign foreign;
  DsqColdTier *tier;

  make_store (self->path);
  tier = open_tier (self->path, &foreign);
  begin (tier);
  for (guint i = 0; i < n_rows; i++)
    {
      g_autofree char *name = g_strdup_printf ("old %04u", i);
      g_autoptr (GError) error = NULL;
      DsqKey key = key_of (name);
      DsqChange change = { .presence = DSQ_PRESENCE_ABSENT };

      change.entry = dsq_entry_new (&key, (const guint8 *) "\1", 1, 1000 + i);
      tier->funcs->apply (tier, &change, 1, &error);
      g_assert_no_error (error);
      dsq_entry_unref (change.entry);
    }
  commit (tier);
  close_tier (tier);
}

/* --- calls ------------------------------------------------------------------------------------ */

static gboolean
set_committed (GError **error)
{
  return set_to (DSQ_PROMISE_COMMITTED, "t", "2", error);
}

static gboolean
set_synced (GError **error)
{
  return set_to (DSQ_PROMISE_SYNCED, "t", "2", error);
}

/* Of two writes that came together each has the error, or none. */
static gboolean
write_two (DsqPromise promise, GError **error)
{
  DsqChange changes[] = { change_of ("t", "2", 0, DSQ_PRESENCE_UNKNOWN),
                          change_of ("u", NULL, 0, DSQ_PRESENCE_UNKNOWN) };
  DsqEachWrite writes[] = { { .entry = changes[0].entry }, { .entry = changes[1].entry } };

  dsq_engine_write_each (engine, promise, writes, 2);
  g_assert_true ((writes[0].error == NULL) == (writes[1].error == NULL));
  for (guint i = 0; i < 2; i++)
    dsq_entry_unref (changes[i].entry);
  if (writes[0].error == NULL)
    return TRUE;
  g_assert_error (writes[1].error, writes[0].error->domain, writes[0].error->code);
  g_error_free (writes[1].error);
  g_propagate_error (error, writes[0].error);
  return FALSE;
}

static gboolean
write_two_committed (GError **error)
{
  return write_two (DSQ_PROMISE_COMMITTED, error);
}

static gboolean
write_two_synced (GError **error)
{
  return write_two (DSQ_PROMISE_SYNCED, error);
}

static gboolean
leave_as_is (const DsqKey *key, DsqEntry *old, DsqEntry **out_new, gpointer data, GError **error)
{
  return TRUE;
}

static gboolean
modify (DsqPromise promise, const char *name, GError **error)
{
  DsqKey key = key_of (name);

  return dsq_engine_modify (engine, promise, &key, leave_as_is, NULL, error);
}

static gboolean
modify_committed (GError **error)
{
  return modify (DSQ_PROMISE_COMMITTED, "old 0599", error);
}

/* Sets "t", where @expected (nullable) is to be 1, and @removed (nullable) is to go. */
static gboolean
apply_batch (const char *expected, const char *removed, gboolean *out_applied, GError **error)
{
  DsqChange changes[] = { change_of ("t", "2", 0, DSQ_PRESENCE_UNKNOWN),
                          change_of (removed != NULL ? removed : "x", NULL, 0, 0),
                          change_of (expected != NULL ? expected : "x", "1", 0, 0) };
  DsqEntry *entries[] = { changes[0].entry, changes[1].entry };
  DsqBatchTable table = { .id = DSQ_TABLE_MAIN };
  const DsqEngineBatch batch = {
    .promise = DSQ_PROMISE_STAGED,
    .tables = &table,
    .n_tables = 1,
    .changes = entries,
    .n_changes = removed != NULL ? 2 : 1,
    .expected = &changes[2].entry,
    .n_expected = expected != NULL ? 1 : 0,
  };
  gboolean success = dsq_engine_apply (engine, &batch, out_applied, error);

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    dsq_entry_unref (changes[i].entry);
  return success;
}

static gboolean
apply_expected (GError **error)
{
  gboolean applied;

  return apply_batch ("a", NULL, &applied, error);
}

static gboolean
apply_removed (GError **error)
{
  gboolean applied;

  return apply_batch (NULL, "old 0599", &applied, error);
}

static gboolean
apply_blindly (GError **error)
{
  gboolean applied;

  return apply_batch (NULL, NULL, &applied, error);
}

static gboolean
list_keys (GError **error)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func ((GDestroyNotify) dsq_entry_unref);
  const DsqKey from = key_of ("a"), end = key_of ("z");

  return dsq_engine_list_keys (engine, &from, &end, 10, entries, error);
}

static gboolean
count (GError **error)
{
  guint64 n_keys;

  return dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, error);
}

static gboolean
check (GError **error)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);

  return dsq_engine_check (engine, problems, error);
}

static gboolean
flush (GError **error)
{
  return dsq_engine_flush (engine, error);
}

/* In a walk of the thread a blind set looks whether its key is new. */
static gboolean
apply_in_walk (GError **error)
{
  gboolean success;
  DsqWalk walk;

  g_assert_true (dsq_engine_start_walk (engine, DSQ_TABLE_MAIN, DSQ_WALK_FORWARD, &walk, NULL));
  success = apply_blindly (error);
  dsq_engine_end_walk (engine, &walk);
  return success;
}

/* What fails, and how; the same call does not fail when it is made again. */
static const struct
{
  const char *name;
  DsqPersistMode mode;
  guint n_expired;
  gboolean (*run) (GError **error);
  int code;
  Call call;
  guint n_passes;
  Call other; /* that fails at once as well, if it is another one */
} failures[] = {
  { "what-was-staged",
    DSQ_PERSIST_LAZY,
    0,
    set_committed,
    DSQ_ERROR_NO_SPACE,
    CALL_APPLY,
    0,
    CALL_APPLY },
  { "what-comes-with-it",
    DSQ_PERSIST_LAZY,
    0,
    set_committed,
    DSQ_ERROR_NO_SPACE,
    CALL_APPLY,
    1,
    CALL_APPLY },
  { "sync", DSQ_PERSIST_LAZY, 0, set_synced, DSQ_ERROR_IO, CALL_SYNC, 0, CALL_SYNC },
  { "sync-behind-another",
    DSQ_PERSIST_LAZY,
    0,
    set_synced,
    DSQ_ERROR_IO,
    CALL_SYNC,
    0,
    CALL_APPLY },
  { "sync-of-many", DSQ_PERSIST_LAZY, 0, write_two_synced, DSQ_ERROR_IO, CALL_SYNC, 1, CALL_APPLY },
  { "savepoint",
    DSQ_PERSIST_WRITETHROUGH,
    0,
    write_two_committed,
    DSQ_ERROR_IO,
    CALL_RELEASE,
    0,
    CALL_APPLY },
  { "busy",
    DSQ_PERSIST_WRITETHROUGH,
    0,
    write_two_committed,
    DSQ_ERROR_BUSY,
    CALL_BEGIN,
    0,
    CALL_BEGIN },
  { "swept-key",
    DSQ_PERSIST_WRITETHROUGH,
    600,
    modify_committed,
    DSQ_ERROR_IO,
    CALL_GET_IN_TRANSACTION,
    0,
    CALL_GET_IN_TRANSACTION },
  { "sweep",
    DSQ_PERSIST_LAZY,
    600,
    apply_blindly,
    DSQ_ERROR_IO,
    CALL_FIND_EXPIRED,
    0,
    CALL_FIND_EXPIRED },
  { "sweep-of-another",
    DSQ_PERSIST_LAZY,
    1800,
    apply_expected,
    DSQ_ERROR_IO,
    CALL_GET,
    1,
    CALL_GET },
  { "sweep-of-a-key", DSQ_PERSIST_LAZY, 1800, apply_removed, DSQ_ERROR_IO, CALL_GET, 0, CALL_GET },
  { "read", DSQ_PERSIST_LAZY, 0, apply_expected, DSQ_ERROR_IO, CALL_GET, 0, CALL_GET },
  { "budget-of-a-sweep",
    DSQ_PERSIST_LAZY,
    2400,
    count,
    DSQ_ERROR_NO_SPACE,
    CALL_BEGIN,
    0,
    CALL_BEGIN },
  { "look-in-a-walk", DSQ_PERSIST_LAZY, 0, apply_in_walk, DSQ_ERROR_IO, CALL_PROBE, 0, CALL_PROBE },
  { "listing", DSQ_PERSIST_LAZY, 0, list_keys, DSQ_ERROR_IO, CALL_CATCH_UP, 0, CALL_CATCH_UP },
  { "check", DSQ_PERSIST_LAZY, 0, check, DSQ_ERROR_IO, CALL_CHECK, 0, CALL_CHECK },
  { "flush", DSQ_PERSIST_LAZY, 0, flush, DSQ_ERROR_IO, CALL_BEGIN, 0, CALL_BEGIN },
};

static void
test_failure (Fixture *self, gconstpointer number)
{
  const guint i = GPOINTER_TO_UINT (number);
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;

  if (failures[i].n_expired > 0)
    put_expired (self, failures[i].n_expired);
  options.persist_mode = failures[i].mode;
  if (failures[i].n_expired > 1000)
    options.dirty_limit = 10000;
  open_engine (self, &options);
  if (failures[i].mode == DSQ_PERSIST_LAZY)
    stage ("s");
  fail_after (failures[i].call, failures[i].n_passes, failures[i].code);
  if (failures[i].other != failures[i].call)
    {
      fail_after (failures[i].other, 0, failures[i].code);
    }
  g_assert_false (failures[i].run (&error));
  g_assert_error (error, DSQ_ERROR, failures[i].code);
  g_clear_error (&error);
  if (failures[i].mode == DSQ_PERSIST_LAZY)
    assert_holds ("s", "staged");
  assert_holds ("a", "1");
  g_assert_true (failures[i].run (&error));
  g_assert_no_error (error);
  close_engine ();
  assert_sound (self->path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++)
    {
      g_autofree char *path = g_strconcat ("/dsq/engine-errors/", failures[i].name, NULL);

      g_test_add (path, Fixture, GUINT_TO_POINTER (i), set_up, test_failure, tear_down);
    }
  return run_inside ();
}
