/* cmd-files.c - dsq backup, compact, encrypt, decrypt, passwd: files as wholes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/stat.h>

#include "cli-output.h"
#include "cli-progress.h"
#include "cli-store.h"
#include "cli-text.h"

/* Copies FILE to NEW. */
static gboolean
copy_to (CliCall *call, DsqStore *store, DsqCopyForm form, GBytes *new_password, GError **error)
{
  static char counted[] = "steps";
  gboolean success = dsq_store_copy (store,
                                     call->words[1],
                                     form,
                                     form == DSQ_COPY_NEW_KEYS ? call->known : new_password,
                                     call->cancellable,
                                     cli_progress_cb,
                                     counted,
                                     error);

  cli_progress_end ();
  if (!success)
    cli_prefix_error (error, call->words[1]);
  return success && cli_store_close (store, call->words[0], error);
}

static gboolean
is_encrypted (DsqStore *store)
{
  g_autoptr (DsqStats) stats = dsq_store_get_stats (store);

  return stats->encrypted;
}

/* --- backup ----------------------------------------------------------------------------------- */

static gboolean has_new_keys;

static gboolean
run_backup (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = cli_store_open (call, call->words[0], CLI_READ, error);

  if (store == NULL)
    return FALSE;
  if (has_new_keys && !is_encrypted (store))
    {
      cli_set_error (error, CLI_USAGE, "%s: not encrypted, it has no keys", call->words[0]);
      return FALSE;
    }
  return copy_to (call, store, has_new_keys ? DSQ_COPY_NEW_KEYS : DSQ_COPY_SAME, NULL, error);
}

static const GOptionEntry backup_options[] = {
  { "new-keys",
    0,
    0,
    G_OPTION_ARG_NONE,
    &has_new_keys,
    "Of an encrypted file: under keys of its own and the same password",
    NULL },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_backup_command = {
  .name = "backup",
  .arguments = "FILE NEW",
  .summary = "Copy a store, which may be in use, to a new file.",
  .more = "NEW is one state of FILE, whole and synced when it appears; it has FILE's permissions "
          "and password.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD,
  .options = backup_options,
  .run = run_backup,
};

/* --- compact ---------------------------------------------------------------------------------- */

static guint64
size_of (const char *path)
{
  struct stat status;

  return stat (path, &status) == 0 ? (guint64) status.st_size : 0;
}

static gboolean
tell_sizes (guint64 before, guint64 after, GError **error)
{
  g_autofree char *old_text = cli_text_size (before);
  g_autofree char *new_text = cli_text_size (after);

  g_string_append_printf (cli_output (), "%s before, %s after\n", old_text, new_text);
  return cli_output_flush (error);
}

/* A close folds the log into the file and gives free pages back, some at a time. */
static gboolean
compact_in_place (CliCall *call, DsqStore *store, GError **error)
{
  const char *path = call->words[0];
  g_autoptr (GBytes) password = call->known != NULL ? g_bytes_ref (call->known) : NULL;
  guint64 before = size_of (path);
  guint64 size = before;
  guint64 last;

  if (dsq_store_expire (store, call->cancellable, error) < 0)
    {
      cli_prefix_error (error, path);
      return FALSE;
    }
  if (!cli_store_close (store, path, error))
    return FALSE;
  do
    {
      g_autoptr (DsqStore) again = NULL;

      if (g_cancellable_set_error_if_cancelled (call->cancellable, error))
        return FALSE;
      last = size;
      again = cli_store_open_under (call, password, path, CLI_CHANGE, error);
      if (again == NULL || !cli_store_close (again, path, error))
        return FALSE;
      size = size_of (path);
      cli_progress_show (before - MIN (before, size), before, "bytes given back");
    }
  while (size < last);
  cli_progress_end ();
  return tell_sizes (before, size, error);
}

static gboolean
run_compact (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = NULL;

  if (cli_store_is_address (call->words[0]))
    {
      cli_set_error (error, CLI_USAGE, "%s: it is no file, but on a server", call->words[0]);
      return FALSE;
    }
  store = cli_store_open (call, call->words[0], call->n_words > 1 ? CLI_READ : CLI_CHANGE, error);
  if (store == NULL)
    return FALSE;
  if (call->n_words == 1)
    return compact_in_place (call, store, error);
  return copy_to (call,
                  store,
                  is_encrypted (store) ? DSQ_COPY_NEW_KEYS : DSQ_COPY_PLAIN,
                  NULL,
                  error) &&
         tell_sizes (size_of (call->words[0]), size_of (call->words[1]), error);
}

const CliCommand cli_compact_command = {
  .name = "compact",
  .arguments = "FILE [NEW]",
  .summary = "Remove what has expired, and give back to the file system what is free.",
  .more = "With NEW, FILE stays as it is, and NEW has its entries and nothing else: written one by "
          "one, it is as small as it can be. Without, FILE may be in use meanwhile, and a quarter "
          "of it may stay free.",
  .min_words = 1,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD,
  .run = run_compact,
};

/* --- encrypt, decrypt ------------------------------------------------------------------------- */

static gboolean
fail_as_there (const char *path, GError **error)
{
  cli_set_error (error, CLI_FAILED, "%s: there is such a file already", path);
  return FALSE;
}

static gboolean
run_encrypt (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = NULL;
  g_autoptr (GBytes) password = NULL;
  g_autofree char *prompt = g_strdup_printf ("Password for %s", call->words[1]);

  if (g_file_test (call->words[1], G_FILE_TEST_EXISTS))
    return fail_as_there (call->words[1], error);
  store = cli_store_open (call, call->words[0], CLI_READ, error);
  if (store == NULL)
    return FALSE;
  password = cli_password_get (&call->new_password, prompt, TRUE, error);
  return password != NULL && copy_to (call, store, DSQ_COPY_ENCRYPTED, password, error);
}

const CliCommand cli_encrypt_command = {
  .name = "encrypt",
  .arguments = "FILE NEW",
  .summary = "Write a store to a new file that is encrypted, under the new password.",
  .more = "FILE stays as it is: delete it when it is no longer needed. What was plain may be found "
          "on the medium still.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD | CLI_TAKES_NEW_PASSWORD,
  .run = run_encrypt,
};

static gboolean
run_decrypt (CliCall *call, GError **error)
{
  g_autoptr (DsqStore) store = NULL;

  if (g_file_test (call->words[1], G_FILE_TEST_EXISTS))
    return fail_as_there (call->words[1], error);
  store = cli_store_open (call, call->words[0], CLI_READ, error);
  return store != NULL && copy_to (call, store, DSQ_COPY_PLAIN, NULL, error);
}

const CliCommand cli_decrypt_command = {
  .name = "decrypt",
  .arguments = "FILE NEW",
  .summary = "Write an encrypted store to a new file that is not.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD,
  .run = run_decrypt,
};

/* --- passwd ----------------------------------------------------------------------------------- */

static gboolean changes_key;

/* The password that FILE has, which has to be known twice: to open it, and to change it. */
static DsqStore *
open_and_learn (CliCall *call, GBytes **out_password, GError **error)
{
  DsqStore *store = cli_store_open (call, call->words[0], CLI_CHANGE, error);

  if (store == NULL)
    return NULL;
  if (call->known != NULL)
    {
      *out_password = g_bytes_ref (call->known);
      return store;
    }
  cli_set_error (error, CLI_PASSWORD, "%s: it is not encrypted; see dsq encrypt", call->words[0]);
  g_object_unref (store);
  return NULL;
}

static gboolean
change_key (CliCall *call, GBytes *old_password, GBytes *new_password, GError **error)
{
  static char counted[] = "entries";
  gboolean success = dsq_store_rekey_file (call->words[0],
                                           old_password,
                                           new_password,
                                           0,
                                           call->cancellable,
                                           cli_progress_cb,
                                           counted,
                                           error);

  cli_progress_end ();
  if (!success)
    cli_prefix_error (error, call->words[0]);
  return success;
}

static gboolean
run_passwd (CliCall *call, GError **error)
{
  const char *path = call->words[0];
  g_autoptr (GBytes) old_password = NULL;
  g_autoptr (GBytes) new_password = NULL;
  g_autofree char *prompt = g_strdup_printf ("New password of %s", path);
  g_autoptr (DsqStore) store = open_and_learn (call, &old_password, error);

  if (store == NULL)
    return FALSE;
  new_password = cli_password_get (&call->new_password, prompt, TRUE, error);
  if (new_password == NULL)
    return FALSE;
  if (changes_key)
    return cli_store_close (store, path, error) &&
           change_key (call, old_password, new_password, error);
  if (!dsq_store_change_password (store, old_password, new_password, call->cancellable, error))
    {
      cli_prefix_error (error, path);
      return FALSE;
    }
  return cli_store_close (store, path, error);
}

static const GOptionEntry passwd_options[] = {
  { "rekey",
    0,
    0,
    G_OPTION_ARG_NONE,
    &changes_key,
    "Write the file anew under another key; nobody may have it open",
    NULL },
  G_OPTION_ENTRY_NULL,
};

const CliCommand cli_passwd_command = {
  .name = "passwd",
  .arguments = "FILE",
  .summary = "Change the password of an encrypted store.",
  .more = "Entries stay encrypted under the same key, so it takes a moment; --rekey is what helps "
          "against somebody who had the file and its old password.",
  .min_words = 1,
  .max_words = 1,
  .takes = CLI_TAKES_PASSWORD | CLI_TAKES_NEW_PASSWORD,
  .options = passwd_options,
  .run = run_passwd,
};
