/* browser-list.c - the entries of a table, by the beginning of their keys
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-list.h"

#include "browser-part.h"
#include "browser-value.h"
#include "cli-text.h"

struct _BrowserList
{
  GtkWidget parent_instance;

  /* of the template */
  GtkWidget *box;
  GtkSearchEntry *search;
  GtkColumnView *view;
  GtkLabel *status;

  DsqKeyModel *model;            /* (owned) (nullable) */
  GtkSingleSelection *selection; /* (owned) */
  DsqItem *item;                 /* (owned) (nullable) what is selected, and still loading */
};

G_DEFINE_FINAL_TYPE (BrowserList, browser_list, GTK_TYPE_WIDGET)

/* --- columns ---------------------------------------------------------------------------------- */

/* What a column says of an item, which may be loading. */
typedef char *(*TextFunc) (GBytes *key, GBytes *record);

static char *
key_text (GBytes *key, GBytes *record)
{
  return key != NULL ? browser_key_dup_text (key) : NULL;
}

static char *
type_text (GBytes *key, GBytes *record)
{
  return record != NULL ? g_strdup (browser_type_get_name (browser_value_get_type (record))) : NULL;
}

static char *
value_text (GBytes *key, GBytes *record)
{
  return record != NULL ? browser_value_dup_summary (record) : g_strdup ("…");
}

static void
update_cell (GtkListItem *cell, DsqItem *item)
{
  TextFunc get_text = (TextFunc) g_object_get_data (G_OBJECT (cell), "text");
  g_autoptr (GBytes) key = NULL;
  g_autoptr (GBytes) record = NULL;
  g_autofree char *text = NULL;

  g_object_get (item, "key-bytes", &key, "record", &record, NULL);
  text = get_text (key, record);
  gtk_label_set_text (GTK_LABEL (gtk_list_item_get_child (cell)), text != NULL ? text : "");
}

static void
on_item_changed (DsqItem *item, GParamSpec *pspec, GtkListItem *cell)
{
  update_cell (cell, item);
}

static void
set_up_cell (GtkListItemFactory *factory, GtkListItem *cell, gpointer get_text)
{
  gtk_label_set_single_line_mode (browser_part_add_label (cell), TRUE);
  g_object_set_data (G_OBJECT (cell), "text", get_text);
}

static void
bind_cell (GtkListItemFactory *factory, GtkListItem *cell, gpointer get_text)
{
  DsqItem *item = gtk_list_item_get_item (cell);

  g_signal_connect (item, "notify::record", G_CALLBACK (on_item_changed), cell);
  update_cell (cell, item);
}

static void
unbind_cell (GtkListItemFactory *factory, GtkListItem *cell, gpointer get_text)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (cell), on_item_changed, cell);
}

static void
add_column (BrowserList *self, const char *title, TextFunc get_text, int width)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_autoptr (GtkColumnViewColumn) column = gtk_column_view_column_new (title, factory);

  g_signal_connect (factory, "setup", G_CALLBACK (set_up_cell), get_text);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cell), get_text);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cell), get_text);
  gtk_column_view_column_set_resizable (column, TRUE);
  gtk_column_view_column_set_expand (column, width < 0);
  gtk_column_view_column_set_fixed_width (column, width);
  gtk_column_view_append_column (self->view, column);
}

/* --- what is selected ------------------------------------------------------------------------- */

static void on_item_loaded (DsqItem *item, GParamSpec *pspec, BrowserList *self);

static void
drop_item (BrowserList *self)
{
  if (self->item != NULL)
    g_signal_handlers_disconnect_by_func (self->item, on_item_loaded, self);
  g_clear_object (&self->item);
}

static void
on_item_loaded (DsqItem *item, GParamSpec *pspec, BrowserList *self)
{
  g_autoptr (GBytes) key = NULL;

  g_object_get (item, "key-bytes", &key, NULL);
  drop_item (self);
  g_signal_emit_by_name (self, "selected", key);
}

static void
on_selected (BrowserList *self)
{
  DsqItem *item = gtk_single_selection_get_selected_item (self->selection);
  g_autoptr (GBytes) key = NULL;

  drop_item (self);
  if (item != NULL)
    {
      g_object_get (item, "key-bytes", &key, NULL);
      if (key == NULL)
        {
          self->item = g_object_ref (item);
          g_signal_connect (item, "notify::key-bytes", G_CALLBACK (on_item_loaded), self);
          return;
        }
    }
  g_signal_emit_by_name (self, "selected", key);
}

static void
on_activate (BrowserList *self, guint position)
{
  g_signal_emit_by_name (self, "activated");
}

/* --- the list --------------------------------------------------------------------------------- */

static void
update_status (BrowserList *self)
{
  g_autofree char *number = NULL;
  g_autofree char *text = NULL;
  gboolean is_loading = FALSE;

  if (self->model != NULL)
    {
      g_object_get (self->model, "loading", &is_loading, NULL);
      number = cli_text_count (g_list_model_get_n_items (G_LIST_MODEL (self->model)),
                               "entry",
                               "entries");
      text = g_strconcat (number, is_loading ? ", reading…" : "", NULL);
    }
  gtk_label_set_text (self->status, text != NULL ? text : "");
}

static void
on_error (BrowserList *self)
{
  g_autoptr (GError) error = NULL;

  g_object_get (self->model, "error", &error, NULL);
  /* that the table is gone is to be seen */
  if (error != NULL && !g_error_matches (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE))
    g_signal_emit_by_name (self, "failed", error);
}

static void
drop_model (BrowserList *self)
{
  gtk_single_selection_set_model (self->selection, NULL);
  if (self->model != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->model, self);
      g_object_run_dispose (G_OBJECT (self->model));
    }
  g_clear_object (&self->model);
}

void
browser_list_show (BrowserList *self, DsqStore *table)
{
  g_autoptr (GError) error = NULL;

  drop_model (self);
  if (table != NULL)
    self->model = dsq_key_model_new (table,
                                     gtk_editable_get_text (GTK_EDITABLE (self->search)),
                                     FALSE,
                                     &error);
  if (self->model != NULL)
    {
      g_signal_connect_swapped (self->model, "items-changed", G_CALLBACK (update_status), self);
      g_signal_connect_swapped (self->model, "notify::loading", G_CALLBACK (update_status), self);
      g_signal_connect_swapped (self->model, "notify::error", G_CALLBACK (on_error), self);
      gtk_single_selection_set_model (self->selection, G_LIST_MODEL (self->model));
    }
  if (error != NULL)
    g_signal_emit_by_name (self, "failed", error);
  update_status (self);
}

static void
on_search (BrowserList *self)
{
  if (self->model != NULL)
    g_object_set (self->model, "prefix", gtk_editable_get_text (GTK_EDITABLE (self->search)), NULL);
}

static void
focus_list (BrowserList *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

static void
stop_search (BrowserList *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  focus_list (self);
}

void
browser_list_search (BrowserList *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->search));
  gtk_editable_select_region (GTK_EDITABLE (self->search), 0, -1);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static void
browser_list_dispose (GObject *object)
{
  BrowserList *self = BROWSER_LIST (object);

  if (self->selection != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->selection, self);
      drop_item (self);
      drop_model (self);
    }
  g_clear_object (&self->selection);
  browser_part_dispose (GTK_WIDGET (object), BROWSER_TYPE_LIST);
  G_OBJECT_CLASS (browser_list_parent_class)->dispose (object);
}

static void
browser_list_class_init (BrowserListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GType type = BROWSER_TYPE_LIST;

  G_OBJECT_CLASS (klass)->dispose = browser_list_dispose;

  browser_part_add_signal (type, "selected", 1, G_TYPE_BYTES);
  browser_part_add_signal (type, "activated", 0);
  browser_part_add_signal (type, "failed", 1, G_TYPE_ERROR);

  browser_part_set_template (widget_class, "browser-list.ui");
  gtk_widget_class_bind_template_child (widget_class, BrowserList, box);
  gtk_widget_class_bind_template_child (widget_class, BrowserList, search);
  gtk_widget_class_bind_template_child (widget_class, BrowserList, view);
  gtk_widget_class_bind_template_child (widget_class, BrowserList, status);
  gtk_widget_class_bind_template_callback (widget_class, on_search);
  gtk_widget_class_bind_template_callback (widget_class, stop_search);
  gtk_widget_class_bind_template_callback (widget_class, focus_list);
  gtk_widget_class_bind_template_callback (widget_class, on_activate);
}

static void
browser_list_init (BrowserList *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->selection = gtk_single_selection_new (NULL);
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  g_signal_connect_swapped (self->selection,
                            "notify::selected-item",
                            G_CALLBACK (on_selected),
                            self);
  gtk_column_view_set_model (self->view, GTK_SELECTION_MODEL (self->selection));
  add_column (self, "Key", key_text, -1);
  add_column (self, "Type", type_text, 72);
  add_column (self, "Value", value_text, -1);
}
