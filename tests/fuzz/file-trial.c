/* file-trial.c - everything that is done to a file that may be damaged
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dsq-transaction.h>
#include <glib/gstdio.h>
#include <string.h>

#include "file-content.h"
#include "file-reads.h"
#include "file-trial.h"

#define OTHER_PASSWORD "another password"

/* Keys that the trial writes: some of them are there. */
#define FIRST_OWN 150
#define N_OWN     100

/* --- files ------------------------------------------------------------------------------------ */

static void
put_file (const char *path, const GByteArray *bytes)
{
  g_assert_true (g_file_set_contents_full (path,
                                           (const char *) bytes->data,
                                           bytes->len,
                                           G_FILE_SET_CONTENTS_NONE,
                                           0600,
                                           NULL));
}

static void
put_damage (Trial *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);

  put_file (self->path, self->damage->file);
  if (self->damage->log->len > 0)
    put_file (log, self->damage->log);
}

static void
empty_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_unlink (path);
    }
}

static gboolean
is_content (const char *path, const GByteArray *bytes)
{
  g_autofree char *content = NULL;
  gsize length = 0;

  g_file_get_contents (path, &content, &length, NULL);
  return length == bytes->len && (length == 0 || memcmp (content, bytes->data, length) == 0);
}

/* What is refused, or only read, stays as it is, and has nothing new beside it. */
static void
check_untouched (Trial *self)
{
  static const char *const names[] = { "store.db", "store.db-wal", NULL };
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  g_autofree char *folder = g_path_get_dirname (self->path);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  if (!is_content (self->path, self->damage->file) || !is_content (log, self->damage->log))
    trial_fail ("a file that was not to be written is another");
  while ((name = g_dir_read_name (dir)) != NULL)
    if (!g_strv_contains (names, name))
      trial_fail ("%s is left beside a file that was not to be written", name);
}

/* NULL where it cannot be opened. */
static DsqStore *
open_store (Trial *self, gboolean read_only, DsqPersistMode mode)
{
  GError *error = NULL;
  DsqStore *store;

  trial_enter (self, read_only ? "opening to read" : "opening");
  store = g_initable_new (DSQ_TYPE_STORE,
                          NULL,
                          &error,
                          "path",
                          self->path,
                          "read-only",
                          read_only,
                          "persist-mode",
                          mode,
                          "background",
                          !read_only && damage_pick (self->rand, 8) == 0,
                          "busy-timeout",
                          1000u,
                          "password",
                          self->password,
                          "kdf-memory",
                          IMAGE_KDF_MEMORY,
                          "kdf-passes",
                          IMAGE_KDF_PASSES,
                          NULL);
  trial_check (self, store != NULL, &error);
  return store;
}

static void
close_store (Trial *self, DsqStore *store)
{
  GError *error = NULL;

  trial_enter (self, "closing");
  trial_check (self, dsq_store_close (store, NULL, &error), &error);
  g_object_unref (store);
  self->has_unwritten = FALSE;
}

/* --- writing ---------------------------------------------------------------------------------- */

static guint
pick_own (Trial *self)
{
  return FIRST_OWN + damage_pick (self->rand, N_OWN);
}

/* What was written is read as that, whatever the file is like. */
static void
set_own (Trial *self, DsqStore *store, guint table, guint number)
{
  GError *error = NULL;
  gsize key_length, length, read_length;
  const guint8 *key = content_get_key (number, &key_length);
  const guint8 *record = content_get_record (table, number, CONTENT_OWN, &length);
  g_autofree guint8 *read = NULL;

  trial_enter (self, "setting");
  if (!trial_check (self,
                    dsq_store_set_record (store, key, key_length, record, length, &error),
                    &error))
    return;
  trial_enter (self, "getting what was set");
  read = dsq_store_get_record (store, key, key_length, &read_length, &error);
  if (!trial_check (self, TRUE, &error))
    return;
  if (read == NULL || read_length != length || memcmp (read, record, length) != 0)
    trial_fail ("what was set is not what is got");
}

static void
change_own (Trial *self, DsqStore *store)
{
  GError *error = NULL;
  gsize length;
  const guint8 *key = content_get_key (pick_own (self), &length);

  switch (damage_pick (self->rand, 4))
    {
    case 0:
      trial_enter (self, "removing");
      dsq_store_remove_key (store, key, length, &error);
      break;
    case 1:
      trial_enter (self, "touching");
      dsq_store_touch_key (store, key, length, 1000000, &error);
      break;
    case 2:
      trial_enter (self, "looking for a key");
      dsq_store_contains_key (store, key, length, &error);
      break;
    default:
      trial_enter (self, "asking for an expiry");
      dsq_store_get_expiry_key (store, key, length, &error);
    }
  trial_check (self, TRUE, &error);
}

static void
write_table (Trial *self, DsqStore *store, guint table)
{
  for (guint n = 1 + damage_pick (self->rand, 12); n > 0; n--)
    if (damage_pick (self->rand, 2) == 0)
      set_own (self, store, table, pick_own (self));
    else
      change_own (self, store);
}

static void
write_in_transaction (Trial *self, DsqStore *store)
{
  GError *error = NULL;
  g_autoptr (DsqTransaction) transaction = NULL;

  trial_enter (self, "beginning a transaction");
  transaction = dsq_store_begin (store, &error);
  if (!trial_check (self, transaction != NULL, &error))
    return;
  write_table (self, DSQ_STORE (transaction), 0);
  trial_enter (self, "committing a transaction");
  trial_check (self, dsq_transaction_commit (transaction, NULL, &error), &error);
}

static GBytes *
bytes_of (const char *password)
{
  return g_bytes_new_static (password, strlen (password));
}

static void
change_password (Trial *self, DsqStore *store)
{
  g_autoptr (GBytes) password = bytes_of (self->password);
  GError *error = NULL;

  trial_enter (self, "changing the password");
  trial_check (self, dsq_store_change_password (store, password, password, NULL, &error), &error);
}

/* What changes more than some keys. */
static void
change_much (Trial *self, DsqStore *store)
{
  GError *error = NULL;

  switch (damage_pick (self->rand, 10))
    {
    case 0:
      trial_enter (self, "clearing");
      trial_check (self, dsq_store_clear (store, NULL, &error), &error);
      break;
    case 1:
      trial_enter (self, "dropping a table");
      dsq_store_drop_table (store, content_tables[1], NULL, &error);
      trial_check (self, TRUE, &error);
      break;
    case 2:
    case 3:
      trial_enter (self, "expiring");
      g_object_set (store, "clock-offset", G_GINT64_CONSTANT (1) << 41, NULL);
      dsq_store_expire (store, NULL, &error);
      trial_check (self, TRUE, &error);
      break;
    case 4:
      trial_enter (self, "making a table");
      g_object_unref (dsq_store_get_table (store, "new", NULL, &error) ?: g_object_ref (store));
      trial_check (self, TRUE, &error);
      break;
    case 5:
      if (self->password != NULL)
        change_password (self, store);
      break;
    default:
      break;
    }
}

static void
write_all (Trial *self, DsqStore *store)
{
  GError *error = NULL;

  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    {
      g_autoptr (DsqStore) handle = trial_get_table (self, store, t);

      if (handle != NULL)
        write_table (self, handle, t);
    }
  if (damage_pick (self->rand, 2) == 0)
    write_in_transaction (self, store);
  change_much (self, store);
  trial_enter (self, "flushing");
  self->has_unwritten = !trial_check (self, dsq_store_flush (store, NULL, &error), &error);
}

/* --- copies ----------------------------------------------------------------------------------- */

/* An encrypted copy takes as long as some rounds, for its key is derived from a salt of its own. */
static DsqCopyForm
pick_form (Trial *self)
{
  guint picked = damage_pick (self->rand, 12);

  if (picked == 0)
    return DSQ_COPY_ENCRYPTED;
  return picked % 2 == 0 ? DSQ_COPY_SAME : DSQ_COPY_PLAIN;
}

static void
copy (Trial *self, DsqStore *store)
{
  g_autofree char *path = g_strconcat (self->path, ".copy", NULL);
  DsqCopyForm form = pick_form (self);
  g_autoptr (GBytes) password = form == DSQ_COPY_ENCRYPTED ? bytes_of (OTHER_PASSWORD) : NULL;
  Trial of_copy = *self;
  GError *error = NULL;
  DsqStore *copied;

  trial_enter (self, "copying");
  if (!trial_check (self,
                    dsq_store_copy (store, path, form, password, NULL, NULL, NULL, &error),
                    &error))
    return;
  of_copy.path = path;
  if (form != DSQ_COPY_SAME)
    of_copy.password = form == DSQ_COPY_ENCRYPTED ? OTHER_PASSWORD : NULL;
  copied = open_store (&of_copy, TRUE, DSQ_PERSIST_LAZY);
  if (copied == NULL && form != DSQ_COPY_SAME)
    trial_fail ("what was copied row by row cannot be opened");
  if (copied == NULL)
    return;
  trial_read (&of_copy, copied);
  close_store (&of_copy, copied);
}

/* --- the trial -------------------------------------------------------------------------------- */

static void
try_reading (Trial *self)
{
  DsqStore *store = open_store (self, TRUE, DSQ_PERSIST_LAZY);

  if (store == NULL)
    check_untouched (self);
  if (store == NULL && self->damage->is_local)
    trial_fail ("only rows are damaged, and the file cannot be opened to be read");
  if (store == NULL)
    return;
  trial_get_spared (self, store);
  trial_read (self, store);
  close_store (self, store);
  check_untouched (self);
}

static void
try_reading_again (Trial *self)
{
  DsqStore *store = open_store (self, TRUE, DSQ_PERSIST_LAZY);

  if (store == NULL)
    return;
  trial_read (self, store);
  close_store (self, store);
}

static void
try_writing (Trial *self)
{
  DsqPersistMode mode = damage_pick (self->rand, 2) == 0 ? DSQ_PERSIST_LAZY
                                                         : DSQ_PERSIST_WRITETHROUGH;
  DsqStore *store = open_store (self, FALSE, mode);

  if (store == NULL)
    check_untouched (self);
  if (store == NULL)
    return;
  trial_get_spared (self, store);
  if (damage_pick (self->rand, 2) == 0)
    trial_read (self, store);
  write_all (self, store);
  if (damage_pick (self->rand, 3) == 0)
    copy (self, store);
  if (damage_pick (self->rand, 3) == 0)
    trial_read (self, store);
  close_store (self, store);
}

/* Seldom, for it derives keys as dear as those of users are. */
static void
try_rekeying (Trial *self)
{
  g_autoptr (GBytes) password = bytes_of (IMAGE_PASSWORD);
  g_autoptr (GBytes) other = bytes_of (OTHER_PASSWORD);
  GError *error = NULL;

  if (self->password == NULL || damage_pick (self->rand, 100) > 0)
    return;
  trial_enter (self, "changing the key");
  if (trial_check (self,
                   dsq_store_rekey_file (self->path, password, other, 0, NULL, NULL, NULL, &error),
                   &error))
    self->password = OTHER_PASSWORD;
}

void
trial_run (const char *folder, const Damage *damage, GRand *rand, const char *volatile *step)
{
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  Trial self = {
    .damage = damage,
    .path = path,
    .rand = rand,
    .step = step,
    .password = damage->image->is_encrypted ? IMAGE_PASSWORD : NULL,
    .is_bound = damage->image->is_encrypted,
  };

  empty_folder (folder);
  put_damage (&self);
  try_reading (&self);
  try_writing (&self);
  try_rekeying (&self);
  try_reading_again (&self);
}
