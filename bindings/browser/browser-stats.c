/* browser-stats.c - the tiers of a store, and how often each of them answers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-stats.h"

#include "browser-part.h"
#include "cli-text.h"

#define N_TIERS   3
#define N_COLUMNS 6
#define N_FACTS   12

struct _BrowserStats
{
  GtkWidget parent_instance;

  GtkGrid *tiers; /* of the template */
  GtkGrid *facts; /* of the template */

  GtkLabel *cells[N_TIERS][N_COLUMNS]; /* the grid's */
  GtkLevelBar *rates[N_TIERS];         /* the grid's */
  GtkLabel *values[N_FACTS];           /* the grid's */

  DsqStore *store; /* (owned) (nullable) */
  guint clock;     /* a source */
};

G_DEFINE_FINAL_TYPE (BrowserStats, browser_stats, GTK_TYPE_WIDGET)

/* --- numbers ---------------------------------------------------------------------------------- */

static void
take_text (GtkLabel *label, char *text)
{
  gtk_label_set_text (label, text);
  g_free (text);
}

static char *
number_text (guint64 number)
{
  g_autofree char *text = cli_text_count (number, "", "");

  return g_strdup (g_strchomp (text));
}

static void
show_tier (BrowserStats *self, guint tier, guint64 hits, guint64 misses)
{
  double rate = hits + misses > 0 ? (double) hits / (double) (hits + misses) : 0;

  take_text (self->cells[tier][3], number_text (hits));
  take_text (self->cells[tier][4], number_text (misses));
  take_text (self->cells[tier][5],
             hits + misses > 0 ? g_strdup_printf ("%.1f %%", rate * 100) : g_strdup ("–"));
  gtk_level_bar_set_value (self->rates[tier], rate);
}

static void
show_numbers (BrowserStats *self)
{
  g_autoptr (DsqStats) stats = dsq_store_get_stats (self->store);
  g_autofree char *path = NULL;
  gboolean read_only;
  char *facts[N_FACTS];

  take_text (self->cells[0][0], number_text (stats->hot_entries));
  take_text (self->cells[0][1], g_format_size (stats->hot_bytes));
  take_text (self->cells[0][2], cli_text_count (stats->hot_capacity, "entry", "entries"));
  take_text (self->cells[1][0], number_text (stats->warm_entries));
  take_text (self->cells[1][1], g_format_size (stats->warm_bytes));
  take_text (self->cells[1][2], g_format_size (stats->warm_capacity));
  take_text (self->cells[2][0], number_text (stats->cold_entries));
  take_text (self->cells[2][1], g_format_size (stats->file_bytes + stats->wal_bytes));
  take_text (self->cells[2][2], g_strdup ("–"));
  show_tier (self, 0, stats->hot_hits, stats->hot_misses);
  show_tier (self, 1, stats->warm_hits, stats->warm_misses);
  show_tier (self, 2, stats->cold_hits, stats->cold_misses);

  g_object_get (self->store, "path", &path, "read-only", &read_only, NULL);
  facts[0] = g_strdup (path);
  facts[1] = g_strdup (stats->encrypted ? "encrypted" : "not encrypted");
  facts[2] = g_strdup (read_only ? "read-only" : "write-through: what is saved is in the file");
  facts[3] = cli_text_size (stats->file_bytes);
  facts[4] = cli_text_size (stats->wal_bytes);
  facts[5] = number_text (stats->commits);
  facts[6] = number_text (stats->syncs);
  facts[7] = number_text (stats->checkpoints);
  facts[8] = number_text (stats->foreign_changes);
  facts[9] = number_text (stats->evictions);
  facts[10] = number_text (stats->expired_entries);
  facts[11] = g_strdup (stats->last_error != NULL ? stats->last_error : "none");
  for (guint i = 0; i < N_FACTS; i++)
    take_text (self->values[i], facts[i]);
}

static gboolean
tick_cb (gpointer data)
{
  show_numbers (data);
  return G_SOURCE_CONTINUE;
}

static void
update (BrowserStats *self)
{
  gboolean is_seen = self->store != NULL && gtk_widget_get_mapped (GTK_WIDGET (self));

  g_clear_handle_id (&self->clock, g_source_remove);
  if (!is_seen)
    return;
  self->clock = g_timeout_add_seconds (1, tick_cb, self);
  show_numbers (self);
}

void
browser_stats_show (BrowserStats *self, DsqStore *store)
{
  g_set_object (&self->store, store);
  update (self);
}

/* --- beginning and end ------------------------------------------------------------------------ */

static GtkLabel *
add_label (GtkGrid *grid, const char *text, int column, int row, const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_widget_add_css_class (label, css_class);
  gtk_grid_attach (grid, label, column, row, 1, 1);
  return GTK_LABEL (label);
}

static void
build_tiers (BrowserStats *self)
{
  static const char *const titles[N_COLUMNS] = { "Entries", "Size",   "Room for",
                                                 "Hits",    "Misses", "Hit rate" };
  static const char *const names[N_TIERS] = { "Hot", "Warm", "File" };

  for (int column = 0; column < N_COLUMNS; column++)
    gtk_label_set_xalign (add_label (self->tiers, titles[column], column + 1, 0, "dim-label"), 1);
  for (int tier = 0; tier < N_TIERS; tier++)
    {
      gtk_label_set_xalign (add_label (self->tiers, names[tier], 0, tier + 1, "heading"), 0);
      for (int column = 0; column < N_COLUMNS; column++)
        {
          self->cells[tier][column] = add_label (self->tiers, "–", column + 1, tier + 1, "numeric");
          gtk_label_set_xalign (self->cells[tier][column], 1);
        }
      self->rates[tier] = GTK_LEVEL_BAR (gtk_level_bar_new ());
      gtk_widget_set_size_request (GTK_WIDGET (self->rates[tier]), 80, -1);
      gtk_widget_set_valign (GTK_WIDGET (self->rates[tier]), GTK_ALIGN_CENTER);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->rates[tier]),
                                      GTK_ACCESSIBLE_PROPERTY_LABEL,
                                      names[tier],
                                      -1);
      gtk_grid_attach (self->tiers, GTK_WIDGET (self->rates[tier]), N_COLUMNS + 1, tier + 1, 1, 1);
    }
}

static void
build_facts (BrowserStats *self)
{
  static const char *const names[N_FACTS] = {
    "File",      "Password",        "Mode",
    "Size",      "Write-ahead log", "Commits",
    "Syncs",     "Checkpoints",     "Changes by others seen",
    "Evictions", "Expired",         "Last error",
  };

  for (int i = 0; i < N_FACTS; i++)
    {
      gtk_label_set_xalign (add_label (self->facts, names[i], 0, i, "dim-label"), 0);
      self->values[i] = add_label (self->facts, "", 1, i, "numeric");
      gtk_label_set_xalign (self->values[i], 0);
      gtk_label_set_wrap (self->values[i], TRUE);
      gtk_label_set_wrap_mode (self->values[i], PANGO_WRAP_WORD_CHAR);
    }
}

static void
browser_stats_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (browser_stats_parent_class)->map (widget);
  update (BROWSER_STATS (widget));
}

static void
browser_stats_unmap (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (browser_stats_parent_class)->unmap (widget);
  update (BROWSER_STATS (widget));
}

static void
browser_stats_dispose (GObject *object)
{
  BrowserStats *self = BROWSER_STATS (object);

  g_clear_object (&self->store);
  g_clear_handle_id (&self->clock, g_source_remove);
  browser_part_dispose (GTK_WIDGET (object), BROWSER_TYPE_STATS);
  G_OBJECT_CLASS (browser_stats_parent_class)->dispose (object);
}

static void
browser_stats_class_init (BrowserStatsClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = browser_stats_dispose;
  widget_class->map = browser_stats_map;
  widget_class->unmap = browser_stats_unmap;

  browser_part_set_template (widget_class, "browser-stats.ui");
  gtk_widget_class_bind_template_child (widget_class, BrowserStats, tiers);
  gtk_widget_class_bind_template_child (widget_class, BrowserStats, facts);
}

static void
browser_stats_init (BrowserStats *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  build_tiers (self);
  build_facts (self);
}
