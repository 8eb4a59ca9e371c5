/* browser-tables.c - the tables of a store as a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-tables.h"

#include "browser-job.h"
#include "browser-part.h"
#include "browser-value.h"

/* How often others' tables are looked for: a watch tells of one table's entries alone. */
#define LOOK_AGAIN 2

struct _BrowserTables
{
  GObject parent_instance;

  GtkStringList *texts;          /* (owned) of the main table, and of names */
  GtkSingleSelection *selection; /* (owned) of texts */
  GPtrArray *names;              /* (owned) of GBytes */
  GBytes *chosen;                /* (owned) (nullable) the table shown; NULL: the main one */
  DsqStore *store;               /* (owned) (nullable) */
  guint clock;                   /* a source */
  guint serial;                  /* moves with store */
  gboolean is_asking;
  gboolean is_changing; /* the list, and no user */
};

G_DEFINE_FINAL_TYPE (BrowserTables, browser_tables, G_TYPE_OBJECT)

/* --- the list --------------------------------------------------------------------------------- */

static void
set_up_row (GtkListItemFactory *factory, GtkListItem *row, gpointer data)
{
  browser_part_add_label (row);
}

static void
bind_row (GtkListItemFactory *factory, GtkListItem *row, gpointer data)
{
  GtkStringObject *text = gtk_list_item_get_item (row);
  GtkWidget *label = gtk_list_item_get_child (row);

  gtk_label_set_text (GTK_LABEL (label), gtk_string_object_get_string (text));
  gtk_widget_set_tooltip_text (label, gtk_string_object_get_string (text));
}

static void
show_chosen (BrowserTables *self)
{
  g_autoptr (DsqStore) table = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *name;
  gsize length;

  if (self->chosen == NULL)
    table = g_object_ref (self->store);
  else
    {
      name = browser_bytes_get (self->chosen, &length);
      table = dsq_store_get_table_utf8 (self->store, name, length, &error);
    }
  if (table != NULL)
    g_signal_emit_by_name (self, "selected", table);
  else
    g_signal_emit_by_name (self, "failed", error);
}

static void
on_selected (BrowserTables *self)
{
  guint position = gtk_single_selection_get_selected (self->selection);

  if (self->is_changing || self->store == NULL || position == GTK_INVALID_LIST_POSITION)
    return;
  g_clear_pointer (&self->chosen, g_bytes_unref);
  if (position > 0)
    self->chosen = g_bytes_ref (self->names->pdata[position - 1]);
  show_chosen (self);
}

static gboolean
are_same (GPtrArray *a, GPtrArray *b)
{
  if (a->len != b->len)
    return FALSE;
  for (guint i = 0; i < a->len; i++)
    if (!g_bytes_equal (a->pdata[i], b->pdata[i]))
      return FALSE;
  return TRUE;
}

static void
take_names (BrowserTables *self, GPtrArray *names)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  guint position = self->chosen == NULL ? 0 : GTK_INVALID_LIST_POSITION;

  if (are_same (self->names, names))
    return;
  for (guint i = 0; i < names->len; i++)
    {
      g_ptr_array_add (texts, browser_key_dup_text (names->pdata[i]));
      if (self->chosen != NULL && g_bytes_equal (self->chosen, names->pdata[i]))
        position = i + 1;
    }
  g_ptr_array_add (texts, NULL);
  g_ptr_array_unref (self->names);
  self->names = g_ptr_array_ref (names);

  self->is_changing = TRUE;
  gtk_string_list_splice (self->texts,
                          1,
                          g_list_model_get_n_items (G_LIST_MODEL (self->texts)) - 1,
                          (const char *const *) texts->pdata);
  gtk_single_selection_set_selected (self->selection, position);
  self->is_changing = FALSE;
  /* the one that was shown has been dropped */
  if (position == GTK_INVALID_LIST_POSITION)
    gtk_single_selection_set_selected (self->selection, 0);
}

/* --- asking ----------------------------------------------------------------------------------- */

typedef struct
{
  BrowserTables *tables; /* (owned) */
  guint serial;
} Asked;

static void
on_listed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autofree Asked *asked = data;
  g_autoptr (BrowserTables) self = asked->tables;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = browser_list_tables_finish (result, &error);

  if (asked->serial != self->serial)
    return;
  self->is_asking = FALSE;
  if (names != NULL)
    take_names (self, names);
  else
    {
      /* once, and not every time */
      g_clear_handle_id (&self->clock, g_source_remove);
      g_signal_emit_by_name (self, "failed", error);
    }
}

static gboolean
look_cb (gpointer data)
{
  BrowserTables *self = data;
  Asked *asked;

  if (self->is_asking)
    return G_SOURCE_CONTINUE;
  self->is_asking = TRUE;
  asked = g_new (Asked, 1);
  asked->tables = g_object_ref (self);
  asked->serial = self->serial;
  browser_list_tables_async (self->store, on_listed, asked);
  return G_SOURCE_CONTINUE;
}

void
browser_tables_show (BrowserTables *self, DsqStore *store)
{
  static const char *const main_table[] = { "Main table", NULL };

  self->serial++;
  self->is_asking = FALSE;
  g_clear_handle_id (&self->clock, g_source_remove);
  g_clear_pointer (&self->chosen, g_bytes_unref);
  g_ptr_array_set_size (self->names, 0);
  g_set_object (&self->store, store);
  self->is_changing = TRUE;
  gtk_string_list_splice (self->texts,
                          0,
                          g_list_model_get_n_items (G_LIST_MODEL (self->texts)),
                          store != NULL ? main_table : NULL);
  self->is_changing = FALSE;
  if (store == NULL)
    return;
  show_chosen (self);
  look_cb (self);
  self->clock = g_timeout_add_seconds (LOOK_AGAIN, look_cb, self);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void
browser_tables_finalize (GObject *object)
{
  BrowserTables *self = BROWSER_TABLES (object);

  g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_handle_id (&self->clock, g_source_remove);
  g_clear_pointer (&self->chosen, g_bytes_unref);
  g_ptr_array_unref (self->names);
  g_clear_object (&self->store);
  g_object_unref (self->selection);
  g_object_unref (self->texts);
  G_OBJECT_CLASS (browser_tables_parent_class)->finalize (object);
}

static void
browser_tables_class_init (BrowserTablesClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = browser_tables_finalize;

  browser_part_add_signal (BROWSER_TYPE_TABLES, "selected", 1, DSQ_TYPE_STORE);
  browser_part_add_signal (BROWSER_TYPE_TABLES, "failed", 1, G_TYPE_ERROR);
}

static void
browser_tables_init (BrowserTables *self)
{
  self->names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->texts = gtk_string_list_new (NULL);
  self->selection = gtk_single_selection_new (G_LIST_MODEL (g_object_ref (self->texts)));
  g_signal_connect_swapped (self->selection, "notify::selected", G_CALLBACK (on_selected), self);
}

BrowserTables *
browser_tables_new (GtkListView *view)
{
  BrowserTables *self = g_object_new (BROWSER_TYPE_TABLES, NULL);
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  g_signal_connect (factory, "setup", G_CALLBACK (set_up_row), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_row), NULL);
  gtk_list_view_set_factory (view, factory);
  g_object_unref (factory);
  gtk_list_view_set_model (view, GTK_SELECTION_MODEL (self->selection));
  return self;
}
