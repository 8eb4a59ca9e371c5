/* dsq-key-model.c - a store's entries as a list, for views
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "dsq-error.h"
#include "dsq-watch.h"
#include "store/dsq-key-pages-private.h"

/**
 * DsqKeyModel:
 *
 * The entries of a store or a table as a #GListModel of [class@Item], for lists and tables on a
 * screen: of a million keys as of ten.
 *
 * ```c
 * g_autoptr (DsqKeyModel) model = dsq_key_model_new (store, "user/", FALSE, &error);
 *
 * gtk_list_view_set_model (view, GTK_SELECTION_MODEL (gtk_no_selection_new (G_LIST_MODEL
 * (model))));
 * ```
 *
 * It is in the order of insertion, or in that of the keys' bytes. What is asked for is loading at
 * first: it is read by a thread of the store's, and the item's properties tell when it has come. No
 * function waits for the file. So a model has no entries when it is made; their number arrives a
 * moment later, and what of them is looked at.
 *
 * It follows the store, whoever changes that, as [class@Watch] does, and emits
 * #GListModel::items-changed for each key that comes or goes and that was ever looked at, at its
 * position; for such as never were, at one among these. After a change of many keys at once, of
 * which the store tells only that there was one, it looks for the differences: what is as it was is
 * not told of. An item stays the same as long as somebody holds it.
 *
 * With a prefix it reads on until all keys have been seen, and the number grows as they are.
 * Without one the number is known, and each key is read when it, or one behind it, is looked at.
 *
 * In memory it keeps sixteen bytes of each key that it has met and some four thousand items, beside
 * those that others hold. What one loads is what the store keeps of it in memory as well.
 *
 * When the table is dropped the list is empty; when the store is closed it stays as it is. It keeps
 * the store open until its last reference goes, or [method@GObject.Object.run_dispose], which
 * languages with a garbage collector need. A transaction's list is that of the store it is over.
 *
 * A model is for one thread, that of the main context which is the thread's default one when it is
 * made, and so are its items: there it emits its signals.
 *
 * Since: 1.0
 */
struct _DsqKeyModel
{
  GObject parent_instance;

  /* all of it is the context's thread's */
  GMainContext *context; /* (owned) constant */
  DsqStore *store;       /* (owned) (nullable) constant but for the end */
  char *prefix;          /* (owned) */
  gboolean by_key;       /* constant */
  DsqWatch *watch;       /* (owned) (nullable) */
  DsqKeyPages *pages;    /* (owned) (nullable) */
  DsqKeyPlaces places;   /* as of the last answer */
  gboolean counts;       /* the number of keys is to be asked for */
  gboolean is_learning;  /* nothing is asked for meanwhile */
  gboolean is_asking;    /* something is being read */
  gboolean is_failed;    /* the last has failed: nothing is asked for before there is a reason */
  gboolean is_loading;   /* as was told */
  GError *error;         /* (owned) (nullable) */
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (DsqKeyModel,
                               dsq_key_model,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

enum
{
  PROP_0,
  PROP_STORE,
  PROP_PREFIX,
  PROP_BY_KEY,
  PROP_LOADING,
  PROP_ERROR,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

/* --- reading ---------------------------------------------------------------------------------- */

/* A reading under way. The model lives as long as it. */
typedef struct
{
  DsqKeyReading *reading; /* (owned) */
  DsqKeyModel *model;     /* (owned) */
  DsqKeyPages *pages;     /* (owned) what it is for */
  int page;               /* of these; -1: the gap */
  gboolean is_done;       /* (atomic) it is the context's again */
} Asked;

static void go_on (DsqKeyModel *self);

static void
asked_free (gpointer data)
{
  Asked *self = data;

  __atomic_load_n (&self->is_done, __ATOMIC_ACQUIRE);
  dsq_key_reading_free (self->reading);
  dsq_key_pages_unref (self->pages);
  g_object_unref (self->model);
  g_free (self);
}

static void
take_error (DsqKeyModel *self, GError *error)
{
  if (self->error == NULL && error == NULL)
    return;
  g_clear_error (&self->error);
  self->error = error;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ERROR]);
}

static void
learn_failure (DsqKeyModel *self, DsqKeyPages *pages, Asked *asked)
{
  GError *error = g_steal_pointer (&asked->reading->error);
  gboolean is_gone = g_error_matches (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);

  dsq_key_pages_give_back (pages, asked->page);
  self->counts = self->counts || asked->page < 0;
  self->is_failed = TRUE;
  if (is_gone)
    dsq_key_pages_empty (pages);
  take_error (self, error);
}

static void
learn (DsqKeyModel *self, DsqKeyPages *pages, Asked *asked)
{
  DsqKeyReading *reading = asked->reading;
  gboolean has_moved = FALSE;

  if (reading->error != NULL)
    {
      learn_failure (self, pages, asked);
      return;
    }
  if (reading->places.engine != self->places.engine ||
      reading->places.n_shifts != self->places.n_shifts)
    has_moved = dsq_key_pages_shift (pages, self->places.settled_end);
  self->places = reading->places;
  if (reading->is_void || has_moved)
    {
      /* the page may be the gap's by now, of which only the number is asked for */
      dsq_key_pages_give_back (pages, asked->page);
      self->counts = TRUE;
      return;
    }
  take_error (self, NULL);
  dsq_key_pages_learn (pages, reading, asked->page);
}

static gboolean
answer_cb (gpointer data)
{
  Asked *asked = data;
  DsqKeyModel *self = asked->model;

  __atomic_load_n (&asked->is_done, __ATOMIC_ACQUIRE);
  self->is_asking = FALSE;
  if (!asked->pages->is_over)
    {
      self->is_learning = TRUE;
      learn (self, asked->pages, asked);
      self->is_learning = FALSE;
    }
  go_on (self);
  return G_SOURCE_REMOVE;
}

static void
run_job (DsqJob *job)
{
  DsqKeyReading *reading = (DsqKeyReading *) job;

  dsq_key_reading_run (reading);
  dsq_handle_end_job (reading->store->handle);
}

/* As a source of the context that it is for. */
static void
answer (Asked *asked)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  g_autoptr (GMainContext) context = g_main_context_ref (asked->model->context);

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, answer_cb, asked, asked_free);
  __atomic_store_n (&asked->is_done, TRUE, __ATOMIC_RELEASE);
  g_source_attach (source, context);
}

static void
finish_reading (DsqJob *job)
{
  answer (((DsqKeyReading *) job)->owner);
}

static void
set_loading (DsqKeyModel *self, gboolean is_loading)
{
  if (self->is_loading == is_loading)
    return;
  self->is_loading = is_loading;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOADING]);
}

/* Has what is to be read next read, one after another. */
static void
go_on (DsqKeyModel *self)
{
  g_autoptr (GBytes) prefix = NULL;
  DsqKeyReading *reading;
  DsqEngine *engine;
  Asked *asked;
  int page;

  if (self->is_asking || self->is_learning)
    return;
  if (self->is_failed || self->store == NULL)
    {
      set_loading (self, FALSE);
      return;
    }
  prefix = g_bytes_new (self->prefix, strlen (self->prefix));
  reading = dsq_key_reading_new (self->store, self->by_key, prefix);
  reading->places = self->places;
  if (!dsq_key_pages_ask (self->pages, reading, self->places.settled_end, &page) && !self->counts)
    {
      dsq_key_reading_free (reading);
      set_loading (self, FALSE);
      return;
    }
  self->counts = FALSE;
  self->is_asking = TRUE;
  asked = g_new0 (Asked, 1);
  asked->reading = reading;
  asked->model = g_object_ref (self);
  asked->pages = self->pages;
  asked->pages->n_references++;
  asked->page = page;
  reading->owner = asked;
  reading->job = (DsqJob){ .run = run_job, .finish = finish_reading };
  engine = dsq_store_get_engine (self->store, &reading->error);
  if (engine == NULL || !dsq_handle_submit (self->store->handle,
                                            engine,
                                            DSQ_LANE_READ,
                                            &reading->job,
                                            &reading->error))
    answer (asked);
  set_loading (self, TRUE);
}

static void
on_changed (DsqWatch *watch, const char *const *keys, DsqKeyModel *self)
{
  dsq_key_pages_note (self->pages, keys, self->store->table);
  self->counts = TRUE;
  self->is_failed = FALSE;
  go_on (self);
}

static void
on_pages_changed (guint position, guint n_removed, guint n_added, gpointer self)
{
  g_list_model_items_changed (G_LIST_MODEL (self), position, n_removed, n_added);
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* Watches first: what changes while it reads is told. */
static gboolean
begin (DsqKeyModel *self, GError **error)
{
  DsqEngine *engine = dsq_store_get_root (self->store, error);

  self->places = (DsqKeyPlaces){ NULL, 0, G_MAXINT64 };
  self->pages = dsq_key_pages_new (self->by_key, self->prefix[0] == '\0', on_pages_changed, self);
  self->counts = TRUE;
  self->is_failed = FALSE;
  if (engine == NULL)
    return FALSE;
  if (self->by_key && dsq_engine_is_encrypted (engine))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_NOT_SUPPORTED,
                           "Failed to list the keys: an encrypted file hides their order");
      return FALSE;
    }
  self->watch = dsq_store_watch (self->store, self->prefix, error);
  if (self->watch == NULL)
    return FALSE;
  g_signal_connect (self->watch, "changed", G_CALLBACK (on_changed), self);
  return TRUE;
}

static void
end (DsqKeyModel *self)
{
  if (self->watch != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->watch, self);
      g_object_run_dispose (G_OBJECT (self->watch));
    }
  g_clear_object (&self->watch);
  if (self->pages != NULL)
    self->pages->is_over = TRUE;
  g_clear_pointer (&self->pages, dsq_key_pages_unref);
}

/* The model has no entries until the first answer; what it had is gone. */
static void
begin_anew (DsqKeyModel *self)
{
  guint n_items = self->pages != NULL ? dsq_key_pages_count (self->pages) : 0;
  GError *error = NULL;

  end (self);
  if (!begin (self, &error))
    self->is_failed = TRUE;
  if (n_items > 0)
    g_list_model_items_changed (G_LIST_MODEL (self), 0, n_items, 0);
  take_error (self, error);
  go_on (self);
}

static void
take_prefix (DsqKeyModel *self, const char *prefix)
{
  prefix = prefix != NULL ? prefix : "";
  if (g_strcmp0 (self->prefix, prefix) == 0)
    return;
  g_free (self->prefix);
  self->prefix = g_strdup (prefix);
  if (self->pages == NULL)
    return;
  begin_anew (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PREFIX]);
}

static void
dsq_key_model_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (object);

  switch (id)
    {
    case PROP_STORE:
      g_value_set_object (value, self->store);
      break;
    case PROP_PREFIX:
      g_value_set_string (value, self->prefix);
      break;
    case PROP_BY_KEY:
      g_value_set_boolean (value, self->by_key);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, self->is_loading);
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_key_model_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (object);

  switch (id)
    {
    case PROP_STORE:
      self->store = g_value_dup_object (value);
      break;
    case PROP_PREFIX:
      take_prefix (self, g_value_get_string (value));
      break;
    case PROP_BY_KEY:
      self->by_key = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_key_model_constructed (GObject *object)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (object);

  G_OBJECT_CLASS (dsq_key_model_parent_class)->constructed (object);
  g_return_if_fail (self->store != NULL);
  begin_anew (self);
}

static void
dsq_key_model_dispose (GObject *object)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (object);
  guint n_items = self->pages != NULL ? dsq_key_pages_count (self->pages) : 0;

  end (self);
  g_clear_object (&self->store);
  if (n_items > 0)
    g_list_model_items_changed (G_LIST_MODEL (self), 0, n_items, 0);
  G_OBJECT_CLASS (dsq_key_model_parent_class)->dispose (object);
}

static void
dsq_key_model_finalize (GObject *object)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (object);

  g_clear_error (&self->error);
  g_free (self->prefix);
  g_main_context_unref (self->context);
  G_OBJECT_CLASS (dsq_key_model_parent_class)->finalize (object);
}

static void
dsq_key_model_class_init (DsqKeyModelClass *klass)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  const GParamFlags writable = readable | G_PARAM_WRITABLE | G_PARAM_CONSTRUCT;

  G_OBJECT_CLASS (klass)->constructed = dsq_key_model_constructed;
  G_OBJECT_CLASS (klass)->dispose = dsq_key_model_dispose;
  G_OBJECT_CLASS (klass)->finalize = dsq_key_model_finalize;
  G_OBJECT_CLASS (klass)->get_property = dsq_key_model_get_property;
  G_OBJECT_CLASS (klass)->set_property = dsq_key_model_set_property;

  /**
   * DsqKeyModel:store:
   *
   * The store, or the table, whose entries these are.
   *
   * Since: 1.0
   */
  props[PROP_STORE] =
      g_param_spec_object ("store", NULL, NULL, DSQ_TYPE_STORE, DSQ_STORE_CONSTRUCT_ONLY);
  /**
   * DsqKeyModel:prefix:
   *
   * What the keys begin with; the empty string: all keys. To set another has the list begin anew.
   *
   * Since: 1.0
   */
  props[PROP_PREFIX] = g_param_spec_string ("prefix", NULL, NULL, NULL, writable);
  /**
   * DsqKeyModel:by-key:
   *
   * Whether the order is that of the bytes of the keys, and not that in which they were inserted.
   *
   * Since: 1.0
   */
  props[PROP_BY_KEY] = g_param_spec_boolean ("by-key", NULL, NULL, FALSE, DSQ_STORE_CONSTRUCT_ONLY);
  /**
   * DsqKeyModel:loading:
   *
   * Whether something is being read. When nothing is, the list is what was told of the store last,
   * as far as that was looked at.
   *
   * Since: 1.0
   */
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, FALSE, readable);
  /**
   * DsqKeyModel:error:
   *
   * Why the last attempt to read failed, %NULL when it did not. It is tried again when something
   * changes, and when an item that is loading is asked for.
   *
   * Since: 1.0
   */
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, readable);
  g_object_class_install_properties (G_OBJECT_CLASS (klass), N_PROPS, props);
}

static void
dsq_key_model_init (DsqKeyModel *self)
{
  self->context = g_main_context_ref_thread_default ();
}

/**
 * dsq_key_model_new:
 * @store: a store, or a table
 * @prefix: (nullable): what the keys begin with; %NULL or "" for all keys
 * @by_key: whether in the order of the keys' bytes, and not in that of their insertion
 * @error: return location for an error
 *
 * Makes a list of the store's entries, which follows them. Waits for nothing: the entries arrive in
 * the thread-default main context of the caller.
 *
 * Errors: %DSQ_ERROR_NOT_SUPPORTED for an encrypted store by key, and those of
 * [method@Store.watch].
 *
 * Returns: (transfer full): the list; %NULL with @error set
 *
 * Since: 1.0
 */
DsqKeyModel *
dsq_key_model_new (DsqStore *store, const char *prefix, gboolean by_key, GError **error)
{
  g_autoptr (DsqKeyModel) self = NULL;

  g_return_val_if_fail (DSQ_IS_STORE (store), NULL);

  self =
      g_object_new (DSQ_TYPE_KEY_MODEL, "store", store, "prefix", prefix, "by-key", by_key, NULL);
  if (self->error == NULL)
    return g_steal_pointer (&self);
  g_propagate_error (error, g_error_copy (self->error));
  return NULL;
}

/* --- the list --------------------------------------------------------------------------------- */

static GType
get_item_type (GListModel *list)
{
  return DSQ_TYPE_ITEM;
}

static guint
get_n_items (GListModel *list)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (list);

  return self->pages != NULL ? dsq_key_pages_count (self->pages) : 0;
}

static gpointer
get_item (GListModel *list, guint position)
{
  DsqKeyModel *self = DSQ_KEY_MODEL (list);
  DsqItem *item;

  if (position >= get_n_items (list))
    return NULL;
  item = dsq_key_pages_get_item (self->pages, position);
  if (dsq_item_is_loading (item))
    {
      self->is_failed = FALSE;
      go_on (self);
    }
  return item;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}
