/* cli-csv.c - rows of cells
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-error.h"
#include "cli-records.h"

/* RFC 4180, with whichever delimiter the header has most of. */
typedef struct
{
  const char *next; /* (unowned) ends with a NUL */
  char delimiter;
  guint line; /* that next is in */
} Reader;

static gboolean
refuse (const Reader *self, const char *cause, GError **error)
{
  cli_set_error (error, CLI_DAMAGED, "line %u: %s", self->line, cause);
  return FALSE;
}

static char
find_delimiter (const char *text)
{
  static const char candidates[] = ",;\t|";
  gsize length = strcspn (text, "\n");
  char best = ',';
  guint most = 0;

  for (const char *candidate = candidates; *candidate != '\0'; candidate++)
    {
      guint n = 0;

      for (gsize i = 0; i < length; i++)
        n += text[i] == *candidate;
      if (n > most)
        {
          most = n;
          best = *candidate;
        }
    }
  return best;
}

static gboolean
read_quoted (Reader *self, GString *cell, GError **error)
{
  guint start = self->line;

  for (self->next++; *self->next != '"' || self->next[1] == '"'; self->next++)
    {
      if (*self->next == '\0')
        {
          self->line = start;
          return refuse (self, "a quote is never closed", error);
        }
      self->line += *self->next == '\n';
      self->next += *self->next == '"';
      g_string_append_c (cell, *self->next);
    }
  self->next++;
  return TRUE;
}

static gboolean
is_at_end_of_row (const Reader *self)
{
  return *self->next == '\0' || *self->next == '\n' ||
         (*self->next == '\r' && (self->next[1] == '\n' || self->next[1] == '\0'));
}

/* Adds the cells of the next row, and goes behind its end. */
static gboolean
read_row (Reader *self, GPtrArray *cells, GError **error)
{
  g_autoptr (GString) cell = g_string_new (NULL);

  g_ptr_array_set_size (cells, 0);
  while (TRUE)
    {
      g_string_truncate (cell, 0);
      if (*self->next == '"' && !read_quoted (self, cell, error))
        return FALSE;
      while (*self->next != self->delimiter && !is_at_end_of_row (self))
        g_string_append_c (cell, *self->next++);
      g_ptr_array_add (cells, g_strdup (cell->str));
      if (*self->next != self->delimiter)
        break;
      self->next++;
    }
  self->next += strspn (self->next, "\r");
  if (*self->next == '\n')
    self->next++;
  return TRUE;
}

static gboolean
check_header (const Reader *self, GPtrArray *header, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < header->len; i++)
    if (!g_hash_table_add (seen, g_strstrip (header->pdata[i])))
      return refuse (self, "the header has a name twice", error);
  return TRUE;
}

gboolean
cli_csv_read (const CliRecords *records, GError **error)
{
  g_autoptr (GPtrArray) header = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  Reader reader = { records->text, find_delimiter (records->text), 1 };

  if (!read_row (&reader, header, error) || !check_header (&reader, header, error))
    return FALSE;
  while (*reader.next != '\0')
    {
      guint line;

      reader.line++;
      line = reader.line;
      if (!read_row (&reader, cells, error))
        return FALSE;
      if (cells->len == 1 && *(const char *) cells->pdata[0] == '\0' && header->len > 1)
        continue; /* an empty line */
      if (cells->len != header->len)
        {
          cli_set_error (error,
                         CLI_DAMAGED,
                         "line %u: %u cells, where the header has %u",
                         line,
                         cells->len,
                         header->len);
          return FALSE;
        }
      if (!cli_records_give (records,
                             (const char *const *) header->pdata,
                             (const char *const *) cells->pdata,
                             cells->len,
                             line,
                             error))
        return FALSE;
    }
  return TRUE;
}
