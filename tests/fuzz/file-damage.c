/* file-damage.c - files as they should not be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-damage.h"

/* What is left of the choices that damage_follow() was given. */
static const guint8 *script;
static gsize script_length;

void
damage_follow (const guint8 *bytes, gsize length)
{
  script = bytes;
  script_length = length;
}

static guint
follow_script (guint n)
{
  guint value = 0;

  for (guint reach = 1; reach < n && script_length > 0; reach = reach < n >> 8 ? reach << 8 : n)
    {
      value = value << 8 | *script++;
      script_length--;
    }
  return value % n;
}

guint
damage_pick (GRand *rand, guint n)
{
  if (n > 1 && script_length > 0)
    return follow_script (n);
  return n > 1 ? (guint) g_rand_int_range (rand, 0, (gint) n) : 0;
}

static GByteArray *
copy_bytes (const GByteArray *bytes)
{
  GByteArray *copy = g_byte_array_sized_new (bytes->len);

  return g_byte_array_append (copy, bytes->data, bytes->len);
}

static gboolean
is_whole (const Image *image)
{
  return image->log->len == 0;
}

Damage *
damage_new (const Images *images, GRand *rand)
{
  static const guint states[] = { 0, 0, 0, 1, 2, 2 };
  guint base = IMAGE_N_STATES * damage_pick (rand, 2);
  Damage *self = g_new0 (Damage, 1);

  self->image = &images->images[base + states[damage_pick (rand, G_N_ELEMENTS (states))]];
  self->file = copy_bytes (self->image->file);
  self->log = copy_bytes (self->image->log);
  self->what = g_string_new (self->image->is_encrypted ? "encrypted:" : "plain:");
  self->pages = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->places = g_array_new (FALSE, FALSE, sizeof (gint64));
  /* where rows lie is known of one image */
  self->is_local = self->image->rows->len > 0;
  if (!is_whole (self->image) && damage_pick (rand, 4) > 0)
    damage_log (self, images, rand);
  else if (is_whole (self->image) && damage_pick (rand, 3) == 0)
    damage_rows (self, rand);
  else
    damage_pages (self, images, rand);
  return self;
}

void
damage_free (Damage *self)
{
  g_byte_array_unref (self->file);
  g_byte_array_unref (self->log);
  g_string_free (self->what, TRUE);
  g_array_unref (self->pages);
  g_array_unref (self->places);
  g_free (self);
}

gboolean
damage_spares (const Damage *self, const ImageRow *row)
{
  for (guint i = 0; i < self->places->len; i++)
    if (g_array_index (self->places, gint64, i) == row->place)
      return FALSE;
  for (guint i = 0; i < self->pages->len; i++)
    for (guint j = 0; j < row->pages->len; j++)
      if (g_array_index (self->pages, guint32, i) == g_array_index (row->pages, guint32, j))
        return FALSE;
  return self->is_local;
}
