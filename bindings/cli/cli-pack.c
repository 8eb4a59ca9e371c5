/* cli-pack.c - many items in one array, as the library takes and gives them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-pack.h"

#include <string.h>

static guint32
read_number (const guint8 *bytes)
{
  guint32 number;

  memcpy (&number, bytes, sizeof number);
  return number;
}

void
cli_pack_init (CliPack *self, const guint8 *pack)
{
  self->n_left = read_number (pack);
  self->lengths = pack + sizeof (guint32);
  self->bytes = self->lengths + self->n_left * sizeof (guint32);
}

gboolean
cli_pack_next (CliPack *self, const guint8 **out_item, gsize *out_length)
{
  if (self->n_left == 0)
    return FALSE;
  *out_item = self->bytes;
  *out_length = read_number (self->lengths);
  self->lengths += sizeof (guint32);
  self->bytes += *out_length;
  self->n_left--;
  return TRUE;
}

void
cli_packer_init (CliPacker *self)
{
  self->lengths = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->bytes = g_byte_array_new ();
}

void
cli_packer_clear (CliPacker *self)
{
  g_clear_pointer (&self->lengths, g_array_unref);
  g_clear_pointer (&self->bytes, g_byte_array_unref);
}

void
cli_packer_add (CliPacker *self, const guint8 *item, gsize length)
{
  guint32 stored = (guint32) length;

  g_array_append_val (self->lengths, stored);
  g_byte_array_append (self->bytes, item, stored);
}

guint8 *
cli_packer_finish (CliPacker *self, gsize *out_length)
{
  const guint32 n_items = self->lengths->len;
  const gsize head = sizeof n_items + n_items * sizeof (guint32);
  guint8 *pack = g_malloc (head + self->bytes->len);

  memcpy (pack, &n_items, sizeof n_items);
  if (n_items > 0)
    memcpy (pack + sizeof n_items, self->lengths->data, n_items * sizeof (guint32));
  if (self->bytes->len > 0)
    memcpy (pack + head, self->bytes->data, self->bytes->len);
  *out_length = head + self->bytes->len;
  g_array_set_size (self->lengths, 0);
  g_byte_array_set_size (self->bytes, 0);
  return pack;
}
