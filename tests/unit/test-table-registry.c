/* test-table-registry.c - tables by name and by id
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "codec/dsq-format-private.h"
#include "engine/dsq-tables-private.h"
#include "part-support.h"

typedef struct
{
  DsqBudget budget;
  DsqShards *shards; /* (owned) all locked */
  DsqTables tables;
} Fixture;

static DsqTable *
add (Fixture *self, const char *name, guint32 id)
{
  g_autoptr (GBytes) bytes = name != NULL ? g_bytes_new (name, strlen (name)) : NULL;
  const DsqTableState state = { .table = id };

  return dsq_tables_add_locked (&self->tables,
                                bytes,
                                dsq_pending_new (self->shards, &state, FALSE));
}

static DsqTable *
find (Fixture *self, const char *name)
{
  g_autoptr (GBytes) bytes = g_bytes_new (name, strlen (name));

  return dsq_tables_find_locked (&self->tables, bytes);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  dsq_budget_init (&self->budget, 0);
  self->shards = dsq_shards_new (&self->budget, 100, FALSE, 1 << 20, 0);
  dsq_shards_lock_all (self->shards);
  dsq_tables_init (&self->tables);
  add (self, NULL, DSQ_TABLE_MAIN);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_shards_unlock_all (self->shards);
  dsq_tables_clear (&self->tables);
  dsq_shards_free (self->shards);
  dsq_budget_clear (&self->budget);
}

static void
test_first (Fixture *self, gconstpointer data)
{
  DsqTable *main_table = dsq_tables_get (&self->tables, DSQ_TABLE_MAIN);

  g_assert_true (main_table == &self->tables.main);
  g_assert_true (dsq_tables_find (&self->tables, DSQ_TABLE_MAIN) == main_table);
  g_assert_cmpuint (main_table->id, ==, DSQ_TABLE_MAIN);
  g_assert_false (self->shards->hot.has_tables);
  dsq_tables_drop_locked (&self->tables, main_table);
  g_assert_false (main_table->is_dropped);
  g_assert_cmpuint (self->tables.used->len, ==, 1);
}

static void
test_by_name_and_id (Fixture *self, gconstpointer data)
{
  DsqTable *two, *last;

  g_assert_null (dsq_tables_find (&self->tables, 2));
  two = add (self, "two", 2);
  /* in another page than the others */
  last = add (self, "last", DSQ_TABLE_MAX);
  g_assert_true (self->shards->hot.has_tables);
  g_assert_true (find (self, "two") == two);
  g_assert_true (find (self, "last") == last);
  g_assert_null (find (self, "three"));
  g_assert_true (dsq_tables_get (&self->tables, 2) == two);
  g_assert_true (dsq_tables_find (&self->tables, DSQ_TABLE_MAX) == last);
  g_assert_null (dsq_tables_find (&self->tables, 3));
  g_assert_null (dsq_tables_find (&self->tables, DSQ_TABLES_A_PAGE));
}

/* An id stands for its table for ever, and a name for the one that has it now. */
static void
test_dropped (Fixture *self, gconstpointer data)
{
  DsqTable *old = add (self, "name", 2);
  DsqTable *new;

  dsq_tables_drop_locked (&self->tables, old);
  dsq_tables_drop_locked (&self->tables, old); /* does no harm */
  g_assert_true (old->is_dropped);
  g_assert_null (find (self, "name"));
  g_assert_true (dsq_tables_get (&self->tables, 2) == old);
  g_assert_cmpuint (self->tables.used->len, ==, 1);
  g_assert_cmpuint (self->tables.dropped->len, ==, 1);
  new = add (self, "name", 3);
  g_assert_true (find (self, "name") == new);
  g_assert_false (new->is_dropped);
}

/* What is found by its id then says that it was dropped; memory is given back when nobody has it.
 */
static void
test_reclaimed (Fixture *self, gconstpointer data)
{
  DsqTable *walked = add (self, "walked", 2);
  DsqTable *other = add (self, "other", 3);
  DsqTable *watched = add (self, "watched", 4);

  walked->pending->n_cursors = 1;
  dsq_tables_drop_locked (&self->tables, walked);
  dsq_tables_drop_locked (&self->tables, other);
  dsq_tables_drop_locked (&self->tables, watched);
  /* one that has been told of its end, and was not taken out yet */
  watched->watchers = (gpointer) self;
  dsq_tables_reclaim_locked (&self->tables, TRUE);
  g_assert_true (dsq_tables_get (&self->tables, 2) == walked);
  g_assert_true (dsq_tables_find (&self->tables, 2) == walked);
  g_assert_true (dsq_tables_get (&self->tables, 3)->is_dropped);
  g_assert_true (dsq_tables_get (&self->tables, 3) != other);
  g_assert_false (dsq_tables_is_used_locked (&self->tables, dsq_tables_get (&self->tables, 3)));
  g_assert_null (dsq_tables_find (&self->tables, 3));
  g_assert_true (dsq_tables_find (&self->tables, 4) == watched);
  g_assert_cmpuint (self->tables.dropped->len, ==, 2);
  g_assert_cmpuint (self->tables.left->len, ==, 1);

  watched->watchers = NULL;
  walked->pending->n_cursors = 0;
  dsq_tables_reclaim_locked (&self->tables, FALSE);
  g_assert_cmpuint (self->tables.dropped->len, ==, 0);
  g_assert_cmpuint (self->tables.left->len, ==, 3);
  g_assert_true (dsq_tables_get (&self->tables, 2) == dsq_tables_get (&self->tables, 3));
  dsq_tables_reclaim_locked (&self->tables, TRUE);
  g_assert_cmpuint (self->tables.left->len, ==, 0);
  g_assert_true (dsq_tables_get (&self->tables, 3)->is_dropped);
}

static void
test_changes_show_while_walked (Fixture *self, gconstpointer data)
{
  DsqTable *table = add (self, "name", 2);

  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, NULL);
  g_assert_cmpuint (table->version, ==, 0);
  table->pending->n_cursors = 1;
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_VALUES, NULL);
  g_assert_cmpuint (table->version, ==, 1);
  g_assert_cmpuint (table->keys_version, ==, 0);
  dsq_table_mark_changed_locked (table, DSQ_CHANGE_OF_KEYS, NULL);
  g_assert_cmpuint (table->version, ==, 2);
  g_assert_cmpuint (table->keys_version, ==, 1);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("first", test_first),
    PART_TEST ("by-name-and-id", test_by_name_and_id),
    PART_TEST ("dropped", test_dropped),
    PART_TEST ("reclaimed", test_reclaimed),
    PART_TEST ("changes-show-while-walked", test_changes_show_while_walked),
  };

  return RUN_PART_TESTS ("table-registry", argc, argv, tests);
}
