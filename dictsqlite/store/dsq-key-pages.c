/* dsq-key-pages.c - what a list of keys says it holds
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 *   page 0             page 1             page 2             gap
 *   from START         from place 311     from place 702     from place 1020
 *   256 hashes         255 hashes         256 hashes         n_gap: a number
 *                                         some items         items that wait, by offset
 *
 * Each page is a part of the order, from where it begins to where the next one does, and the hashes
 * of the keys in it, in their order: enough to know what has changed when the part is read again,
 * and which page a key that has changed is in. The gap is what nobody has looked at yet: its keys
 * come from the number of keys alone, and become pages from its beginning on. With a prefix that
 * number is not known: then there is none, but a page without rows that is to be read.
 *
 * What is read is laid against what was said, and each difference is told when the list is as told.
 * So whatever was read, and however often things have changed meanwhile, what has been told is what
 * the list says; and it says the truth when nothing is left to be read.
 */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "engine/dsq-key-order-private.h"
#include "store/dsq-key-pages-internal.h"

/* Items that are kept though nobody else has them; and such that wait. */
#define MAX_ITEMS   4096
#define MAX_WAITING 1024

void
dsq_key_row_clear (gpointer data)
{
  g_clear_object (&((DsqKeyRow *) data)->item);
}

DsqKeyPage *
dsq_key_page_new (const DsqKeyAnchor *from)
{
  DsqKeyPage *self = g_new0 (DsqKeyPage, 1);

  dsq_key_anchor_copy (&self->from, from);
  self->rows = g_array_new (FALSE, TRUE, sizeof (DsqKeyRow));
  g_array_set_clear_func (self->rows, dsq_key_row_clear);
  self->link.data = self;
  return self;
}

static void
page_free (gpointer data)
{
  DsqKeyPage *self = data;

  dsq_key_anchor_clear (&self->from);
  g_array_unref (self->rows);
  g_free (self);
}

DsqKeyPages *
dsq_key_pages_new (gboolean by_key, gboolean is_counted, DsqKeyPagesFunc func, gpointer data)
{
  DsqKeyPages *self = g_new0 (DsqKeyPages, 1);
  const DsqKeyAnchor start = { 0, NULL };

  self->n_references = 1;
  self->by_key = by_key;
  self->func = func;
  self->data = data;
  self->pages = g_ptr_array_new_with_free_func (page_free);
  self->waiting = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->has_gap = is_counted;
  if (!is_counted)
    {
      g_ptr_array_add (self->pages, dsq_key_page_new (&start));
      dsq_key_page_at (self, 0)->is_due = TRUE;
    }
  return self;
}

void
dsq_key_pages_unref (DsqKeyPages *self)
{
  if (--self->n_references > 0)
    return;
  dsq_key_anchor_clear (&self->gap);
  g_hash_table_unref (self->waiting);
  g_ptr_array_unref (self->pages);
  g_free (self);
}

/* --- positions -------------------------------------------------------------------------------- */

void
dsq_key_pages_unplace (DsqKeyPages *self, guint index)
{
  self->n_placed = MIN (self->n_placed, index);
}

void
dsq_key_pages_place (DsqKeyPages *self)
{
  guint start = 0;

  if (self->n_placed > 0)
    {
      const DsqKeyPage *last = dsq_key_page_at (self, self->n_placed - 1);

      start = last->start + last->rows->len;
    }
  for (; self->n_placed < self->pages->len; self->n_placed++)
    {
      DsqKeyPage *page = dsq_key_page_at (self, self->n_placed);

      page->start = start;
      page->index = self->n_placed;
      start += page->rows->len;
    }
}

/* The last page that does not begin behind the position. */
static DsqKeyPage *
find_position (DsqKeyPages *self, guint position)
{
  guint from = 0, end;

  dsq_key_pages_place (self);
  end = self->pages->len;
  while (end - from > 1)
    {
      guint middle = from + (end - from) / 2;

      if (dsq_key_page_at (self, middle)->start <= position)
        from = middle;
      else
        end = middle;
    }
  return dsq_key_page_at (self, from);
}

/* --- items ------------------------------------------------------------------------------------ */

void
dsq_key_pages_drop_item (DsqKeyPages *self, DsqKeyRow *row)
{
  self->n_items -= row->item != NULL;
  g_clear_object (&row->item);
}

void
dsq_key_pages_forget_recent (DsqKeyPages *self, DsqKeyPage *page)
{
  if (page->is_recent)
    g_queue_unlink (&self->recent, &page->link);
  page->is_recent = FALSE;
}

static void
note_recent (DsqKeyPages *self, DsqKeyPage *page)
{
  if (self->recent.head == &page->link)
    return;
  dsq_key_pages_forget_recent (self, page);
  g_queue_push_head_link (&self->recent, &page->link);
  page->is_recent = TRUE;
}

/* Sees which items its rows have, and whether any of them waits. */
void
dsq_key_pages_see_items (DsqKeyPages *self, DsqKeyPage *page)
{
  gboolean has_items = FALSE;

  page->is_wanted = FALSE;
  for (guint i = 0; i < page->rows->len; i++)
    {
      DsqItem *item = dsq_key_row_at (page, i)->item;

      has_items = has_items || item != NULL;
      page->is_wanted = page->is_wanted || (item != NULL && dsq_item_is_loading (item));
    }
  dsq_key_pages_forget_recent (self, page);
  if (has_items)
    note_recent (self, page);
}

/* Lets go of those that nobody else has. */
static void
thin_out (DsqKeyPages *self, DsqKeyPage *page)
{
  for (guint i = 0; i < page->rows->len; i++)
    {
      DsqKeyRow *row = dsq_key_row_at (page, i);

      if (row->item != NULL && !dsq_item_is_held (row->item))
        dsq_key_pages_drop_item (self, row);
    }
  dsq_key_pages_see_items (self, page);
}

/* A page that has only such as others have comes first then: the next time it is another's turn. */
void
dsq_key_pages_limit_items (DsqKeyPages *self)
{
  for (guint i = 0; i < 4 && self->n_items > MAX_ITEMS && self->recent.length > 1; i++)
    thin_out (self, self->recent.tail->data);
}

static void
limit_waiting (DsqKeyPages *self)
{
  GHashTableIter iter;
  gpointer item;

  if (g_hash_table_size (self->waiting) <= MAX_WAITING)
    return;
  g_hash_table_iter_init (&iter, self->waiting);
  while (g_hash_table_iter_next (&iter, NULL, &item))
    if (!dsq_item_is_held (item))
      g_hash_table_iter_remove (&iter);
}

static DsqItem *
get_waiting (DsqKeyPages *self, guint offset)
{
  DsqItem *item = g_hash_table_lookup (self->waiting, GUINT_TO_POINTER (offset));

  if (item != NULL)
    return g_object_ref (item);
  limit_waiting (self);
  item = dsq_item_new ();
  g_hash_table_insert (self->waiting, GUINT_TO_POINTER (offset), g_object_ref (item));
  return item;
}

DsqItem *
dsq_key_pages_get_item (DsqKeyPages *self, guint position)
{
  g_autoptr (DsqItem) item = NULL;
  DsqKeyPage *page;
  DsqKeyRow *row;

  if (position >= self->n_rows)
    return get_waiting (self, position - self->n_rows);
  page = find_position (self, position);
  row = dsq_key_row_at (page, position - page->start);
  if (row->item == NULL)
    {
      row->item = dsq_item_new ();
      self->n_items++;
    }
  page->is_wanted = page->is_wanted || dsq_item_is_loading (row->item);
  item = g_object_ref (row->item);
  note_recent (self, page);
  dsq_key_pages_limit_items (self);
  return g_steal_pointer (&item);
}

/* --- what has changed ------------------------------------------------------------------------- */

#define N_BITS 4096

/* In one pass over all hashes, most of which a few bits rule out. */
static void
note_hashes (DsqKeyPages *self, GHashTable *hashes, const guint8 *bits)
{
  for (guint i = 0; i < self->pages->len; i++)
    {
      DsqKeyPage *page = dsq_key_page_at (self, i);

      for (guint j = 0; j < page->rows->len && !page->is_due; j++)
        {
          const DsqKeyRow *row = dsq_key_row_at (page, j);
          guint bit = row->hash % N_BITS;

          page->is_due =
              (bits[bit / 8] >> bit % 8 & 1) != 0 && g_hash_table_contains (hashes, &row->hash);
        }
    }
}

/* Where it would stand. */
static void
note_key_place (DsqKeyPages *self, const char *key)
{
  const guint8 *bytes = (const guint8 *) key;
  gsize length = strlen (key);
  guint from = 0, end = self->pages->len;

  if (self->has_gap && self->gap.key != NULL &&
      dsq_key_compare (bytes,
                       length,
                       g_bytes_get_data (self->gap.key, NULL),
                       g_bytes_get_size (self->gap.key)) >= 0)
    return;
  while (end - from > 1)
    {
      guint middle = from + (end - from) / 2;
      GBytes *first = dsq_key_page_at (self, middle)->from.key;

      if (dsq_key_compare (bytes,
                           length,
                           g_bytes_get_data (first, NULL),
                           g_bytes_get_size (first)) >= 0)
        from = middle;
      else
        end = middle;
    }
  if (end > 0)
    dsq_key_page_at (self, from)->is_due = TRUE;
}

void
dsq_key_pages_note (DsqKeyPages *self, const char *const *keys, guint32 table)
{
  g_autoptr (GHashTable) hashes = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint8 bits[N_BITS / 8] = { 0 };

  /* which of its keys are on their way here is not known */
  self->is_gap_due = TRUE;
  for (guint i = 0; keys == NULL && i < self->pages->len; i++)
    dsq_key_page_at (self, i)->is_due = TRUE;
  for (guint i = 0; keys != NULL && keys[i] != NULL; i++)
    {
      guint64 hash = dsq_hash (table, (const guint8 *) keys[i], strlen (keys[i]));
      guint bit = hash % N_BITS;

      if (self->by_key)
        note_key_place (self, keys[i]);
      bits[bit / 8] |= (guint8) (1u << bit % 8);
      g_hash_table_add (hashes, g_memdup2 (&hash, sizeof hash));
    }
  /* by key it is enough where they stand */
  if (keys != NULL && !self->by_key)
    note_hashes (self, hashes, bits);
  /* what has come stands behind all others */
  if (!self->by_key && !self->has_gap && self->pages->len > 0)
    dsq_key_page_at (self, self->pages->len - 1)->is_due = TRUE;
}

/* --- asking ----------------------------------------------------------------------------------- */

static gboolean
is_settled (const DsqKeyPages *self, const DsqKeyAnchor *anchor, gint64 settled_end)
{
  return self->by_key || anchor->place < settled_end;
}

static void
ask_page (DsqKeyPages *self, DsqKeyReading *reading, gint64 settled_end, guint index)
{
  DsqKeyPage *page = dsq_key_page_at (self, index);
  const DsqKeyAnchor *end = NULL;

  if (index + 1 < self->pages->len)
    end = &dsq_key_page_at (self, index + 1)->from;
  else if (self->has_gap)
    end = &self->gap;
  dsq_key_anchor_copy (&reading->from, &page->from);
  reading->has_end = end != NULL;
  if (end != NULL)
    dsq_key_anchor_copy (&reading->end, end);
  reading->is_settled = is_settled (self, &page->from, settled_end) &&
                        (end == NULL || is_settled (self, end, settled_end));
  reading->max_keys = DSQ_KEY_MAX_READ;
  reading->wanted = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (guint i = 0; i < page->rows->len; i++)
    if (dsq_key_row_at (page, i)->item != NULL)
      g_hash_table_add (reading->wanted,
                        g_memdup2 (&dsq_key_row_at (page, i)->hash, sizeof (guint64)));
  page->is_due = page->is_wanted = FALSE;
}

/* One that somebody waits for has items, and so is among the recent. */
static int
find_due (const DsqKeyPages *self)
{
  int due = -1;

  for (const GList *link = self->recent.head; link != NULL; link = link->next)
    if (((DsqKeyPage *) link->data)->is_wanted)
      return (int) ((DsqKeyPage *) link->data)->index;
  for (guint i = 0; i < self->pages->len && due < 0; i++)
    if (dsq_key_page_at (self, i)->is_due)
      due = (int) i;
  return due;
}

static guint
last_waiting (const DsqKeyPages *self)
{
  guint last = 0;
  GHashTableIter iter;
  gpointer offset;

  g_hash_table_iter_init (&iter, self->waiting);
  while (g_hash_table_iter_next (&iter, &offset, NULL))
    last = MAX (last, GPOINTER_TO_UINT (offset));
  return last;
}

gboolean
dsq_key_pages_ask (DsqKeyPages *self, DsqKeyReading *reading, gint64 settled_end, int *out_page)
{
  dsq_key_pages_place (self);
  *out_page = find_due (self);
  if (*out_page >= 0)
    {
      ask_page (self, reading, settled_end, (guint) *out_page);
      return TRUE;
    }
  if (!self->has_gap)
    return FALSE;
  self->is_gap_due = FALSE;
  dsq_key_anchor_copy (&reading->from, &self->gap);
  reading->is_settled = is_settled (self, &self->gap, settled_end);
  if (g_hash_table_size (self->waiting) > 0)
    reading->max_keys = CLAMP (last_waiting (self) + 1, DSQ_KEY_PAGE_ROWS, DSQ_KEY_MAX_READ);
  return reading->max_keys > 0;
}

void
dsq_key_pages_give_back (DsqKeyPages *self, int page)
{
  if (page >= 0 && (guint) page < self->pages->len)
    dsq_key_page_at (self, (guint) page)->is_due = TRUE;
}
