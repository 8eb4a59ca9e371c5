/* dsq-walker.c - what a thread that walks has itself done to the size of its tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "engine/dsq-walker-private.h"

/*
 * A dict that changes its size while it is walked is a mistake of the one who walks: so the next
 * step is an error. A store has other writers besides, threads and processes, whose changes are no
 * mistake. So each thread keeps account of what it has itself done to the tables that it walks, and
 * a walk compares that account only.
 *
 *   pending        counts what it stages, while a table has cursors
 *   write-through  counts for the thread whose write it was, not for the one that committed it
 *   sweep, trim    count what they remove back at once
 *
 * A blind set is the difficulty: whether its key is new is not known when it is staged. Mostly it
 * is a key that the walk has just given, and then it is not. Else it is looked for first, and what
 * came of that is kept until it is staged: others may have set the key by then, and a clear tells
 * of all keys, so that not every key that was looked for is staged blindly.
 *
 * A thread may walk several tables, and stores, that have keys alike.
 */

/* Hashes of keys given: more than a batch has, so that few push each other out. */
#define N_GIVEN 2048

/* Places of them that are known one by one, so that a short walk is not as dear as a long one. */
#define N_PLACES 16

typedef struct
{
  guint64 table;
  gint64 n_keys;
} Account;

typedef struct
{
  guint64 thread;
  GArray *accounts;       /* (owned) of Account */
  GHashTable *missing;    /* (owned) identities of keys to be written that are not there */
  guint64 given[N_GIVEN]; /* identities, each at its remainder */
  guint n_given;
  guint16 places[N_PLACES]; /* of the first that were given */
} Walker;

static void
walker_free (gpointer data)
{
  Walker *self = data;

  g_array_unref (self->accounts);
  g_hash_table_unref (self->missing);
  g_free (self);
}

static GPrivate current = G_PRIVATE_INIT (walker_free);

static Walker *
get_walker (void)
{
  static guint64 n_threads; /* (atomic) */
  Walker *self = g_private_get (&current);

  if (self != NULL)
    return self;
  self = g_new0 (Walker, 1);
  self->thread = __atomic_add_fetch (&n_threads, 1, __ATOMIC_RELAXED);
  self->accounts = g_array_new (FALSE, FALSE, sizeof (Account));
  self->missing = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_private_set (&current, self);
  return self;
}

/* What was given may have been removed since. */
static void
forget_given (Walker *self)
{
  if (self->n_given > N_PLACES)
    memset (self->given, 0, sizeof self->given);
  else
    for (guint i = 0; i < self->n_given; i++)
      self->given[self->places[i]] = 0;
  self->n_given = 0;
}

static Account *
find_account (Walker *self, guint64 table)
{
  for (guint i = 0; self != NULL && i < self->accounts->len; i++)
    {
      Account *account = &g_array_index (self->accounts, Account, i);

      if (account->table == table)
        return account;
    }
  return NULL;
}

guint64
dsq_walker_new_table (void)
{
  static guint64 n_tables; /* (atomic) */

  return __atomic_add_fetch (&n_tables, 1, __ATOMIC_RELAXED);
}

guint64
dsq_walker_thread (void)
{
  return get_walker ()->thread;
}

void
dsq_walker_join (guint64 table)
{
  Walker *self = get_walker ();
  Account account = { table, 0 };

  forget_given (self); /* nobody has counted until now */
  if (find_account (self, table) == NULL)
    g_array_append_val (self->accounts, account);
}

gint64
dsq_walker_get_count (guint64 table)
{
  const Account *account = find_account (g_private_get (&current), table);

  return account != NULL ? account->n_keys : 0;
}

void
dsq_walker_leave (guint64 table)
{
  Walker *self = g_private_get (&current);
  Account *account = find_account (self, table);

  if (account == NULL)
    return;
  g_array_remove_index_fast (self->accounts,
                             (guint) (account - (Account *) (gpointer) self->accounts->data));
  if (self->accounts->len == 0)
    g_hash_table_remove_all (self->missing);
}

gboolean
dsq_walker_walks (void)
{
  const Walker *self = g_private_get (&current);

  return self != NULL && self->accounts->len > 0;
}

gboolean
dsq_walker_has_joined (guint64 table)
{
  return find_account (g_private_get (&current), table) != NULL;
}

void
dsq_walker_count (guint64 table, gint64 n_keys)
{
  Walker *self = g_private_get (&current);
  Account *account = find_account (self, table);

  if (account == NULL || n_keys == 0)
    return;
  account->n_keys += n_keys;
  if (n_keys < 0)
    forget_given (self);
}

static guint64
identity (guint64 table, guint64 hash)
{
  return hash + table * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15);
}

void
dsq_walker_note_given (guint64 table, guint64 hash)
{
  Walker *self = get_walker ();
  guint64 key = identity (table, hash);

  if (self->n_given < N_PLACES)
    self->places[self->n_given] = (guint16) (key % N_GIVEN);
  self->n_given += self->n_given <= N_PLACES;
  self->given[key % N_GIVEN] = key;
}

gboolean
dsq_walker_was_given (guint64 table, guint64 hash)
{
  const Walker *self = g_private_get (&current);
  guint64 key = identity (table, hash);

  return self != NULL && self->given[key % N_GIVEN] == key;
}

void
dsq_walker_expect (guint64 table, guint64 hash, gboolean is_new)
{
  Walker *self = get_walker ();
  guint64 key = identity (table, hash);

  if (is_new)
    g_hash_table_add (self->missing, g_memdup2 (&key, sizeof key));
  else if (g_hash_table_size (self->missing) > 0)
    g_hash_table_remove (self->missing, &key);
}

void
dsq_walker_count_staged (guint64 table, guint64 hash, gboolean is_blind)
{
  Walker *self = g_private_get (&current);
  guint64 key = identity (table, hash);

  if (self != NULL && g_hash_table_size (self->missing) > 0 &&
      g_hash_table_remove (self->missing, &key) && is_blind)
    dsq_walker_count (table, 1);
}
