/* dsq-engine-password.c - changing the password, and the key
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-fork-private.h"
#include "cold/dsq-cold-file-private.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "dsq-error.h"
#include "engine/dsq-engine-internal.h"
#include "engine/dsq-engine-upkeep-private.h"
#include "engine/dsq-write-behind-private.h"

/* The keys that passwords give are derived with no lock held, since that takes its time: so the
 * header may be another by the time that the write lock is had. */
static gboolean
replace_locked (DsqEngine *self, const DsqHeader *before, const DsqHeader *after, GError **error)
{
  DsqColdTier *cold = self->cold;

  dsq_mutex_assert_held (&self->writer_lock);
  if (!cold->funcs->begin (cold, error))
    return FALSE;
  if (cold->upkeep->replace_header (cold, before, after, error))
    return cold->funcs->commit (cold, NULL, NULL, error);
  cold->funcs->rollback (cold);
  return FALSE;
}

/* Between two looks at whether others still read from the log. */
#define RENEW_US (20 * 1000)

/* The old password would open the main file without the log, or with an older part of it. */
static gboolean
void_old_password (DsqEngine *self, GError **error)
{
  const gint64 began = dsq_patience_begin (0);
  gboolean is_renewed, success;

  for (;;)
    {
      if (!dsq_call_lock (&self->writer_lock, error))
        return FALSE;
      success = self->cold->upkeep->renew_log (self->cold, &is_renewed, error);
      dsq_mutex_unlock (&self->writer_lock);
      if (!success || is_renewed)
        return success;
      if (dsq_patience_left (began, dsq_engine_option (self, busy_timeout_ms), G_MAXUINT) <= 0)
        break;
      dsq_call_ask ();
      if (!dsq_call_check (error))
        return FALSE;
      dsq_fork_sleep (RENEW_US);
    }
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_BUSY,
               "Failed to void the old password: the new one is set, but somebody reads the file "
               "as it was, so the old one may still open it; when nobody does, set the new one "
               "once more");
  return FALSE;
}

static gboolean
change_password (DsqEngine *self, GBytes *old_password, GBytes *new_password, GError **error)
{
  const guint64 limit = self->options.kdf_limit;
  DsqHeader before, after;
  DsqKdfCost cost;
  gboolean replaced;

  if (!self->cold->upkeep->get_header (self->cold, &before, error) ||
      !dsq_header_check_cost (&before, limit, error))
    return FALSE;
  after = before;
  cost = dsq_header_keep_cost (&before, &self->options.kdf_cost, limit);
  if (!dsq_header_change_password (&after, old_password, new_password, &cost, error) ||
      !dsq_call_check (error))
    return FALSE;

  if (!dsq_call_lock (&self->writer_lock, error))
    return FALSE;
  replaced = replace_locked (self, &before, &after, error);
  dsq_mutex_unlock (&self->writer_lock);
  /* who is told that the old password is void must be able to rely on it */
  return replaced && (self->cold->upkeep->renew_log == NULL || void_old_password (self, error));
}

gboolean
dsq_engine_change_password (DsqEngine *self,
                            GBytes *old_password,
                            GBytes *new_password,
                            GError **error)
{
  gboolean changed = FALSE;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  if (self->cold->upkeep == NULL)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_NOT_ENCRYPTED,
                 "Failed to change the password: there is no file");
  else if (self->options.read_only)
    dsq_engine_refuse_read_only (error);
  else
    changed = change_password (self, old_password, new_password, error);
  dsq_engine_leave (self);
  return changed;
}

/* --- copies ----------------------------------------------------------------------------------- */

gboolean
dsq_engine_copy (DsqEngine *self,
                 const char *path,
                 GBytes *password,
                 gboolean keeps_password,
                 DsqEngineProgressFunc progress,
                 gpointer user_data,
                 GError **error)
{
  const DsqColdCopyOptions options = {
    .path = path,
    .password = password,
    .keeps_password = keeps_password,
    .kdf_cost = self->options.kdf_cost,
    .kdf_limit = self->options.kdf_limit,
    .progress = progress,
    .user_data = user_data,
  };
  gboolean copied;

  if (!dsq_engine_enter (self, error))
    return FALSE;
  copied = dsq_engine_check_lasts (self, "copy the store", error) &&
           dsq_engine_flush (self, error) && self->cold->upkeep->copy (self->cold, &options, error);
  dsq_engine_leave (self);
  return copied;
}

#define REKEY_BUSY_MS 1000

gboolean
dsq_engine_rekey_file (const char *path,
                       GBytes *old_password,
                       GBytes *new_password,
                       const DsqKdfCost *kdf_cost,
                       guint64 kdf_limit,
                       DsqEngineProgressFunc progress,
                       gpointer user_data,
                       GError **error)
{
  const DsqColdCopyOptions options = {
    .password = new_password,
    .kdf_cost = *kdf_cost,
    .kdf_limit = kdf_limit,
    .progress = progress,
    .user_data = user_data,
  };
  gboolean rekeyed;

  if (dsq_server_is_address (path))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_NOT_SUPPORTED,
                           "Failed to change the keys: that can be done with a file, not on a "
                           "server");
      return FALSE;
    }
  if (!dsq_fork_enter_to_open (error))
    return FALSE;
  dsq_call_enter (NULL);
  dsq_patience.timeout_ms = DSQ_PATIENCE_UNTOLD;
  rekeyed = dsq_cold_rekey_file (path, old_password, REKEY_BUSY_MS, &options, error);
  dsq_call_leave ();
  dsq_fork_leave ();
  return rekeyed;
}
