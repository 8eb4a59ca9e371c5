/* cli-fields.c - paragraphs of fields, as Debian's package lists have them
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-error.h"
#include "cli-records.h"

/* The paragraph that is being read. */
typedef struct
{
  const CliRecords *records;
  GPtrArray *names;  /* (owned) of strings */
  GPtrArray *values; /* (owned) of strings */
  guint line;        /* that it begins in */
} Paragraph;

static gboolean
give (Paragraph *self, GError **error)
{
  gboolean success =
      self->names->len == 0 || cli_records_give (self->records,
                                                 (const char *const *) self->names->pdata,
                                                 (const char *const *) self->values->pdata,
                                                 self->names->len,
                                                 self->line,
                                                 error);

  g_ptr_array_set_size (self->names, 0);
  g_ptr_array_set_size (self->values, 0);
  return success;
}

/* A line that continues the field before it; " ." stands for an empty one. */
static void
continue_field (Paragraph *self, const char *line)
{
  char **last = (char **) &self->values->pdata[self->values->len - 1];
  char *longer = g_strconcat (*last, "\n", g_str_equal (line, " .") ? "" : line + 1, NULL);

  g_free (*last);
  *last = longer;
}

static gboolean
add_field (Paragraph *self, const char *line, guint number, GError **error)
{
  const char *colon = strchr (line, ':');
  g_autofree char *name = colon != NULL ? g_strndup (line, (gsize) (colon - line)) : NULL;

  if (name == NULL || *name == '\0')
    {
      cli_set_error (error, CLI_DAMAGED, "line %u: it is no field", number);
      return FALSE;
    }
  if (g_ptr_array_find_with_equal_func (self->names, name, g_str_equal, NULL))
    {
      cli_set_error (error, CLI_DAMAGED, "line %u: the field '%s' comes twice", number, name);
      return FALSE;
    }
  if (self->names->len == 0)
    self->line = number;
  g_ptr_array_add (self->names, g_steal_pointer (&name));
  g_ptr_array_add (self->values, g_strstrip (g_strdup (colon + 1)));
  return TRUE;
}

gboolean
cli_fields_read (const CliRecords *records, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  Paragraph paragraph = { records, names, values, 0 };
  guint number = 0;

  for (const char *next = records->text; *next != '\0'; next += *next == '\n')
    {
      gsize length = strcspn (next, "\n");
      g_autofree char *line = g_strchomp (g_strndup (next, length));

      next += length;
      number++;
      if (*line == '\0')
        {
          if (!give (&paragraph, error))
            return FALSE;
        }
      else if (*line == '#')
        continue;
      else if (g_ascii_isspace (*line) && names->len > 0)
        continue_field (&paragraph, line);
      else if (!add_field (&paragraph, line, number, error))
        return FALSE;
    }
  return give (&paragraph, error);
}
