/* dsq-item.c - an entry in a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-value-private.h"
#include "store/dsq-item-private.h"

/**
 * DsqItem:
 *
 * An entry in a [class@KeyModel].
 *
 * It is of one entry as long as it lives, once it is loaded, and follows what becomes of its value.
 * All properties tell when they change, in the main context of the model, where alone they are to
 * be read.
 *
 * Since: 1.0
 */
struct _DsqItem
{
  GObject parent_instance;

  DsqEntry *entry; /* (owned) (nullable) NULL while it is loading */
};

G_DEFINE_FINAL_TYPE (DsqItem, dsq_item, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_KEY,
  PROP_KEY_BYTES,
  PROP_VALUE,
  PROP_RECORD,
  PROP_LOADING,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

/* Bytes of the entry, which live as long as it. */
static void
take_bytes (DsqItem *self, GValue *value, const guint8 *bytes, gsize length)
{
  g_value_take_boxed (value,
                      g_bytes_new_with_free_func (bytes,
                                                  length,
                                                  (GDestroyNotify) dsq_entry_unref,
                                                  dsq_entry_ref (self->entry)));
}

static void
dsq_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DsqItem *self = DSQ_ITEM (object);
  DsqEntry *entry = self->entry;
  const guint8 *key = entry != NULL ? dsq_entry_key (entry) : NULL;
  const guint8 *record = entry != NULL ? dsq_entry_record (entry) : NULL;

  if (id == PROP_LOADING)
    {
      g_value_set_boolean (value, entry == NULL);
      return;
    }
  if (entry == NULL)
    return;
  switch (id)
    {
    case PROP_KEY:
      if (dsq_key_codec_is_c_string (key, entry->key_length))
        g_value_take_string (value, g_strndup ((const char *) key, entry->key_length));
      break;
    case PROP_KEY_BYTES:
      take_bytes (self, value, key, entry->key_length);
      break;
    case PROP_VALUE:
      g_value_take_variant (value, dsq_value_get_variant (record, entry->record_length, NULL));
      break;
    case PROP_RECORD:
      take_bytes (self, value, record, entry->record_length);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_item_finalize (GObject *object)
{
  DsqItem *self = DSQ_ITEM (object);

  g_clear_pointer (&self->entry, dsq_entry_unref);
  G_OBJECT_CLASS (dsq_item_parent_class)->finalize (object);
}

static void
dsq_item_class_init (DsqItemClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  G_OBJECT_CLASS (klass)->get_property = dsq_item_get_property;
  G_OBJECT_CLASS (klass)->finalize = dsq_item_finalize;

  /**
   * DsqItem:key:
   *
   * The key; %NULL while it is loading, and when it is no string that C has, as Python's integers
   * are.
   *
   * Since: 1.0
   */
  props[PROP_KEY] = g_param_spec_string ("key", NULL, NULL, NULL, flags);
  /**
   * DsqItem:key-bytes:
   *
   * The key, whatever it is, in the encoded form that [method@Store.get_record] takes; %NULL while
   * it is loading.
   *
   * Since: 1.0
   */
  props[PROP_KEY_BYTES] = g_param_spec_boxed ("key-bytes", NULL, NULL, G_TYPE_BYTES, flags);
  /**
   * DsqItem:value:
   *
   * The value, as [method@Store.get] gives it; %NULL while it is loading, and when it has no form
   * as a #GVariant or is damaged.
   *
   * Since: 1.0
   */
  props[PROP_VALUE] = g_param_spec_variant ("value", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, flags);
  /**
   * DsqItem:record:
   *
   * The value, whatever it is, in the form that [method@Store.get_record] gives: a byte of
   * [enum@ValueType] and what follows it; %NULL while it is loading.
   *
   * Since: 1.0
   */
  props[PROP_RECORD] = g_param_spec_boxed ("record", NULL, NULL, G_TYPE_BYTES, flags);
  /**
   * DsqItem:loading:
   *
   * Whether key and value are still to come. They do when the item has been asked for, unless it
   * has left the list, or [property@KeyModel:error] says why not.
   *
   * Since: 1.0
   */
  props[PROP_LOADING] = g_param_spec_boolean ("loading", NULL, NULL, TRUE, flags);
  g_object_class_install_properties (G_OBJECT_CLASS (klass), N_PROPS, props);
}

static void
dsq_item_init (DsqItem *self)
{
}

DsqItem *
dsq_item_new (void)
{
  return g_object_new (DSQ_TYPE_ITEM, NULL);
}

void
dsq_item_load (DsqItem *self, DsqEntry *entry)
{
  g_autoptr (DsqEntry) old = g_steal_pointer (&self->entry);

  self->entry = dsq_entry_ref (entry);
  g_object_freeze_notify (G_OBJECT (self));
  if (old == NULL)
    {
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_KEY]);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_KEY_BYTES]);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOADING]);
    }
  if (!dsq_entry_has_record_of (old, entry))
    {
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_VALUE]);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_RECORD]);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

gboolean
dsq_item_is_loading (const DsqItem *self)
{
  return self->entry == NULL;
}

gboolean
dsq_item_is_held (DsqItem *self)
{
  return g_atomic_int_get (&G_OBJECT (self)->ref_count) > 1;
}
