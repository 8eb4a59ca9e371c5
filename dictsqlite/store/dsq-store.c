/* dsq-store.c - a mapping that lives on disk: properties, open and close
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "dsq-enum-types.h"
#include "dsq-error.h"
#include "store/dsq-bind-private.h"
#include "store/dsq-store-private.h"

/**
 * DsqStore:
 *
 * A mapping from keys to values that lives in a file, as fast as memory allows.
 *
 * A store is opened by constructing it with its properties and then initialising it, which is what
 * [ctor@Store.open] does for the usual case:
 *
 * ```c
 * g_autoptr (DsqStore) store = dsq_store_open ("data.db", DSQ_PERSIST_LAZY, NULL, &error);
 *
 * dsq_store_set_string (store, "key", "value", NULL, &error);
 * ```
 *
 * Keys keep the order of their insertion, as those of a Python dict: overwriting a key keeps its
 * place, deleting and setting it again puts it last.
 *
 * ## Values
 *
 * Values are typed: bytes, UTF-8 strings, 64-bit integers, doubles, booleans, nothing, and any
 * other #GVariant. What one language stores the others read. Inside, a value is a *record*: a type
 * byte, [enum@ValueType], and its payload.
 *
 * ## Calls for bindings
 *
 * Some calls take keys and records as arrays of bytes: a key is UTF-8 (NUL characters allowed) or
 * the encoded form of a key that is no string (docs/on-disk-format.md), and a missing value is an
 * empty array, since a record never is. A *pack* holds many byte strings, all numbers unsigned 32
 * bits in the machine's byte order: how many, the length of each, and their bytes end to end.
 *
 * ## Tables
 *
 * A store holds any number of tables beside the one that it opens with, each a mapping of its own:
 * see [method@Store.get_table]. A table is a #DsqStore as well, so that all methods work on it. All
 * tables share the file, its limits and its flushes, each of which is one instant of all of them.
 *
 * ## Threads, processes, forks
 *
 * Every method may be called from any thread. What can touch the disk has an `_async` form, whose
 * callback arrives in the caller's thread-default main context; it is carried out by the store's
 * own threads, or at once where memory answers. A #GCancellable ends a call before it begins and
 * while it waits or reads. Several stores, in one process or in several, may be open on one file
 * and see each other's commits at once. A store must not be used in the child of a fork(): every
 * call there gives %DSQ_ERROR_FORKED.
 *
 * ## Errors
 *
 * Every method that can fail gives errors of the domain %DSQ_ERROR. After [method@Store.close] all
 * of them give %DSQ_ERROR_CLOSED, except [method@Store.flush] and [method@Store.close] itself.
 *
 * Since: 1.0
 */
enum
{
  PROP_PATH = 1,
  PROP_FILE,
  PROP_PERSIST_MODE,
  PROP_READ_ONLY,
  PROP_SEPARATE,
  PROP_DURABILITY,
  PROP_HOT_CAPACITY,
  PROP_HOT_LIMIT,
  PROP_WARM_CAPACITY,
  PROP_BACKGROUND,
  PROP_FLUSH_INTERVAL,
  PROP_DIRTY_LIMIT,
  PROP_BUSY_TIMEOUT,
  PROP_WAL_LIMIT,
  PROP_CACHE_SIZE,
  PROP_TABLE_NAME,
  PROP_PASSWORD,
  PROP_PASSWORD_BYTES,
  PROP_KDF_MEMORY,
  PROP_KDF_PASSES,
  PROP_KDF_LIMIT,
  PROP_MAX_BYTES,
  PROP_CLOCK_OFFSET,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void dsq_store_initable_init (GInitableIface *iface);

/* A transaction is one as well, see dsq-transaction.c; nobody else can derive from it. */
G_DEFINE_TYPE_WITH_CODE (DsqStore,
                         dsq_store,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, dsq_store_initable_init)
                             G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_INITABLE,
                                                    dsq_store_async_initable_init))

#define KIBIBYTE DSQ_STORE_KIBIBYTE
#define MEBIBYTE G_GUINT64_CONSTANT (1048576)

/* --- properties ------------------------------------------------------------------------------ */

/* Where a property of 64 bits lies that is set and told as it is; NULL of others. */
static guint64 *
find_number (DsqStore *self, guint id)
{
  switch (id)
    {
    case PROP_HOT_CAPACITY:
      return &self->options.hot_capacity;
    case PROP_HOT_LIMIT:
      return &self->options.hot_limit;
    case PROP_WARM_CAPACITY:
      return &self->options.warm_capacity;
    case PROP_DIRTY_LIMIT:
      return &self->options.dirty_limit;
    case PROP_WAL_LIMIT:
      return &self->options.wal_limit;
    case PROP_CACHE_SIZE:
      return &self->options.cache_size;
    case PROP_KDF_LIMIT:
      return &self->options.kdf_limit;
    case PROP_MAX_BYTES:
      return &self->options.max_bytes;
    default:
      return NULL;
    }
}

static void
dsq_store_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  DsqStore *self = DSQ_STORE (object);
  guint64 *number = find_number (self, id);

  switch (id)
    {
    case PROP_PATH:
      self->path = g_value_dup_string (value);
      break;
    case PROP_FILE:
      self->file = g_value_dup_object (value);
      break;
    case PROP_PERSIST_MODE:
      self->options.persist_mode = g_value_get_enum (value);
      break;
    case PROP_READ_ONLY:
      self->options.read_only = g_value_get_boolean (value);
      break;
    case PROP_SEPARATE:
      self->is_separate = g_value_get_boolean (value);
      break;
    case PROP_DURABILITY:
      self->options.durability = g_value_get_enum (value);
      break;
    case PROP_BACKGROUND:
      self->options.background = g_value_get_boolean (value);
      break;
    case PROP_FLUSH_INTERVAL:
      self->options.flush_interval_ms = g_value_get_uint (value);
      break;
    case PROP_BUSY_TIMEOUT:
      self->options.busy_timeout_ms = g_value_get_uint (value);
      break;
    case PROP_PASSWORD:
      dsq_store_take_password_text (self, g_value_get_string (value));
      break;
    case PROP_PASSWORD_BYTES:
      dsq_store_take_password_bytes (self, g_value_get_boxed (value));
      break;
    case PROP_KDF_MEMORY:
      self->options.kdf_cost.memory = (guint32) (g_value_get_uint64 (value) / KIBIBYTE);
      break;
    case PROP_KDF_PASSES:
      self->options.kdf_cost.passes = g_value_get_uint (value);
      break;
    case PROP_CLOCK_OFFSET:
      if (self->engine != NULL)
        dsq_engine_set_clock_offset (self->engine, g_value_get_int64 (value));
      break;
    default:
      if (number != NULL)
        *number = g_value_get_uint64 (value);
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_store_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DsqStore *self = DSQ_STORE (object);
  const guint64 *number = find_number (self, id);

  switch (id)
    {
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_FILE:
      g_value_take_object (value, dsq_store_dup_file (self));
      break;
    case PROP_PERSIST_MODE:
      g_value_set_enum (value, self->options.persist_mode);
      break;
    case PROP_READ_ONLY:
      g_value_set_boolean (value, self->options.read_only);
      break;
    case PROP_SEPARATE:
      g_value_set_boolean (value, self->is_separate);
      break;
    case PROP_DURABILITY:
      g_value_set_enum (value, self->options.durability);
      break;
    case PROP_BACKGROUND:
      g_value_set_boolean (value, self->options.background);
      break;
    case PROP_FLUSH_INTERVAL:
      g_value_set_uint (value, self->options.flush_interval_ms);
      break;
    case PROP_BUSY_TIMEOUT:
      g_value_set_uint (value, self->options.busy_timeout_ms);
      break;
    case PROP_TABLE_NAME:
      g_value_take_string (value, dsq_store_dup_name_text (self->name));
      break;
    case PROP_KDF_MEMORY:
      g_value_set_uint64 (value, KIBIBYTE * self->options.kdf_cost.memory);
      break;
    case PROP_KDF_PASSES:
      g_value_set_uint (value, self->options.kdf_cost.passes);
      break;
    default:
      if (number != NULL)
        g_value_set_uint64 (value, *number);
      else
        G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_store_finalize (GObject *object)
{
  DsqStore *self = DSQ_STORE (object);

  self->usable = &dsq_store_no_engine;
  g_clear_pointer (&self->engine, dsq_engine_unref);
  g_clear_pointer (&self->handle, dsq_handle_unref);
  g_clear_pointer (&self->password, g_bytes_unref);
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->name, g_bytes_unref);
  g_clear_object (&self->file);
  G_OBJECT_CLASS (dsq_store_parent_class)->finalize (object);
}

#define CONSTRUCT_ONLY DSQ_STORE_CONSTRUCT_ONLY

static void
install_place_properties (void)
{
  /**
   * DsqStore:path:
   *
   * Path of the file, made when it is missing; ":memory:" for a store in memory mode whatever
   * [property@Store:persist-mode] says.
   *
   * Since: 1.0
   */
  properties[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, CONSTRUCT_ONLY);
  /**
   * DsqStore:file:
   *
   * The file, as an alternative to [property@Store:path] for names that are not UTF-8.
   *
   * Since: 1.0
   */
  properties[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, G_TYPE_FILE, CONSTRUCT_ONLY);
  /**
   * DsqStore:persist-mode:
   *
   * When a write reaches the file. In %DSQ_PERSIST_MEMORY no file is read or made.
   *
   * Since: 1.0
   */
  properties[PROP_PERSIST_MODE] = g_param_spec_enum ("persist-mode",
                                                     NULL,
                                                     NULL,
                                                     DSQ_TYPE_PERSIST_MODE,
                                                     DSQ_PERSIST_WRITETHROUGH,
                                                     CONSTRUCT_ONLY);
  /**
   * DsqStore:read-only:
   *
   * Whether every write is an error, %DSQ_ERROR_READ_ONLY. The file must be there, and its bytes do
   * not change. In a folder that cannot be written, and with nobody else having the file open, the
   * file is taken never to change.
   *
   * Since: 1.0
   */
  properties[PROP_READ_ONLY] =
      g_param_spec_boolean ("read-only", NULL, NULL, FALSE, CONSTRUCT_ONLY);
  /**
   * DsqStore:separate:
   *
   * Whether it is to have nothing in common with other stores of the process that have the file
   * open: they then see of each other what is committed, as stores of two processes do.
   *
   * Since: 1.0
   */
  properties[PROP_SEPARATE] = g_param_spec_boolean ("separate", NULL, NULL, FALSE, CONSTRUCT_ONLY);
  /**
   * DsqStore:durability:
   *
   * What a power cut may cost in %DSQ_PERSIST_WRITETHROUGH.
   *
   * Since: 1.0
   */
  properties[PROP_DURABILITY] = g_param_spec_enum ("durability",
                                                   NULL,
                                                   NULL,
                                                   DSQ_TYPE_DURABILITY,
                                                   DSQ_DURABILITY_NORMAL,
                                                   CONSTRUCT_ONLY);
  /**
   * DsqStore:background:
   *
   * Whether a thread of the store flushes, syncs and checkpoints by itself. Without it that happens
   * in [method@Store.flush], [method@Store.close], and in the writer that finds too much dirty.
   *
   * Since: 1.0
   */
  properties[PROP_BACKGROUND] =
      g_param_spec_boolean ("background", NULL, NULL, TRUE, CONSTRUCT_ONLY);
  /**
   * DsqStore:flush-interval:
   *
   * The longest time, in milliseconds, that a write waits for the background flush.
   *
   * Since: 1.0
   */
  properties[PROP_FLUSH_INTERVAL] =
      g_param_spec_uint ("flush-interval", NULL, NULL, 1, G_MAXINT, 1000, CONSTRUCT_ONLY);
  /**
   * DsqStore:busy-timeout:
   *
   * How long, in milliseconds, a call waits for a lock that another process holds on the file.
   *
   * Since: 1.0
   */
  properties[PROP_BUSY_TIMEOUT] =
      g_param_spec_uint ("busy-timeout", NULL, NULL, 0, G_MAXINT, 30000, CONSTRUCT_ONLY);
}

static void
install_size_properties (void)
{
  /**
   * DsqStore:hot-capacity:
   *
   * The most clean entries that the hot tier holds. Nothing is allocated in proportion to it.
   *
   * Since: 1.0
   */
  properties[PROP_HOT_CAPACITY] =
      g_param_spec_uint64 ("hot-capacity", NULL, NULL, 1, G_MAXUINT64, 1000000, CONSTRUCT_ONLY);
  /**
   * DsqStore:hot-limit:
   *
   * The most bytes of clean entries that the hot tier holds, beside #DsqStore:hot-capacity: their
   * keys and records, and 64 bytes an entry. One that would take more than a quarter of it is not
   * kept there. In memory mode, where all entries are dirty as long as they fit, it is also what
   * they may take together before they go to the private file.
   *
   * Since: 1.0
   */
  properties[PROP_HOT_LIMIT] =
      g_param_spec_uint64 ("hot-limit", NULL, NULL, 1, G_MAXINT64, 256 * MEBIBYTE, CONSTRUCT_ONLY);
  /**
   * DsqStore:warm-capacity:
   *
   * The most bytes that the warm tier takes: entries that fell out of the hot tier, kept in memory
   * in a compact form. 0 turns it off.
   *
   * Since: 1.0
   */
  properties[PROP_WARM_CAPACITY] = g_param_spec_uint64 ("warm-capacity",
                                                        NULL,
                                                        NULL,
                                                        0,
                                                        G_MAXINT64,
                                                        64 * MEBIBYTE,
                                                        CONSTRUCT_ONLY);
  /**
   * DsqStore:dirty-limit:
   *
   * Bytes of entries not yet flushed at which writers wait for a flush.
   *
   * Since: 1.0
   */
  properties[PROP_DIRTY_LIMIT] = g_param_spec_uint64 ("dirty-limit",
                                                      NULL,
                                                      NULL,
                                                      1,
                                                      G_MAXUINT64,
                                                      64 * MEBIBYTE,
                                                      CONSTRUCT_ONLY);
  /**
   * DsqStore:wal-limit:
   *
   * Bytes to which the write-ahead log is kept by checkpoints. It takes no more than twice as much,
   * and one transaction, whatever stores of any process read, but while a copy or a check is made.
   *
   * Since: 1.0
   */
  properties[PROP_WAL_LIMIT] = g_param_spec_uint64 ("wal-limit",
                                                    NULL,
                                                    NULL,
                                                    MEBIBYTE,
                                                    G_MAXINT64,
                                                    64 * MEBIBYTE,
                                                    CONSTRUCT_ONLY);
  /**
   * DsqStore:cache-size:
   *
   * Bytes of SQLite's page cache, for each connection.
   *
   * Since: 1.0
   */
  properties[PROP_CACHE_SIZE] = g_param_spec_uint64 ("cache-size",
                                                     NULL,
                                                     NULL,
                                                     65536,
                                                     G_MAXINT32,
                                                     8 * MEBIBYTE,
                                                     CONSTRUCT_ONLY);
  /**
   * DsqStore:max-bytes:
   *
   * For a store that is used as a cache: bytes that it is kept to, at least 1 MiB, by dropping the
   * least recently used entries. 0, the default: everything is kept.
   *
   * With a file these are the bytes of its pages that hold something, without the write-ahead log,
   * looked at after each flush and commit; in memory mode those of keys and records, and 64 an
   * entry. What was dropped is in the [struct@Stats]. An entry that would not fit gives
   * %DSQ_ERROR_INVALID_VALUE.
   *
   * Since: 1.0
   */
  properties[PROP_MAX_BYTES] =
      g_param_spec_uint64 ("max-bytes", NULL, NULL, 0, G_MAXINT64, 0, CONSTRUCT_ONLY);
}

static void
install_other_properties (void)
{
  /**
   * DsqStore:table-name: (getter dup_table_name)
   *
   * The name of the table that this is, or %NULL for the one that a store opens with, and for a
   * name with a NUL character, which no C string can hold.
   *
   * Since: 1.0
   */
  properties[PROP_TABLE_NAME] = g_param_spec_string ("table-name",
                                                     NULL,
                                                     NULL,
                                                     NULL,
                                                     G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * DsqStore:clock-offset:
   *
   * How far, in milliseconds, the clock by which entries expire is ahead of the system's: so tests
   * need not wait. Set it when the store is open; other stores, on the same file too, keep theirs.
   *
   * Since: 1.0
   */
  properties[PROP_CLOCK_OFFSET] = g_param_spec_int64 ("clock-offset",
                                                      NULL,
                                                      NULL,
                                                      G_MININT64,
                                                      G_MAXINT64,
                                                      0,
                                                      G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS);
}

static void
dsq_store_class_init (DsqStoreClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = dsq_store_set_property;
  object_class->get_property = dsq_store_get_property;
  object_class->finalize = dsq_store_finalize;
  install_place_properties ();
  install_size_properties ();
  install_other_properties ();
  dsq_store_make_password_properties (&properties[PROP_PASSWORD]);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  dsq_bind_install_signal (DSQ_TYPE_STORE);
}

static void
dsq_store_init (DsqStore *self)
{
  self->usable = &dsq_store_no_engine;
  self->table = DSQ_TABLE_MAIN;
  self->options.kdf_cost.lanes = DSQ_KDF_DEFAULT_LANES;
}

/* --- open ------------------------------------------------------------------------------------ */

static gboolean
refuse (const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT, "Failed to open the store: %s", cause);
  return FALSE;
}

/* Settles on one name of the file; ":memory:" is none. */
static gboolean
settle_path (DsqStore *self, GError **error)
{
  if ((self->path != NULL) == (self->file != NULL))
    return refuse ("pass either its path or its file", error);
  if (self->file != NULL)
    self->path = g_file_get_path (self->file);
  if (self->path == NULL || *self->path == '\0')
    return refuse ("its file has no local path", error);
  if (self->file == NULL && g_str_equal (self->path, ":memory:"))
    self->options.persist_mode = DSQ_PERSIST_MEMORY;
  if (self->options.read_only && self->options.persist_mode == DSQ_PERSIST_MEMORY)
    return refuse ("in memory mode it cannot be read-only", error);
  if (self->options.max_bytes > 0 && self->options.max_bytes < MEBIBYTE)
    return refuse ("max-bytes is 0 or at least 1 MiB", error);
  if (self->file == NULL && dsq_server_is_address (self->path) &&
      !dsq_server_address_check (self->path, error))
    return FALSE;
  self->options.path = self->options.persist_mode != DSQ_PERSIST_MEMORY ? self->path : NULL;
  return TRUE;
}

static gboolean
initable_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  g_auto (DsqCall) call = { 0 };
  DsqStore *self = DSQ_STORE (initable);

  if (self->engine != NULL)
    return TRUE;
  if (!dsq_call_begin_to_settle (&call, cancellable, error) || !settle_path (self, error) ||
      !dsq_store_check_password (self, error))
    return FALSE;
  self->options.password = self->password;
  self->options.kdf_limit =
      MAX (self->options.kdf_limit, dsq_kdf_cost_weigh (&self->options.kdf_cost));
  self->handle = dsq_handle_open (&self->options, self->is_separate, error);
  self->options.password = NULL;
  if (self->handle == NULL)
    return dsq_store_name_file (self, error);
  g_clear_pointer (&self->password, g_bytes_unref);
  self->engine = dsq_engine_ref (self->handle->own.engine);
  self->usable = &self->handle->usable;
  return TRUE;
}

static void
dsq_store_initable_init (GInitableIface *iface)
{
  iface->init = initable_init;
}
