/* bind-object.h - an object with a property of each type that keys can hold
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <dsq-enum-types.h>

/* In the order of the list below; a property's place in it is one less than its id. */
enum
{
  PLACE_SENSITIVE = 18,
  PLACE_CONSTRUCT_ONLY = 23,
  PLACE_LEVEL,
  N_PLACES
};

typedef struct
{
  GObject parent_instance;
  GValue values[N_PLACES]; /* (owned) */
  guint n_sets;            /* how often any but `sensitive` was set later */
} Bound;

typedef GObjectClass BoundClass;

static GType bound_get_type (void);

G_DEFINE_TYPE (Bound, bound, G_TYPE_OBJECT)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bound, g_object_unref)

static void
bound_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  Bound *self = (Bound *) object;

  g_value_copy (value, &self->values[id - 1]);
  self->n_sets += id - 1 != PLACE_SENSITIVE && id - 1 != PLACE_CONSTRUCT_ONLY;
}

static void
bound_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  g_value_copy (&((Bound *) object)->values[id - 1], value);
}

static void
bound_finalize (GObject *object)
{
  for (guint i = 0; i < N_PLACES; i++)
    g_value_unset (&((Bound *) object)->values[i]);
  G_OBJECT_CLASS (bound_parent_class)->finalize (object);
}

static GParamSpec *
make_number (const char *name, GType type)
{
  const GParamFlags rw = G_PARAM_READWRITE;

  switch (type)
    {
    case G_TYPE_CHAR:
      return g_param_spec_char (name, NULL, NULL, G_MININT8, G_MAXINT8, 0, rw);
    case G_TYPE_UCHAR:
      return g_param_spec_uchar (name, NULL, NULL, 0, G_MAXUINT8, 0, rw);
    case G_TYPE_INT:
      return g_param_spec_int (name, NULL, NULL, G_MININT, G_MAXINT, 0, rw);
    case G_TYPE_UINT:
      return g_param_spec_uint (name, NULL, NULL, 0, G_MAXUINT, 0, rw);
    case G_TYPE_LONG:
      return g_param_spec_long (name, NULL, NULL, G_MINLONG, G_MAXLONG, 0, rw);
    case G_TYPE_ULONG:
      return g_param_spec_ulong (name, NULL, NULL, 0, G_MAXULONG, 0, rw);
    case G_TYPE_INT64:
      return g_param_spec_int64 (name, NULL, NULL, G_MININT64, G_MAXINT64, 0, rw);
    case G_TYPE_UINT64:
      return g_param_spec_uint64 (name, NULL, NULL, 0, G_MAXUINT64, 0, rw);
    case G_TYPE_FLOAT:
      return g_param_spec_float (name, NULL, NULL, -G_MAXFLOAT, G_MAXFLOAT, 0, rw);
    default:
      return g_param_spec_double (name, NULL, NULL, -G_MAXDOUBLE, G_MAXDOUBLE, 0, rw);
    }
}

/* One bit of it has no name, and two have one together. */
static GType
mode_get_type (void)
{
  static const GFlagsValue values[] = {
    { 1 << 0, "MODE_X", "x" },
    { 1 << 1 | 1 << 2, "MODE_RW", "rw" },
    { 0, NULL, NULL },
  };
  GType type = g_type_from_name ("Mode");

  return type != 0 ? type : g_flags_register_static ("Mode", values);
}

/* One of its numbers is negative. */
static GType
level_get_type (void)
{
  static const GEnumValue values[] = {
    { -3, "LEVEL_LOW", "low" },
    { 2, "LEVEL_HIGH", "high" },
    { 0, NULL, NULL },
  };
  GType type = g_type_from_name ("Level");

  return type != 0 ? type : g_enum_register_static ("Level", values);
}

static void
bound_class_init (BoundClass *klass)
{
  const GParamFlags rw = G_PARAM_READWRITE;
  GParamSpec *specs[] = {
    g_param_spec_boolean ("boolean", NULL, NULL, FALSE, rw),
    make_number ("char", G_TYPE_CHAR),
    make_number ("uchar", G_TYPE_UCHAR),
    make_number ("int", G_TYPE_INT),
    make_number ("uint", G_TYPE_UINT),
    make_number ("long", G_TYPE_LONG),
    make_number ("ulong", G_TYPE_ULONG),
    make_number ("int64", G_TYPE_INT64),
    make_number ("uint64", G_TYPE_UINT64),
    make_number ("float", G_TYPE_FLOAT),
    make_number ("double", G_TYPE_DOUBLE),
    g_param_spec_string ("string", NULL, NULL, NULL, rw),
    g_param_spec_boxed ("bytes", NULL, NULL, G_TYPE_BYTES, rw),
    g_param_spec_boxed ("strv", NULL, NULL, G_TYPE_STRV, rw),
    g_param_spec_variant ("variant", NULL, NULL, G_VARIANT_TYPE_ANY, NULL, rw),
    g_param_spec_enum ("enum", NULL, NULL, DSQ_TYPE_PERSIST_MODE, DSQ_PERSIST_MEMORY, rw),
    g_param_spec_flags ("flags", NULL, NULL, DSQ_TYPE_BIND_FLAGS, 0, rw),
    g_param_spec_int ("small", NULL, NULL, 0, 10, 0, rw),
    g_param_spec_boolean ("sensitive", NULL, NULL, TRUE, rw),
    g_param_spec_int ("write-only", NULL, NULL, 0, 10, 0, G_PARAM_WRITABLE),
    g_param_spec_int ("read-only", NULL, NULL, 0, 10, 0, G_PARAM_READABLE),
    g_param_spec_object ("object", NULL, NULL, G_TYPE_OBJECT, rw),
    g_param_spec_flags ("mode", NULL, NULL, mode_get_type (), 0, rw),
    g_param_spec_int ("construct-only", NULL, NULL, 0, 10, 0, rw | G_PARAM_CONSTRUCT_ONLY),
    g_param_spec_enum ("level", NULL, NULL, level_get_type (), 2, rw),
  };

  klass->set_property = bound_set_property;
  klass->get_property = bound_get_property;
  klass->finalize = bound_finalize;
  for (guint i = 0; i < N_PLACES; i++)
    g_object_class_install_property (klass, i + 1, specs[i]);
}

static void
bound_init (Bound *self)
{
  guint n_specs;
  g_autofree GParamSpec **specs =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (self), &n_specs);

  for (guint i = 0; i < n_specs; i++)
    g_param_value_set_default (
        specs[i],
        g_value_init (&self->values[specs[i]->param_id - 1], specs[i]->value_type));
}

static inline Bound *
bound_new (void)
{
  return g_object_new (bound_get_type (), NULL);
}
