/* cli-input.c - files and standard input, read until a signal comes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli-error.h"
#include "cli-signal.h"

#define CHUNK 65536

/* The longest line: a value of 512 MiB, of which each byte is written as \u0000. */
#define MAX_LINE (G_GUINT64_CONSTANT (3400) << 20)

struct _CliInput
{
  char *name;       /* (owned) */
  int fd;           /* owned, unless it is standard input */
  guint64 position; /* bytes that were read */
  guint64 size;     /* 0: not known */
  GString *held;    /* (owned) read, and not given as a line yet */
  gsize n_given;    /* bytes of it that were given */
  gboolean at_end;  /* the descriptor's */
};

static gboolean
fail (const CliInput *self, GError **error)
{
  cli_set_error (error, CLI_FAILED, "Failed to read %s: %s", self->name, g_strerror (errno));
  return FALSE;
}

CliInput *
cli_input_open (const char *path, GError **error)
{
  g_autoptr (CliInput) self = g_new0 (CliInput, 1);
  struct stat status;

  self->held = g_string_new (NULL);
  if (strcmp (path, "-") == 0)
    self->name = g_strdup ("standard input");
  else
    {
      self->name = g_strdup (path);
      self->fd = open (path, O_RDONLY | O_CLOEXEC);
    }
  if (self->fd < 0 || fstat (self->fd, &status) != 0)
    {
      fail (self, error);
      return NULL;
    }
  if (S_ISREG (status.st_mode))
    self->size = (guint64) status.st_size;
  return g_steal_pointer (&self);
}

void
cli_input_close (CliInput *self)
{
  if (self == NULL)
    return;
  if (self->fd > 0)
    close (self->fd);
  g_string_free (self->held, TRUE);
  g_free (self->name);
  g_free (self);
}

const char *
cli_input_name (const CliInput *self)
{
  return self->name;
}

guint64
cli_input_position (const CliInput *self)
{
  return self->position;
}

guint64
cli_input_size (const CliInput *self)
{
  return self->size;
}

gboolean
cli_input_read (CliInput *self, guint8 *buffer, gsize size, gsize *out_length, GError **error)
{
  gssize n_read;

  if (!cli_signal_wait_for (self->fd, G_IO_IN, error))
    return FALSE;
  do
    n_read = read (self->fd, buffer, size);
  while (n_read < 0 && (errno == EINTR || errno == EAGAIN));
  if (n_read < 0)
    return fail (self, error);
  self->position += (guint64) n_read;
  *out_length = (gsize) n_read;
  return TRUE;
}

static gboolean
hold_more (CliInput *self, GError **error)
{
  guint8 buffer[CHUNK];
  gsize n_read;

  if (!cli_input_read (self, buffer, sizeof buffer, &n_read, error))
    return FALSE;
  self->at_end = n_read == 0;
  g_string_append_len (self->held, (const char *) buffer, (gssize) n_read);
  return TRUE;
}

const char *
cli_input_read_line (CliInput *self, gsize *out_length, GError **error)
{
  gsize n_searched = 0;
  const char *line, *end;

  if (self->n_given > CHUNK || self->n_given == self->held->len)
    {
      g_string_erase (self->held, 0, (gssize) self->n_given);
      self->n_given = 0;
    }
  while (TRUE)
    {
      gsize left = self->held->len - self->n_given;

      line = self->held->str + self->n_given;
      end = memchr (line + n_searched, '\n', left - n_searched);
      if (end != NULL || self->at_end)
        break;
      n_searched = left;
      if (left > MAX_LINE)
        {
          cli_set_error (error, CLI_DAMAGED, "%s: a line is longer than any value", self->name);
          return NULL;
        }
      if (!hold_more (self, error))
        return NULL;
    }
  *out_length = end != NULL ? (gsize) (end - line) : self->held->len - self->n_given;
  if (end == NULL && *out_length == 0)
    return NULL;
  self->n_given += *out_length + (end != NULL);
  return line;
}

GByteArray *
cli_input_read_all (CliInput *self, gsize max_length, GError **error)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();

  while (!self->at_end)
    {
      g_byte_array_append (all, (const guint8 *) self->held->str, (guint) self->held->len);
      g_string_truncate (self->held, 0);
      if (all->len > max_length)
        {
          cli_set_error (error,
                         CLI_DAMAGED,
                         "%s: longer than %" G_GSIZE_FORMAT " bytes",
                         self->name,
                         max_length);
          return NULL;
        }
      if (!hold_more (self, error))
        return NULL;
    }
  g_byte_array_append (all, (const guint8 *) "", 1);
  g_byte_array_set_size (all, all->len - 1);
  return g_steal_pointer (&all);
}
