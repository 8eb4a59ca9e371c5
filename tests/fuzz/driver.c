/* driver.c - runs a fuzz target over the same few thousand inputs each time
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include <glib.h>

#include "driver.h"

/*
 * Stands where libFuzzer's main() would: first the target's seeds and what libFuzzer has found
 * worth keeping, then mutations of them under a fixed seed, so that a failure comes again. With
 * file names as arguments it runs just these, which is how an input that libFuzzer found is tried
 * without it.
 */

/* N_ROUNDS is the target's, as meson.build says. */
#define MAX_MUTATIONS 8

/* Each input in memory of just its length, so that a sanitizer sees what is read beyond. */
static void
run (const guint8 *bytes, gsize length)
{
  g_autofree guint8 *exact = g_memdup2 (bytes, length);

  LLVMFuzzerTestOneInput (exact, length);
}

static guint
pick (GRand *rand, guint n)
{
  return n > 1 ? (guint) g_rand_int_range (rand, 0, (gint) n) : 0;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

/* The target's own, and then those of the folder, in the order of their names. */
static GArray *
read_seeds (const char *folder)
{
  GArray *seeds = g_array_new (FALSE, FALSE, sizeof (FuzzSeed));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = NULL;
  const char *name;

  g_array_append_vals (seeds, fuzz_seeds, (guint) n_fuzz_seeds);
  if (folder == NULL)
    return seeds;
  dir = g_dir_open (folder, 0, NULL);
  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    {
      FuzzSeed seed;
      char *bytes;

      g_assert_true (g_file_get_contents (names->pdata[i], &bytes, &seed.length, NULL));
      seed.bytes = bytes;
      g_array_append_val (seeds, seed);
    }
  return seeds;
}

static const FuzzSeed *
pick_seed (GRand *rand, const GArray *seeds)
{
  return &g_array_index (seeds, FuzzSeed, pick (rand, seeds->len));
}

static void
mutate (GRand *rand, const GArray *seeds, GByteArray *input)
{
  static const guint8 telling[] = { 0, 1, 2, 5, 7, 8, 0x7F, 0x80, 0xFE, 0xFF, '(', ')' };
  const FuzzSeed *other = pick_seed (rand, seeds);
  guint at = pick (rand, input->len);
  guint8 byte = telling[pick (rand, G_N_ELEMENTS (telling))];

  switch (pick (rand, input->len > 0 ? 7 : 2))
    {
    case 0: /* part of a seed goes to the end */
      at = pick (rand, (guint) other->length);
      g_byte_array_append (input, (const guint8 *) other->bytes + at, (guint) other->length - at);
      break;
    case 1:
      g_byte_array_append (input, &byte, 1);
      break;
    case 2:
      input->data[at] ^= (guint8) (1 << pick (rand, 8));
      break;
    case 3:
      input->data[at] = byte;
      break;
    case 4:
      input->data[at] = (guint8) g_rand_int (rand);
      break;
    case 5:
      g_byte_array_remove_range (input, at, 1 + pick (rand, input->len - at));
      break;
    default: /* a byte comes in between */
      g_byte_array_append (input, &byte, 1);
      memmove (input->data + at + 1, input->data + at, input->len - 1 - at);
      input->data[at] = byte;
      break;
    }
}

static void
run_files (char **paths)
{
  for (; *paths != NULL; paths++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *bytes = NULL;
      gsize length;

      g_file_get_contents (*paths, &bytes, &length, &error);
      g_assert_no_error (error);
      run ((const guint8 *) bytes, length);
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (20240229);
  g_autoptr (GArray) seeds = NULL;

  if (argc > 1)
    {
      run_files (argv + 1);
      return 0;
    }

  run (NULL, 0);
  seeds = read_seeds (g_getenv ("DSQ_CORPUS"));
  for (guint i = 0; i < seeds->len; i++)
    {
      const FuzzSeed *seed = &g_array_index (seeds, FuzzSeed, i);

      run ((const guint8 *) seed->bytes, seed->length);
    }

  for (guint round = 0; round < N_ROUNDS; round++)
    {
      const FuzzSeed *seed = pick_seed (rand, seeds);
      g_autoptr (GByteArray) input = g_byte_array_new ();

      g_byte_array_append (input, (const guint8 *) seed->bytes, (guint) seed->length);
      for (guint n = 1 + pick (rand, MAX_MUTATIONS); n > 0; n--)
        mutate (rand, seeds, input);
      run (input->data, input->len);
    }
  for (guint i = (guint) n_fuzz_seeds; i < seeds->len; i++)
    g_free ((char *) g_array_index (seeds, FuzzSeed, i).bytes);
  return 0;
}
