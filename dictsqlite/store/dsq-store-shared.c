/* dsq-store-shared.c - a mapping that lives on disk: what the files of the store share
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-value-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"
#include "store/dsq-store-private.h"

#define SHOWN_CHARACTERS 100 /* of a key, in a message */

DsqEngine *const dsq_store_no_engine = NULL;

void
dsq_store_refuse_closed (DsqStore *self, GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_CLOSED,
                       self->engine != NULL ? "store is closed" : "store was never opened");
}

GFile *
dsq_store_dup_file (DsqStore *self)
{
  if (self->file != NULL)
    return g_object_ref (self->file);
  if (self->path == NULL || g_str_equal (self->path, ":memory:") ||
      dsq_server_is_address (self->path))
    return NULL;
  return g_file_new_for_path (self->path);
}

gboolean
dsq_store_name_file (DsqStore *self, GError **error)
{
  g_autofree char *name = g_filename_display_name (self->path);

  g_prefix_error (error, "%s: ", name);
  return FALSE;
}

/* What is of a store with a password says no key's name. */
void
dsq_store_name_key (DsqStore *self, const char *key, GError **error)
{
  g_autofree char *shown = NULL;

  if (error == NULL || !g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE) ||
      dsq_engine_is_encrypted (self->engine))
    return;
  shown = g_utf8_substring (key, 0, MIN (g_utf8_strlen (key, -1), SHOWN_CHARACTERS));
  g_prefix_error (error, "'%s%s': ", shown, strlen (shown) < strlen (key) ? "..." : "");
}

DsqEngine *
dsq_store_get_root (DsqStore *self, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self, error);

  return engine != NULL ? dsq_engine_get_root (engine) : NULL;
}

gboolean
dsq_store_check_writable (DsqStore *self, GError **error)
{
  return self->handle->promise != DSQ_PROMISE_NONE || dsq_engine_refuse_read_only (error);
}

DsqStore *
dsq_store_new_handle (GType type, DsqStore *of, DsqEngine *engine, guint32 table, GBytes *name)
{
  DsqStore *self = g_object_new (type, NULL);

  self->options = of->options;
  self->path = g_strdup (of->path);
  self->options.path = of->options.path != NULL ? self->path : NULL;
  g_set_object (&self->file, of->file);
  self->table = table;
  self->name = name != NULL ? g_bytes_ref (name) : NULL;
  self->handle = dsq_handle_ref (of->handle);
  self->engine = engine;
  self->usable = dsq_store_is_of_handle (engine) ? &self->handle->usable : &self->engine;
  return self;
}

DsqEntry *
dsq_store_make_entry (const DsqKey *key, const guint8 *record, gsize length, GError **error)
{
  if (!dsq_value_check_record (record, length, error))
    return NULL;
  return dsq_entry_new (key, record, length, 0);
}

GVariant *
dsq_store_maybe_value (const DsqEntry *entry)
{
  g_autoptr (GVariant) value =
      dsq_value_get_variant (dsq_entry_record (entry), entry->record_length, NULL);

  return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT,
                              value != NULL ? g_variant_new_variant (value) : NULL);
}

char *
dsq_store_dup_name_text (GBytes *name)
{
  gsize length = 0;
  const char *bytes = name != NULL ? g_bytes_get_data (name, &length) : NULL;

  if (name == NULL || (length > 0 && memchr (bytes, '\0', length) != NULL))
    return NULL;
  return g_strndup (length > 0 ? bytes : "", length);
}

/* --- the password of a store that is opened --------------------------------------------------- */

void
dsq_store_make_password_properties (GParamSpec *out_properties[5])
{
  /**
   * DsqStore:password:
   *
   * The password of an encrypted file, and of the one that is made when it is missing; %NULL for
   * none. One that is not text, or holds NUL, is [property@Store:password-bytes].
   *
   * In %DSQ_PERSIST_MEMORY there is no file, and what has to leave memory all the same is sealed
   * under keys that are forgotten with the store.
   *
   * Since: 1.0
   */
  out_properties[0] =
      g_param_spec_string ("password",
                           NULL,
                           NULL,
                           NULL,
                           G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  /**
   * DsqStore:password-bytes:
   *
   * As [property@Store:password], for one that is not text or holds NUL: any bytes but none.
   *
   * The store keeps a copy in memory of its own, wiped when it is open; what was passed is the
   * caller's to wipe.
   *
   * Since: 1.0
   */
  out_properties[1] =
      g_param_spec_boxed ("password-bytes",
                          NULL,
                          NULL,
                          G_TYPE_BYTES,
                          G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  /**
   * DsqStore:kdf-memory:
   *
   * Bytes of memory that one try of a password takes (Argon2id), for a new file. A file keeps what
   * it was made with, and a new password of it costs no less.
   *
   * Since: 1.0
   */
  out_properties[2] = g_param_spec_uint64 ("kdf-memory",
                                           NULL,
                                           NULL,
                                           DSQ_STORE_KIBIBYTE * DSQ_KDF_MIN_MEMORY,
                                           DSQ_STORE_KIBIBYTE * DSQ_KDF_MAX_MEMORY,
                                           DSQ_STORE_KIBIBYTE * DSQ_KDF_DEFAULT_MEMORY,
                                           DSQ_STORE_CONSTRUCT_ONLY);
  /**
   * DsqStore:kdf-passes:
   *
   * Passes over that memory.
   *
   * Since: 1.0
   */
  out_properties[3] = g_param_spec_uint ("kdf-passes",
                                         NULL,
                                         NULL,
                                         DSQ_KDF_MIN_PASSES,
                                         DSQ_KDF_MAX_PASSES,
                                         DSQ_KDF_DEFAULT_PASSES,
                                         DSQ_STORE_CONSTRUCT_ONLY);
  /**
   * DsqStore:kdf-limit:
   *
   * Bytes of memory times passes that one try of the password of a file that is there may take. A
   * file from somebody else says itself what that is; one that asks for more is refused by
   * %DSQ_ERROR_TOO_COSTLY. What kdf-memory and kdf-passes allow a new file is allowed, too.
   *
   * Since: 1.0
   */
  out_properties[4] = g_param_spec_uint64 ("kdf-limit",
                                           NULL,
                                           NULL,
                                           0,
                                           G_MAXUINT64,
                                           DSQ_KDF_DEFAULT_LIMIT,
                                           DSQ_STORE_CONSTRUCT_ONLY);
}

/* A copy that is wiped with its last reference. */
static void
take_password (DsqStore *self, const guint8 *password, gsize length)
{
  g_clear_pointer (&self->password, g_bytes_unref);
  self->password = dsq_secret_bytes (password, length);
}

void
dsq_store_take_password_text (DsqStore *self, const char *text)
{
  if (text != NULL)
    take_password (self, (const guint8 *) text, strlen (text));
}

void
dsq_store_take_password_bytes (DsqStore *self, GBytes *password)
{
  gsize length;
  const guint8 *bytes;

  if (password == NULL)
    return;
  bytes = g_bytes_get_data (password, &length);
  take_password (self, bytes, length);
}

gboolean
dsq_store_check_password (DsqStore *self, GError **error)
{
  if (self->password == NULL || g_bytes_get_size (self->password) > 0)
    return TRUE;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_INVALID_ARGUMENT,
                       "Failed to open the store: the password is empty");
  return FALSE;
}
