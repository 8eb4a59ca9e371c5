/* model-support.h - a naive list, kept by what a key model tells, and what it should be
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "async-support.h"

#define SETTLED_US (100 * G_USEC_PER_SEC) /* for what never is */

/* Does to a list of its own what it is told, and nothing else. */
typedef struct
{
  DsqKeyModel *model; /* (owned) */
  GPtrArray *items;   /* (owned) of DsqItem (owned); NULL where it has not looked */
  gboolean looks;     /* at all that comes */
  guint n_told;
  guint n_removed; /* told in all */
} Mirror;

static inline void
unref_item (gpointer item)
{
  if (item != NULL)
    g_object_unref (item);
}

static inline void
mirror_look (Mirror *self, guint position)
{
  if (self->items->pdata[position] == NULL)
    self->items->pdata[position] = g_list_model_get_item (G_LIST_MODEL (self->model), position);
  g_assert_nonnull (self->items->pdata[position]);
}

static inline void
mirror_change (GListModel *list, guint position, guint n_removed, guint n_added, Mirror *self)
{
  g_assert_cmpuint (n_removed + n_added, >, 0);
  g_assert_cmpuint (position + n_removed, <=, self->items->len);
  if (n_removed > 0)
    g_ptr_array_remove_range (self->items, position, n_removed);
  for (guint i = 0; i < n_added; i++)
    g_ptr_array_insert (self->items, (int) (position + i), NULL);
  g_assert_cmpuint (g_list_model_get_n_items (list), ==, self->items->len);
  for (guint i = 0; i < n_added && self->looks; i++)
    mirror_look (self, position + i);
  self->n_told++;
  self->n_removed += n_removed;
}

static inline void
mirror_init (Mirror *self, DsqStore *store, const char *prefix, gboolean by_key, gboolean looks)
{
  g_autoptr (GError) error = NULL;

  *self = (Mirror){ .looks = looks };
  self->model = dsq_key_model_new (store, prefix, by_key, &error);
  g_assert_no_error (error);
  self->items = g_ptr_array_new_with_free_func (unref_item);
  g_signal_connect (self->model, "items-changed", G_CALLBACK (mirror_change), self);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (self->model)), ==, 0);
}

static inline void
mirror_clear (Mirror *self)
{
  g_signal_handlers_disconnect_by_data (self->model, self);
  g_clear_object (&self->model);
  g_clear_pointer (&self->items, g_ptr_array_unref);
}

static inline gboolean
is_loading (gpointer object)
{
  gboolean loading;

  g_object_get (object, "loading", &loading, NULL);
  return loading;
}

/* Until all that was told has been read. */
static inline void
settle (DsqKeyModel *model)
{
  const gint64 until = g_get_monotonic_time () + SETTLED_US;

  while (g_main_context_iteration (NULL, FALSE) || is_loading (model))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until);
      if (!g_main_context_pending (NULL))
        g_usleep (100);
    }
}

/* What the list is to be: keys, and values, which are numbers, one after another. */
static inline GPtrArray *
read_truth (DsqStore *store)
{
  g_autoptr (DsqCursor) cursor = dsq_store_walk (store, DSQ_WALK_FORWARD);
  GPtrArray *truth = g_ptr_array_new ();
  gsize n = 1;

  while (n > 0)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) entries = dsq_cursor_next_many (cursor, 1000, NULL, &error);

      g_assert_no_error (error);
      n = g_variant_n_children (entries);
      for (gsize i = 0; i < n; i++)
        {
          char *key;
          g_autoptr (GVariant) value = NULL;

          g_variant_get_child (entries, i, "(smv)", &key, &value);
          g_ptr_array_add (truth, key);
          g_ptr_array_add (truth, GUINT_TO_POINTER (g_variant_get_uint32 (value)));
        }
    }
  return truth;
}

static inline void
free_truth (GPtrArray *truth)
{
  for (guint i = 0; i < truth->len; i += 2)
    g_free (truth->pdata[i]);
  g_ptr_array_unref (truth);
}

static inline int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (((char *const *) a)[0], ((char *const *) b)[0]);
}

/* (container) The part of it that a view has. */
static inline GPtrArray *
view_truth (const GPtrArray *all, const char *prefix, gboolean by_key)
{
  GPtrArray *truth = g_ptr_array_new ();

  for (guint i = 0; i < all->len; i += 2)
    if (prefix == NULL || g_str_has_prefix (all->pdata[i], prefix))
      {
        g_ptr_array_add (truth, all->pdata[i]);
        g_ptr_array_add (truth, all->pdata[i + 1]);
      }
  if (by_key && truth->len > 0)
    qsort (truth->pdata, truth->len / 2, 2 * sizeof (gpointer), compare_keys);
  return truth;
}

/* Whether an item shows what it should. */
static inline gboolean
shows (DsqItem *item, const char *key, guint32 number)
{
  g_autofree char *shown_key = NULL;
  g_autoptr (GVariant) value = NULL;
  gboolean loading;

  g_object_get (item, "key", &shown_key, "value", &value, "loading", &loading, NULL);
  return !loading && g_str_equal (shown_key, key) && g_variant_get_uint32 (value) == number;
}

/* Whether the mirror is the truth: it is as long, and what it has looked at is so. */
static inline gboolean
is_view_of (Mirror *self, const GPtrArray *all, const char *prefix, gboolean by_key)
{
  g_autoptr (GPtrArray) truth = view_truth (all, prefix, by_key);
  gboolean is_true = truth->len == 2 * self->items->len;

  for (guint i = 0; i < self->items->len && is_true; i++)
    is_true = self->items->pdata[i] == NULL || shows (self->items->pdata[i],
                                                      truth->pdata[2 * i],
                                                      GPOINTER_TO_UINT (truth->pdata[2 * i + 1]));
  return is_true;
}

static inline gboolean
is_true (Mirror *self, DsqStore *store, const char *prefix)
{
  GPtrArray *all = read_truth (store);
  gboolean is = is_view_of (self, all, prefix, FALSE);

  free_truth (all);
  return is;
}

/* Items that are held stay those of their positions. */
static inline void
assert_identities (Mirror *self)
{
  for (guint i = 0; i < self->items->len; i++)
    {
      g_autoptr (DsqItem) item = NULL;

      if (self->items->pdata[i] == NULL)
        continue;
      item = g_list_model_get_item (G_LIST_MODEL (self->model), i);
      g_assert_true (item == self->items->pdata[i]);
    }
}
