/* dsq-store-password.c - a mapping that lives on disk: its password
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

/* --- changing it ------------------------------------------------------------------------------ */

/**
 * dsq_store_change_password:
 * @self: a store that is encrypted, in a file or on a server
 * @old_password: its password
 * @new_password: what it shall be, any bytes but none
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Changes the password, and returns when that is on the medium, and nothing is left in the file or
 * its write-ahead log that the old one opens. Who reads the file as it was keeps that from being
 * so: that is waited for up to [property@Store:busy-timeout], and is then %DSQ_ERROR_BUSY, with the
 * new password set. Set it once more when nobody reads. After another error of the medium the file
 * has either password.
 *
 * The time does not depend on the size of the file, since only the key under which the entries are
 * sealed is sealed anew. So the change does not help against somebody who had both the file and its
 * old password: [method@Store.copy] makes a file under another key. Other stores that have
 * the file open go on as before. When the process dies meanwhile, or the call is cancelled, the
 * file has either password. A try of the new one costs no less than one of the old.
 *
 * Errors: %DSQ_ERROR_WRONG_PASSWORD, %DSQ_ERROR_NOT_ENCRYPTED, %DSQ_ERROR_INVALID_ARGUMENT for an
 * empty password, %DSQ_ERROR_CONFLICT when somebody else changed it meanwhile.
 *
 * Returns: %TRUE when it is changed
 *
 * Since: 1.0
 */
gboolean
dsq_store_change_password (DsqStore *self,
                           GBytes *old_password,
                           GBytes *new_password,
                           GCancellable *cancellable,
                           GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (old_password != NULL && new_password != NULL, FALSE);

  engine = dsq_store_get_root (self, error);
  if (engine == NULL || !dsq_store_check_writable (self, error) ||
      !dsq_call_begin (&call, cancellable, error))
    return FALSE;
  if (dsq_engine_change_password (engine, old_password, new_password, &local_error))
    return TRUE;
  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_WRONG_PASSWORD))
    g_set_error_literal (error,
                         DSQ_ERROR,
                         DSQ_ERROR_WRONG_PASSWORD,
                         "Failed to change the password: the old one is wrong");
  else
    g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* --- copies ----------------------------------------------------------------------------------- */

/**
 * dsq_store_copy:
 * @self: a store in a file or on a server
 * @path: (type filename): the new file, which must not exist yet; its folder must
 * @form: what it is to be
 * @password: (nullable): its password, any bytes but none, for %DSQ_COPY_ENCRYPTED and
 *   %DSQ_COPY_NEW_KEYS; %NULL otherwise
 * @cancellable: (nullable): a #GCancellable
 * @progress: (scope call) (closure user_data) (nullable): told how far it is, on this thread
 * @user_data: passed to @progress
 * @error: return location for an error
 *
 * Copies the store to a new file, while it is in use: all tables, and everything that was written
 * before the call.
 *
 * The new file gets its name when it is whole and synced; after an error there is none. Damage is
 * copied as it is, and is no error: [method@Store.check] finds it, here or there.
 *
 * With %DSQ_COPY_SAME it is a backup: page by page as the store's file is, with its permissions
 * and, if it is encrypted, its password and its key; from a server row by row. The other forms are
 * written entry by entry, if encrypted with a key of its own and into a file of mode 0600 at most.
 * They are one state of the store, of after a flush. The old file stays: what of it may be left on
 * the medium when it is deleted is told in docs/encryption.md.
 *
 * With %DSQ_COPY_NEW_KEYS too: whoever has both files, learns the key of one, or may write to one,
 * can do nothing to the other. A store does not keep its password, so it is @password, and anything
 * else is %DSQ_ERROR_WRONG_PASSWORD. A try of it costs no less in the copy.
 *
 * Errors: %DSQ_ERROR_WRONG_PASSWORD, %DSQ_ERROR_NOT_ENCRYPTED where a store without keys shall have
 * new ones, %DSQ_ERROR_TOO_COSTLY, %DSQ_ERROR_EXISTS, %DSQ_ERROR_CORRUPT when an entry is damaged,
 * %DSQ_ERROR_NOT_FOUND for a folder that is missing, %DSQ_ERROR_INVALID_ARGUMENT for a password
 * that does not suit @form and in memory mode, and those of [method@Store.flush].
 *
 * Returns: %TRUE when it is there
 *
 * Since: 1.0
 */
gboolean
dsq_store_copy (DsqStore *self,
                const char *path,
                DsqCopyForm form,
                GBytes *password,
                GCancellable *cancellable,
                DsqProgressFunc progress,
                gpointer user_data,
                GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (path != NULL, FALSE);

  if ((form == DSQ_COPY_ENCRYPTED || form == DSQ_COPY_NEW_KEYS) != (password != NULL))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to copy the store: a password is for an encrypted copy");
      return FALSE;
    }
  engine = dsq_store_get_root (self, error);
  if (engine == NULL || !dsq_call_begin (&call, cancellable, error))
    return FALSE;
  if (form == DSQ_COPY_SAME)
    return dsq_engine_backup (engine, path, progress, user_data, error);
  return dsq_engine_copy (engine,
                          path,
                          password,
                          form == DSQ_COPY_NEW_KEYS,
                          progress,
                          user_data,
                          error);
}

/**
 * dsq_store_rekey_file:
 * @path: (type filename): an encrypted file that no store has open, in any process
 * @old_password: its password
 * @new_password: what it shall be, any bytes but none; may be the same
 * @kdf_limit: as [property@Store:kdf-limit], 0 for its default
 * @cancellable: (nullable): a #GCancellable
 * @progress: (scope call) (closure user_data) (nullable): told how far it is
 * @user_data: passed to @progress
 * @error: return location for an error
 *
 * Writes the file anew under another key, and puts it in the old one's place.
 *
 * At every instant, also when the machine stops, @path is the old file or the new one, whole. What
 * helps against somebody who had the file and its password; see docs/encryption.md. A try of the
 * new password costs no less than one of the old.
 *
 * Errors: %DSQ_ERROR_BUSY when somebody has the file open, %DSQ_ERROR_WRONG_PASSWORD,
 * %DSQ_ERROR_NOT_ENCRYPTED, %DSQ_ERROR_INVALID_ARGUMENT for an empty password,
 * %DSQ_ERROR_TOO_COSTLY where a try of its password costs more, %DSQ_ERROR_CORRUPT when an entry is
 * damaged, and those of [ctor@Store.open].
 *
 * Returns: %TRUE when it is in place
 *
 * Since: 1.0
 */
gboolean
dsq_store_rekey_file (const char *path,
                      GBytes *old_password,
                      GBytes *new_password,
                      guint64 kdf_limit,
                      GCancellable *cancellable,
                      DsqProgressFunc progress,
                      gpointer user_data,
                      GError **error)
{
  g_auto (DsqCall) call = { 0 };
  static const DsqKdfCost cost = {
    DSQ_KDF_DEFAULT_MEMORY,
    DSQ_KDF_DEFAULT_PASSES,
    DSQ_KDF_DEFAULT_LANES,
  };

  g_return_val_if_fail (path != NULL, FALSE);
  g_return_val_if_fail (old_password != NULL && new_password != NULL, FALSE);

  if (!dsq_call_begin (&call, cancellable, error))
    return FALSE;
  return dsq_engine_rekey_file (path,
                                old_password,
                                new_password,
                                &cost,
                                kdf_limit != 0 ? kdf_limit : DSQ_KDF_DEFAULT_LIMIT,
                                progress,
                                user_data,
                                error);
}
