/* fuzz-damage.c - any bytes as a list of what is done to a store's file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib.h>
#include <stdlib.h>

#include "driver.h"
#include "file-trial.h"

/*
 * The damage and the trial are those of fuzz-files, where they are of chance. Here each choice is a
 * byte or some of the input, so that libFuzzer finds which lead somewhere new. The first two say
 * whether the file is encrypted and what it was before, the next whether rows are damaged, its log,
 * or its pages.
 */

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\0\0\1\0\3\1\7\2"),  /* pages of a plain file */
  FUZZ_SEED ("\1\0\1\1\7\2\5\x9"), /* of an encrypted one */
  FUZZ_SEED ("\0\0\0\0\7\0\11\0"), /* rows of a plain one */
  FUZZ_SEED ("\1\1\0\1\11\0\5\0"), /* of an encrypted one */
  FUZZ_SEED ("\0\4\1\1\0\5\11\2"), /* a log */
  FUZZ_SEED ("\1\5\1\0\1\3\21\2"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static char *folder;   /* (owned) */
static Images *images; /* (owned) */

static void
end (void)
{
  images_free (images);
  images_remove_folder (folder);
  g_free (folder);
}

static void
begin (void)
{
  folder = images_make_folder ();
  images = images_new (folder);
  atexit (end);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  static const char *volatile step;
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  g_autoptr (Damage) damage = NULL;

  if (images == NULL)
    begin ();
  damage_follow (bytes, length);
  damage = damage_new (images, rand);
  trial_run (folder, damage, rand, &step);
  damage_follow (NULL, 0);
  return 0;
}
