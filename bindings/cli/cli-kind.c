/* cli-kind.c - what kind of file it seems to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-kind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli-error.h"
#include "cli-text.h"

#define HEAD 4096 /* bytes that are looked at: SQLite's first page, as a rule */

#define DISKCACHE "dictsqlite_v4.migrate.import_diskcache()"
#define SHELF     " of Python's dbm, which dictsqlite_v4.migrate.import_shelve() imports"

/* What files begin with, at an offset. */
static const struct
{
  gsize offset;
  const char *bytes;
  gsize length;
  const char *kind;
} marks[] = {
  { 0, "\x1F\x8B", 2, "data compressed by gzip" },
  { 0, "BZh", 3, "data compressed by bzip2" },
  { 0, "\xFD\x37zXZ", 5, "data compressed by xz" },
  { 0, "\x28\xB5\x2F\xFD", 4, "data compressed by zstd" },
  { 0, "PK\3\4", 4, "a zip archive" },
  { 0,
    "\x7F"
    "ELF",
    4,
    "a program" },
  { 0, "\xCE\x9A\x57\x13", 4, "a file of GNU dbm, or a shelf" SHELF },
  { 0, "\xCF\x9A\x57\x13", 4, "a file of GNU dbm, or a shelf" SHELF },
  { 12, "\x61\x15\x06", 3, "a file of Berkeley DB, or a shelf" SHELF },
  { 16, "\xDE\xC0\xEF\xBE", 4, "a file of LMDB" },
  { 0, "\x80\x02", 2, "a Python pickle" },
  { 0, "\x80\x03", 2, "a Python pickle" },
  { 0, "\x80\x04", 2, "a Python pickle" },
  { 0, "\x80\x05", 2, "a Python pickle" },
};

static guint
read_be32 (const guint8 *bytes)
{
  return (guint) bytes[0] << 24 | (guint) bytes[1] << 16 | (guint) bytes[2] << 8 | bytes[3];
}

static gboolean
holds (const guint8 *head, gsize length, const char *text)
{
  return memmem (head, length, text, strlen (text)) != NULL;
}

/* The first page has the statements that made the tables. */
static char *
name_sqlite (const guint8 *head, gsize length)
{
  const char *kind = "an SQLite database of another program";

  if (holds (head, length, "expire_time") && holds (head, length, "Cache"))
    kind = "the database of a folder of diskcache, which Python's " DISKCACHE " imports";
  else if (holds (head, length, "kv_store"))
    kind = "a file of DictSQLite 2 or 4.1, which Python's dictsqlite_v4.import_v4() imports";
  else if (holds (head, length, "key TEXT PRIMARY KEY, value BLOB"))
    kind = "a file of sqlitedict, which Python's dictsqlite_v4.migrate.import_sqlitedict() imports";
  else if (holds (head, length, "CREATE TABLE Dict (key BLOB"))
    kind = "a shelf" SHELF;
  return g_strdup (kind);
}

static char *
name_text (const guint8 *head, gsize length)
{
  const char *text = (const char *) head;
  gsize cut = length;

  /* the last character may be cut */
  while (cut > 0 && cut == length && length == HEAD && (text[cut - 1] & 0x80) != 0)
    cut--;
  if (!cli_text_is_utf8 (text, cut) || memchr (text, '\0', cut) != NULL)
    return g_strdup ("data of no known kind");
  while (g_ascii_isspace (*text))
    text++;
  if (*text == '{' || *text == '[')
    return g_strdup ("text, JSON it seems; dsq import or dsq load takes it");
  return g_strdup ("text; dsq import takes package lists, CSV and JSON");
}

static char *
name_file (const guint8 *head, gsize length, gboolean *out_is_store, guint *out_version)
{
  if (length == 0)
    return g_strdup ("an empty file");
  if (length >= 100 && memcmp (head, "SQLite format 3", 16) == 0)
    {
      *out_is_store = memcmp (head + 68, "DSQ1", 4) == 0;
      *out_version = read_be32 (head + 60);
      return *out_is_store ? g_strdup ("a store") : name_sqlite (head, length);
    }
  for (guint i = 0; i < G_N_ELEMENTS (marks); i++)
    if (length >= marks[i].offset + marks[i].length &&
        memcmp (head + marks[i].offset, marks[i].bytes, marks[i].length) == 0)
      return g_strdup (marks[i].kind);
  return name_text (head, length);
}

static char *
name_folder (const char *path)
{
  g_autofree char *diskcache = g_build_filename (path, "cache.db", NULL);
  g_autofree char *first_shard = g_build_filename (path, "000", "cache.db", NULL);
  g_autofree char *lmdb = g_build_filename (path, "data.mdb", NULL);

  if (g_file_test (diskcache, G_FILE_TEST_EXISTS) || g_file_test (first_shard, G_FILE_TEST_EXISTS))
    return g_strdup ("a folder of diskcache, which Python's " DISKCACHE " imports");
  if (g_file_test (lmdb, G_FILE_TEST_EXISTS))
    return g_strdup ("a folder of LMDB");
  return g_strdup ("a folder");
}

char *
cli_kind_find (const char *path, gboolean *out_is_store, guint *out_version, GError **error)
{
  guint8 head[HEAD + 1] = { 0 };
  struct stat status;
  gssize length = -1;
  int fd;

  *out_is_store = FALSE;
  *out_version = 0;
  if (stat (path, &status) == 0 && S_ISDIR (status.st_mode))
    return name_folder (path);
  /* whatever it is, opening it must not wait */
  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0 && fstat (fd, &status) == 0)
    length = S_ISREG (status.st_mode) ? pread (fd, head, HEAD, 0) : 0;
  if (length < 0)
    {
      int code = errno;

      if (fd >= 0)
        close (fd);
      cli_set_error (error, CLI_FAILED, "%s: %s", path, g_strerror (code));
      return NULL;
    }
  close (fd);
  if (!S_ISREG (status.st_mode))
    return g_strdup ("no file, but a pipe or a device");
  return name_file (head, (gsize) length, out_is_store, out_version);
}
