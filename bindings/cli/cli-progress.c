/* cli-progress.c - a bar on standard error, where that is a terminal
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cli-text.h"

#define INTERVAL 100000 /* microseconds from one showing to the next */
#define WIDTH    32     /* of the bar, in columns */

static gint64 next_time;
static gboolean is_shown;

void
cli_progress_show (guint64 done, guint64 total, const char *what)
{
  static int is_terminal = -1;
  char bar[WIDTH + 1];
  g_autofree char *count = NULL;
  gint64 now;
  guint filled;

  if (is_terminal < 0)
    is_terminal = isatty (STDERR_FILENO);
  if (!is_terminal || (now = g_get_monotonic_time ()) < next_time)
    return;
  /* what is done in no time needs no bar */
  if (next_time != 0)
    {
      count = cli_text_count (done, what, what);
      filled = total > 0 ? (guint) ((double) MIN (done, total) / (double) total * WIDTH) : 0;
      for (guint i = 0; i < WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
      bar[WIDTH] = '\0';
      if (total > 0)
        fprintf (stderr,
                 "\r[%s] %3u%%  %s\033[K",
                 bar,
                 (guint) ((double) MIN (done, total) / (double) total * 100),
                 count);
      else
        fprintf (stderr, "\r%s\033[K", count);
      fflush (stderr);
      is_shown = TRUE;
    }
  next_time = now + INTERVAL;
}

void
cli_progress_end (void)
{
  if (!is_shown)
    return;
  fputs ("\r\033[K", stderr);
  fflush (stderr);
  is_shown = FALSE;
}

void
cli_progress_cb (guint64 done, guint64 total, gpointer what)
{
  cli_progress_show (done, total, what);
}
