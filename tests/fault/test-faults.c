/* test-faults.c - a script of all calls of a store, in which each system call fails in turn
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each point is a process of its own: it runs the script, has the n-th call of a kind fail, and
 * notes what was acknowledged. A call that fails says why, and changes nothing; made again it
 * succeeds, unless a sync has failed; and whether the process goes on, closes or ends there, the
 * file that it leaves is sound, and holds what was acknowledged.
 */

#include <errno.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run-length.h"
#include "fault-point.h"
#include "fault-script.h"

#define STRIDE 1000003 /* a prime, and more than there are points */

/* What a process tells of its run. */
typedef struct
{
  ScriptState history[SCRIPT_MAX_STEPS + 1];
  guint n_done;        /* states but for the first */
  guint n_kept;        /* of them that were acknowledged to be in the file */
  gboolean is_unknown; /* whether @unknown may be there as well, and the new password */
  ScriptState unknown;
  gboolean is_either; /* of both passwords, since their change failed */
  gboolean is_closed; /* in good order: the file holds the last state */
  gboolean was_met;
  guint n_errors;
  guint n_calls[SCRIPT_MAX_STEPS + 2][FAULT_N_KINDS]; /* made until a step's end, the first one
                                                         opens, the last one closes */
} Outcome;

static const Setup setups[] = {
  { "memory", DSQ_PERSIST_MEMORY, FALSE, FALSE },
  { "lazy", DSQ_PERSIST_LAZY, FALSE, FALSE },
  { "lazy-background", DSQ_PERSIST_LAZY, TRUE, FALSE },
  { "writethrough", DSQ_PERSIST_WRITETHROUGH, FALSE, FALSE },
  { "writethrough-background", DSQ_PERSIST_WRITETHROUGH, TRUE, FALSE },
  { "lazy-encrypted", DSQ_PERSIST_LAZY, FALSE, TRUE },
  { "writethrough-encrypted", DSQ_PERSIST_WRITETHROUGH, FALSE, TRUE },
};

static char *folder;     /* (owned) */
static char *path;       /* (owned) of the store */
static char *copy_path;  /* (owned) */
static Outcome *outcome; /* (unowned) shared with the processes */

/* --- the process ------------------------------------------------------------------------------ */

static void
note_calls (guint at)
{
  for (guint i = 0; i < FAULT_N_KINDS; i++)
    outcome->n_calls[at][i] = fault_get_n_calls (i, FAULT_ALL);
}

static void
note_done (const Setup *setup, const ScriptStep *step)
{
  ScriptState *state = &outcome->history[outcome->n_done + 1];

  *state = outcome->history[outcome->n_done];
  if (step->change != NULL)
    step->change (state);
  outcome->n_done++;
  if (step->is_barrier || setup->mode == DSQ_PERSIST_WRITETHROUGH)
    outcome->n_kept = outcome->n_done;
}

static void
note_unknown (const ScriptStep *step)
{
  outcome->is_unknown = TRUE;
  outcome->unknown = outcome->history[outcome->n_done];
  if (step != NULL && step->change != NULL)
    step->change (&outcome->unknown);
}

static gboolean
is_same (const ScriptState *a, const ScriptState *b)
{
  return memcmp (a->values, b->values, sizeof a->values) == 0 && a->n_fill == b->n_fill;
}

/* An error changes nothing in what is read. */
static void
check_memory (const Point *point, Script *script, const char *step)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = point_describe (point);
  ScriptState state;

  if (script->store == NULL || dsq_store_is_closed (script->store))
    return;
  if (!script_read (script, &state, &error))
    point_check_error (point, "reading", error);
  else if (!is_same (&state, &outcome->history[outcome->n_done]) &&
           !(outcome->is_unknown && is_same (&state, &outcome->unknown)))
    g_error ("%s: another state after %s, step %u", text, step, outcome->n_done);
}

static gboolean
run_step (const Point *point, Script *script, const ScriptStep *step)
{
  g_autoptr (GError) error = NULL;

  if (step->call (script, &error))
    {
      note_done (point->setup, step);
      outcome->is_either = FALSE;
      return TRUE;
    }
  outcome->n_errors++;
  point_check_error (point, step->name, error);
  if (point_is_final (point, error))
    note_unknown (step);
  outcome->is_either = strcmp (step->name, "change-password") == 0;
  return FALSE;
}

/* Whatever fails for ever, each call ends, and says why. */
static void
go_on_failing (const Point *point, Script *script)
{
  static const ScriptStep *const tried[] = { &script_steps[1], &script_steps[7] };

  for (guint i = 0; i < G_N_ELEMENTS (tried) && script->store != NULL; i++)
    {
      g_autoptr (GError) error = NULL;

      if (dsq_store_is_closed (script->store))
        break;
      if (tried[i]->call (script, &error))
        note_done (point->setup, tried[i]);
      else
        point_check_error (point, tried[i]->name, error);
      check_memory (point, script, tried[i]->name);
    }
}

/* FALSE: the script ends here. */
static gboolean
meet_error (const Point *point, Script *script, const ScriptStep *step)
{
  g_autofree char *text = point_describe (point);

  if (point->ending == ENDING_KILL)
    _exit (0);
  check_memory (point, script, step->name);
  if (point->ending == ENDING_STAYS)
    {
      go_on_failing (point, script);
      return FALSE;
    }
  if (outcome->is_unknown && strcmp (step->name, "copy") != 0)
    return FALSE;
  outcome->is_unknown = FALSE;
  if (run_step (point, script, step))
    return TRUE;
  /* in the background the store itself may have met it */
  if (!outcome->is_unknown || !point->setup->background)
    g_error ("%s: %s fails again", text, step->name);
  return FALSE;
}

static gboolean
open_first (const Point *point, Script *script)
{
  g_autoptr (GError) error = NULL;

  script->store = script_open (script, script->mode, SCRIPT_OLD_PASSWORD, &error);
  if (script->store != NULL)
    return TRUE;
  outcome->n_errors++;
  point_check_error (point, "open", error);
  g_clear_error (&error);
  if (point->ending != ENDING_ONCE)
    return FALSE;
  script->store = script_open (script, script->mode, SCRIPT_OLD_PASSWORD, &error);
  g_assert_no_error (error);
  return TRUE;
}

static void
close_last (const Point *point, Script *script)
{
  g_autoptr (GError) error = NULL;
  gboolean closed = script->store != NULL && dsq_store_close (script->store, NULL, &error);

  if (script->store != NULL && !closed)
    {
      outcome->n_errors++;
      point_check_error (point, "close", error);
      if (point_is_final (point, error))
        note_unknown (NULL);
      else if (point->ending == ENDING_ONCE && !dsq_store_is_closed (script->store))
        closed = dsq_store_close (script->store, NULL, NULL);
    }
  outcome->is_closed = closed && !outcome->is_unknown;
}

static void
run_process (const Point *point)
{
  Script script = {
    path, copy_path, point->setup->mode, point->setup->background, point->setup->encrypted, NULL,
  };
  gboolean goes_on = TRUE;

  if (script.mode != DSQ_PERSIST_MEMORY)
    fault_arm (&point->fault);
  goes_on = open_first (point, &script);
  if (goes_on && script.mode == DSQ_PERSIST_MEMORY)
    {
      script_fill (&script);
      fault_arm (&point->fault);
    }
  note_calls (0);
  for (guint i = 0; i < script_n_steps && goes_on; i++)
    {
      if (!run_step (point, &script, &script_steps[i]))
        goes_on = meet_error (point, &script, &script_steps[i]);
      note_calls (i + 1);
    }
  outcome->was_met = fault_was_met ();
  if (point->ending == ENDING_KILL)
    _exit (0);
  if (point->ending == ENDING_ONCE && !outcome->is_unknown)
    check_memory (point, &script, "the end");
  close_last (point, &script);
  g_clear_object (&script.store);
  note_calls (script_n_steps + 1);
  _exit (0);
}

/* --- the file that it leaves ------------------------------------------------------------------ */

static void
check_sound (const Point *point)
{
  g_autofree char *text = point_describe (point);
  sqlite3 *handle;
  sqlite3_stmt *statement;

  g_assert_cmpint (sqlite3_open (path, &handle), ==, SQLITE_OK);
  sqlite3_prepare_v2 (handle, "PRAGMA integrity_check", -1, &statement, NULL);
  if (sqlite3_step (statement) != SQLITE_ROW ||
      g_strcmp0 ((const char *) sqlite3_column_text (statement, 0), "ok") != 0)
    g_error ("%s: the file is damaged", text);
  sqlite3_finalize (statement);
  sqlite3_close (handle);
}

static gboolean
is_allowed (const Setup *setup, const ScriptState *state)
{
  guint first = outcome->is_closed ? outcome->n_done : outcome->n_kept;

  for (guint i = first; i <= outcome->n_done; i++)
    if (is_same (state, &outcome->history[i]))
      return TRUE;
  return outcome->is_unknown && is_same (state, &outcome->unknown);
}

/* A new password is that of the file as soon as the change returns, in each mode. */
static gboolean
has_right_password (gboolean has_new)
{
  return outcome->is_either || has_new == outcome->history[outcome->n_done].has_new_password ||
         (outcome->is_unknown && has_new == outcome->unknown.has_new_password);
}

static void
check_file (const Point *point)
{
  Script script = {
    path, copy_path, DSQ_PERSIST_WRITETHROUGH, FALSE, point->setup->encrypted, NULL,
  };
  g_autofree char *text = point_describe (point);
  g_autoptr (GError) error = NULL;
  gboolean has_new = FALSE;
  ScriptState state;

  script.store = script_open (&script, script.mode, SCRIPT_OLD_PASSWORD, &error);
  if (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD))
    {
      has_new = TRUE;
      g_clear_error (&error);
      script.store = script_open (&script, script.mode, SCRIPT_NEW_PASSWORD, &error);
    }
  if (script.store == NULL || !script_read (&script, &state, &error))
    g_error ("%s: then %s", text, error->message);
  if (!is_allowed (point->setup, &state))
    g_error ("%s: a state that was not acknowledged: %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
             " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
             ", %u of %u",
             text,
             state.values[0],
             state.values[1],
             state.values[2],
             state.values[3],
             state.values[4],
             state.n_fill,
             outcome->n_kept,
             outcome->n_done);
  if (point->setup->encrypted && !has_right_password (has_new))
    g_error ("%s: the other password", text);
  if (!dsq_store_close (script.store, NULL, &error))
    g_error ("%s: then %s", text, error->message);
  g_object_unref (script.store);
  check_sound (point);
}

/* --- points ----------------------------------------------------------------------------------- */

static char *
template_of (const Setup *setup)
{
  return g_build_filename (folder, setup->encrypted ? "encrypted" : "plain", NULL);
}

static void
copy_file (const char *from, const char *to)
{
  g_autofree char *bytes = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (from, &bytes, &length, NULL));
  g_assert_true (
      g_file_set_contents_full (to, bytes, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* In memory, or where files have no names of others. */
static void
remove_files (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    if (strcmp (name, "plain") != 0 && strcmp (name, "encrypted") != 0)
      {
        g_autofree char *file = g_build_filename (folder, name, NULL);

        g_unlink (file);
      }
}

static void
run_point (const Point *point)
{
  g_autofree char *template = template_of (point->setup);
  g_autofree char *text = point_describe (point);
  int status;
  pid_t child;

  remove_files ();
  copy_file (template, path);
  memset (outcome, 0, sizeof *outcome);
  script_state_init (&outcome->history[0]);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    run_process (point);
  while (waitpid (child, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  if (status != 0)
    g_error ("%s: the process ended with status %d", text, status);
  if (point->setup->mode != DSQ_PERSIST_MEMORY)
    check_file (point);
}

static const Fault no_fault = { .kind = FAULT_N_KINDS };

static const char *
name_of_step (guint step)
{
  if (step == 0)
    return "open";
  return step == script_n_steps + 1 ? "close" : script_steps[step - 1].name;
}

/* The calls that each step makes of each kind. */
static void
print_table (const Setup *setup)
{
  GString *line = g_string_new (NULL);

  for (guint i = 0; i < FAULT_N_KINDS; i++)
    g_string_append_printf (line, " %8s", fault_kind_get_name (i));
  g_test_message ("%-24s%s", setup->name, line->str);
  for (guint step = 0; step < script_n_steps + 2; step++)
    {
      g_string_truncate (line, 0);
      for (guint i = 0; i < FAULT_N_KINDS; i++)
        g_string_append_printf (line,
                                " %8u",
                                outcome->n_calls[step][i] -
                                    (step > 0 ? outcome->n_calls[step - 1][i] : 0));
      g_test_message ("%-24s%s", name_of_step (step), line->str);
    }
  g_string_free (line, TRUE);
}

/* For the table of docs/durability.md: the points that a step's calls make. */
static void
print_points (const Setup *setup)
{
  for (guint step = 0; step < script_n_steps + 2; step++)
    {
      guint n = 0;

      for (guint i = 0; i < FAULT_N_KINDS; i++)
        n += (outcome->n_calls[step][i] - (step > 0 ? outcome->n_calls[step - 1][i] : 0)) *
             fault_count_errors (i) * N_ENDINGS;
      g_test_message ("points %s %s %u", setup->name, name_of_step (step), n);
    }
}

typedef struct
{
  guint n_points;
  guint n_errors; /* of which a call of the store met one */
} Tried;

static Point
point_at (const Setup *setup, FaultKind kind, guint n, guint which)
{
  /* SQLite tries a lock that it does not get for ten seconds, at each call */
  const Ending ending = kind == FAULT_LOCK && which % N_ENDINGS == ENDING_STAYS ? ENDING_ONCE
                                                                                : which % N_ENDINGS;
  const int error = fault_get_error (kind, which / N_ENDINGS % fault_count_errors (kind));

  return (Point){ setup, { kind, error, n, ending == ENDING_STAYS, FAULT_ALL }, ending };
}

static void
try_point (const Setup *setup, FaultKind kind, guint n, guint which, Tried *tried)
{
  const Point point = point_at (setup, kind, n, which);

  run_point (&point);
  tried->n_points++;
  tried->n_errors += outcome->n_errors > 0;
}

/* So many points of a kind, or all of them. */
static void
try_kind (const Setup *setup,
          FaultKind kind,
          guint n_calls,
          guint n_tried,
          GRand *random,
          Tried *tried)
{
  const guint n_of_a_call = fault_count_errors (kind) * N_ENDINGS;
  const guint n_all = n_calls * n_of_a_call;

  for (guint i = 0; i < (n_tried > 0 ? MIN (n_tried, n_all) : n_all); i++)
    {
      const guint which = n_tried > 0 ? (guint) g_rand_int_range (random, 0, (gint32) n_all) : i;

      try_point (setup, kind, which / n_of_a_call, which % n_of_a_call, tried);
    }
}

/* Any of all points, none twice before each was tried. */
static void
try_while (const Setup *setup,
           const guint *n_calls,
           const RunLength *run,
           GRand *random,
           Tried *tried)
{
  const guint32 start = g_rand_int (random);
  guint64 n_all = 0;

  for (guint kind = 0; kind < FAULT_N_KINDS; kind++)
    n_all += (guint64) n_calls[kind] * fault_count_errors (kind) * N_ENDINGS;
  for (guint64 i = 0; i < n_all && run_goes_on (run, i); i++)
    {
      guint64 which = (start + i * STRIDE) % n_all;
      guint kind = 0;
      guint n_of_a_call;

      for (;; kind++)
        {
          n_of_a_call = fault_count_errors (kind) * N_ENDINGS;
          if (which < (guint64) n_calls[kind] * n_of_a_call)
            break;
          which -= (guint64) n_calls[kind] * n_of_a_call;
        }
      try_point (setup, kind, (guint) (which / n_of_a_call), (guint) (which % n_of_a_call), tried);
    }
  g_test_message ("%" G_GUINT64_FORMAT " points are all", n_all);
}

static void
test_faults (gconstpointer data)
{
  const Setup *setup = data;
  const guint32 seed = (guint32) g_test_rand_int ();
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  const Point whole = { setup, no_fault, ENDING_ONCE };
  const guint n_tried = setup->encrypted ? run_length (1, 2, 0) : run_length (1, 8, 0);
  const RunLength run = run_begin (0, 0, 0);
  Tried tried = { 0, 0 };
  guint n_calls[FAULT_N_KINDS];

  g_test_message ("seed %u", seed);
  run_point (&whole);
  g_assert_cmpuint (outcome->n_done, ==, script_n_steps);
  print_table (setup);
  print_points (setup);
  memcpy (n_calls, outcome->n_calls[script_n_steps + 1], sizeof n_calls);
  if (run.until != 0)
    try_while (setup, n_calls, &run, random, &tried);
  else
    for (guint kind = 0; kind < FAULT_N_KINDS; kind++)
      try_kind (setup, kind, n_calls[kind], n_tried, random, &tried);
  run_tell (tried.n_points, "failing calls");
  run_tell (tried.n_errors, "of them told as errors");
  /* what memory mode cannot spill stays where it is */
  g_assert_true (tried.n_errors > 0 || tried.n_points < 50);
}

static void
make_templates (void)
{
  for (guint encrypted = 0; encrypted <= 1; encrypted++)
    {
      const Setup setup = { .encrypted = (gboolean) encrypted };
      g_autofree char *template = template_of (&setup);
      Script script = { template, NULL, DSQ_PERSIST_LAZY, FALSE, (gboolean) encrypted, NULL };
      g_autoptr (GError) error = NULL;

      script.store = script_open (&script, script.mode, SCRIPT_OLD_PASSWORD, &error);
      g_assert_no_error (error);
      script_fill (&script);
      g_assert_true (dsq_store_close (script.store, NULL, &error));
      g_object_unref (script.store);
    }
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  fault_install ();
  /* in memory if that can be: nothing is asked here of a medium */
  folder = g_strdup ("/dev/shm/dsq-faults-XXXXXX");
  if (g_mkdtemp (folder) == NULL)
    {
      g_free (folder);
      folder = g_dir_make_tmp ("dsq-faults-XXXXXX", NULL);
    }
  path = g_build_filename (folder, "store.db", NULL);
  copy_path = g_build_filename (folder, "copy", NULL);
  outcome = mmap (NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (outcome != MAP_FAILED);
  make_templates ();
  for (guint i = 0; i < G_N_ELEMENTS (setups); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/faults/", setups[i].name, NULL);

      g_test_add_data_func (name, &setups[i], test_faults);
    }
  status = g_test_run ();
  remove_files ();
  for (guint encrypted = 0; encrypted <= 1; encrypted++)
    {
      const Setup setup = { .encrypted = (gboolean) encrypted };
      g_autofree char *template = template_of (&setup);

      g_unlink (template);
    }
  g_rmdir (folder);
  g_free (copy_path);
  g_free (path);
  g_free (folder);
  return status;
}
