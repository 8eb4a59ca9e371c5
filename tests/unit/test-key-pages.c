/* test-key-pages.c - what a list of keys says it holds, laid against what is read step by step
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "engine/dsq-key-order-private.h"
#include "store/dsq-key-pages-internal.h"

#define ROWS DSQ_KEY_PAGE_ROWS

typedef struct
{
  gboolean by_key;
  gboolean is_counted;
} Mode;

static const Mode by_place = { FALSE, TRUE };
static const Mode by_key = { TRUE, TRUE };
static const Mode of_prefix = { FALSE, FALSE };

/* The keys are numbers: in a list by place each stands at its position plus one. */
typedef struct Fixture Fixture;
struct Fixture
{
  const Mode *mode;                                 /* (unowned) */
  DsqKeyPages *pages;                               /* (owned) (nullable) */
  GArray *keys;                                     /* (owned) of guint: what there is */
  guint n_told;                                     /* how often */
  guint n_removed;                                  /* rows that were told to be gone */
  guint length;                                     /* by what was told */
  void (*as_told) (Fixture *self, guint n_removed); /* (nullable) */
  void (*as_read) (Fixture *self);                  /* (nullable) before what was read is learned */
};

static void
on_changed (guint position, guint n_removed, guint n_added, gpointer user_data)
{
  Fixture *self = user_data;

  g_assert_cmpuint (position + n_removed, <=, self->length);
  self->length = self->length - n_removed + n_added;
  g_assert_cmpuint (dsq_key_pages_count (self->pages), ==, self->length);
  self->n_told++;
  self->n_removed += n_removed;
  if (self->as_told != NULL)
    self->as_told (self, n_removed);
}

static void
fill (Fixture *self, guint from, guint n)
{
  for (guint i = from; i < from + n; i++)
    g_array_append_val (self->keys, i);
}

static void
set_up (Fixture *self, gconstpointer mode)
{
  *self = (Fixture){ .mode = mode };
  self->pages = dsq_key_pages_new (self->mode->by_key, self->mode->is_counted, on_changed, self);
  self->keys = g_array_new (FALSE, FALSE, sizeof (guint));
}

static void
tear_down (Fixture *self, gconstpointer mode)
{
  g_clear_pointer (&self->pages, dsq_key_pages_unref);
  g_array_unref (self->keys);
}

/* --- what is read ----------------------------------------------------------------------------- */

typedef struct
{
  char text[16];
  DsqKey key;
} Name;

static void
name_key (guint number, Name *out)
{
  const guint8 *bytes = (const guint8 *) out->text;

  g_snprintf (out->text, sizeof out->text, "%08u", number);
  out->key = (DsqKey){ bytes, 8, DSQ_TABLE_MAIN, dsq_hash (DSQ_TABLE_MAIN, bytes, 8) };
}

static void
found_clear (gpointer data)
{
  DsqKeyFound *self = data;

  dsq_entry_unref (self->entry);
  g_clear_pointer (&self->value, dsq_entry_unref);
}

static void
reading_init (DsqKeyReading *self)
{
  memset (self, 0, sizeof *self);
  self->found = g_array_new (FALSE, FALSE, sizeof (DsqKeyFound));
  g_array_set_clear_func (self->found, found_clear);
}

static void
reading_clear (DsqKeyReading *self)
{
  dsq_key_anchor_clear (&self->from);
  dsq_key_anchor_clear (&self->end);
  dsq_key_anchor_clear (&self->next);
  g_clear_pointer (&self->wanted, g_hash_table_unref);
  g_array_unref (self->found);
}

/* Whether one comes before where a part begins or ends. */
static gboolean
is_before (const Fixture *self, const Name *name, gint64 place, const DsqKeyAnchor *anchor)
{
  if (!self->mode->by_key)
    return place < anchor->place;
  return anchor->key != NULL && dsq_key_compare (name->key.bytes,
                                                 name->key.length,
                                                 g_bytes_get_data (anchor->key, NULL),
                                                 g_bytes_get_size (anchor->key)) < 0;
}

static void
add_found (DsqKeyReading *reading, const Name *name, gint64 place)
{
  const guint8 record[] = { 1 };
  DsqKeyFound found = { name->key.hash, place, dsq_entry_new (&name->key, NULL, 0, 0), NULL };

  if (reading->wanted != NULL && g_hash_table_contains (reading->wanted, &found.hash))
    found.value = dsq_entry_new (&name->key, record, sizeof record, 0);
  g_array_append_val (reading->found, found);
}

/* As a thread of a store would. */
static void
read_part (Fixture *self, DsqKeyReading *reading)
{
  Name name;

  reading->is_all = TRUE;
  reading->n_keys = self->keys->len;
  for (guint i = 0; i < self->keys->len; i++)
    {
      name_key (g_array_index (self->keys, guint, i), &name);
      if (is_before (self, &name, i + 1, &reading->from))
        continue;
      if (reading->has_end && !is_before (self, &name, i + 1, &reading->end))
        return;
      if (reading->found->len == reading->max_keys)
        {
          reading->is_all = FALSE;
          reading->next.place = i + 1;
          if (self->mode->by_key)
            reading->next.key = g_bytes_new (name.key.bytes, name.key.length);
          return;
        }
      add_found (reading, &name, i + 1);
    }
}

/* Has one part read. FALSE: nothing was to be. */
static gboolean
learn_one (Fixture *self)
{
  DsqKeyReading reading;
  gboolean asks;
  int page;

  reading_init (&reading);
  asks = dsq_key_pages_ask (self->pages, &reading, G_MAXINT64, &page);
  if (asks)
    {
      read_part (self, &reading);
      if (self->as_read != NULL)
        self->as_read (self);
      dsq_key_pages_learn (self->pages, &reading, page);
    }
  reading_clear (&reading);
  return asks;
}

/* What each row says is the key that stands there. */
static void
assert_true_rows (Fixture *self)
{
  guint n = 0;

  dsq_key_pages_place (self->pages);
  for (guint i = 0; i < self->pages->pages->len; i++)
    {
      DsqKeyPage *page = dsq_key_page_at (self->pages, i);

      g_assert_cmpuint (page->start, ==, n);
      for (guint j = 0; j < page->rows->len; j++)
        {
          Name name;

          name_key (g_array_index (self->keys, guint, n++), &name);
          g_assert_cmpuint (dsq_key_row_at (page, j)->hash, ==, name.key.hash);
        }
    }
  g_assert_cmpuint (n, ==, self->pages->n_rows);
  g_assert_cmpuint (self->length, ==, self->keys->len);
}

static void
learn_number (Fixture *self)
{
  DsqKeyReading reading;

  reading_init (&reading);
  reading.n_keys = self->keys->len;
  dsq_key_pages_learn (self->pages, &reading, -1);
  reading_clear (&reading);
}

static void
settle (Fixture *self)
{
  while (learn_one (self))
    ;
  assert_true_rows (self);
}

static DsqItem *
look (Fixture *self, guint position)
{
  return dsq_key_pages_get_item (self->pages, position);
}

/* Has all up to a position met. */
static void
meet (Fixture *self, guint n)
{
  learn_number (self);
  g_object_unref (look (self, n - 1));
  settle (self);
}

static void
note (Fixture *self, guint number)
{
  const char *keys[2] = { NULL };
  Name name;

  name_key (number, &name);
  keys[0] = name.text;
  dsq_key_pages_note (self->pages, keys, DSQ_TABLE_MAIN);
}

static gboolean
is_due (Fixture *self, guint page)
{
  return dsq_key_page_at (self->pages, page)->is_due;
}

/* --- pages that change ------------------------------------------------------------------------ */

/* Without a prefix's keys there is one page, which stays. */
static void
test_nothing (Fixture *self, gconstpointer mode)
{
  settle (self);
  g_assert_cmpuint (self->pages->pages->len, ==, 1);
  g_assert_cmpuint (self->n_told, ==, 0);
  fill (self, 0, 3);
  note (self, 0);
  settle (self);
  g_assert_cmpuint (self->length, ==, 3);
}

/* The one behind it begins where it did, and is read since something is new there as well. */
static void
test_first_page_empties (Fixture *self, gconstpointer mode)
{
  fill (self, 0, 3 * ROWS);
  meet (self, 3 * ROWS);
  g_assert_cmpuint (self->pages->pages->len, ==, 3);
  g_array_remove_range (self->keys, 0, ROWS);
  note (self, 0);
  note (self, ROWS);
  g_assert_true (is_due (self, 0) && is_due (self, 1) && !is_due (self, 2));
  g_assert_true (learn_one (self));
  g_assert_cmpuint (self->pages->pages->len, ==, 2);
  g_assert_true (is_due (self, 0));
  g_assert_null (dsq_key_page_at (self->pages, 0)->from.key);
  /* what comes first of all belongs to it */
  g_array_insert_vals (self->keys, 0, (const guint[]){ 7 }, 1);
  settle (self);
  g_assert_cmpuint (self->n_removed, ==, ROWS);
  /* where nothing is new there it is not read */
  g_array_set_size (self->keys, ROWS + 1);
  note (self, 3 * ROWS - 1);
  g_assert_true (learn_one (self));
  g_assert_cmpuint (self->pages->pages->len, ==, 1);
  g_assert_false (is_due (self, 0));
  settle (self);
}

static void
note_in_second (Fixture *self, guint n_removed)
{
  const guint number = ROWS + 5;

  if (n_removed == 0 || self->keys->len != 2 * ROWS)
    return;
  g_array_insert_vals (self->keys, ROWS, &number, 1);
  note (self, number);
}

/* As it is told that it has no more, one of its keys comes back: that is the page's before it. */
static void
test_comes_back_as_it_empties (Fixture *self, gconstpointer mode)
{
  fill (self, 0, 3 * ROWS);
  meet (self, 3 * ROWS);
  g_array_remove_range (self->keys, ROWS, ROWS);
  self->as_told = note_in_second;
  note (self, ROWS);
  g_assert_true (learn_one (self));
  g_assert_cmpuint (self->pages->pages->len, ==, 2);
  g_assert_true (is_due (self, 0));
  settle (self);
  g_assert_cmpuint (self->length, ==, 2 * ROWS + 1);
}

/* Two that have changed places: the first has moved back. */
static void
test_moves_back (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqItem) stays = NULL;
  g_autoptr (DsqItem) moves = NULL;
  g_autoptr (DsqItem) now = NULL;
  guint *keys;

  fill (self, 0, ROWS);
  meet (self, ROWS);
  moves = look (self, 10);
  stays = look (self, 20);
  settle (self);
  keys = (guint *) self->keys->data;
  keys[10] = 20;
  keys[20] = 10;
  note (self, 10);
  settle (self);
  now = look (self, 10);
  g_assert_true (now == stays);
  g_assert_false (dsq_item_is_held (moves));
  g_assert_false (dsq_item_is_loading (stays));
}

/* More than is read at once comes behind all that a page has, which is whole then. */
static void
test_much_comes_behind (Fixture *self, gconstpointer mode)
{
  fill (self, 0, 10);
  meet (self, 10);
  g_assert_false (self->pages->has_gap);
  fill (self, 10, DSQ_KEY_MAX_READ + 10);
  note (self, 20);
  g_assert_true (learn_one (self));
  g_assert_cmpuint (self->length, ==, DSQ_KEY_MAX_READ);
  settle (self);
  g_assert_cmpuint (self->n_removed, ==, 0);
}

static void
end_all (Fixture *self, guint n_removed)
{
  self->pages->is_over = TRUE;
}

/* Nothing more is told to who has let go of it meanwhile. */
static void
test_ends_as_it_tells (Fixture *self, gconstpointer mode)
{
  fill (self, 0, 20);
  meet (self, 20);
  self->n_told = 0;
  g_array_remove_index (self->keys, 15);
  g_array_remove_index (self->keys, 5);
  note (self, 5);
  self->as_told = end_all;
  g_assert_true (learn_one (self));
  g_assert_cmpuint (self->n_told, ==, 1);
  g_assert_cmpuint (self->length, ==, 19);
}

/* --- the gap ---------------------------------------------------------------------------------- */

/* Items that wait for what there is no more are let go of. */
static void
test_fewer_than_waited_for (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqItem) first = NULL;
  g_autoptr (DsqItem) last = NULL;

  fill (self, 0, 100);
  learn_number (self);
  first = look (self, 3);
  last = look (self, 99);
  g_array_set_size (self->keys, 50);
  learn_number (self);
  g_assert_cmpuint (self->length, ==, 50);
  g_assert_cmpuint (g_hash_table_size (self->pages->waiting), ==, 1);
  g_assert_false (dsq_item_is_held (last));
  settle (self);
  g_assert_true (dsq_item_is_loading (last));
  g_assert_true (dsq_item_is_held (first));
}

/* A key that has not been met has no page that is to be read. */
static void
test_in_the_gap (Fixture *self, gconstpointer mode)
{
  fill (self, 0, 8 * ROWS);
  learn_number (self);
  note (self, 5);
  g_assert_cmpuint (self->pages->pages->len, ==, 0);
  meet (self, 3 * ROWS);
  g_assert_cmpuint (self->pages->pages->len, ==, 3);
  note (self, 3 * ROWS);
  note (self, 5 * ROWS);
  g_assert_false (is_due (self, 0) || is_due (self, 1) || is_due (self, 2));
  note (self, 3 * ROWS - 1);
  g_assert_true (is_due (self, 2) && !is_due (self, 1));
  note (self, ROWS + 1);
  g_assert_true (is_due (self, 1) && !is_due (self, 0));
  note (self, 0);
  g_assert_true (is_due (self, 0));
  settle (self);
}

static void
change_one (Fixture *self)
{
  guint number = g_array_index (self->keys, guint, 5);

  self->as_read = NULL;
  g_array_remove_index (self->keys, 5);
  if (self->mode->by_key)
    number = 3 * ROWS - 1;
  g_array_append_val (self->keys, number);
  note (self, number);
}

static void
change_all (Fixture *self)
{
  self->as_read = NULL;
  g_array_remove_index (self->keys, 5);
  dsq_key_pages_note (self->pages, NULL, DSQ_TABLE_MAIN);
}

/* What is told of while its keys are on their way is not what they say. */
static void
test_changes_as_the_gap_is_read (Fixture *self, gconstpointer mode)
{
  void (*const changes[]) (Fixture *) = { change_one, change_all };

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      tear_down (self, mode);
      set_up (self, mode);
      fill (self, 0, 3 * ROWS - 1);
      learn_number (self);
      g_object_unref (look (self, ROWS - 1));
      self->as_read = changes[i];
      g_assert_true (learn_one (self));
      g_assert_null (self->as_read);
      g_assert_true (is_due (self, 0));
      learn_number (self);
      settle (self);
      g_assert_false (is_due (self, 0));
    }

  /* all of it, behind which something has come */
  tear_down (self, mode);
  set_up (self, mode);
  fill (self, 0, 20);
  learn_number (self);
  g_object_unref (look (self, 19));
  self->as_read = change_one;
  g_assert_true (learn_one (self));
  g_assert_false (self->pages->has_gap);
  settle (self);
}

/* --- places that have shifted ----------------------------------------------------------------- */

/* From the page on in which what waits for the file begins, its keys are met again. */
static void
test_shift_before_gap (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqItem) kept = NULL;
  g_autoptr (DsqItem) waits = NULL;

  fill (self, 0, 6 * ROWS);
  meet (self, 4 * ROWS);
  g_assert_cmpuint (self->pages->pages->len, ==, 4);
  kept = look (self, 0);
  g_object_unref (look (self, 3 * ROWS));
  settle (self);
  waits = look (self, 4 * ROWS + 3);
  /* it begins in the gap itself */
  g_assert_false (dsq_key_pages_shift (self->pages, 4 * ROWS + 2));
  g_assert_cmpuint (self->pages->n_rows, ==, 4 * ROWS);

  self->n_told = 0;
  g_assert_true (dsq_key_pages_shift (self->pages, 2 * ROWS + 10));
  g_assert_cmpuint (self->n_told, ==, 1);
  g_assert_cmpuint (self->pages->n_rows, ==, 2 * ROWS);
  g_assert_cmpuint (self->length, ==, 6 * ROWS);
  g_assert_nonnull (g_hash_table_lookup (self->pages->waiting, GUINT_TO_POINTER (2 * ROWS + 3)));
  /* what was asked for before is no page any more */
  dsq_key_pages_give_back (self->pages, 3);
  dsq_key_pages_give_back (self->pages, -1);
  g_assert_false (is_due (self, 0) || is_due (self, 1));
  for (guint i = 0; i < 5; i++)
    g_array_insert_vals (self->keys, 2 * ROWS + 9, (const guint[]){ 10000 + i }, 1);
  learn_number (self);
  settle (self);
  g_assert_cmpuint (self->pages->n_rows, >=, 4 * ROWS + 4);
  g_assert_false (dsq_item_is_loading (kept) || dsq_item_is_loading (waits));
}

/* Where all have been met that part is one page, which is read. */
static void
test_shift_without_gap (Fixture *self, gconstpointer mode)
{
  g_assert_false (dsq_key_pages_shift (self->pages, 1));
  fill (self, 0, 4 * ROWS + 1);
  meet (self, 4 * ROWS + 1);
  g_object_unref (look (self, 3 * ROWS));
  settle (self);
  g_assert_false (self->pages->has_gap);
  g_assert_false (dsq_key_pages_shift (self->pages, 4 * ROWS + 2));
  settle (self);
  self->n_told = 0;
  g_assert_true (dsq_key_pages_shift (self->pages, ROWS + 10));
  g_assert_cmpuint (self->pages->pages->len, ==, 2);
  g_assert_true (is_due (self, 1));
  g_assert_cmpuint (self->n_told, ==, 0);
  dsq_key_pages_give_back (self->pages, 1);
  g_array_insert_vals (self->keys, ROWS + 9, (const guint[]){ 10000 }, 1);
  settle (self);
  g_assert_cmpuint (self->n_told, ==, 1);
  g_assert_cmpuint (self->n_removed, ==, 0);
  g_assert_cmpuint (self->pages->pages->len, >, 2);

  dsq_key_pages_empty (self->pages);
  g_assert_cmpuint (self->length, ==, 0);
}

static void
test_keys_do_not_shift (Fixture *self, gconstpointer mode)
{
  fill (self, 0, ROWS);
  meet (self, ROWS);
  g_assert_false (dsq_key_pages_shift (self->pages, 0));
  g_assert_false (is_due (self, 0));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, mode, func)                                                                      \
  g_test_add ("/dsq/key-pages/" name, Fixture, &mode, set_up, func, tear_down)
  ADD ("nothing", of_prefix, test_nothing);
  ADD ("first-page-empties", by_key, test_first_page_empties);
  ADD ("comes-back-as-it-empties", by_key, test_comes_back_as_it_empties);
  ADD ("moves-back", by_place, test_moves_back);
  ADD ("much-comes-behind", by_key, test_much_comes_behind);
  ADD ("ends-as-it-tells", by_place, test_ends_as_it_tells);
  ADD ("fewer-than-waited-for", by_place, test_fewer_than_waited_for);
  ADD ("changes-as-the-gap-is-read", by_place, test_changes_as_the_gap_is_read);
  ADD ("changes-by-key-as-the-gap-is-read", by_key, test_changes_as_the_gap_is_read);
  ADD ("in-the-gap", by_key, test_in_the_gap);
  ADD ("shift-before-gap", by_place, test_shift_before_gap);
  ADD ("shift-without-gap", by_place, test_shift_without_gap);
  ADD ("keys-do-not-shift", by_key, test_keys_do_not_shift);
  return g_test_run ();
}
