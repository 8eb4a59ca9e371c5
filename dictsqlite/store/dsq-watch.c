/* dsq-watch.c - being told what changes in a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-utf8-private.h"
#include "dsq-error.h"
#include "dsq-watch.h"
#include "engine/dsq-engine-watch-private.h"
#include "store/dsq-store-private.h"

/**
 * DsqWatch:
 *
 * Tells what changes in a store or a table, whoever changes it: threads of this process, other
 * stores and other processes, also such as have nothing to do with this library.
 *
 * ```c
 * g_autoptr (DsqWatch) watch = dsq_store_watch (store, "user/", &error);
 *
 * g_signal_connect (watch, "changed", G_CALLBACK (on_changed), NULL);
 * ```
 *
 * What this process changes is told exactly: each key that is set, removed, or swept away because
 * it has expired, a transaction's when it is committed. What other processes commit is told by its
 * keys where these are known, and else by saying that any may have changed, and so are a clear and
 * more than a thousand keys at once. Whoever is told of a change reads it, or what came after it.
 *
 * Nothing is told twice: what changes before it is told is one piece of news. A key may be told
 * that is as it was: it has been set to what it was, or was changed back.
 *
 * A watch ends when its last reference goes; at once by [method@GObject.Object.run_dispose] in the
 * thread of its main context, which languages with a garbage collector need; and when the store is
 * closed, after which nothing is told, or the table dropped, which is told. It keeps the store
 * open, as an object of a table does. In the child of a fork it tells nothing.
 *
 * A store that was opened read-only, of a file that is taken never to change (see
 * [property@Store:read-only]), is told nothing.
 *
 * While anybody watches a store with a file one thread of the store waits for others' commits.
 * Where nothing is written it does not wake.
 *
 * Since: 1.0
 */
struct _DsqWatch
{
  GObject parent_instance;

  DsqHandle *handle;   /* (owned) (nullable) constant but for the end */
  DsqEngine *engine;   /* (owned) (nullable) the same: of the handle, no transaction's */
  DsqWatcher *watcher; /* (owned) (nullable) constant but for the end */
  GSource *source;     /* (owned) (nullable) constant but for the end */
};

G_DEFINE_FINAL_TYPE (DsqWatch, dsq_watch, G_TYPE_OBJECT)

enum
{
  SIGNAL_CHANGED,
  SIGNAL_ENDED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static void
source_end (GSource *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

static void
dsq_watch_dispose (GObject *object)
{
  DsqWatch *self = DSQ_WATCH (object);
  DsqWatcher *watcher = g_steal_pointer (&self->watcher);

  g_clear_pointer (&self->source, source_end);
  /* in the child of a fork its locks may be held for ever */
  if (watcher != NULL && !dsq_engine_is_inherited (self->engine))
    {
      dsq_handle_remove_watcher (self->handle, watcher);
      dsq_watcher_free (watcher);
    }
  g_clear_pointer (&self->engine, dsq_engine_unref);
  g_clear_pointer (&self->handle, dsq_handle_unref);
  G_OBJECT_CLASS (dsq_watch_parent_class)->dispose (object);
}

static void
dsq_watch_class_init (DsqWatchClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = dsq_watch_dispose;

  /**
   * DsqWatch::changed:
   * @self: the watch
   * @keys: (nullable): those that have changed, in the order in which they first did; %NULL when
   *   they are many, or not known, or one of them is no string that C has
   *
   * Something has changed. At most once in each iteration of the main loop, in the context that was
   * the thread's default one when [method@Store.watch] was called.
   *
   * Since: 1.0
   */
  signals[SIGNAL_CHANGED] = g_signal_new ("changed",
                                          DSQ_TYPE_WATCH,
                                          G_SIGNAL_RUN_LAST,
                                          0,
                                          NULL,
                                          NULL,
                                          NULL,
                                          G_TYPE_NONE,
                                          1,
                                          G_TYPE_STRV);

  /**
   * DsqWatch::ended:
   * @self: the watch
   *
   * The store is closed, or the table dropped: nothing more will be told. Comes where
   * [signal@Watch::changed] does.
   *
   * Since: 1.0
   */
  signals[SIGNAL_ENDED] = g_signal_new ("ended",
                                        DSQ_TYPE_WATCH,
                                        G_SIGNAL_RUN_LAST,
                                        0,
                                        NULL,
                                        NULL,
                                        NULL,
                                        G_TYPE_NONE,
                                        0);
}

static void
dsq_watch_init (DsqWatch *self)
{
}

/* --- in a main loop --------------------------------------------------------------------------- */

/* Its thread and the one that drops the watch may be two. */
typedef struct
{
  GSource source;
  GWeakRef watch; /* of DsqWatch */
} WatchSource;

/* NULL where one of them is none. */
static char **
make_strings (const GPtrArray *keys)
{
  g_auto (GStrv) strings = g_new0 (char *, keys->len + 1);

  for (guint i = 0; i < keys->len; i++)
    {
      gsize length;
      const guint8 *key = g_bytes_get_data (keys->pdata[i], &length);

      if (!dsq_key_codec_is_c_string (key, length))
        return NULL;
      strings[i] = g_strndup ((const char *) key, length);
    }
  return g_steal_pointer (&strings);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr (DsqWatch) watch = g_weak_ref_get (&((WatchSource *) source)->watch);
  g_autoptr (GPtrArray) keys = NULL;
  g_auto (GStrv) strings = NULL;
  gboolean has_ended;

  if (watch == NULL || watch->watcher == NULL || dsq_engine_is_inherited (watch->engine))
    return G_SOURCE_REMOVE;
  keys = dsq_watcher_take (watch->watcher, &has_ended);
  if (keys != NULL)
    strings = make_strings (keys);
  if (keys == NULL || keys->len > 0)
    g_signal_emit (watch, signals[SIGNAL_CHANGED], 0, strings);
  if (has_ended)
    g_signal_emit (watch, signals[SIGNAL_ENDED], 0);
  return has_ended ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
source_finalize (GSource *source)
{
  g_weak_ref_clear (&((WatchSource *) source)->watch);
}

static GSourceFuncs source_funcs = { .dispatch = source_dispatch, .finalize = source_finalize };

static void
attach (DsqWatch *self)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  self->source = g_source_new (&source_funcs, sizeof (WatchSource));
  g_weak_ref_init (&((WatchSource *) self->source)->watch, self);
  g_source_set_name (self->source, "DsqWatch");
  g_source_add_unix_fd (self->source, self->watcher->fd, G_IO_IN);
  g_source_attach (self->source, context);
}

/* --- making one ------------------------------------------------------------------------------- */

static DsqWatch *
watch (DsqStore *store, const guint8 *prefix, gsize length, GError **error)
{
  DsqEngine *engine = dsq_store_get_root (store, error);
  DsqWatcher *watcher;
  DsqWatch *self;

  if (engine == NULL)
    return NULL;
  if (!dsq_utf8_validate (prefix, length))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_KEY,
                           "Failed to watch the store: the prefix is not UTF-8");
      return NULL;
    }
  watcher = dsq_watcher_new (prefix, length, error);
  if (watcher == NULL)
    return NULL;
  watcher->table = store->table;
  if (!dsq_handle_add_watcher (store->handle, watcher, error))
    {
      dsq_watcher_free (watcher);
      return NULL;
    }
  self = g_object_new (DSQ_TYPE_WATCH, NULL);
  self->handle = dsq_handle_ref (store->handle);
  self->engine = dsq_engine_ref (engine);
  self->watcher = watcher;
  return self;
}

/**
 * dsq_store_watch:
 * @self: a store, or a table
 * @prefix: (nullable): what the keys to be told of begin with; %NULL or "" for all keys
 * @error: return location for an error
 *
 * Watches the store, or the table, for changes from now on, whose news arrives by
 * [signal@Watch::changed] in the thread-default main context of the caller. A transaction is
 * watched by watching what it is over.
 *
 * Errors: %DSQ_ERROR_IO and %DSQ_ERROR_TOO_MANY_FILES where the system gives no more descriptors,
 * inotify instances or threads.
 *
 * Returns: (transfer full): the watch, which ends with its last reference
 *
 * Since: 1.0
 */
DsqWatch *
dsq_store_watch (DsqStore *self, const char *prefix, GError **error)
{
  DsqWatch *made;

  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  prefix = prefix != NULL ? prefix : "";
  made = watch (self, (const guint8 *) prefix, strlen (prefix), error);
  if (made != NULL)
    attach (made);
  return made;
}

/**
 * dsq_store_watch_utf8:
 * @self: a store, or a table
 * @prefix: (array length=length): what the keys to be told of begin with, UTF-8; none for all keys
 * @length: bytes of @prefix
 * @error: return location for an error
 *
 * Watches the store, or the table, as [method@Store.watch] does, but emits nothing: for loops that
 * are not GLib's, which watch the descriptor and take what there is.
 *
 * Returns: (transfer full): the watch
 *
 * Since: 1.0
 */
DsqWatch *
dsq_store_watch_utf8 (DsqStore *self, const guint8 *prefix, gsize length, GError **error)
{
  g_return_val_if_fail (DSQ_IS_STORE (self), NULL);

  return watch (self, length > 0 ? prefix : (const guint8 *) "", length, error);
}

/**
 * dsq_watch_get_fd:
 * @self: a watch
 *
 * The descriptor that can be read from when there is something to take. It belongs to the watch:
 * watch it only, without reading.
 *
 * Returns: the descriptor; -1 after the watch was disposed of
 *
 * Since: 1.0
 */
int
dsq_watch_get_fd (DsqWatch *self)
{
  g_return_val_if_fail (DSQ_IS_WATCH (self), -1);

  return self->watcher != NULL ? self->watcher->fd : -1;
}

/**
 * dsq_watch_take:
 * @self: a watch
 * @out_has_ended: (out): whether nothing more will come
 * @out_length: (out): bytes returned
 *
 * Takes what has changed since it was last asked.
 *
 * Returns: (transfer full) (array length=out_length): a pack of the keys, which is one of nothing
 *   when none has changed; no bytes at all when they are many, or not known
 *
 * Since: 1.0
 */
guint8 *
dsq_watch_take (DsqWatch *self, gboolean *out_has_ended, gsize *out_length)
{
  g_autoptr (GPtrArray) keys = NULL;
  g_autoptr (DsqPackBuilder) builder = NULL;

  g_return_val_if_fail (DSQ_IS_WATCH (self), NULL);
  g_return_val_if_fail (out_has_ended != NULL, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  *out_length = 0;
  *out_has_ended = TRUE;
  builder = dsq_pack_builder_new ();
  if (self->watcher != NULL && !dsq_engine_is_inherited (self->engine))
    {
      keys = dsq_watcher_take (self->watcher, out_has_ended);
      if (keys == NULL)
        return NULL;
    }
  for (guint i = 0; keys != NULL && i < keys->len; i++)
    {
      gsize length;
      const guint8 *key = g_bytes_get_data (keys->pdata[i], &length);

      dsq_pack_builder_add (builder, key, length);
    }
  return dsq_pack_builder_finish (g_steal_pointer (&builder), out_length, NULL);
}
