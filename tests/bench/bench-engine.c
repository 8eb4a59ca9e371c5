/* bench-engine.c - the engine without Python: a scenario each
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib/gstdio.h>

#include "bench-samples.h"
#include "bench-scenarios.h"

/* Keys and records are made beforehand; one thread. The JSON that comes out is for bench.py. */

static int n_rounds = 5;
static char *directory;
static char **scenarios;

static const struct
{
  const char *name;
  void (*run) (const char *directory, guint round);
  guint rounds_factor; /* short scenarios run more rounds */
} all_scenarios[] = {
  { "hot", bench_run_hot, 3 },
  { "many", bench_run_many, 1 },
  { "writethrough", bench_run_writethrough, 1 },
  { "one-write", bench_run_one_write, 1 },
  { "facts", bench_run_facts, 1 },
  { "flush", bench_run_flush, 1 },
  { "tiers", bench_run_tiers, 2 },
  { "open", bench_run_open, 1 },
};

static const GOptionEntry options[] = {
  { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "Rounds of each scenario", "N" },
  { "directory", 0, 0, G_OPTION_ARG_FILENAME, &directory, "Where the files go", "DIR" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &scenarios, NULL, "[SCENARIO...]" },
  G_OPTION_ENTRY_NULL,
};

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context =
      g_option_context_new ("hot many writethrough one-write facts flush tiers open");
  g_autoptr (GError) error = NULL;
  g_autofree char *own_directory = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) ||
      (directory == NULL && (own_directory = g_dir_make_tmp ("dsq-bench-XXXXXX", &error)) == NULL))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (directory == NULL)
    directory = own_directory;

  for (guint i = 0; i < G_N_ELEMENTS (all_scenarios); i++)
    if (scenarios == NULL ||
        g_strv_contains ((const char *const *) scenarios, all_scenarios[i].name))
      for (guint round = 0; round < (guint) n_rounds * all_scenarios[i].rounds_factor; round++)
        all_scenarios[i].run (directory, round);
  bench_samples_print ();
  if (own_directory != NULL)
    g_rmdir (own_directory);
  return 0;
}
