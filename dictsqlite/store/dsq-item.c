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

  char *key;       /* (owned) (nullable) */
  GVariant *value; /* (owned) (nullable) */
  gboolean is_loaded;
};

G_DEFINE_FINAL_TYPE (DsqItem, dsq_item, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_KEY,
  PROP_VALUE,
  PROP_LOADING,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static void
dsq_item_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DsqItem *self = DSQ_ITEM (object);

  switch (id)
    {
    case PROP_KEY:
      g_value_set_string (value, self->key);
      break;
    case PROP_VALUE:
      g_value_set_variant (value, self->value);
      break;
    case PROP_LOADING:
      g_value_set_boolean (value, !self->is_loaded);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dsq_item_finalize (GObject *object)
{
  DsqItem *self = DSQ_ITEM (object);

  g_free (self->key);
  g_clear_pointer (&self->value, g_variant_unref);
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
   * DsqItem:value:
   *
   * The value, as [method@Store.get] gives it; %NULL while it is loading, and when it has no form
   * as a #GVariant or is damaged.
   *
   * Since: 1.0
   */
  props[PROP_VALUE] = g_param_spec_variant ("value", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, flags);
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

static void
take_value (DsqItem *self, GVariant *value)
{
  if (self->value == value ||
      (self->value != NULL && value != NULL && g_variant_equal (self->value, value)))
    {
      g_clear_pointer (&value, g_variant_unref);
      return;
    }
  g_clear_pointer (&self->value, g_variant_unref);
  self->value = value;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_VALUE]);
}

void
dsq_item_load (DsqItem *self, const DsqEntry *entry)
{
  const guint8 *key = dsq_entry_key (entry);

  g_object_freeze_notify (G_OBJECT (self));
  if (self->key == NULL && dsq_key_codec_is_c_string (key, entry->key_length))
    {
      self->key = g_strndup ((const char *) key, entry->key_length);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_KEY]);
    }
  take_value (self, dsq_value_get_variant (dsq_entry_record (entry), entry->record_length, NULL));
  if (!self->is_loaded)
    {
      self->is_loaded = TRUE;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOADING]);
    }
  g_object_thaw_notify (G_OBJECT (self));
}

gboolean
dsq_item_is_loading (const DsqItem *self)
{
  return !self->is_loaded;
}

gboolean
dsq_item_is_held (DsqItem *self)
{
  return g_atomic_int_get (&G_OBJECT (self)->ref_count) > 1;
}
