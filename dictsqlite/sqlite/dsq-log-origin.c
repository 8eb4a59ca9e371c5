/* dsq-log-origin.c - whether the log beside a file is its own
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite brings whatever lies beside a file under the right name into it: the log of the file that
 * lay there before as well, page by page, over pages that it never was of. So the transaction that
 * begins a log also writes the page of the header, with a new tag and the one before it
 * (codec/dsq-log-tag), and here a log is read as SQLite reads it ("WAL File Format" of its
 * fileformat2.html), before SQLite does. It is the file's own if the tag in the main file is the
 * one before the first that the log brings, or one of those that it brings: a checkpoint may have
 * been under way.
 *
 * Honest files are never refused. All that a log goes on from is in the main file, and synced,
 * before it is begun. A page that was half written when the power failed has no tag whose checksum
 * fits, and proves nothing; nor does a log without tags, which another program began; nor one whose
 * first tag came with a new schema's number, as when another program restores a copy into the file.
 * And what is seen while others commit and checkpoint is one state of the log, as long as its salts
 * are the same before and after.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"
#include "codec/dsq-header-private.h"
#include "codec/dsq-log-tag-private.h"
#include "codec/dsq-utf8-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-log-origin-private.h"

#define PURPOSE "open the store"

/* Looks at a log that changes while it is looked at, and those that must agree to refuse it. */
#define LOOKS        16
#define LOOKS_AGREED 2
#define LOOK_WAIT_US 1000

#define LOG_HEADER_LENGTH     32
#define LOG_MAGIC             0x377f0682u /* or 1 more where checksums are of big-endian words */
#define LOG_VERSION           3007000u
#define LOG_AT_VERSION        4
#define LOG_AT_PAGE_SIZE      8
#define LOG_AT_SALTS          16
#define LOG_AT_CHECKSUM       24
#define SALTS_LENGTH          8
#define FRAME_HEADER_LENGTH   24
#define FRAME_AT_COMMIT       4
#define FRAME_AT_SALTS        8
#define FRAME_AT_CHECKSUM     16
#define MAX_PAGE_SIZE         65536
#define MIN_PAGE_SIZE         512
#define FILE_AT_PAGE_SIZE     16
#define FILE_AT_SCHEMA_NUMBER 40
#define FILE_HEADER_LENGTH    100
#define LEAF_PAGE             0x0D
#define LEAF_AT_N_CELLS       3
#define LEAF_AT_FIRST_CELL    8

/* What tells a state of the file. */
typedef struct
{
  guint8 store_id[DSQ_FORMAT_STORE_ID_LENGTH];
  DsqLogTag tag;
} Origin;

typedef enum
{
  OWN,     /* or nothing tells that it is not */
  FOREIGN, /* it is not, but for others that may be at work */
  CHANGED, /* it was begun anew meanwhile */
  FAILED
} Verdict;

typedef struct
{
  sqlite3_file *file; /* (unowned) */
  guint8 head[FILE_HEADER_LENGTH];
  int log;
  gboolean has_big_endian_sums;
  guint32 page_size;
  guint32 sums[2];
  guint8 salts[SALTS_LENGTH];
  guint8 *frame; /* (owned) */
  guint8 *page;  /* (owned) of the main file */

  gboolean has_origin; /* the main file's was looked for */
  gboolean is_found;   /* and found */
  Origin origin;
  gboolean has_tag;       /* the transaction that is read brings one */
  gboolean has_committed; /* or one before did, and it was not the main file's */
  guint32 schema_number;  /* of the transaction's page 1, 0 without one */
} Look;

static guint32
load (const guint8 *bytes)
{
  guint32 number;

  memcpy (&number, bytes, sizeof number);
  return GUINT32_FROM_BE (number);
}

static Verdict
fail (int code, GError **error)
{
  dsq_database_set_system_error (code, PURPOSE, error);
  return FAILED;
}

/* --- the page of the header ------------------------------------------------------------------- */

/* SQLite's varint, of two bytes at most: all that a header's row needs. 0 where it is longer. */
static guint
take_short (const guint8 **at, const guint8 *end)
{
  guint number = 0;

  for (guint i = 0; i < 2 && *at < end; i++)
    {
      guint8 byte = *(*at)++;

      number = number << 7 | (byte & 0x7F);
      if (byte < 0x80)
        return number;
    }
  *at = end;
  return 0;
}

/* A leaf whose one row has the id 1 and two columns, of which the first is the id: no other table
 * of a store has such. */
static const guint8 *
find_column (const guint8 *page, guint32 page_size, gsize *out_length)
{
  const guint8 *end = page + page_size;
  const guint8 *at = page + (page[LEAF_AT_FIRST_CELL] << 8 | page[LEAF_AT_FIRST_CELL + 1]);
  guint payload, row_id, head, id_type, column_type;

  if (page[0] != LEAF_PAGE || page[LEAF_AT_N_CELLS] != 0 || page[LEAF_AT_N_CELLS + 1] != 1 ||
      at >= end)
    return NULL;
  payload = take_short (&at, end);
  row_id = take_short (&at, end);
  head = take_short (&at, end);
  id_type = take_short (&at, end);
  column_type = take_short (&at, end);
  if (row_id != 1 || id_type != 0 || column_type < 12 || column_type % 2 != 0)
    return NULL;
  *out_length = (column_type - 12) / 2;
  if (payload != head + *out_length || *out_length > (gsize) (end - at))
    return NULL;
  return at;
}

static gboolean
read_origin (const guint8 *page, guint32 page_size, Origin *out_origin)
{
  gsize length;
  const guint8 *column = find_column (page, page_size, &length);
  DsqHeader header;

  if (column == NULL || !dsq_log_tag_read (&out_origin->tag, column, &length) ||
      !dsq_header_read (&header, column, length, NULL))
    return FALSE;
  memcpy (out_origin->store_id, dsq_header_get_store_id (&header), sizeof out_origin->store_id);
  return TRUE;
}

static gboolean
read_main_page (Look *self, guint32 number, gboolean *out_is_origin, GError **error)
{
  int code = self->file->pMethods->xRead (self->file,
                                          self->page,
                                          (int) self->page_size,
                                          ((sqlite3_int64) number - 1) * self->page_size);

  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
    {
      fail (EIO, error);
      return FALSE;
    }
  *out_is_origin = code == SQLITE_OK && read_origin (self->page, self->page_size, &self->origin);
  return TRUE;
}

/* The main file's page of the header is the one that the log has as such; else the usual one of
 * files that were made with incremental vacuum, or of others. */
static gboolean
find_origin (Look *self, guint32 number, GError **error)
{
  const guint32 pages[] = { number, 3, 2 };

  self->has_origin = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (pages) && !self->is_found; i++)
    if (!read_main_page (self, pages[i], &self->is_found, error))
      return FALSE;
  return TRUE;
}

/* --- the log ---------------------------------------------------------------------------------- */

static void
add_to_sums (Look *self, const guint8 *bytes, gsize length)
{
  guint32 first = self->sums[0], second = self->sums[1];

  for (gsize i = 0; i < length; i += 8)
    {
      guint32 words[2];

      memcpy (words, bytes + i, sizeof words);
      if (self->has_big_endian_sums)
        {
          words[0] = GUINT32_FROM_BE (words[0]);
          words[1] = GUINT32_FROM_BE (words[1]);
        }
      else
        {
          words[0] = GUINT32_FROM_LE (words[0]);
          words[1] = GUINT32_FROM_LE (words[1]);
        }
      first += words[0] + second;
      second += words[1] + first;
    }
  self->sums[0] = first;
  self->sums[1] = second;
}

/* FALSE without an error where the log ends before. */
static gboolean
read_log (const Look *self, guint8 *out, gsize length, gint64 at, GError **error)
{
  gssize n_read;

  do
    n_read = pread (self->log, out, length, at);
  while (n_read < 0 && errno == EINTR);
  if (n_read < 0)
    fail (errno, error);
  return n_read == (gssize) length;
}

/* FALSE without an error for what SQLite takes for no log. */
static gboolean
read_log_header (Look *self, GError **error)
{
  guint8 header[LOG_HEADER_LENGTH];

  if (!read_log (self, header, sizeof header, 0, error) || (load (header) & ~1u) != LOG_MAGIC ||
      load (header + LOG_AT_VERSION) != LOG_VERSION)
    return FALSE;
  self->has_big_endian_sums = load (header) & 1;
  self->page_size = load (header + LOG_AT_PAGE_SIZE);
  memcpy (self->salts, header + LOG_AT_SALTS, sizeof self->salts);
  self->sums[0] = self->sums[1] = 0;
  add_to_sums (self, header, LOG_AT_CHECKSUM);
  return self->page_size >= MIN_PAGE_SIZE && self->page_size <= MAX_PAGE_SIZE &&
         (self->page_size & (self->page_size - 1)) == 0 &&
         self->sums[0] == load (header + LOG_AT_CHECKSUM) &&
         self->sums[1] == load (header + LOG_AT_CHECKSUM + 4);
}

static gboolean
read_frame (Look *self, gint64 at, GError **error)
{
  const guint8 *frame = self->frame;

  if (!read_log (self, self->frame, FRAME_HEADER_LENGTH + self->page_size, at, error) ||
      load (frame) == 0 || memcmp (frame + FRAME_AT_SALTS, self->salts, SALTS_LENGTH) != 0)
    return FALSE;
  add_to_sums (self, frame, FRAME_AT_SALTS);
  add_to_sums (self, frame + FRAME_HEADER_LENGTH, self->page_size);
  return self->sums[0] == load (frame + FRAME_AT_CHECKSUM) &&
         self->sums[1] == load (frame + FRAME_AT_CHECKSUM + 4);
}

/* Of a page of the header: whether the main file is in that state, or was before it. */
static gboolean
is_origin (const Look *self, const Origin *found)
{
  const DsqLogTag *own = &self->origin.tag;
  gboolean is_first = !self->has_tag && !self->has_committed;

  return memcmp (found->store_id, self->origin.store_id, sizeof found->store_id) == 0 &&
         (found->tag.now == own->now || (is_first && found->tag.before == own->now));
}

static guint32
get_main_page_size (const Look *self)
{
  guint32 size = (guint32) self->head[FILE_AT_PAGE_SIZE] << 8 | self->head[FILE_AT_PAGE_SIZE + 1];

  return size == 1 ? MAX_PAGE_SIZE : size;
}

static Verdict
look_at_frame (Look *self, GError **error)
{
  const guint8 *page = self->frame + FRAME_HEADER_LENGTH;
  guint32 number = load (self->frame);
  Origin found;

  if (self->page_size != get_main_page_size (self))
    self->has_tag = TRUE;
  else if (number == 1)
    self->schema_number = load (page + FILE_AT_SCHEMA_NUMBER);
  else if (read_origin (page, self->page_size, &found))
    {
      if (!self->has_origin && !find_origin (self, number, error))
        return FAILED;
      if (!self->is_found || is_origin (self, &found))
        return OWN;
      self->has_tag = TRUE;
    }
  if (load (self->frame + FRAME_AT_COMMIT) == 0)
    return FOREIGN;
  if (self->has_tag && self->schema_number == load (self->head + FILE_AT_SCHEMA_NUMBER) + 1)
    return OWN;
  self->has_committed |= self->has_tag;
  self->has_tag = FALSE;
  self->schema_number = 0;
  return FOREIGN;
}

/* To the end of the log, unless it shows before that it is the file's own. */
static Verdict
look_at_frames (Look *self, GError **error)
{
  Verdict verdict = FOREIGN;
  gint64 at = LOG_HEADER_LENGTH;
  g_autoptr (GError) local_error = NULL;

  while (verdict == FOREIGN && read_frame (self, at, &local_error))
    {
      verdict = look_at_frame (self, &local_error);
      at += FRAME_HEADER_LENGTH + self->page_size;
    }
  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FAILED;
    }
  return verdict == FOREIGN && !self->has_committed ? OWN : verdict;
}

static Verdict
look_at_log (Look *self, GError **error)
{
  guint8 salts[SALTS_LENGTH];
  g_autoptr (GError) local_error = NULL;
  gboolean is_log = read_log_header (self, &local_error);
  Verdict verdict;
  int code;

  if (local_error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FAILED;
    }
  if (!is_log)
    return OWN;
  code = self->file->pMethods->xRead (self->file, self->head, sizeof self->head, 0);
  if (code != SQLITE_OK)
    return code == SQLITE_IOERR_SHORT_READ ? OWN : fail (EIO, error);
  self->frame = g_malloc (FRAME_HEADER_LENGTH + self->page_size);
  self->page = g_malloc (self->page_size);
  verdict = look_at_frames (self, error);
  if (verdict != FOREIGN)
    return verdict;
  return read_log (self, salts, sizeof salts, LOG_AT_SALTS, NULL) &&
                 memcmp (salts, self->salts, sizeof salts) == 0
             ? FOREIGN
             : CHANGED;
}

/* SQLite locks no log, so that closing a descriptor of one gives up no lock. */
static Verdict
look (const char *path, sqlite3_file *file, GError **error)
{
  Look self = { .file = file, .log = open (path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) };
  Verdict verdict;

  if (self.log < 0)
    return errno == ENOENT ? OWN : fail (errno, error);
  verdict = look_at_log (&self, error);
  g_free (self.frame);
  g_free (self.page);
  close (self.log);
  return verdict;
}

static gboolean
refuse (const char *path, const char *log_path, GError **error)
{
  g_autofree char *shown = dsq_utf8_show (path);
  g_autofree char *shown_log = dsq_utf8_show (log_path);

  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_FORMAT,
               "Failed to " PURPOSE ": '%s' is not the log of '%s', but of a file that lay there "
               "before, or of this one in another state; nothing was changed. To open the file as "
               "it is, move the log away; else bring back the file that the log belongs to, whose "
               "last writes may be in it alone",
               shown_log,
               shown);
  return FALSE;
}

gboolean
dsq_log_origin_check (const char *path, sqlite3_file *file, GError **error)
{
  g_autofree char *log_path = g_strconcat (path, "-wal", NULL);
  guint n_agreed = 0;

  for (guint i = 0; i < LOOKS; i++)
    {
      Verdict verdict = look (log_path, file, error);

      if (verdict == OWN || verdict == FAILED)
        return verdict == OWN;
      n_agreed = verdict == FOREIGN ? n_agreed + 1 : 0;
      if (n_agreed == LOOKS_AGREED)
        return refuse (path, log_path, error);
      dsq_mutex_assert_may_wait ("a log that changes");
      dsq_fork_sleep (LOOK_WAIT_US);
    }
  /* who begins it anew so often has the file open */
  return TRUE;
}
