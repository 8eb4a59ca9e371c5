/* dsq-store-password.c - a mapping that lives on disk: its password
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "crypto/dsq-secret-private.h"
#include "dsq-store-private.h"

/* A copy that is wiped with its last reference. */
static GBytes *
copy_password (GBytes *password)
{
  gsize length;
  const guint8 *data = g_bytes_get_data (password, &length);

  return dsq_secret_bytes (data, length);
}

/**
 * dsq_store_use_password:
 * @self: a store that is not initialised yet
 * @password: (nullable): the password, any bytes but none
 *
 * Sets the password as [property@Store:password] does, for one that is not text or holds NUL.
 *
 * To be called between the construction and g_initable_init(). The store keeps a copy in memory of
 * its own, wiped when it is open; @password is the caller's to wipe.
 *
 * Since: 1.0
 */
void
dsq_store_use_password (DsqStore *self, GBytes *password)
{
  g_return_if_fail (DSQ_IS_STORE (self));

  dsq_store_take_password (self, password != NULL ? copy_password (password) : NULL);
}

/**
 * dsq_store_change_password:
 * @self: a store with a file that is encrypted
 * @old_password: its password
 * @new_password: what it shall be, any bytes but none
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Changes the password, and returns when that is on the medium.
 *
 * The time does not depend on the size of the file, since only the key under which the entries are
 * sealed is sealed anew. So the change does not help against somebody who had both the file and its
 * old password: [method@Store.encrypt_copy] makes a file under another key. Other stores that have
 * the file open go on as before. When the process dies meanwhile, the file has either password.
 *
 * Errors: %DSQ_ERROR_WRONG_PASSWORD, %DSQ_ERROR_NOT_ENCRYPTED, %DSQ_ERROR_INVALID_ARGUMENT for an
 * empty password, %DSQ_ERROR_CHANGED when somebody else changed it meanwhile.
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
  DsqEngine *engine;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (old_password != NULL && new_password != NULL, FALSE);

  engine = dsq_store_get_engine (self, error);
  return engine != NULL &&
         dsq_engine_change_password (engine, old_password, new_password, cancellable, error);
}
