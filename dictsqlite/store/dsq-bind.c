/* dsq-bind.c - a property of an object that is what a key holds
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-bind.h"
#include "dsq-error.h"
#include "dsq-store.h"
#include "dsq-watch.h"
#include "store/dsq-bind-private.h"
#include "store/dsq-store-private.h"

/*
 * A binding lies with its object, as data under a name made of the property's, and so a second one
 * of the same property replaces it and it goes when the object goes. It lives on as long as calls
 * of it are under way.
 *
 * The file is never waited for, so news comes late: what is read has been written over, maybe by
 * the user who types. So what is read counts only if the property has not changed since it was
 * asked for, and while writes are under way nothing is asked; when the last of them is done there
 * is news, its own.
 */
typedef struct
{
  gatomicrefcount n_refs;
  DsqStore *store;       /* (owned) constant */
  char *key;             /* (owned) constant */
  GMainContext *context; /* (owned) constant: where results of calls arrive, and the watch's news */
  GParamSpec *pspec;     /* (owned) constant */
  DsqBindFlags flags;    /* constant */

  GClosure *get_mapping, *set_mapping; /* (owned) (nullable) constant */

  GObject *object; /* (unowned) (nullable) whose data this is; NULL from the end on */
  gulong notify_id;
  DsqWatch *watch; /* (owned) (nullable) */

  guint n_writes;         /* under way */
  gboolean is_reading;    /* a read is under way */
  gboolean is_outdated;   /* what is read before now does not count */
  gboolean is_applying;   /* the property is set to what was read */
  gboolean get_is_failed; /* and that is told */
  gboolean set_is_failed;
} Binding;

#define FAILED "Failed to bind property \"%s\": "

static void maybe_read (Binding *self);

static Binding *
binding_new (DsqStore *store, const char *key, GObject *object)
{
  Binding *self = g_new0 (Binding, 1);

  g_atomic_ref_count_init (&self->n_refs);
  self->store = g_object_ref (store);
  self->key = g_strdup (key);
  self->context = g_main_context_ref_thread_default ();
  self->object = object;
  return self;
}

static Binding *
binding_ref (Binding *self)
{
  g_atomic_ref_count_inc (&self->n_refs);
  return self;
}

static void
binding_unref (Binding *self)
{
  if (!g_atomic_ref_count_dec (&self->n_refs))
    return;
  g_clear_object (&self->watch);
  g_clear_pointer (&self->get_mapping, g_closure_unref);
  g_clear_pointer (&self->set_mapping, g_closure_unref);
  g_object_unref (self->store);
  g_free (self->key);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->pspec, g_param_spec_unref);
  g_free (self);
}

/* As the object's data goes, which maybe is the object's own end. */
static void
binding_end (gpointer data)
{
  Binding *self = data;
  GObject *object = g_steal_pointer (&self->object);

  if (self->notify_id != 0 && g_signal_handler_is_connected (object, self->notify_id))
    g_signal_handler_disconnect (object, self->notify_id);
  g_signal_handlers_disconnect_by_data (self->watch, self);
  g_clear_object (&self->watch);
  binding_unref (self);
}

static GQuark
quark_of (GParamSpec *pspec)
{
  g_autofree char *name = g_strconcat ("dsq-binding-", pspec->name, NULL);

  return g_quark_from_string (name);
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static void
report (Binding *self, gboolean *is_failed, GError *error)
{
  guint signal = g_signal_lookup ("bind-failed", DSQ_TYPE_STORE);

  if (*is_failed)
    return;
  *is_failed = TRUE;
  g_prefix_error (&error, FAILED, self->pspec->name);
  if (g_signal_has_handler_pending (self->store, signal, 0, FALSE))
    g_signal_emit (self->store, signal, 0, self->object, self->pspec->name, error);
  else
    g_warning ("%s", error->message);
}

/* The store is closed, or a copy in the child of a fork: nothing is to be bound to. */
static gboolean
has_ended (Binding *self, const GError *error)
{
  if (!g_error_matches (error, DSQ_ERROR, DSQ_ERROR_CLOSED) &&
      !g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED))
    return FALSE;
  if (self->object != NULL)
    g_object_set_qdata (self->object, quark_of (self->pspec), NULL);
  return TRUE;
}

/* --- from the key to the property ------------------------------------------------------------- */

static void
invert (GValue *value)
{
  g_value_set_boolean (value, !g_value_get_boolean (value));
}

/* @value is what the property has already, which must not be told as a change of it. */
static gboolean
is_there (Binding *self, const GValue *value)
{
  GType kind = G_TYPE_FUNDAMENTAL (self->pspec->value_type);
  g_auto (GValue) present = G_VALUE_INIT;

  if ((self->pspec->flags & G_PARAM_READABLE) == 0)
    return FALSE;
  g_value_init (&present, self->pspec->value_type);
  g_object_get_property (self->object, self->pspec->name, &present);
  if (kind == G_TYPE_BOXED || kind == G_TYPE_VARIANT)
    {
      /* these compare as pointers */
      g_autoptr (GVariant) had = dsq_bind_value_to_variant (&present);
      g_autoptr (GVariant) has = dsq_bind_value_to_variant (value);

      return g_variant_equal (had, has);
    }
  return g_param_values_cmp (self->pspec, value, &present) == 0;
}

static GVariant *
map (GClosure *mapping, GVariant *value)
{
  GValue argument = G_VALUE_INIT;
  GValue result = G_VALUE_INIT;

  g_value_init (&argument, G_TYPE_VARIANT);
  g_value_set_variant (&argument, value);
  g_value_init (&result, G_TYPE_VARIANT);
  g_closure_invoke (mapping, &result, 1, &argument, NULL);
  g_value_unset (&argument);
  return g_value_get_variant (&result); /* whose reference is handed on */
}

/* What the property becomes; *out_value stays empty if that is what it is. */
static gboolean
make_value (Binding *self, GVariant *stored, GValue *out_value, GError **error)
{
  g_autoptr (GVariant) mapped = NULL;

  if (self->get_mapping != NULL)
    stored = mapped = map (self->get_mapping, stored);
  /* the mapping may have ended it */
  if (stored == NULL || self->object == NULL)
    return TRUE;
  g_value_init (out_value, self->pspec->value_type);
  if (!dsq_bind_value_from_variant (out_value, stored, error))
    return FALSE;
  if ((self->flags & DSQ_BIND_INVERT_BOOLEAN) != 0)
    invert (out_value);
  if (g_param_value_validate (self->pspec, out_value))
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_VALUE,
                           "the property may not have this value");
      return FALSE;
    }
  return TRUE;
}

static void
apply (Binding *self, const GValue *value)
{
  g_autoptr (GObject) object = NULL;

  if (self->object == NULL || !G_IS_VALUE (value) || is_there (self, value))
    return;
  object = g_object_ref (self->object);
  self->is_applying = TRUE;
  g_object_set_property (object, self->pspec->name, value);
  self->is_applying = FALSE;
}

/* A missing key leaves the property as it is. */
static gboolean
make_and_apply (Binding *self, GVariant *stored, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (stored != NULL && !make_value (self, stored, &value, error))
    return FALSE;
  apply (self, &value);
  return TRUE;
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Binding *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) stored = dsq_store_get_finish (DSQ_STORE (source), result, &error);

  self->is_reading = FALSE;
  if (self->object != NULL && self->is_outdated)
    maybe_read (self);
  else if (self->object != NULL && error == NULL && make_and_apply (self, stored, &error))
    self->get_is_failed = FALSE;
  else if (self->object != NULL && !has_ended (self, error))
    report (self, &self->get_is_failed, error);
  binding_unref (self);
}

static void
maybe_read (Binding *self)
{
  if (!self->is_outdated || self->is_reading || self->n_writes > 0)
    return;
  self->is_outdated = FALSE;
  self->is_reading = TRUE;
  g_main_context_push_thread_default (self->context);
  dsq_store_get_async (self->store, self->key, NULL, read_cb, binding_ref (self));
  g_main_context_pop_thread_default (self->context);
}

static void
changed_cb (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  Binding *self = user_data;

  if (keys == NULL || g_strv_contains (keys, self->key))
    {
      self->is_outdated = TRUE;
      maybe_read (self);
    }
}

static void
ended_cb (DsqWatch *watch, gpointer user_data)
{
  Binding *self = user_data;

  g_object_set_qdata (self->object, quark_of (self->pspec), NULL);
}

/* --- from the property to the key ------------------------------------------------------------- */

static void
write_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Binding *self = user_data;
  g_autoptr (GError) error = NULL;

  self->n_writes--;
  if (dsq_store_set_finish (DSQ_STORE (source), result, &error))
    self->set_is_failed = FALSE;
  else if (!has_ended (self, error))
    report (self, &self->set_is_failed, error);
  if (self->object != NULL)
    maybe_read (self);
  binding_unref (self);
}

static void
notify_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  Binding *self = user_data;
  g_autoptr (GVariant) stored = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  if (self->is_applying)
    return;
  binding_ref (self);
  g_value_init (&value, self->pspec->value_type);
  g_object_get_property (object, self->pspec->name, &value);
  if ((self->flags & DSQ_BIND_INVERT_BOOLEAN) != 0)
    invert (&value);
  stored = dsq_bind_value_to_variant (&value);
  if (self->set_mapping != NULL)
    {
      g_autoptr (GVariant) unmapped = g_steal_pointer (&stored);

      stored = map (self->set_mapping, unmapped);
    }
  if (stored != NULL)
    {
      self->n_writes++;
      self->is_outdated = self->is_outdated || self->is_reading;
      dsq_store_set_async (self->store, self->key, stored, NULL, write_cb, binding_ref (self));
    }
  binding_unref (self);
}

/* --- making one ------------------------------------------------------------------------------- */

static gboolean
refuse (const char *property, const char *cause, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_INVALID_ARGUMENT,
               "Failed to bind property \"%s\": %s",
               property,
               cause);
  return FALSE;
}

static gboolean
find_property (Binding *self, const char *property, GError **error)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (self->object), property);
  gboolean is_mapped = self->get_mapping != NULL || self->set_mapping != NULL;

  if (pspec == NULL)
    return refuse (property, "the object has none of this name", error);
  if (!dsq_bind_is_bindable (pspec->value_type))
    return refuse (property, "no key can hold what is of its type", error);
  if ((self->flags & DSQ_BIND_GET) != 0 &&
      ((pspec->flags & G_PARAM_WRITABLE) == 0 || (pspec->flags & G_PARAM_CONSTRUCT_ONLY) != 0))
    return refuse (property, "it cannot be set", error);
  if ((self->flags & DSQ_BIND_SET) != 0 && (pspec->flags & G_PARAM_READABLE) == 0)
    return refuse (property, "it cannot be read", error);
  if ((self->flags & DSQ_BIND_INVERT_BOOLEAN) != 0 &&
      (pspec->value_type != G_TYPE_BOOLEAN || is_mapped))
    return refuse (property, "only a boolean is inverted, and none that is mapped", error);
  self->pspec = g_param_spec_ref (pspec);
  return TRUE;
}

static gboolean
check_store (DsqStore *self, const char *property, GError **error)
{
  DsqEngine *engine = dsq_store_get_engine (self, error);

  if (engine == NULL)
    return FALSE;
  return dsq_store_is_of_handle (engine) ||
         refuse (property, "bind it to the store that the transaction is over", error);
}

/* A floating reference is taken over. */
static GClosure *
take_mapping (GClosure *mapping)
{
  if (mapping == NULL)
    return NULL;
  g_closure_ref (mapping);
  g_closure_sink (mapping);
  if (G_CLOSURE_NEEDS_MARSHAL (mapping))
    g_closure_set_marshal (mapping, g_cclosure_marshal_generic);
  return mapping;
}

static void
make_insensitive (GObject *object)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), "sensitive");

  if (pspec != NULL && pspec->value_type == G_TYPE_BOOLEAN &&
      (pspec->flags & G_PARAM_WRITABLE) != 0)
    g_object_set (object, "sensitive", FALSE, NULL);
}

/* Watched before it is read, so that no change is missed. */
static gboolean
begin (Binding *self, GValue *out_value, GError **error)
{
  g_autoptr (GVariant) stored = NULL;
  g_autoptr (GError) problem = NULL;

  self->watch = dsq_store_watch (self->store, self->key, &problem);
  if (self->watch != NULL && (self->flags & DSQ_BIND_GET) != 0)
    stored = dsq_store_get (self->store, self->key, NULL, &problem);
  if (problem == NULL && (stored == NULL || make_value (self, stored, out_value, &problem)))
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&problem), FAILED, self->pspec->name);
  return FALSE;
}

static void
connect_signals (Binding *self)
{
  g_autofree char *detail = g_strconcat ("notify::", self->pspec->name, NULL);

  g_signal_connect (self->watch, "ended", G_CALLBACK (ended_cb), self);
  if ((self->flags & DSQ_BIND_GET) != 0 && (self->flags & DSQ_BIND_GET_NO_CHANGES) == 0)
    g_signal_connect (self->watch, "changed", G_CALLBACK (changed_cb), self);
  if ((self->flags & DSQ_BIND_SET) == 0)
    return;
  self->notify_id = g_signal_connect (self->object, detail, G_CALLBACK (notify_cb), self);
  if ((self->flags & DSQ_BIND_NO_SENSITIVITY) == 0 && !dsq_store_check_writable (self->store, NULL))
    make_insensitive (self->object);
}

/**
 * dsq_store_bind:
 * @self: a store, or a table
 * @key: the key
 * @object: (type GObject.Object): the object
 * @property: the name of one of its properties
 * @flags: which way it goes; %DSQ_BIND_DEFAULT for both
 * @error: return location for an error
 *
 * Binds a property of an object to what a key holds, as [method@Gio.Settings.bind] does.
 *
 * The property is set to what the key holds, before this returns, and again whenever somebody
 * changes that: this store, another, or another process. Where the key is missing, or is removed,
 * the property stays as it is. What the property becomes is written as [method@Store.set_async]
 * writes, in order and without waiting for it; a flush or a close afterwards has it in the file.
 *
 * Booleans, integers, floats, strings, #GBytes, arrays of strings, #GVariants, enumerations (by
 * their nicks, as a string) and flags (as an array of strings) can be bound; what has no nick is an
 * integer. A string, #GBytes, array or variant of %NULL is nothing, Python's None. An integer may
 * hold what any integer of the store is in its range, and a float all that but the largest.
 *
 * A binding ends with the object, when the store is closed, and by [func@Store.unbind]. Another one
 * of the same property replaces it. It does not keep the object alive, but the store as long as it
 * lasts. Use the object, and run the main loop, in the thread that calls this; only the first
 * reading may touch the disk there.
 *
 * Errors: %DSQ_ERROR_INVALID_ARGUMENT when the object has no such property, or it cannot be read or
 * set as @flags want it, or no key can hold what is of its type, and for a transaction;
 * %DSQ_ERROR_WRONG_TYPE and %DSQ_ERROR_INVALID_VALUE when the key holds what the property cannot
 * have; and those of a read, and of [method@Store.watch]. What fails later is told by
 * [signal@Store::bind-failed].
 *
 * Returns: %TRUE when it is bound; %FALSE with @error set when all is as it was
 *
 * Since: 1.0
 */
gboolean
dsq_store_bind (DsqStore *self,
                const char *key,
                gpointer object,
                const char *property,
                DsqBindFlags flags,
                GError **error)
{
  return dsq_store_bind_with_mapping (self, key, object, property, flags, NULL, NULL, error);
}

/**
 * dsq_store_bind_with_mapping:
 * @self: a store, or a table
 * @key: the key
 * @object: (type GObject.Object): the object
 * @property: the name of one of its properties
 * @flags: which way it goes; %DSQ_BIND_DEFAULT for both
 * @get_mapping: (nullable): makes of what the key holds what the property is set to, as
 *   [method@Store.bind] would store that
 * @set_mapping: (nullable): makes of what the property holds, as [method@Store.bind] would store
 *   it, what the key is set to
 * @error: return location for an error
 *
 * As [method@Store.bind], with functions that are asked what becomes of a value on its way. Where
 * one answers %NULL, key or property stay as they are. A value is not inverted beside.
 *
 * A language passes functions that take a #GVariant and return one; C makes a closure of such a
 * function:
 *
 * ```c
 * static GVariant *
 * from_percent (GVariant *value, gpointer user_data)
 * {
 *   return g_variant_new_double (g_variant_get_int64 (value) / 100.0);
 * }
 *
 * g_cclosure_new (G_CALLBACK (from_percent), NULL, NULL)
 * ```
 *
 * Returns: %TRUE when it is bound; %FALSE with @error set when all is as it was
 *
 * Since: 1.0
 */
gboolean
dsq_store_bind_with_mapping (DsqStore *self,
                             const char *key,
                             gpointer object,
                             const char *property,
                             DsqBindFlags flags,
                             GClosure *get_mapping,
                             GClosure *set_mapping,
                             GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  Binding *made;

  g_return_val_if_fail (DSQ_IS_STORE (self), FALSE);
  g_return_val_if_fail (key != NULL, FALSE);
  g_return_val_if_fail (G_IS_OBJECT (object), FALSE);
  g_return_val_if_fail (property != NULL, FALSE);

  made = binding_new (self, key, object);
  made->flags = (flags & (DSQ_BIND_GET | DSQ_BIND_SET)) != 0 ? flags
                                                             : flags | DSQ_BIND_GET | DSQ_BIND_SET;
  made->get_mapping = take_mapping (get_mapping);
  made->set_mapping = take_mapping (set_mapping);
  if (!check_store (self, property, error) || !find_property (made, property, error) ||
      !begin (made, &value, error))
    {
      binding_unref (made);
      return FALSE;
    }
  /* one that was there ends here, so that it does not write what is set now */
  g_object_set_qdata_full (object, quark_of (made->pspec), binding_ref (made), binding_end);
  connect_signals (made);
  apply (made, &value);
  binding_unref (made);
  return TRUE;
}

/**
 * dsq_store_unbind:
 * @object: (type GObject.Object): an object
 * @property: the name of one of its properties
 *
 * Ends the binding of a property, if there is one. What the property has become is written still.
 *
 * Since: 1.0
 */
void
dsq_store_unbind (gpointer object, const char *property)
{
  GParamSpec *pspec;

  g_return_if_fail (G_IS_OBJECT (object));
  g_return_if_fail (property != NULL);

  pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), property);
  if (pspec != NULL)
    g_object_set_qdata (object, quark_of (pspec), NULL);
}
