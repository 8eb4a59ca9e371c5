/* driver.c - runs a fuzz target over the same few thousand inputs each time
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include <glib.h>

#include "driver.h"

/*
 * Stands where libFuzzer's main() would: first the target's seeds, then mutations of them under a
 * fixed seed, so that a failure comes again. With file names as arguments it runs just these, which
 * is how an input that libFuzzer found is tried without it.
 */

#define N_ROUNDS      20000
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

static void
mutate (GRand *rand, GByteArray *input)
{
  static const guint8 telling[] = { 0, 1, 2, 5, 7, 8, 0x7F, 0x80, 0xFE, 0xFF, '(', ')' };
  const FuzzSeed *other = &fuzz_seeds[pick (rand, (guint) n_fuzz_seeds)];
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

  if (argc > 1)
    {
      run_files (argv + 1);
      return 0;
    }

  run (NULL, 0);
  for (gsize i = 0; i < n_fuzz_seeds; i++)
    run ((const guint8 *) fuzz_seeds[i].bytes, fuzz_seeds[i].length);

  for (guint round = 0; round < N_ROUNDS; round++)
    {
      const FuzzSeed *seed = &fuzz_seeds[pick (rand, (guint) n_fuzz_seeds)];
      g_autoptr (GByteArray) input = g_byte_array_new ();

      g_byte_array_append (input, (const guint8 *) seed->bytes, (guint) seed->length);
      for (guint n = 1 + pick (rand, MAX_MUTATIONS); n > 0; n--)
        mutate (rand, input);
      run (input->data, input->len);
    }
  return 0;
}
