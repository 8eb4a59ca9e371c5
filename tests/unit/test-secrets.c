/* test-secrets.c - what is left of passwords and keys in a process's memory
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All that a password gives is derived here once more, by the rooms of the library, and remembered
 * masked. While a store is open its name and value keys must be found in memory, as the beginnings
 * of key schedules, which shows that the search finds; when it is closed, nothing.
 */

#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../run-length.h"
#include "codec/dsq-header-private.h"
#include "cold-support.h"
#include "crypto/dsq-kdf-private.h"
#include "crypto/dsq-random-private.h"
#include "crypto/dsq-secret-private.h"
#include "dictsqlite.h"

/* A sanitizer has terabytes of its own mapped, and valgrind copies of what was freed. */
#define IS_WATCHED (HAS_SANITIZER || g_getenv ("DSQ_SHORT") != NULL)

#define MASK  0xA5
#define CHUNK (1 << 20)

typedef struct
{
  const char *name;
  guint8 masked[64];
  gsize length;
  guint n_found;
} Needle;

enum
{
  PASSWORD,
  PASSWORD_KEY,
  WRAP_KEY,
  HEADER_KEY,
  DATA_KEY,
  TOKEN_KEY,
  NAME_KEY,
  VALUE_KEY,
  FACT_KEY,
  N_NEEDLES
};

static Needle needles[N_NEEDLES];

static void
remember (guint which, const char *name, const guint8 *bytes, gsize length)
{
  Needle *needle = &needles[which];

  needle->name = name;
  needle->length = length;
  for (gsize i = 0; i < length; i++)
    needle->masked[i] = bytes[i] ^ MASK;
}

/* --- searching -------------------------------------------------------------------------------- */

static void
search_chunk (const guint8 *chunk, gsize length)
{
  for (guint n = 0; n < N_NEEDLES; n++)
    {
      Needle *needle = &needles[n];
      const guint8 first = needle->masked[0] ^ MASK;
      const guint8 *at = chunk;

      while ((at = memchr (at, first, (gsize) (chunk + length - at))) != NULL)
        {
          gsize i = 1;

          if ((gsize) (chunk + length - at) < needle->length)
            break;
          while (i < needle->length && at[i] == (needle->masked[i] ^ MASK))
            i++;
          if (i == needle->length)
            needle->n_found++;
          at++;
        }
    }
}

/* Chunks overlap, so that nothing hides at their ends; what is met twice does no harm. */
static void
search_range (int memory, guint64 first, guint64 end, guint8 *chunk)
{
  for (guint64 at = first; at < end; at += CHUNK - sizeof needles[0].masked)
    {
      gssize n = pread (memory, chunk, (gsize) MIN (CHUNK, end - at), (off_t) at);

      if (n <= 0)
        break;
      search_chunk (chunk, (gsize) n);
    }
}

/* All memory of the process but what it is read into, which may be a part of a mapping. */
static void
search_memory (void)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint8 *chunk = dsq_secret_new (CHUNK);
  guint64 own = (guint64) (gsize) chunk;
  int memory = open ("/proc/self/mem", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (memory, >=, 0);
  for (guint n = 0; n < N_NEEDLES; n++)
    needles[n].n_found = 0;
  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      guint64 first, end;
      char mode[5];

      if (sscanf (lines[i],
                  "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x %4s",
                  &first,
                  &end,
                  mode) != 3 ||
          mode[0] != 'r' || strstr (lines[i], "[v") != NULL)
        continue;
      if (own < first || own >= end)
        search_range (memory, first, end, chunk);
      else
        {
          search_range (memory, first, own, chunk);
          search_range (memory, own + CHUNK, end, chunk);
        }
    }
  close (memory);
  dsq_secret_free (chunk, CHUNK);
}

static void
assert_nothing_found (void)
{
  search_memory ();
  for (guint n = 0; n < N_NEEDLES; n++)
    {
      if (needles[n].n_found > 0)
        g_test_message ("%s: found %u times", needles[n].name, needles[n].n_found);
      g_assert_cmpuint (needles[n].n_found, ==, 0);
    }
}

/* --- the secrets ------------------------------------------------------------------------------ */

/* Never as one text in the program, not by its compiler either. */
static GBytes *
make_password (void)
{
  volatile guint step = 37;
  guint8 text[32];
  GBytes *password;

  for (guint i = 0; i < sizeof text; i++)
    text[i] = (guint8) ('!' + i * step % 90);
  password = dsq_secret_bytes (text, sizeof text);
  dsq_secret_wipe (text, sizeof text);
  return password;
}

static void
read_header (const char *path, DsqHeader *header)
{
  sqlite3 *handle = open_stock (path);
  sqlite3_stmt *statement;

  sqlite3_prepare_v2 (handle, "SELECT header FROM store", -1, &statement, NULL);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  g_assert_true (dsq_header_read (header,
                                  sqlite3_column_blob (statement, 0),
                                  DSQ_FORMAT_HEADER_SEALED_LENGTH,
                                  NULL));
  sqlite3_finalize (statement);
  sqlite3_close (handle);
}

static void
remember_derived (guint which, const char *name, const guint8 *data_key, const guint8 *store_id)
{
  guint8 key[DSQ_KEY_LENGTH];

  dsq_kdf_hkdf (data_key,
                DSQ_KEY_LENGTH,
                store_id,
                DSQ_KEY_ID_LENGTH,
                (const guint8 *) name,
                strlen (name),
                key,
                sizeof key);
  remember (which, name, key, sizeof key);
  dsq_secret_wipe (key, sizeof key);
}

static void
remember_all (const char *path, const DsqKdfCost *cost)
{
  g_autoptr (GBytes) password = make_password ();
  DsqKdfInput input = { .salt_length = DSQ_KEY_SALT_LENGTH };
  guint8 key[DSQ_KEY_LENGTH];
  DsqPasswordKeys keys;
  const guint8 *store_id;
  DsqHeader header;

  read_header (path, &header);
  store_id = dsq_header_get_store_id (&header);
  input.password = g_bytes_get_data (password, &input.password_length);
  remember (PASSWORD, "password", input.password, input.password_length);
  input.salt = header.bytes + DSQ_FORMAT_HEADER_AT_SALT;
  g_assert_true (dsq_kdf_argon2id (cost, &input, key, sizeof key, NULL));
  remember (PASSWORD_KEY, "PK", key, sizeof key);
  g_assert_true (dsq_password_keys_derive (password, cost, input.salt, store_id, &keys, NULL));
  remember (WRAP_KEY, "wrap key", keys.wrap, sizeof keys.wrap);
  remember (HEADER_KEY, "header key", keys.header, sizeof keys.header);
  g_assert_true (dsq_password_keys_unwrap (&keys,
                                           header.bytes,
                                           DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                           header.bytes + DSQ_FORMAT_HEADER_AT_DATA_KEY,
                                           key));
  remember (DATA_KEY, "data key", key, sizeof key);
  remember_derived (TOKEN_KEY, "dsq1 token", key, store_id);
  remember_derived (NAME_KEY, "dsq1 name", key, store_id);
  remember_derived (VALUE_KEY, "dsq1 value", key, store_id);
  remember_derived (FACT_KEY, "dsq1 fact", key, store_id);
  dsq_secret_wipe (key, sizeof key);
  dsq_secret_wipe (&keys, sizeof keys);
}

/* --- the store -------------------------------------------------------------------------------- */

static DsqStore *
open_store (const char *path, const DsqKdfCost *cost)
{
  g_autoptr (GBytes) password = make_password ();
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_object_new (DSQ_TYPE_STORE,
                                  "path",
                                  path,
                                  "persist-mode",
                                  DSQ_PERSIST_LAZY,
                                  "kdf-memory",
                                  (guint64) cost->memory * 1024,
                                  "kdf-passes",
                                  cost->passes,
                                  "password-bytes",
                                  password,
                                  NULL);

  g_assert_true (g_initable_init (G_INITABLE (store), NULL, &error));
  g_assert_no_error (error);
  return store;
}

static void
use_store (DsqStore *store)
{
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set_string (store, key, "value", NULL, NULL));
    }
  g_assert_true (dsq_store_flush (store, NULL, NULL));
  g_assert_cmpint (dsq_store_count (store, NULL, NULL), ==, 100);
}

static void
test_nothing_is_left_after_close (void)
{
  static const DsqKdfCost cost = { DSQ_KDF_MIN_MEMORY, DSQ_KDF_MIN_PASSES, 1 };
  g_autofree char *path = NULL;
  DsqStore *store;
  char *folder;

  if (IS_WATCHED)
    {
      g_test_skip ("the process's memory is not its own");
      return;
    }
  folder = make_folder ();
  path = g_build_filename (folder, "store", NULL);
  store = open_store (path, &cost);
  g_assert_true (dsq_store_close (store, NULL, NULL));
  g_object_unref (store);
  remember_all (path, &cost);
  assert_nothing_found ();

  for (guint turn = 0; turn < 2; turn++)
    {
      store = open_store (path, &cost);
      use_store (store);
      if (turn == 1)
        {
          g_autoptr (GBytes) password = make_password ();
          g_autoptr (GBytes) other = g_bytes_new_static ("another", 7);

          g_assert_true (dsq_store_change_password (store, password, other, NULL, NULL));
        }
      search_memory ();
      g_assert_cmpuint (needles[NAME_KEY].n_found, >, 0);
      g_assert_cmpuint (needles[VALUE_KEY].n_found, >, 0);
      for (guint n = 0; n <= DATA_KEY; n++)
        {
          if (needles[n].n_found > 0)
            g_test_message ("%s is in memory while the store is open", needles[n].name);
          g_assert_cmpuint (needles[n].n_found, ==, 0);
        }

      g_assert_true (dsq_store_close (store, NULL, NULL));
      assert_nothing_found ();
      g_object_unref (store);
      assert_nothing_found ();
    }
  remove_folder (folder);
}

static void
test_no_bytes_are_no_secret (void)
{
  g_autoptr (GBytes) bytes = dsq_secret_bytes (NULL, 0);

  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 0);
  dsq_secret_free (NULL, 0);
}

/* More than are drawn at first, and all at once. */
static void
test_a_pool_gives_as_much_as_it_has (void)
{
  static guint8 bytes[DSQ_RANDOM_POOL_LENGTH], none[DSQ_RANDOM_POOL_LENGTH];
  DsqRandomPool pool = { 0 };

  g_assert_true (dsq_random_pool_draw (&pool, bytes, sizeof bytes, NULL));
  g_assert_cmpuint (pool.n_left, ==, 0);
  g_assert_cmpint (memcmp (bytes, none, sizeof bytes), !=, 0);
  g_assert_cmpmem (pool.bytes, sizeof pool.bytes, none, sizeof none);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/secrets/nothing-is-left-after-close", test_nothing_is_left_after_close);
  g_test_add_func ("/dsq/secrets/no-bytes-are-no-secret", test_no_bytes_are_no_secret);
  g_test_add_func ("/dsq/secrets/a-pool-gives-as-much-as-it-has",
                   test_a_pool_gives_as_much_as_it_has);
  return g_test_run ();
}
