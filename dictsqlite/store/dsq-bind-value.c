/* dsq-bind-value.c - what a property holds, as what a key holds, and back
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <float.h>
#include <math.h>

#include "dsq-error.h"
#include "store/dsq-bind-private.h"

/* Integers that every double can hold. */
#define MAX_EXACT (G_GINT64_CONSTANT (1) << 53)

gboolean
dsq_bind_is_bindable (GType type)
{
  switch (G_TYPE_FUNDAMENTAL (type))
    {
    case G_TYPE_BOOLEAN:
    case G_TYPE_CHAR:
    case G_TYPE_UCHAR:
    case G_TYPE_INT:
    case G_TYPE_UINT:
    case G_TYPE_LONG:
    case G_TYPE_ULONG:
    case G_TYPE_INT64:
    case G_TYPE_UINT64:
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
    case G_TYPE_STRING:
    case G_TYPE_ENUM:
    case G_TYPE_FLAGS:
    case G_TYPE_VARIANT:
      return TRUE;
    default:
      return type == G_TYPE_STRV || type == G_TYPE_BYTES; /* no type derives from a boxed one */
    }
}

/* --- to what is stored ------------------------------------------------------------------------ */

static GVariant *
make_nothing (void)
{
  return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
}

static GVariant *
make_unsigned (guint64 number)
{
  return number <= G_MAXINT64 ? g_variant_new_int64 ((gint64) number)
                              : g_variant_new_uint64 (number);
}

/* By name where it has one, and else by number. */
static GVariant *
make_enum (const GValue *value)
{
  GEnumClass *klass = g_type_class_ref (G_VALUE_TYPE (value));
  int number = g_value_get_enum (value);
  const GEnumValue *named = g_enum_get_value (klass, number);
  GVariant *made = named != NULL ? g_variant_new_string (named->value_nick)
                                 : g_variant_new_int64 (number);

  g_type_class_unref (klass);
  return made;
}

/* By their names, and by number where these do not say all of it. */
static GVariant *
make_flags (const GValue *value)
{
  GFlagsClass *klass = g_type_class_ref (G_VALUE_TYPE (value));
  guint flags = g_value_get_flags (value);
  guint rest = flags;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  while (rest != 0)
    {
      const GFlagsValue *named = g_flags_get_first_value (klass, rest);

      if (named == NULL)
        break;
      g_variant_builder_add (&builder, "s", named->value_nick);
      rest &= ~named->value;
    }
  g_type_class_unref (klass);
  if (rest == 0)
    return g_variant_builder_end (&builder);
  g_variant_builder_clear (&builder);
  return g_variant_new_int64 (flags);
}

static GVariant *
make_boxed (const GValue *value)
{
  gpointer boxed = g_value_get_boxed (value);

  if (boxed == NULL)
    return make_nothing ();
  if (G_VALUE_TYPE (value) == G_TYPE_STRV)
    return g_variant_new_strv (boxed, -1);
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, boxed, TRUE);
}

static GVariant *
make_any (const GValue *value)
{
  const char *string;

  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (value)))
    {
    case G_TYPE_BOOLEAN:
      return g_variant_new_boolean (g_value_get_boolean (value));
    case G_TYPE_CHAR:
      return g_variant_new_int64 (g_value_get_schar (value));
    case G_TYPE_UCHAR:
      return g_variant_new_int64 (g_value_get_uchar (value));
    case G_TYPE_INT:
      return g_variant_new_int64 (g_value_get_int (value));
    case G_TYPE_UINT:
      return g_variant_new_int64 (g_value_get_uint (value));
    case G_TYPE_LONG:
      return g_variant_new_int64 (g_value_get_long (value));
    case G_TYPE_ULONG:
      return make_unsigned (g_value_get_ulong (value));
    case G_TYPE_INT64:
      return g_variant_new_int64 (g_value_get_int64 (value));
    case G_TYPE_UINT64:
      return make_unsigned (g_value_get_uint64 (value));
    case G_TYPE_FLOAT:
      return g_variant_new_double (g_value_get_float (value));
    case G_TYPE_DOUBLE:
      return g_variant_new_double (g_value_get_double (value));
    case G_TYPE_STRING:
      string = g_value_get_string (value);
      return string != NULL ? g_variant_new_string (string) : make_nothing ();
    case G_TYPE_ENUM:
      return make_enum (value);
    case G_TYPE_FLAGS:
      return make_flags (value);
    case G_TYPE_VARIANT:
      return g_value_get_variant (value) != NULL ? g_value_dup_variant (value) : make_nothing ();
    default:
      return make_boxed (value);
    }
}

GVariant *
dsq_bind_value_to_variant (const GValue *value)
{
  return g_variant_take_ref (make_any (value));
}

/* --- back ------------------------------------------------------------------------------------- */

static gboolean
refuse_type (const GValue *out, GVariant *variant, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_WRONG_TYPE,
               "a value of type '%s' is no %s",
               g_variant_get_type_string (variant),
               G_VALUE_TYPE_NAME (out));
  return FALSE;
}

static gboolean
refuse_range (const GValue *out, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_INVALID_VALUE,
               "the value is out of the range of a %s",
               G_VALUE_TYPE_NAME (out));
  return FALSE;
}

/* An integer of any width as a negative number, or as one that is not. */
static gboolean
read_integer (GVariant *variant, gint64 *out_negative, guint64 *out_other)
{
  gint64 number;

  switch (g_variant_classify (variant))
    {
    case G_VARIANT_CLASS_BYTE:
      number = g_variant_get_byte (variant);
      break;
    case G_VARIANT_CLASS_INT16:
      number = g_variant_get_int16 (variant);
      break;
    case G_VARIANT_CLASS_UINT16:
      number = g_variant_get_uint16 (variant);
      break;
    case G_VARIANT_CLASS_INT32:
      number = g_variant_get_int32 (variant);
      break;
    case G_VARIANT_CLASS_UINT32:
      number = g_variant_get_uint32 (variant);
      break;
    case G_VARIANT_CLASS_INT64:
      number = g_variant_get_int64 (variant);
      break;
    case G_VARIANT_CLASS_UINT64:
      *out_negative = 0;
      *out_other = g_variant_get_uint64 (variant);
      return TRUE;
    default:
      return FALSE;
    }
  *out_negative = MIN (number, 0);
  *out_other = (guint64) MAX (number, 0);
  return TRUE;
}

static gboolean
take_integer (GValue *out, GVariant *variant, gint64 lowest, guint64 highest, GError **error)
{
  gint64 negative;
  guint64 other;
  gint64 number;

  if (!read_integer (variant, &negative, &other))
    return refuse_type (out, variant, error);
  if (negative < lowest || other > highest)
    return refuse_range (out, error);
  number = negative < 0 ? negative : (gint64) other;
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (out)))
    {
    case G_TYPE_CHAR:
      g_value_set_schar (out, (gint8) number);
      return TRUE;
    case G_TYPE_UCHAR:
      g_value_set_uchar (out, (guint8) number);
      return TRUE;
    case G_TYPE_INT:
      g_value_set_int (out, (int) number);
      return TRUE;
    case G_TYPE_UINT:
      g_value_set_uint (out, (guint) number);
      return TRUE;
    case G_TYPE_LONG:
      g_value_set_long (out, (long) number);
      return TRUE;
    case G_TYPE_ULONG:
      g_value_set_ulong (out, (gulong) other);
      return TRUE;
    case G_TYPE_INT64:
      g_value_set_int64 (out, number);
      return TRUE;
    default:
      g_value_set_uint64 (out, other);
      return TRUE;
    }
}

/* JavaScript stores a whole number as an integer, whatever it was computed of. */
static gboolean
take_real (GValue *out, GVariant *variant, GError **error)
{
  gboolean is_float = G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (out)) == G_TYPE_FLOAT;
  gint64 negative;
  guint64 other;
  double number;

  if (g_variant_is_of_type (variant, G_VARIANT_TYPE_DOUBLE))
    number = g_variant_get_double (variant);
  else if (!read_integer (variant, &negative, &other))
    return refuse_type (out, variant, error);
  else if (negative < -MAX_EXACT || other > MAX_EXACT)
    return refuse_range (out, error);
  else
    number = negative < 0 ? (double) negative : (double) other;

  if (!is_float)
    g_value_set_double (out, number);
  else if (isfinite (number) && fabs (number) > (double) FLT_MAX)
    return refuse_range (out, error);
  else
    g_value_set_float (out, (float) number);
  return TRUE;
}

static gboolean
take_enum (GValue *out, GVariant *variant, GError **error)
{
  GEnumClass *klass = g_type_class_ref (G_VALUE_TYPE (out));
  const GEnumValue *named = NULL;
  gboolean is_string = g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING);
  gint64 negative = 0;
  guint64 other = 0;

  if (is_string)
    named = g_enum_get_value_by_nick (klass, g_variant_get_string (variant, NULL));
  else if (!read_integer (variant, &negative, &other))
    {
      g_type_class_unref (klass);
      return refuse_type (out, variant, error);
    }
  else if (negative >= G_MININT && other <= G_MAXINT)
    named = g_enum_get_value (klass, negative < 0 ? (int) negative : (int) other);
  if (named != NULL)
    g_value_set_enum (out, named->value);
  g_type_class_unref (klass);
  return named != NULL || refuse_range (out, error);
}

static gboolean
take_nicks (GValue *out, GVariant *variant, GError **error)
{
  GFlagsClass *klass;
  GVariantIter iter;
  const char *nick;
  gboolean is_known = TRUE;
  guint flags = 0;

  klass = g_type_class_ref (G_VALUE_TYPE (out));
  g_variant_iter_init (&iter, variant);
  while (g_variant_iter_next (&iter, "&s", &nick))
    {
      const GFlagsValue *named = g_flags_get_value_by_nick (klass, nick);

      is_known = is_known && named != NULL;
      flags |= named != NULL ? named->value : 0;
    }
  g_type_class_unref (klass);
  if (!is_known)
    return refuse_range (out, error);
  g_value_set_flags (out, flags);
  return TRUE;
}

static gboolean
take_flags (GValue *out, GVariant *variant, GError **error)
{
  gint64 negative;
  guint64 other;

  if (g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING_ARRAY))
    return take_nicks (out, variant, error);
  if (!read_integer (variant, &negative, &other))
    return refuse_type (out, variant, error);
  if (negative < 0 || other > G_MAXUINT)
    return refuse_range (out, error);
  g_value_set_flags (out, (guint) other);
  return TRUE;
}

/* Nothing is NULL. */
static gboolean
take_nothing (GValue *out, GVariant *variant, GError **error)
{
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (out)))
    {
    case G_TYPE_STRING:
    case G_TYPE_BOXED:
    case G_TYPE_VARIANT:
      g_value_reset (out);
      return TRUE;
    default:
      return refuse_type (out, variant, error);
    }
}

static gboolean
take_boxed (GValue *out, GVariant *variant, GError **error)
{
  if (G_VALUE_TYPE (out) == G_TYPE_STRV &&
      g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING_ARRAY))
    g_value_take_boxed (out, g_variant_dup_strv (variant, NULL));
  else if (G_VALUE_TYPE (out) == G_TYPE_BYTES &&
           g_variant_is_of_type (variant, G_VARIANT_TYPE_BYTESTRING))
    g_value_take_boxed (out, g_variant_get_data_as_bytes (variant));
  else
    return refuse_type (out, variant, error);
  return TRUE;
}

gboolean
dsq_bind_value_from_variant (GValue *out, GVariant *variant, GError **error)
{
  if (g_variant_is_of_type (variant, G_VARIANT_TYPE ("mv")) && g_variant_n_children (variant) == 0)
    return take_nothing (out, variant, error);
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (out)))
    {
    case G_TYPE_BOOLEAN:
      if (!g_variant_is_of_type (variant, G_VARIANT_TYPE_BOOLEAN))
        return refuse_type (out, variant, error);
      g_value_set_boolean (out, g_variant_get_boolean (variant));
      return TRUE;
    case G_TYPE_CHAR:
      return take_integer (out, variant, G_MININT8, G_MAXINT8, error);
    case G_TYPE_UCHAR:
      return take_integer (out, variant, 0, G_MAXUINT8, error);
    case G_TYPE_INT:
      return take_integer (out, variant, G_MININT, G_MAXINT, error);
    case G_TYPE_UINT:
      return take_integer (out, variant, 0, G_MAXUINT, error);
    case G_TYPE_LONG:
      return take_integer (out, variant, G_MINLONG, G_MAXLONG, error);
    case G_TYPE_ULONG:
      return take_integer (out, variant, 0, G_MAXULONG, error);
    case G_TYPE_INT64:
      return take_integer (out, variant, G_MININT64, G_MAXINT64, error);
    case G_TYPE_UINT64:
      return take_integer (out, variant, 0, G_MAXUINT64, error);
    case G_TYPE_FLOAT:
    case G_TYPE_DOUBLE:
      return take_real (out, variant, error);
    case G_TYPE_STRING:
      if (!g_variant_is_of_type (variant, G_VARIANT_TYPE_STRING))
        return refuse_type (out, variant, error);
      g_value_set_string (out, g_variant_get_string (variant, NULL));
      return TRUE;
    case G_TYPE_ENUM:
      return take_enum (out, variant, error);
    case G_TYPE_FLAGS:
      return take_flags (out, variant, error);
    case G_TYPE_VARIANT:
      g_value_set_variant (out, variant);
      return TRUE;
    default:
      return take_boxed (out, variant, error);
    }
}

/* --- what goes wrong -------------------------------------------------------------------------- */

void
dsq_bind_install_signal (GType store_type)
{
  /**
   * DsqStore::bind-failed:
   * @self: the store
   * @object: (nullable): the object; %NULL when it is no more
   * @property: the property's name
   * @error: what went wrong
   *
   * What a property became could not be written, or what the key holds cannot be the property's
   * value, see [method@Store.bind]. Told once, until that way of the binding works again, in the
   * context in which it was made. Where nobody listens it is a warning in the log.
   *
   * Since: 1.0
   */
  g_signal_new ("bind-failed",
                store_type,
                G_SIGNAL_RUN_LAST,
                0,
                NULL,
                NULL,
                NULL,
                G_TYPE_NONE,
                3,
                G_TYPE_OBJECT,
                G_TYPE_STRING,
                G_TYPE_ERROR);
}
