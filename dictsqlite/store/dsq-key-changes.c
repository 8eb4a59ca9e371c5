/* dsq-key-changes.c - what has been read, laid against what a list of keys says
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "store/dsq-key-pages-internal.h"

/* A page of more rows is cut. */
#define MAX_PAGE_ROWS (2 * DSQ_KEY_PAGE_ROWS)

/* The list is as is told here. FALSE: nothing counts any more. */
static gboolean
tell (DsqKeyPages *self, guint position, guint n_removed, guint n_added)
{
  if (n_removed > 0 || n_added > 0)
    self->func (position, n_removed, n_added, self->data);
  return !self->is_over;
}

/* --- the gap ---------------------------------------------------------------------------------- */

/* Those that wait stand by that much further in the gap, or have left it. */
static void
move_waiting (DsqKeyPages *self, gint64 by)
{
  g_autoptr (GHashTable) waiting = g_steal_pointer (&self->waiting);
  GHashTableIter iter;
  gpointer offset, item;

  self->waiting = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  g_hash_table_iter_init (&iter, waiting);
  while (g_hash_table_iter_next (&iter, &offset, &item))
    {
      gint64 moved = GPOINTER_TO_UINT (offset) + by;

      if (moved >= 0 && moved < self->n_gap)
        g_hash_table_insert (self->waiting, GUINT_TO_POINTER ((guint) moved), g_object_ref (item));
    }
}

/* There are so many keys in all. FALSE: nothing counts any more. */
static gboolean
learn_number (DsqKeyPages *self, guint64 n_keys)
{
  guint n_before = self->n_gap;
  guint n_kept;

  if (!self->has_gap)
    return TRUE;
  n_keys = MIN (n_keys, G_MAXUINT);
  self->n_gap = n_keys > self->n_rows ? (guint) n_keys - self->n_rows : 0;
  n_kept = MIN (n_before, self->n_gap);
  if (n_kept < n_before)
    move_waiting (self, 0);
  return tell (self, self->n_rows + n_kept, n_before - n_kept, self->n_gap - n_kept);
}

static void
anchor_at (const DsqKeyPages *self, const DsqKeyFound *found, DsqKeyAnchor *out)
{
  dsq_key_anchor_clear (out);
  *out = (DsqKeyAnchor){ found->place, NULL };
  if (self->by_key)
    out->key = g_bytes_new (dsq_entry_key (found->entry), found->entry->key_length);
}

/* Cuts a page, whose rows are what was found first, into such as they should be. */
static void
cut (DsqKeyPages *self, guint index, const GArray *found)
{
  DsqKeyPage *page = dsq_key_page_at (self, index);
  GArray *rows = page->rows;

  if (rows->len <= MAX_PAGE_ROWS)
    return;
  dsq_key_pages_unplace (self, index);
  page->rows = g_array_new (FALSE, TRUE, sizeof (DsqKeyRow));
  g_array_set_clear_func (page->rows, dsq_key_row_clear);
  for (guint i = 0; i < rows->len; i += DSQ_KEY_PAGE_ROWS)
    {
      DsqKeyPage *part = page;

      if (i > 0)
        {
          DsqKeyAnchor from = { 0, NULL };

          anchor_at (self, &g_array_index (found, DsqKeyFound, i), &from);
          part = dsq_key_page_new (&from);
          dsq_key_anchor_clear (&from);
          part->is_due = page->is_due;
          g_ptr_array_insert (self->pages, (int) ++index, part);
        }
      g_array_append_vals (part->rows,
                           &g_array_index (rows, DsqKeyRow, i),
                           MIN (DSQ_KEY_PAGE_ROWS, rows->len - i));
      dsq_key_pages_see_items (self, part);
    }
  g_array_set_clear_func (rows, NULL);
  g_array_unref (rows);
}

/* A page without anything is the end of the one before. */
static void
join_empty (DsqKeyPages *self, guint index)
{
  DsqKeyPage *page = dsq_key_page_at (self, index);
  DsqKeyPage *heir;

  if (page->rows->len > 0 || page->n_passed > DSQ_KEY_MAX_READ / 2 || self->pages->len < 2)
    return;
  heir = dsq_key_page_at (self, index > 0 ? index - 1 : 1);
  if (index == 0)
    dsq_key_anchor_copy (&heir->from, &page->from);
  heir->n_passed += page->n_passed;
  heir->is_due = heir->is_due || page->is_due;
  dsq_key_pages_unplace (self, index);
  dsq_key_pages_forget_recent (self, page);
  g_ptr_array_remove_index (self->pages, index);
}

static gboolean
learn_gap (DsqKeyPages *self, const DsqKeyReading *reading)
{
  const GArray *found = reading->found;
  guint start = self->n_rows;
  guint n_known = MIN (found->len, self->n_gap);
  guint n_gone = reading->is_all ? self->n_gap - n_known : 0;
  g_autoptr (GHashTable) waiting = g_hash_table_ref (self->waiting);
  DsqKeyPage *page = dsq_key_page_new (&self->gap);

  for (guint i = 0; i < found->len; i++)
    {
      DsqKeyRow row = { g_array_index (found, DsqKeyFound, i).hash, NULL };
      DsqItem *item = g_hash_table_lookup (waiting, GUINT_TO_POINTER (i));

      row.item = item != NULL ? g_object_ref (item) : NULL;
      self->n_items += item != NULL;
      g_array_append_val (page->rows, row);
    }
  page->is_due = self->is_gap_due;
  g_ptr_array_add (self->pages, page);
  self->n_rows += found->len;
  self->n_gap -= n_known + n_gone;
  move_waiting (self, -(gint64) found->len);
  dsq_key_anchor_copy (&self->gap, &reading->next);
  self->has_gap = !reading->is_all;
  dsq_key_pages_see_items (self, page);
  cut (self, self->pages->len - 1, found);
  join_empty (self, self->pages->len - 1);
  g_clear_pointer (&waiting, g_hash_table_unref);
  dsq_key_pages_limit_items (self);
  return tell (self, start + n_known, n_gone, found->len - n_known);
}

/* --- a page ----------------------------------------------------------------------------------- */

/* Which rows stay, in their order. */
typedef struct
{
  gboolean *old_stays; /* (owned) */
  gboolean *new_stays; /* (owned) */
  guint n_old;         /* rows that are decided: the others stand behind what was read */
} Match;

static GHashTable *
index_hashes (gconstpointer first, gsize stride, guint n)
{
  GHashTable *hashes = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < n; i++)
    g_hash_table_add (hashes, (guint8 *) first + i * stride);
  return hashes;
}

/* One that is there before and after, but not in its order, has moved back. */
static void
match_rows (const DsqKeyPage *page, const GArray *found, gboolean is_all, Match *out)
{
  const DsqKeyRow *rows = (const DsqKeyRow *) page->rows->data;
  const DsqKeyFound *now = (const DsqKeyFound *) found->data;
  g_autoptr (GHashTable) in_old = index_hashes (rows, sizeof *rows, page->rows->len);
  g_autoptr (GHashTable) in_new = index_hashes (now, sizeof *now, found->len);
  guint i = 0, j = 0;

  out->old_stays = g_new0 (gboolean, page->rows->len + 1);
  out->new_stays = g_new0 (gboolean, found->len + 1);
  out->n_old = 0;
  while (i < page->rows->len && j < found->len)
    if (rows[i].hash == now[j].hash)
      {
        out->old_stays[i] = out->new_stays[j] = TRUE;
        out->n_old = ++i;
        j++;
      }
    else if (!g_hash_table_contains (in_new, &rows[i].hash))
      i++;
    else if (!g_hash_table_contains (in_old, &now[j].hash))
      j++;
    else
      g_hash_table_remove (in_old, &rows[i++].hash);
  if (is_all)
    out->n_old = page->rows->len;
}

static void
replace_rows (DsqKeyPages *self,
              DsqKeyPage *page,
              guint at,
              guint n_removed,
              const DsqKeyFound *added,
              guint n_added)
{
  for (guint i = 0; i < n_removed; i++)
    dsq_key_pages_drop_item (self, dsq_key_row_at (page, at + i));
  if (n_removed > 0)
    g_array_remove_range (page->rows, at, n_removed);
  if (n_added > 0)
    {
      g_autofree DsqKeyRow *rows = g_new0 (DsqKeyRow, n_added);

      for (guint i = 0; i < n_added; i++)
        rows[i].hash = added[i].hash;
      g_array_insert_vals (page->rows, at, rows, n_added);
    }
  self->n_rows = self->n_rows - n_removed + n_added;
  dsq_key_pages_unplace (self, page->index + 1);
}

/* Makes the rows what was found, and tells each difference by itself. */
static gboolean
change_rows (DsqKeyPages *self, DsqKeyPage *page, const GArray *found, const Match *match)
{
  const DsqKeyFound *now = (const DsqKeyFound *) found->data;
  guint i = 0, j = 0;

  while (i < match->n_old || j < found->len)
    {
      guint n_removed = 0, n_added = 0;

      while (i + n_removed < match->n_old && !match->old_stays[i + n_removed])
        n_removed++;
      while (j + n_added < found->len && !match->new_stays[j + n_added])
        n_added++;
      if (n_removed > 0 || n_added > 0)
        {
          replace_rows (self, page, j, n_removed, n_added > 0 ? &now[j] : NULL, n_added);
          if (!tell (self, page->start + j, n_removed, n_added))
            return FALSE;
        }
      i += n_removed + 1;
      j += n_added + 1;
    }
  return TRUE;
}

/* What stands behind what was read is a page of its own, to be read. */
static void
cut_rest (DsqKeyPages *self, DsqKeyPage *page, const DsqKeyReading *reading)
{
  guint n_found = reading->found->len;
  DsqKeyPage *rest = dsq_key_page_new (&reading->next);

  g_array_append_vals (rest->rows, dsq_key_row_at (page, n_found), page->rows->len - n_found);
  g_array_set_clear_func (page->rows, NULL);
  g_array_set_size (page->rows, n_found);
  g_array_set_clear_func (page->rows, dsq_key_row_clear);
  rest->is_due = TRUE;
  g_ptr_array_insert (self->pages, (int) page->index + 1, rest);
  dsq_key_pages_unplace (self, page->index + 1);
  dsq_key_pages_see_items (self, rest);
}

/* Items, and what they are now, to be told when the list is whole. */
static GPtrArray *
gather_items (const DsqKeyPage *page, const GArray *found)
{
  GPtrArray *gathered = g_ptr_array_new ();

  for (guint i = 0; i < found->len; i++)
    {
      const DsqKeyFound *now = &g_array_index (found, DsqKeyFound, i);
      DsqItem *item = dsq_key_row_at (page, i)->item;

      if (item == NULL || now->value == NULL)
        continue;
      g_ptr_array_add (gathered, g_object_ref (item));
      g_ptr_array_add (gathered, now->value);
    }
  return gathered;
}

static void
load_items (GPtrArray *gathered)
{
  for (guint i = 0; i < gathered->len; i += 2)
    {
      dsq_item_load (gathered->pdata[i], gathered->pdata[i + 1]);
      g_object_unref (gathered->pdata[i]);
    }
  g_ptr_array_unref (gathered);
}

static gboolean
learn_page (DsqKeyPages *self, DsqKeyPage *page, const DsqKeyReading *reading)
{
  GPtrArray *items;
  gboolean goes_on;
  Match match;

  dsq_key_pages_place (self);
  match_rows (page, reading->found, reading->is_all, &match);
  goes_on = change_rows (self, page, reading->found, &match);
  g_free (match.old_stays);
  g_free (match.new_stays);
  if (!goes_on)
    return FALSE;

  /* who was told may have asked for positions */
  dsq_key_pages_place (self);
  page->n_passed = reading->n_passed;
  items = gather_items (page, reading->found);
  if (!reading->is_all)
    cut_rest (self, page, reading);
  dsq_key_pages_place (self);
  if (page->rows->len > MAX_PAGE_ROWS)
    cut (self, page->index, reading->found);
  else
    join_empty (self, page->index);
  load_items (items);
  return !self->is_over;
}

void
dsq_key_pages_learn (DsqKeyPages *self, DsqKeyReading *reading, int page)
{
  g_autoptr (DsqKeyPages) kept = self;

  kept->n_references++;
  if (page >= 0)
    {
      if (learn_page (self, dsq_key_page_at (self, (guint) page), reading))
        learn_number (self, reading->n_keys);
    }
  else if (learn_number (self, reading->n_keys) && reading->max_keys > 0)
    learn_gap (self, reading);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Keys that are met again, in whichever order, are the gap until then. */
static void
give_to_gap (DsqKeyPages *self, guint index)
{
  guint start, n_rows;

  dsq_key_pages_place (self);
  start = dsq_key_page_at (self, index)->start;
  n_rows = self->n_rows - start;
  dsq_key_anchor_copy (&self->gap, &dsq_key_page_at (self, index)->from);
  for (guint i = index; i < self->pages->len; i++)
    {
      DsqKeyPage *page = dsq_key_page_at (self, i);

      dsq_key_pages_forget_recent (self, page);
      for (guint j = 0; j < page->rows->len; j++)
        dsq_key_pages_drop_item (self, dsq_key_row_at (page, j));
    }
  dsq_key_pages_unplace (self, index);
  g_ptr_array_set_size (self->pages, (int) index);
  self->n_rows -= n_rows;
  self->n_gap += n_rows;
  move_waiting (self, n_rows);
  tell (self, start, n_rows, n_rows);
}

/* All rows from the page on are one page's, which is to be read. */
static void
join_pages (DsqKeyPages *self, guint index)
{
  DsqKeyPage *heir = dsq_key_page_at (self, index);

  for (guint i = index + 1; i < self->pages->len; i++)
    {
      DsqKeyPage *page = dsq_key_page_at (self, i);

      dsq_key_pages_forget_recent (self, page);
      g_array_append_vals (heir->rows, page->rows->data, page->rows->len);
      g_array_set_clear_func (page->rows, NULL);
      g_array_set_size (page->rows, 0);
    }
  dsq_key_pages_unplace (self, index);
  g_ptr_array_set_size (self->pages, (int) index + 1);
  dsq_key_pages_see_items (self, heir);
}

gboolean
dsq_key_pages_shift (DsqKeyPages *self, gint64 settled_end)
{
  guint index = 0;

  if (self->by_key || self->pages->len == 0)
    return FALSE;
  while (index + 1 < self->pages->len &&
         dsq_key_page_at (self, index + 1)->from.place < settled_end)
    index++;
  if (self->has_gap)
    {
      if (self->gap.place < settled_end)
        return FALSE;
      give_to_gap (self, index);
      return TRUE;
    }
  /* others' keys may have come before what waits for the file */
  dsq_key_page_at (self, index)->is_due = TRUE;
  if (index + 1 == self->pages->len)
    return FALSE;
  join_pages (self, index);
  return TRUE;
}

void
dsq_key_pages_empty (DsqKeyPages *self)
{
  guint n = dsq_key_pages_count (self);

  while (self->recent.length > 0)
    dsq_key_pages_forget_recent (self, self->recent.head->data);
  g_ptr_array_set_size (self->pages, 0);
  g_hash_table_remove_all (self->waiting);
  self->n_placed = self->n_rows = self->n_items = self->n_gap = 0;
  self->has_gap = FALSE;
  tell (self, 0, n, 0);
}
