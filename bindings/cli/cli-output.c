/* cli-output.c - standard output, written until a signal comes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-output.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli-error.h"
#include "cli-signal.h"

#define MUCH 65536

static GString *held; /* (owned) by the process */

GString *
cli_output (void)
{
  if (held == NULL)
    held = g_string_new (NULL);
  return held;
}

gboolean
cli_output_tend (GError **error)
{
  return cli_output ()->len < MUCH || cli_output_flush (error);
}

gboolean
cli_output_flush (GError **error)
{
  struct stat status;
  gboolean is_file = fstat (STDOUT_FILENO, &status) == 0 && S_ISREG (status.st_mode);
  GString *out = cli_output ();
  gsize n_done = 0;

  while (n_done < out->len)
    {
      gsize left = out->len - n_done;
      gssize n_written;

      /* so much a pipe takes at once when it takes anything: a signal is never waited out */
      if (!cli_signal_wait_for (STDOUT_FILENO, G_IO_OUT, error))
        return FALSE;
      n_written = write (STDOUT_FILENO, out->str + n_done, is_file ? left : MIN (left, PIPE_BUF));
      if (n_written < 0 && errno != EINTR && errno != EAGAIN)
        {
          cli_set_error (error,
                         CLI_FAILED,
                         "Failed to write standard output: %s",
                         g_strerror (errno));
          g_string_truncate (out, 0);
          return FALSE;
        }
      n_done += (gsize) MAX (n_written, 0);
    }
  g_string_truncate (out, 0);
  return TRUE;
}
