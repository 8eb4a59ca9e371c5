/* faulty-file.h - an engine over a file of which single calls fail
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-upkeep-private.h"
#include "engine/dsq-engine-internal.h"
#include "file-fixture.h"

typedef enum
{
  CALL_APPLY,
  CALL_BEGIN,
  CALL_CATCH_UP,
  CALL_CHECK,
  CALL_COMMIT,
  CALL_FIND_EXPIRED,
  CALL_FIND_OLDEST,
  CALL_GET,
  CALL_GET_IN_TRANSACTION,
  CALL_GET_USED,
  CALL_PROBE,
  CALL_RELEASE,
  CALL_SYNC,
  N_CALLS
} Call;

#define NEVER G_MAXUINT

/* The file's functions, and which of the calls to come fails, after so many that do not. */
static struct
{
  const DsqColdTierFuncs *funcs;
  const DsqColdFileFuncs *file_funcs;
  const DsqColdUpkeepFuncs *upkeep;
  guint n_passes[N_CALLS]; /* (atomic) */
  guint n_failed;          /* (atomic) */
  guint n_shrinks;         /* that there is something to do for */
  gboolean sync_is_final;  /* nothing is committed any more when one has failed */
  int code;                /* of DSQ_ERROR */
  int next_code;           /* 0, or of the same call when it is made again */
  /* (nullable) what others do meanwhile */
  void (*after_get) (void);
  void (*after_find) (void);
  void (*after_probe) (void);
  void (*before_commit) (void);
  void (*after_rollback) (DsqColdTier *tier);
} real;

static DsqEngine *engine;      /* (owned) */
static const char *other_path; /* (unowned) of its file */

static gboolean
fails (Call call, GError **error)
{
  guint *n_passes = &real.n_passes[call];

  if (__atomic_load_n (n_passes, __ATOMIC_SEQ_CST) == NEVER ||
      __atomic_fetch_sub (n_passes, 1, __ATOMIC_SEQ_CST) > 0)
    return FALSE;
  __atomic_fetch_add (&real.n_failed, 1, __ATOMIC_SEQ_CST);
  g_set_error_literal (error, DSQ_ERROR, real.code, "as the test has it");
  __atomic_store_n (n_passes, real.next_code != 0 ? 0 : NEVER, __ATOMIC_SEQ_CST);
  if (real.next_code != 0)
    real.code = real.next_code;
  real.next_code = 0;
  return TRUE;
}

static void
do_meanwhile (void (*func) (void))
{
  if (func != NULL)
    func ();
}

static gboolean
fail_apply (DsqColdTier *tier, DsqChange *changes, gsize n_changes, GError **error)
{
  return !fails (CALL_APPLY, error) && real.funcs->apply (tier, changes, n_changes, error);
}

static gboolean
fail_begin (DsqColdTier *tier, GError **error)
{
  return !fails (CALL_BEGIN, error) && real.funcs->begin (tier, error);
}

static gboolean
fail_catch_up (DsqColdTier *tier, GError **error)
{
  return !fails (CALL_CATCH_UP, error) && real.funcs->catch_up (tier, error);
}

static gboolean
fail_check (DsqColdTier *tier, GPtrArray *problems, GError **error)
{
  return !fails (CALL_CHECK, error) && real.upkeep->check (tier, problems, error);
}

static gboolean
fail_commit (DsqColdTier *tier, DsqColdCommittedFunc committed, gpointer data, GError **error)
{
  if (!fails (CALL_COMMIT, error))
    {
      do_meanwhile (g_steal_pointer (&real.before_commit));
      return real.funcs->commit (tier, committed, data, error);
    }
  real.funcs->rollback (tier);
  if (real.after_rollback != NULL)
    real.after_rollback (tier);
  return FALSE;
}

static gboolean
fail_find_expired (DsqColdTier *tier,
                   gboolean by_writer,
                   DsqExpirySpan *span,
                   guint max_rows,
                   GArray *rows,
                   gint64 *out_next,
                   GError **error)
{
  return !fails (CALL_FIND_EXPIRED, error) &&
         real.funcs->find_expired (tier, by_writer, span, max_rows, rows, out_next, error);
}

static gboolean
fail_find_oldest (DsqColdFile *file,
                  gint64 *place,
                  guint max_rows,
                  GArray *rows,
                  gboolean *out_is_last,
                  GError **error)
{
  if (fails (CALL_FIND_OLDEST, error) ||
      !real.file_funcs->find_oldest (file, place, max_rows, rows, out_is_last, error))
    return FALSE;
  do_meanwhile (g_steal_pointer (&real.after_find));
  return TRUE;
}

static gboolean
fail_get (DsqColdTier *tier, const DsqKey *keys, gsize n_keys, DsqEntry **out, GError **error)
{
  if (fails (CALL_GET, error) || !real.funcs->get_many (tier, keys, n_keys, out, error))
    return FALSE;
  do_meanwhile (real.after_get);
  return TRUE;
}

static gboolean
fail_get_in_transaction (DsqColdTier *tier, const DsqKey *key, DsqEntry **out, GError **error)
{
  return !fails (CALL_GET_IN_TRANSACTION, error) &&
         real.funcs->get_in_transaction (tier, key, out, error);
}

static gboolean
fail_get_used (DsqColdFile *file, guint64 *out_bytes, GError **error)
{
  return !fails (CALL_GET_USED, error) && real.file_funcs->get_used (file, out_bytes, error);
}

static gboolean
fail_probe (DsqColdTier *tier, const DsqKey *keys, gsize n_keys, gint64 *out_places, GError **error)
{
  if (fails (CALL_PROBE, error) || !real.funcs->probe (tier, keys, n_keys, out_places, error))
    return FALSE;
  do_meanwhile (g_steal_pointer (&real.after_probe));
  return TRUE;
}

static gboolean
fail_release (DsqColdTier *tier, gboolean keep, GError **error)
{
  return !fails (CALL_RELEASE, error) && real.funcs->release (tier, keep, error);
}

/* As long as there is something to shrink there is more. */
static gboolean
fake_shrink (DsqColdFile *file, guint max_bytes, gboolean *out_more, GError **error)
{
  *out_more = real.n_shrinks > 0;
  real.n_shrinks -= *out_more;
  return TRUE;
}

static gboolean
fail_sync (DsqColdFile *file, GError **error)
{
  if (!fails (CALL_SYNC, error))
    return real.file_funcs->sync (file, error);
  __atomic_store_n (&file->is_failed, real.sync_is_final, __ATOMIC_SEQ_CST);
  return FALSE;
}

/* Once, with @code. */
static inline void
fail_after (Call call, guint n_passes, int code)
{
  real.code = code;
  __atomic_store_n (&real.n_passes[call], n_passes, __ATOMIC_SEQ_CST);
}

/* --- a store ---------------------------------------------------------------------------------- */

static inline void
take_over (DsqColdTier *tier)
{
  static DsqColdTierFuncs funcs;
  static DsqColdFileFuncs file_funcs;
  static DsqColdUpkeepFuncs upkeep;

  memset (&real, 0, sizeof real);
  real.funcs = tier->funcs;
  real.file_funcs = tier->file->funcs;
  real.upkeep = tier->upkeep;
  for (guint i = 0; i < N_CALLS; i++)
    real.n_passes[i] = NEVER;
  funcs = *tier->funcs;
  funcs.apply = fail_apply;
  funcs.begin = fail_begin;
  funcs.catch_up = fail_catch_up;
  funcs.commit = fail_commit;
  funcs.find_expired = fail_find_expired;
  funcs.get_many = fail_get;
  funcs.get_in_transaction = fail_get_in_transaction;
  funcs.probe = fail_probe;
  funcs.release = fail_release;
  file_funcs = *tier->file->funcs;
  file_funcs.find_oldest = fail_find_oldest;
  file_funcs.get_used = fail_get_used;
  file_funcs.shrink = fake_shrink;
  file_funcs.sync = fail_sync;
  upkeep = *tier->upkeep;
  upkeep.check = fail_check;
  tier->funcs = &funcs;
  tier->file->funcs = &file_funcs;
  tier->upkeep = &upkeep;
}

static const DsqEngineOptions usual = {
  .persist_mode = DSQ_PERSIST_LAZY,
  .hot_capacity = 100,
  .hot_limit = 1 << 20,
  .dirty_limit = 1 << 20,
  .flush_interval_ms = 3600 * 1000,
};

/* With a key "a" in the file. */
static inline void
open_engine (Fixture *self, const DsqEngineOptions *options)
{
  const DsqColdOptions cold_options = {
    .path = self->path,
    .read_only = options->read_only,
    .cache_bytes = 1 << 20,
  };
  g_autoptr (GError) error = NULL;
  DsqTableState main;
  DsqColdTier *tier;

  other_path = self->path;
  if (!g_file_test (self->path, G_FILE_TEST_EXISTS))
    make_store (self->path);
  tier = dsq_cold_tier_open_sqlite (&cold_options, &main, &error);
  g_assert_no_error (error);
  take_over (tier);
  engine = dsq_engine_open_over (options, tier, &main, &error);
  g_assert_no_error (error);
}

static inline void
close_engine (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_engine_close (engine, &error));
  g_assert_no_error (error);
  g_clear_pointer (&engine, dsq_engine_unref);
}

static inline gboolean
set_to (DsqPromise promise, const char *key, const char *value, GError **error)
{
  DsqChange change = change_of (key, value, 0, DSQ_PRESENCE_UNKNOWN);
  DsqKey a_key = key_of (key);

  return dsq_engine_set (engine, promise, &a_key, change.entry, error);
}

static inline void
stage (const char *key)
{
  g_autoptr (GError) error = NULL;

  set_to (DSQ_PROMISE_STAGED, key, "staged", &error);
  g_assert_no_error (error);
}

static inline void
assert_holds (const char *key, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey a_key = key_of (key);

  g_assert_true (dsq_engine_get (engine, &a_key, &entry, &error));
  g_assert_no_error (error);
  assert_entry (entry, expected);
}

/* --- another process -------------------------------------------------------------------------- */

static inline DsqColdTier *
open_other (Foreign *foreign)
{
  return open_tier (other_path, foreign);
}

static inline void
put_other (void)
{
  Foreign foreign;
  DsqColdTier *other = open_other (&foreign);

  put (other, "foreign", "1");
  close_tier (other);
}

static inline void
put_others (void)
{
  Foreign foreign;
  DsqColdTier *other = open_other (&foreign);

  put (other, "a", "1");
  put (other, "b", "1");
  close_tier (other);
}

static inline gboolean
flush_engine (GError **error)
{
  return dsq_engine_flush (engine, error);
}
