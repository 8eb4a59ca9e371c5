/* dsq-store-private.h - what the files of the store share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-patience-private.h"
#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "dsq-store-records.h"
#include "engine/dsq-engine-entries-private.h"
#include "engine/dsq-handle-private.h"

G_BEGIN_DECLS

struct _DsqStore
{
  GObject parent_instance;

  /* construct-only properties */
  char *path;  /* (owned) (nullable) */
  GFile *file; /* (owned) (nullable) */
  DsqEngineOptions options;
  GBytes *password; /* (owned) (nullable) in locked memory, until the store is open */

  gboolean is_separate; /* constant: it shares its engine with none that has the file open */

  DsqHandle *handle;        /* (owned) (nullable) set once by init, and with it the next two */
  DsqEngine *engine;        /* (owned) (nullable) the handle's, or a transaction's over it */
  DsqEngine *const *usable; /* (unowned) (atomic) where the same is, or NULL if it has ended */
  guint32 table;            /* constant: id of the table whose handle this is */
  GBytes *name;        /* (owned) (nullable) of the table; NULL: the one that a store opens with */
  gboolean ends_alone; /* constant: closing this ends this handle, and nothing else */
};

/* Sets DSQ_ERROR_CLOSED. */
void dsq_store_refuse_closed (DsqStore *self, GError **error);

/* The engine of a store, for a call of it, which waits as long as its handle says; or NULL with
 * DSQ_ERROR_CLOSED. */
static inline DsqEngine *
dsq_store_get_engine (DsqStore *self, GError **error)
{
  DsqEngine *const *usable = __atomic_load_n (&self->usable, __ATOMIC_RELAXED);
  DsqEngine *engine = __atomic_load_n (usable, __ATOMIC_ACQUIRE);

  dsq_patience.timeout_ms = self->options.busy_timeout_ms;
  if (G_UNLIKELY (engine == NULL))
    dsq_store_refuse_closed (self, error);
  return engine;
}

/* The same of the store that a transaction is over, for what is about its file. */
DsqEngine *dsq_store_get_root (DsqStore *self, GError **error);

/* The file, by whatever it was named; NULL of none. */
GFile *dsq_store_dup_file (DsqStore *self);

/* Has an error of opening name the file; FALSE. */
gboolean dsq_store_name_file (DsqStore *self, GError **error);

/* Has %DSQ_ERROR_WRONG_TYPE, where that is what @error is, name the key, which no secret may. */
void dsq_store_name_key (DsqStore *self, const char *key, GError **error);

/* A handle of @table, of that @name (nullable), in @engine, which is taken over; all else is as of
 * @of. */
DsqStore *
dsq_store_new_handle (GType type, DsqStore *of, DsqEngine *engine, guint32 table, GBytes *name);

/* The name of a table as a C string; NULL of none, and where it has a NUL. */
char *dsq_store_dup_name_text (GBytes *name);

/* The password for the opening that is to come, or NULL. */
void dsq_store_take_password_text (DsqStore *self, const char *text);
void dsq_store_take_password_bytes (DsqStore *self, GBytes *password);
gboolean dsq_store_check_password (DsqStore *self, GError **error);
/* password, password-bytes, kdf-memory, kdf-passes, kdf-limit */
void dsq_store_make_password_properties (GParamSpec *out_properties[5]);

#define DSQ_STORE_CONSTRUCT_ONLY                                                                   \
  (G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS)
#define DSQ_STORE_KIBIBYTE G_GUINT64_CONSTANT (1024)

/* For what is not opened yet, or not any more. */
extern DsqEngine *const dsq_store_no_engine;

/* Whether it is one of a handle's, and not a transaction's over it. */
static inline gboolean
dsq_store_is_of_handle (DsqEngine *engine)
{
  return dsq_engine_get_root (engine) == engine;
}

/* What is true of a write of the store's when it has returned. */
static inline DsqPromise
dsq_store_get_promise (const DsqStore *self)
{
  return self->handle->promise;
}

/* For what writes in another way than an entry; FALSE with DSQ_ERROR_READ_ONLY. */
gboolean dsq_store_check_writable (DsqStore *self, GError **error);

/* A key of the store's table; checks that the bytes are one. They are borrowed. */
static inline gboolean
dsq_store_make_key (DsqStore *self,
                    const guint8 *bytes,
                    gsize length,
                    DsqKey *out_key,
                    GError **error)
{
  guint32 table = self->table;

  /* bindings pass NULL for an array of no bytes */
  bytes = bytes != NULL ? bytes : (const guint8 *) "";
  if (!dsq_key_codec_validate (bytes, length, error))
    return FALSE;
  *out_key = (DsqKey){ bytes, (guint32) length, table, dsq_hash (table, bytes, length) };
  return TRUE;
}

/* What a call of one key begins with: the engine and the key, or NULL with @error set. */
static inline DsqEngine *
dsq_store_begin_call (DsqStore *self,
                      const guint8 *key,
                      gsize key_length,
                      DsqKey *out_key,
                      GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self, error);

  if (engine == NULL || !dsq_store_make_key (self, key, key_length, out_key, error))
    return NULL;
  return engine;
}

/* An entry for a record that a caller passes; checks that it is one. */
DsqEntry *
dsq_store_make_entry (const DsqKey *key, const guint8 *record, gsize length, GError **error);

/* As dsq_engine_get_many(), but what is damaged fails alone: its entry is one that no tier may be
 * given, whose record is the error as dsq_pack_make_error() has it. */
gboolean dsq_store_get_entries (DsqEngine *engine,
                                const DsqKey *keys,
                                gsize n_keys,
                                DsqEntry **out,
                                GError **error);
/* The same of one key. */
gboolean
dsq_store_get_entry (DsqEngine *engine, const DsqKey *key, DsqEntry **out_entry, GError **error);

/* That entries which came as a variant are an `a{sv}`, say. */
gboolean dsq_store_check_type (GVariant *entries, const GVariantType *type, GError **error);

/* (floating) The value of an entry, as an mv: nothing for what is no variant. */
GVariant *dsq_store_maybe_value (const DsqEntry *entry);

/* When an entry with that time to live, more than 0, expires: milliseconds since 1970, 0 for
 * never. */
gint64 dsq_store_expiry_after (DsqEngine *engine, gint64 milliseconds);

/* A store that is not opened yet. */
DsqStore *dsq_store_new_for_path (const char *path, DsqPersistMode persist_mode);

void dsq_store_async_initable_init (GAsyncInitableIface *iface);

G_END_DECLS
