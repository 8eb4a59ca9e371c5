/* dsq-tables.c - the tables of a store, by name and by id
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-format-private.h"
#include "engine/dsq-tables-private.h"

/*
 * The table that a store opens with is a part of the registry, others come when they are opened for
 * the first time:
 *
 *   names   name -> table      of those in use
 *   pages   id   -> table      of all there ever were: a key names its table by id; those that were
 *                              dropped become one, in the end
 *
 * Everything but the pages is guarded by all shards' locks: to be read with any one of them, to be
 * written with all. So whoever holds one has tables that stand still.
 */

void
dsq_tables_init (DsqTables *self)
{
  self->used = g_ptr_array_new ();
  self->dropped = g_ptr_array_new ();
  self->left = g_ptr_array_new ();
  self->names = g_hash_table_new (g_bytes_hash, g_bytes_equal);
}

static void
free_table (DsqTables *self, DsqTable *table)
{
  dsq_front_clear (&table->front);
  dsq_pending_free (table->pending);
  g_clear_pointer (&table->name, g_bytes_unref);
  if (table != &self->main)
    g_free (table);
}

static void
free_tables (DsqTables *self, GPtrArray *tables)
{
  for (guint i = 0; i < tables->len; i++)
    free_table (self, tables->pdata[i]);
  g_ptr_array_set_size (tables, 0);
}

void
dsq_tables_clear (DsqTables *self)
{
  g_hash_table_unref (self->names);
  free_tables (self, self->used);
  free_tables (self, self->dropped);
  free_tables (self, self->left);
  g_ptr_array_unref (self->used);
  g_ptr_array_unref (self->dropped);
  g_ptr_array_unref (self->left);
  g_clear_pointer (&self->gone.pending, dsq_pending_free);
  for (guint i = 0; self->pages != NULL && i <= DSQ_TABLE_MAX / DSQ_TABLES_A_PAGE; i++)
    g_free (self->pages[i]);
  g_free (self->pages);
}

static void
put_into_page (DsqTables *self, DsqTable *table)
{
  DsqTable ***pages = self->pages;
  DsqTable ***page;

  if (pages == NULL)
    {
      pages = g_new0 (DsqTable **, DSQ_TABLE_MAX / DSQ_TABLES_A_PAGE + 1);
      __atomic_store_n (&self->pages, pages, __ATOMIC_RELEASE);
    }
  page = &pages[table->id / DSQ_TABLES_A_PAGE];
  if (*page == NULL)
    *page = g_new0 (DsqTable *, DSQ_TABLES_A_PAGE);
  __atomic_store_n (&(*page)[table->id % DSQ_TABLES_A_PAGE], table, __ATOMIC_RELEASE);
}

DsqTable *
dsq_tables_add_locked (DsqTables *self, GBytes *name, DsqPending *pending)
{
  DsqTable *table = name != NULL ? g_new0 (DsqTable, 1) : &self->main;

  dsq_shards_assert_all_locked (pending->shards);
  table->id = pending->table;
  table->pending = pending;
  table->dead_beyond = G_MAXINT64;
  dsq_front_init (&table->front);
  g_ptr_array_add (self->used, table);
  if (name == NULL)
    return table;
  table->name = g_bytes_ref (name);
  pending->shards->hot.has_tables = TRUE;
  put_into_page (self, table);
  g_hash_table_insert (self->names, table->name, table);
  return table;
}

DsqTable *
dsq_tables_find_locked (DsqTables *self, GBytes *name)
{
  dsq_mutex_assert_rank_held (DSQ_RANK_SHARD);
  return g_hash_table_lookup (self->names, name);
}

void
dsq_tables_drop_locked (DsqTables *self, DsqTable *table)
{
  dsq_shards_assert_all_locked (table->pending->shards);
  if (table->name == NULL)
    return;
  table->is_dropped = TRUE;
  dsq_words_move_all_locked (table->pending->shards->words);
  dsq_watchers_end (table->watchers, NULL, TRUE);
  dsq_front_clear (&table->front);
  dsq_pending_discard_locked (table->pending);
  g_hash_table_remove (self->names, table->name);
  g_clear_pointer (&table->name, g_bytes_unref);
  g_ptr_array_remove_fast (self->used, table);
  g_ptr_array_add (self->dropped, table);
}

static gboolean
is_in_use (const DsqTable *table)
{
  return table->watchers != NULL ||
         __atomic_load_n (&table->pending->n_cursors, __ATOMIC_ACQUIRE) > 0;
}

static void
begin_gone (DsqTables *self)
{
  const DsqTableState nothing = { 0 };

  if (self->gone.pending != NULL)
    return;
  self->gone.is_dropped = TRUE;
  dsq_front_init (&self->gone.front);
  self->gone.pending = dsq_pending_new (self->main.pending->shards, &nothing, FALSE);
}

void
dsq_tables_reclaim_locked (DsqTables *self, gboolean is_quiet)
{
  dsq_shards_assert_all_locked (self->main.pending->shards);
  if (is_quiet)
    free_tables (self, self->left);
  begin_gone (self);
  for (guint i = self->dropped->len; i > 0; i--)
    {
      DsqTable *table = self->dropped->pdata[i - 1];

      if (is_in_use (table))
        continue;
      __atomic_store_n (&self->pages[table->id / DSQ_TABLES_A_PAGE][table->id % DSQ_TABLES_A_PAGE],
                        &self->gone,
                        __ATOMIC_SEQ_CST);
      g_ptr_array_remove_index_fast (self->dropped, i - 1);
      g_ptr_array_add (self->left, table);
    }
}
