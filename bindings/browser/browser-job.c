/* browser-job.c - calls of a store by a thread, since any of them may wait for the disk
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-job.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "browser-value.h"
#include "cli-error.h"
#include "cli-kind.h"
#include "cli-pack.h"

typedef struct
{
  GFile *file;         /* (owned) (nullable) */
  GBytes *password;    /* (owned) (nullable) */
  gboolean read_only;  /* whether it is to be opened so */
  GBytes *key;         /* (owned) (nullable) */
  GBytes *expected;    /* (owned) (nullable) */
  GBytes *record;      /* (owned) (nullable) to be written, or as it was read */
  gint64 milliseconds; /* to live */
} Job;

static void
job_free (gpointer data)
{
  Job *self = data;

  g_clear_object (&self->file);
  g_clear_pointer (&self->password, g_bytes_unref);
  g_clear_pointer (&self->key, g_bytes_unref);
  g_clear_pointer (&self->expected, g_bytes_unref);
  g_clear_pointer (&self->record, g_bytes_unref);
  g_free (self);
}

static Job *
start (gpointer source,
       GCancellable *cancellable,
       GAsyncReadyCallback callback,
       gpointer user_data,
       GTask **out_task)
{
  Job *job = g_new0 (Job, 1);

  *out_task = g_task_new (source, cancellable, callback, user_data);
  g_task_set_task_data (*out_task, job, job_free);
  return job;
}

/* --- open ------------------------------------------------------------------------------------- */

static DsqStore *
open_as (Job *job, gboolean read_only, GCancellable *cancellable, GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         cancellable,
                         error,
                         "file",
                         job->file,
                         "persist-mode",
                         DSQ_PERSIST_WRITETHROUGH,
                         "read-only",
                         read_only,
                         "password-bytes",
                         job->password,
                         NULL);
}

/* What is no store is looked at only when it is known to be none: to close a file that the process
 * has open as a store would end the locks on it. */
static void
say_what_it_is (const char *path, GError **error)
{
  gboolean is_store;
  guint version;
  g_autofree char *kind = NULL;

  if (!g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_FORMAT) &&
      !g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_NOT_REGULAR))
    return;
  kind = cli_kind_find (path, &is_store, &version, NULL);
  if (kind == NULL || is_store)
    return;
  g_clear_error (error);
  cli_set_error (error, CLI_DAMAGED, "%s: no store, but %s", path, kind);
}

static DsqStore *
open_path (Job *job, const char *path, GCancellable *cancellable, GError **error)
{
  GStatBuf status;
  DsqStore *store;

  /* a missing file would be made, and an empty one be made a store */
  if (g_stat (path, &status) != 0)
    {
      cli_set_error (error, CLI_FAILED, "%s: %s", path, g_strerror (errno));
      return NULL;
    }
  if (S_ISREG (status.st_mode) && status.st_size == 0)
    {
      cli_set_error (error, CLI_DAMAGED, "%s: no store, but an empty file", path);
      return NULL;
    }
  store = open_as (job, job->read_only, cancellable, error);
  if (store == NULL && !job->read_only &&
      (g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_READ_ONLY) ||
       g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_PERMISSION)))
    {
      g_clear_error (error);
      store = open_as (job, TRUE, cancellable, error);
    }
  if (store == NULL)
    say_what_it_is (path, error);
  return store;
}

static void
run_open (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  const char *path = g_file_peek_path (job->file);
  g_autofree char *name = g_file_get_parse_name (job->file);
  DsqStore *store = NULL;
  GError *error = NULL;

  if (path != NULL)
    store = open_path (job, path, cancellable, &error);
  else
    cli_set_error (&error, CLI_FAILED, "%s: only files of this machine can be opened", name);
  if (store == NULL)
    {
      cli_prefix_error (&error, name);
      g_task_return_error (task, error);
      return;
    }
  g_task_return_pointer (task, store, g_object_unref);
}

void
browser_open_async (GFile *file,
                    GBytes *password,
                    gboolean read_only,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Job *job = start (NULL, cancellable, callback, user_data, &task);

  job->file = g_object_ref (file);
  job->password = password != NULL ? g_bytes_ref (password) : NULL;
  job->read_only = read_only;
  g_task_run_in_thread (task, run_open);
}

DsqStore *
browser_open_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- read ------------------------------------------------------------------------------------- */

static void
run_read (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  gsize key_length, length;
  const guint8 *key = browser_bytes_get (job->key, &key_length);
  GError *error = NULL;
  guint8 *record = dsq_store_get_record (source, key, key_length, &length, &error);

  if (record != NULL)
    {
      job->record = g_bytes_new_take (record, length);
      job->milliseconds = dsq_store_get_expiry_key (source, key, key_length, &error);
      /* it has expired, or was removed, between the two */
      if (job->milliseconds == 0)
        g_clear_pointer (&job->record, g_bytes_unref);
    }
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

void
browser_read_async (DsqStore *store, GBytes *key, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Job *job = start (store, NULL, callback, user_data, &task);

  job->key = g_bytes_ref (key);
  g_task_run_in_thread (task, run_read);
}

gboolean
browser_read_finish (GAsyncResult *result,
                     GBytes **out_record,
                     gint64 *out_milliseconds,
                     GError **error)
{
  Job *job = g_task_get_task_data (G_TASK (result));

  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  *out_record = g_steal_pointer (&job->record);
  *out_milliseconds = job->milliseconds;
  return TRUE;
}

/* --- write ------------------------------------------------------------------------------------ */

static DsqAnswer
set_with_time (DsqStore *store,
               Job *job,
               const guint8 *key,
               gsize key_length,
               const guint8 *expected,
               gsize expected_length,
               const guint8 *record,
               gsize length,
               GError **error)
{
  g_auto (CliPacker) packer = { NULL, NULL };
  g_autofree guint8 *before = NULL;
  g_autofree guint8 *after = NULL;
  gsize before_length, after_length;

  cli_packer_init (&packer);
  cli_packer_add (&packer, key, key_length);
  cli_packer_add (&packer, expected, expected_length);
  before = cli_packer_finish (&packer, &before_length);
  cli_packer_add (&packer, key, key_length);
  cli_packer_add (&packer, record, length);
  after = cli_packer_finish (&packer, &after_length);
  return dsq_store_apply_pack (store,
                               before,
                               before_length,
                               after,
                               after_length,
                               FALSE,
                               &job->milliseconds,
                               1,
                               error);
}

static void
run_write (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  gsize key_length, expected_length = 0, length = 0;
  const guint8 *key = browser_bytes_get (job->key, &key_length);
  const guint8 *expected =
      job->expected != NULL ? browser_bytes_get (job->expected, &expected_length) : key;
  const guint8 *record = job->record != NULL ? browser_bytes_get (job->record, &length) : key;
  GError *error = NULL;
  DsqAnswer answer;

  if (job->milliseconds == BROWSER_KEEP_TIME || job->record == NULL)
    answer = dsq_store_compare_and_set_record (source,
                                               key,
                                               key_length,
                                               expected,
                                               expected_length,
                                               record,
                                               length,
                                               TRUE,
                                               &error);
  else
    answer = set_with_time (source,
                            job,
                            key,
                            key_length,
                            expected,
                            expected_length,
                            record,
                            length,
                            &error);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_int (task, answer);
}

void
browser_write_async (DsqStore *store,
                     GBytes *key,
                     GBytes *expected,
                     GBytes *record,
                     gint64 milliseconds,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  Job *job = start (store, NULL, callback, user_data, &task);

  job->key = g_bytes_ref (key);
  job->expected = expected != NULL ? g_bytes_ref (expected) : NULL;
  job->record = record != NULL ? g_bytes_ref (record) : NULL;
  job->milliseconds = milliseconds;
  g_task_run_in_thread (task, run_write);
}

DsqAnswer
browser_write_finish (GAsyncResult *result, GError **error)
{
  GError *local_error = NULL;
  gssize answer = g_task_propagate_int (G_TASK (result), &local_error);

  if (local_error == NULL)
    return (DsqAnswer) answer;
  g_propagate_error (error, local_error);
  return DSQ_ANSWER_NO;
}

/* --- tables ----------------------------------------------------------------------------------- */

static void
run_list_tables (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  gsize length;
  g_autofree guint8 *tables = dsq_store_list_tables_pack (source, &length, &error);
  GPtrArray *names;
  CliPack pack;
  const guint8 *item;
  gsize item_length;

  if (tables == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  cli_pack_init (&pack, tables);
  while (cli_pack_next (&pack, &item, &item_length))
    g_ptr_array_add (names, g_bytes_new (item, item_length));
  g_task_return_pointer (task, names, (GDestroyNotify) g_ptr_array_unref);
}

void
browser_list_tables_async (DsqStore *store, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = NULL;

  start (store, NULL, callback, user_data, &task);
  g_task_run_in_thread (task, run_list_tables);
}

GPtrArray *
browser_list_tables_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
