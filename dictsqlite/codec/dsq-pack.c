/* dsq-pack.c - many byte strings in one array, the form in which bindings pass batches
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-pack-private.h"
#include "dsq-error.h"

/* The count and each length. */
#define NUMBER_LENGTH sizeof (guint32)

static inline guint32
load_number (const guint8 *bytes)
{
  guint32 number;

  memcpy (&number, bytes, sizeof number);
  return number;
}

static gboolean
refuse (GError **error, const char *reason)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT, "Failed to read pack: %s", reason);
  return FALSE;
}

/* Finds where each column begins, and that there are as many items as are said. */
static gboolean
init_texts (DsqPackReader *self, const guint8 *pack, gsize length, GError **error)
{
  gsize n_ends = 0;
  guint32 n_columns;
  const guint8 *at;
  const guint8 *end;

  if (length < DSQ_PACK_TEXTS_HEAD)
    return refuse (error, "it ends early");
  self->n_items = self->n_left = load_number (pack + NUMBER_LENGTH);
  n_columns = load_number (pack + 2 * NUMBER_LENGTH);
  if (length > G_MAXUINT32 || n_columns < 1 || n_columns > 2 || self->n_items < n_columns ||
      self->n_items % n_columns != 0)
    return refuse (error, "its texts are not in columns");
  self->lengths = self->second = NULL;
  self->bytes = at = pack + DSQ_PACK_TEXTS_HEAD;
  self->texts_end = end = pack + length;
  while ((at = memchr (at, 0, (gsize) (end - at))) != NULL)
    {
      at++;
      n_ends++;
      if (n_columns == 2 && n_ends == self->n_items / 2)
        self->second = at;
    }
  return n_ends + 1 == self->n_items || refuse (error, "it has more texts, or fewer");
}

static void
next_text (DsqPackReader *self, const guint8 **out_item, guint32 *out_length)
{
  const guint8 **column = self->second != NULL && self->n_left % 2 != 0 ? &self->second
                                                                        : &self->bytes;
  const guint8 *from = *column;
  const guint8 *end = memchr (from, 0, (gsize) (self->texts_end - from));

  *column = end != NULL ? end + 1 : self->texts_end;
  *out_item = from;
  *out_length = (guint32) ((end != NULL ? end : self->texts_end) - from);
  self->n_left--;
}

guint8 *
dsq_pack_write_texts_head (guint8 *pack, guint32 n_items, guint32 n_columns)
{
  const guint32 head[] = { DSQ_PACK_OF_TEXTS, n_items, n_columns };

  memcpy (pack, head, sizeof head);
  return pack + sizeof head;
}

gboolean
dsq_pack_reader_init (DsqPackReader *self, const guint8 *pack, gsize length, GError **error)
{
  gsize n_items = 0;
  gsize left;

  if (length < NUMBER_LENGTH)
    return refuse (error, "it ends early");
  n_items = load_number (pack);
  if (n_items == DSQ_PACK_OF_TEXTS)
    return init_texts (self, pack, length, error);
  left = length - NUMBER_LENGTH;
  if (n_items > left / NUMBER_LENGTH)
    return refuse (error, "it ends early");
  left -= n_items * NUMBER_LENGTH;

  self->lengths = pack + NUMBER_LENGTH;
  self->bytes = self->lengths + n_items * NUMBER_LENGTH;
  self->n_items = self->n_left = (guint32) n_items;

  for (gsize i = 0; i < n_items; i++)
    {
      guint32 item_length = load_number (self->lengths + i * NUMBER_LENGTH);

      if (item_length > left)
        return refuse (error, "it ends early");
      left -= item_length;
    }
  return left == 0 || refuse (error, "bytes follow its last item");
}

gboolean
dsq_pack_reader_next (DsqPackReader *self, const guint8 **out_item, guint32 *out_length)
{
  guint32 length;

  if (self->n_left == 0)
    return FALSE;
  if (self->lengths == NULL)
    {
      next_text (self, out_item, out_length);
      return TRUE;
    }

  length = load_number (self->lengths);
  *out_item = self->bytes;
  *out_length = length;
  self->lengths += NUMBER_LENGTH;
  self->bytes += length;
  self->n_left--;
  return TRUE;
}

struct _DsqPackBuilder
{
  GArray *lengths;    /* (owned) of guint32 */
  guint8 *bytes;      /* (owned) items, end to end */
  gsize bytes_length; /* bytes used */
  gsize bytes_room;   /* bytes allocated */
  gboolean too_long;  /* the whole would reach 4 GiB; nothing more is added */
};

DsqPackBuilder *
dsq_pack_builder_new (void)
{
  DsqPackBuilder *self = g_new0 (DsqPackBuilder, 1);

  self->lengths = g_array_new (FALSE, FALSE, sizeof (guint32));
  return self;
}

void
dsq_pack_builder_free (DsqPackBuilder *self)
{
  g_array_unref (self->lengths);
  g_free (self->bytes);
  g_free (self);
}

/* Bytes of count and lengths, for @n_items. */
static inline guint64
prefix_length (guint n_items)
{
  return NUMBER_LENGTH * (1 + (guint64) n_items);
}

/* Where an item of @length bytes and, should there be one, its head are to be written; NULL when
 * that is too much. */
static guint8 *
make_room (DsqPackBuilder *self, gsize head_length, gsize length)
{
  guint64 used = prefix_length (self->lengths->len + 1) + self->bytes_length + head_length;
  guint32 item_length;

  if (self->too_long || used > G_MAXUINT32 || length > G_MAXUINT32 - used)
    {
      self->too_long = TRUE;
      return NULL;
    }

  length += head_length;
  item_length = (guint32) length;
  if (self->bytes == NULL || length > self->bytes_room - self->bytes_length)
    {
      self->bytes_room = MAX (2 * self->bytes_room, self->bytes_length + MAX (length, 256));
      self->bytes = g_realloc (self->bytes, self->bytes_room);
    }
  self->bytes_length += length;
  g_array_append_val (self->lengths, item_length);
  return self->bytes + self->bytes_length - length;
}

void
dsq_pack_builder_add (DsqPackBuilder *self, const guint8 *item, gsize length)
{
  guint8 *to = make_room (self, 0, length);

  if (to != NULL && length > 0)
    memcpy (to, item, length);
}

void
dsq_pack_builder_add_behind (DsqPackBuilder *self,
                             guint8 head,
                             const guint8 *rest,
                             gsize rest_length)
{
  guint8 *to = make_room (self, 1, rest_length);

  if (to == NULL)
    return;
  *to = head;
  if (rest_length > 0)
    memcpy (to + 1, rest, rest_length);
}

guint8 *
dsq_pack_builder_finish (DsqPackBuilder *self, gsize *out_length, GError **error)
{
  g_autoptr (DsqPackBuilder) builder = self;
  guint32 n_items = builder->lengths->len;
  gsize prefix = (gsize) prefix_length (n_items);
  guint8 *pack;

  if (builder->too_long)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_ARGUMENT,
                           "Failed to build pack: it would take 4 GiB or more");
      return NULL;
    }

  /* in place, so that a batch of gigabytes is never held twice */
  pack = g_realloc (g_steal_pointer (&builder->bytes), prefix + builder->bytes_length);
  memmove (pack + prefix, pack, builder->bytes_length);
  memcpy (pack, &n_items, NUMBER_LENGTH);
  if (n_items > 0)
    memcpy (pack + NUMBER_LENGTH, builder->lengths->data, n_items * NUMBER_LENGTH);
  *out_length = prefix + builder->bytes_length;
  return pack;
}

guint8 *
dsq_pack_make_one (const guint8 *item, guint32 length, gsize *out_length)
{
  const guint32 head[2] = { 1, length };
  guint8 *pack = g_malloc (sizeof head + length);

  memcpy (pack, head, sizeof head);
  if (length > 0)
    memcpy (pack + sizeof head, item, length);
  *out_length = sizeof head + length;
  return pack;
}

GByteArray *
dsq_pack_make_error (const GError *error)
{
  guint8 head[3] = { 0, (guint8) error->code, error->domain == DSQ_ERROR ? 1 : 2 };
  GByteArray *item = g_byte_array_new ();

  g_byte_array_append (item, head, sizeof head);
  g_byte_array_append (item, (const guint8 *) error->message, strlen (error->message));
  return item;
}
