/* fuzz-facts.c - the ring of facts, which any process of the user may have written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "cold/dsq-facts-private.h"
#include "driver.h"

/* docs/on-disk-format.md: where the first fact stands, and its length in it. */
#define AT_FACT   4096
#define AT_LENGTH 16
/* Longer than any byte of an input can say. */
#define FACT_ROOM 512
#define N_KEYS    8

/* An input is pairs of bytes: where in the fact, and what. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (""),
  FUZZ_SEED ("\x24\xFF\x25\xFF\x26\1\x27\2"),
  FUZZ_SEED ("\4\x90\5\1\6\1"),
  FUZZ_SEED ("\x80\1\x84\2\x88\3\x8c\4"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "of this store..";

static struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) of the store */
  char *ring;   /* (owned) */
  int ring_handle;
  guint8 honest[FACT_ROOM]; /* as a writer left it */
} file;

static DsqWalStamp
stamp_of (guint number)
{
  DsqWalStamp stamp = { { 0 } };

  stamp.is_init = 1;
  stamp.change = stamp.n_frames = number;
  stamp.checksum[0] = number * 31;
  return stamp;
}

static void
clean_up (void)
{
  g_remove (file.ring);
  g_remove (file.path);
  g_rmdir (file.folder);
}

/* One fact of eight keys. */
static void
write_honest (void)
{
  DsqWalStamp before = stamp_of (1), after = stamp_of (2);
  DsqFacts *facts;

  file.folder = g_dir_make_tmp ("fuzz-facts-XXXXXX", NULL);
  g_assert_nonnull (file.folder);
  file.path = g_build_filename (file.folder, "store", NULL);
  file.ring = g_strconcat (file.path, "-facts", NULL);
  g_assert_true (g_file_set_contents (file.path, "", 0, NULL));
  atexit (clean_up);
  facts = dsq_facts_new (file.path, store_id, NULL, FALSE);
  dsq_facts_start (facts);
  for (guint8 i = 0; i < N_KEYS; i++)
    {
      const DsqKey key = { &i, 1, 1, dsq_hash (1, &i, 1) };
      DsqEntry *entry = dsq_entry_new (&key, (const guint8 *) "x", 1, 0);

      dsq_facts_add (facts, entry);
      dsq_entry_unref (entry);
    }
  dsq_facts_append (facts, &before, &after);
  dsq_facts_free (facts);
  file.ring_handle = open (file.ring, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (file.ring_handle, >=, 0);
  /* a short ring is filled up by what is written over it */
  g_assert_cmpint (pread (file.ring_handle, file.honest, FACT_ROOM, AT_FACT), >, 0);
}

/* A liar can make the hash right as well: it keeps out what is torn, not what is forged. */
static void
set_hash (guint8 *fact)
{
  guint32 length;
  guint64 hash;

  memcpy (&length, fact + AT_LENGTH, sizeof length);
  if (length < sizeof hash || length > FACT_ROOM)
    return;
  hash = dsq_hash_siphash (1, 3, store_id, fact + sizeof hash, length - sizeof hash);
  memcpy (fact, &hash, sizeof hash);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  DsqWalStamp before = stamp_of (1), after = stamp_of (2);
  guint8 fact[FACT_ROOM];
  DsqColdChanged changed;
  DsqFacts *facts;
  gboolean follows;

  if (file.folder == NULL)
    write_honest ();
  memcpy (fact, file.honest, sizeof fact);
  for (size_t i = 0; i + 1 < length; i += 2)
    fact[bytes[i]] = bytes[i + 1];
  set_hash (fact);
  g_assert_cmpint (pwrite (file.ring_handle, fact, sizeof fact, AT_FACT), ==, sizeof fact);

  facts = dsq_facts_new (file.path, store_id, NULL, TRUE);
  follows = dsq_facts_follow (facts, &before, &after, &changed);
  g_assert_true (follows || length >= 2);
  if (follows && length < 2)
    g_assert_cmpuint (changed.n_keys, ==, N_KEYS);
  for (gsize i = 0; follows && i < changed.n_keys; i++)
    {
      const DsqKey *key = &changed.keys[i];

      g_assert_cmpuint (key->hash, ==, dsq_hash (key->table, key->bytes, key->length));
      g_assert_true (dsq_key_codec_validate (key->bytes, key->length, NULL));
    }
  dsq_facts_free (facts);
  return 0;
}
