/* test-key.c - the keys of one store, and what is sealed under them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/dsq-key-private.h"
#include "crypto/dsq-nonce-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"

static const guint8 data_key[DSQ_KEY_LENGTH] = "thirty-two bytes of a data key!";
static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "sixteen bytes id";
static const guint8 aad[] = "what it is";

/* --- sealing ---------------------------------------------------------------------------------- */

static guint8 *
seal (DsqKeys *keys, DsqKeyPurpose purpose, const char *text, gsize *out_length)
{
  g_autoptr (GError) error = NULL;
  gsize length = strlen (text);
  guint8 *sealed = g_malloc (length + DSQ_KEY_OVERHEAD);

  memcpy (sealed + DSQ_KEY_NONCE_LENGTH, text, length);
  g_assert_true (dsq_keys_seal (keys, purpose, aad, sizeof aad, sealed, length, &error));
  g_assert_no_error (error);
  *out_length = length + DSQ_KEY_OVERHEAD;
  return sealed;
}

static void
test_unseals_what_was_sealed (void)
{
  DsqKeys *keys = dsq_keys_new (data_key, store_id);
  DsqKeys *others = dsq_keys_new (data_key, store_id);
  static const char *const texts[] = { "", "a", "sixteen letters.", "somewhat longer than that" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      gsize length;
      g_autofree guint8 *sealed = seal (keys, DSQ_KEY_VALUE, texts[i], &length);
      g_autofree guint8 *out = g_malloc0 (length);

      g_assert_true (dsq_keys_unseal (others, DSQ_KEY_VALUE, aad, sizeof aad, sealed, length, out));
      g_assert_cmpstr ((const char *) out, ==, texts[i]);
    }
  dsq_keys_free (keys);
  dsq_keys_free (others);
}

static void
test_refuses_what_was_changed (void)
{
  DsqKeys *keys = dsq_keys_new (data_key, store_id);
  DsqKeys *foreign = dsq_keys_new (data_key, (const guint8 *) "another store id");
  guint8 out[64];
  gsize length;
  g_autofree guint8 *sealed = seal (keys, DSQ_KEY_VALUE, "text", &length);

  for (gsize bit = 0; bit < 8 * length; bit++)
    {
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
      memset (out, 'x', sizeof out);
      g_assert_false (dsq_keys_unseal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, length, out));
      g_assert_cmpmem (out, 4, "\0\0\0\0", 4);
      sealed[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  for (gsize part = 0; part < length; part++)
    g_assert_false (dsq_keys_unseal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, part, out));
  g_assert_false (dsq_keys_unseal (keys, DSQ_KEY_NAME, aad, sizeof aad, sealed, length, out));
  g_assert_false (dsq_keys_unseal (keys, DSQ_KEY_VALUE, aad, sizeof aad - 1, sealed, length, out));
  g_assert_false (dsq_keys_unseal (foreign, DSQ_KEY_VALUE, aad, sizeof aad, sealed, length, out));
  g_assert_true (dsq_keys_unseal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, length, out));
  dsq_keys_free (keys);
  dsq_keys_free (foreign);
}

/* More prefixes than the cache has places, each met twice, by several threads. */
#define N_PREFIXES 100
#define N_READERS  4

typedef struct
{
  DsqKeys *keys;
  guint8 *sealed[N_PREFIXES];
  gsize length;
} Shared;

static void *
read_all (void *user_data)
{
  Shared *shared = user_data;

  for (guint i = 0; i < 5 * N_PREFIXES; i++)
    {
      guint8 out[64] = { 0 };

      g_assert_true (dsq_keys_unseal (shared->keys,
                                      DSQ_KEY_VALUE,
                                      aad,
                                      sizeof aad,
                                      shared->sealed[i * 7 % N_PREFIXES],
                                      shared->length,
                                      out));
      g_assert_cmpstr ((const char *) out, ==, "text");
    }
  return NULL;
}

static void
test_unseals_under_many_prefixes_in_many_threads (void)
{
  Shared shared = { .keys = dsq_keys_new (data_key, store_id) };
  pthread_t threads[N_READERS];

  for (guint i = 0; i < N_PREFIXES; i++)
    {
      DsqKeys *keys = dsq_keys_new (data_key, store_id);

      shared.sealed[i] = seal (keys, DSQ_KEY_VALUE, "text", &shared.length);
      dsq_keys_free (keys);
    }
  for (guint i = 0; i < N_READERS; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, read_all, &shared), ==, 0);
  for (guint i = 0; i < N_READERS; i++)
    pthread_join (threads[i], NULL);
  for (guint i = 0; i < N_PREFIXES; i++)
    g_free (shared.sealed[i]);
  dsq_keys_free (shared.keys);
}

static void
test_tokens_depend_on_all (void)
{
  DsqKeys *keys = dsq_keys_new (data_key, store_id);
  DsqKeys *foreign = dsq_keys_new (data_key, (const guint8 *) "another store id");
  guint8 token[DSQ_KEY_TOKEN_LENGTH], other[DSQ_KEY_TOKEN_LENGTH];

  dsq_keys_make_token (keys, (const guint8 *) "\1\0\0\0", 4, (const guint8 *) "key", 3, token);
  dsq_keys_make_token (keys, (const guint8 *) "\1\0\0\0", 4, (const guint8 *) "key", 3, other);
  g_assert_cmpmem (token, sizeof token, other, sizeof other);
  dsq_keys_make_token (keys, (const guint8 *) "\2\0\0\0", 4, (const guint8 *) "key", 3, other);
  g_assert_cmpint (memcmp (token, other, sizeof token), !=, 0);
  dsq_keys_make_token (keys, (const guint8 *) "\1\0\0\0", 4, (const guint8 *) "kez", 3, other);
  g_assert_cmpint (memcmp (token, other, sizeof token), !=, 0);
  dsq_keys_make_token (foreign, (const guint8 *) "\1\0\0\0", 4, (const guint8 *) "key", 3, other);
  g_assert_cmpint (memcmp (token, other, sizeof token), !=, 0);
  dsq_keys_free (keys);
  dsq_keys_free (foreign);
}

/* --- nonces ----------------------------------------------------------------------------------- */

typedef struct
{
  guint8 bytes[DSQ_KEY_NONCE_LENGTH];
} Nonce;

static int
compare_nonces (const void *a, const void *b)
{
  return memcmp (a, b, sizeof (Nonce));
}

#define N_SEALERS 10

typedef struct
{
  DsqKeys *keys;         /* shared, or NULL for keys of its own */
  pthread_mutex_t *lock; /* of shared keys */
  Nonce *nonces;
  guint n_nonces;
} Sealer;

static void *
seal_many (void *user_data)
{
  Sealer *self = user_data;
  DsqKeys *own = self->keys == NULL ? dsq_keys_new (data_key, store_id) : NULL;
  DsqKeys *keys = own != NULL ? own : self->keys;
  guint8 sealed[DSQ_KEY_OVERHEAD + 16] = { 0 };

  for (guint i = 0; i < self->n_nonces; i++)
    {
      if (own == NULL)
        pthread_mutex_lock (self->lock);
      if (i % 100 == 0)
        dsq_keys_start (keys);
      g_assert_true (dsq_keys_seal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, 16, NULL));
      if (own == NULL)
        pthread_mutex_unlock (self->lock);
      memcpy (self->nonces[i].bytes, sealed, sizeof self->nonces[i].bytes);
    }
  dsq_keys_free (own);
  return NULL;
}

/* All under one value key: threads that share keys, threads with keys of their own as several
 * stores on one file have them, and children made by fork while the others seal. */
static void
test_no_nonce_comes_twice (void)
{
  guint n_each = g_getenv ("DSQ_SHORT") != NULL ? 1000 : 100000;
  gsize size = sizeof (Nonce) * n_each * N_SEALERS;
  Nonce *nonces = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  DsqKeys *shared = dsq_keys_new (data_key, store_id);
  Sealer sealers[N_SEALERS];
  pthread_t threads[N_SEALERS];
  pid_t children[N_SEALERS];
  guint8 sealed[DSQ_KEY_OVERHEAD] = { 0 };

  g_assert_true (nonces != MAP_FAILED);
  g_assert_true (dsq_keys_seal (shared, DSQ_KEY_VALUE, aad, sizeof aad, sealed, 0, NULL));
  /* processes first: a thread that has ended when one is forked would be a leak of its child's */
  for (guint i = N_SEALERS; i-- > 0;)
    {
      sealers[i] = (Sealer){ i < 3 ? shared : NULL, &lock, nonces + i * n_each, n_each };
      children[i] = 0;
      if (i < 6)
        g_assert_cmpint (pthread_create (&threads[i], NULL, seal_many, &sealers[i]), ==, 0);
      else if ((children[i] = fork ()) == 0)
        {
          seal_many (&sealers[i]);
          _exit (0);
        }
    }
  for (guint i = 0; i < N_SEALERS; i++)
    {
      int status = 0;

      if (i < 6)
        pthread_join (threads[i], NULL);
      else
        g_assert_cmpint (waitpid (children[i], &status, 0), ==, children[i]);
      g_assert_cmpint (status, ==, 0);
    }
  qsort (nonces, (size_t) n_each * N_SEALERS, sizeof (Nonce), compare_nonces);
  for (gsize i = 1; i < (gsize) n_each * N_SEALERS; i++)
    g_assert_cmpint (compare_nonces (&nonces[i - 1], &nonces[i]), <, 0);
  munmap (nonces, size);
  dsq_keys_free (shared);
}

static void
test_prefix_is_drawn_anew_before_the_counter_repeats (void)
{
  DsqRandomPool *pool = g_new0 (DsqRandomPool, 1);
  DsqNonce nonce = { 0 };
  guint8 first[DSQ_KEY_NONCE_LENGTH], next[DSQ_KEY_NONCE_LENGTH];
  gboolean is_new;

  g_assert_true (dsq_nonce_next (&nonce, pool, first, &is_new, NULL));
  g_assert_true (is_new);
  g_assert_true (dsq_nonce_next (&nonce, pool, next, &is_new, NULL));
  g_assert_false (is_new);
  g_assert_cmpmem (first, 12, next, 12);
  g_assert_cmpmem (first + 12, 4, "\0\0\0\0", 4);
  g_assert_cmpmem (next + 12, 4, "\1\0\0\0", 4);
  g_assert_cmpint (memcmp (first + 16, next + 16, 8), !=, 0);

  nonce.n_used = DSQ_NONCE_MESSAGES - 1;
  g_assert_true (dsq_nonce_next (&nonce, pool, next, &is_new, NULL));
  g_assert_false (is_new);
  g_assert_cmpmem (next + 12, 4, "\xff\xff\xff\0", 4);
  g_assert_true (dsq_nonce_next (&nonce, pool, next, &is_new, NULL));
  g_assert_true (is_new);
  g_assert_cmpint (memcmp (first, next, 12), !=, 0);
  g_assert_cmpmem (next + 12, 4, "\0\0\0\0", 4);
  g_free (pool);
}

/* A clone that goes on with the same prefix and counter draws other random bytes, as long as a
 * transaction starts between. */
static void
test_what_was_drawn_ahead_is_forgotten (void)
{
  DsqRandomPool *pool = g_new0 (DsqRandomPool, 1);
  DsqRandomPool *clone;
  guint8 ours[8], theirs[8];

  g_assert_true (dsq_random_pool_draw (pool, ours, sizeof ours, NULL));
  clone = g_memdup2 (pool, sizeof *pool);
  g_assert_true (dsq_random_pool_draw (pool, ours, sizeof ours, NULL));
  g_assert_true (dsq_random_pool_draw (clone, theirs, sizeof theirs, NULL));
  g_assert_cmpmem (ours, sizeof ours, theirs, sizeof theirs);

  dsq_random_pool_empty (pool);
  dsq_random_pool_empty (clone);
  g_assert_true (dsq_random_pool_draw (pool, ours, sizeof ours, NULL));
  g_assert_true (dsq_random_pool_draw (clone, theirs, sizeof theirs, NULL));
  g_assert_cmpint (memcmp (ours, theirs, sizeof ours), !=, 0);
  g_free (pool);
  g_free (clone);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* The flags of the mapping that @address is in, of /proc/self/smaps. */
static char *
get_flags (gconstpointer address)
{
  g_autofree char *content = NULL;
  g_auto (GStrv) lines = NULL;
  gboolean is_it = FALSE;

  g_assert_true (g_file_get_contents ("/proc/self/smaps", &content, NULL, NULL));
  lines = g_strsplit (content, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      guint64 first, end;

      if (sscanf (lines[i], "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x ", &first, &end) == 2)
        is_it = (guint64) (gsize) address >= first && (guint64) (gsize) address < end;
      else if (is_it && g_str_has_prefix (lines[i], "VmFlags:"))
        return g_strdup (lines[i]);
    }
  g_assert_not_reached ();
}

static void
test_secrets_are_not_dumped_and_not_inherited (void)
{
  guint8 *secret = dsq_secret_new (5000);
  g_autofree char *flags = NULL;
  pid_t child;
  int status;

  memset (secret, 'x', 5000);
  flags = get_flags (secret);
  g_assert_nonnull (strstr (flags, " dd")); /* not in core dumps */
  g_assert_nonnull (strstr (flags, " wf")); /* wiped on fork */
  g_clear_pointer (&flags, g_free);         /* the child has nothing of it to lose */
  child = fork ();
  if (child == 0)
    _exit (secret[0] == 0 && secret[4999] == 0 ? 0 : 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpint (secret[4999], ==, 'x');
  dsq_secret_free (secret, 5000);
}

static void
test_child_of_fork_can_seal_nothing (void)
{
  DsqKeys *keys = dsq_keys_new (data_key, store_id);
  /* static: to valgrind the child loses what only its stack, left by _exit(), holds */
  static guint8 *sealed;
  static GError *error;
  gsize length;
  pid_t child;
  int status;

  sealed = seal (keys, DSQ_KEY_VALUE, "text", &length);
  child = fork ();
  if (child == 0)
    {
      guint8 out[64];

      if (dsq_keys_unseal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, length, out) ||
          dsq_keys_seal (keys, DSQ_KEY_VALUE, aad, sizeof aad, sealed, 4, &error))
        _exit (1);
      _exit (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED) ? 0 : 2);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_clear_pointer (&sealed, g_free);
  dsq_keys_free (keys);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/key/unseals-what-was-sealed", test_unseals_what_was_sealed);
  g_test_add_func ("/dsq/key/refuses-what-was-changed", test_refuses_what_was_changed);
  g_test_add_func ("/dsq/key/unseals-under-many-prefixes-in-many-threads",
                   test_unseals_under_many_prefixes_in_many_threads);
  g_test_add_func ("/dsq/key/tokens-depend-on-all", test_tokens_depend_on_all);
  g_test_add_func ("/dsq/key/no-nonce-comes-twice", test_no_nonce_comes_twice);
  g_test_add_func ("/dsq/key/prefix-is-drawn-anew-before-the-counter-repeats",
                   test_prefix_is_drawn_anew_before_the_counter_repeats);
  g_test_add_func ("/dsq/key/what-was-drawn-ahead-is-forgotten",
                   test_what_was_drawn_ahead_is_forgotten);
  g_test_add_func ("/dsq/key/secrets-are-not-dumped-and-not-inherited",
                   test_secrets_are_not_dumped_and_not_inherited);
  g_test_add_func ("/dsq/key/child-of-fork-can-seal-nothing", test_child_of_fork_can_seal_nothing);
  return g_test_run ();
}
