/* bind-support.h - stores, properties that are bound to them, and what becomes of both
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bind-object.h"
#include "watch-support.h"

typedef struct
{
  guint n;
  GError *last; /* (owned) (nullable) */
} Failures;

static inline void
failed_cb (DsqStore *store,
           GObject *object,
           const char *property,
           const GError *error,
           gpointer user_data)
{
  Failures *self = user_data;

  self->n++;
  g_clear_error (&self->last);
  self->last = g_error_copy (error);
}

static inline void
bind (DsqStore *store, const char *key, Bound *object, const char *property, DsqBindFlags flags)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_bind (store, key, object, property, flags, &error));
  g_assert_no_error (error);
}

static inline void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static inline void
set (DsqStore *store, const char *key, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = g_variant_parse (NULL, text, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (dsq_store_set (store, key, value, NULL, &error));
  g_assert_no_error (error);
}

/* What the key holds, as text; of a write that a worker makes it is waited for. */
static inline void
assert_holds (DsqStore *store, const char *key, const char *expected)
{
  g_autofree char *text = NULL;

  do
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = dsq_store_get (store, key, NULL, &error);

      g_assert_no_error (error);
      g_free (text);
      text = value != NULL ? g_variant_print (value, TRUE) : g_strdup ("missing");
      if (g_strcmp0 (text, expected) != 0)
        g_main_context_iteration (NULL, TRUE);
    }
  while (g_strcmp0 (text, expected) != 0);
}

static inline int
get_int (Bound *object, const char *property)
{
  int number;

  g_object_get (object, property, &number, NULL);
  return number;
}

static inline void
wait_for_int (Bound *object, const char *property, int expected)
{
  while (get_int (object, property) != expected)
    g_main_context_iteration (NULL, TRUE);
}

static inline void
set_int (Bound *object, const char *property, int number)
{
  g_object_set (object, property, number, NULL);
}
