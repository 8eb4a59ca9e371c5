/* dsq-log-file.c - SQLite's file of a write-ahead log, a frame of which is one write
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite writes a frame of the log in two writes, its header and at once the page after it, and the
 * header's, of 24 bytes, costs nearly as much as that of the page. So the header waits for the
 * page, and both are one write to the file behind. It waits for nothing else: what comes in between
 * has it written first, and a header that is written over one that was just read, as SQLite does to
 * mend checksums, is followed by no page and does not wait.
 */

#include "config.h"

#include <string.h>

#include "sqlite/dsq-log-file-private.h"

/* "Database File Format", section 4.1. */
#define LOG_HEADER   32
#define FRAME_HEADER 24
#define MAX_PAGE     65536

typedef struct
{
  sqlite3_file file;
  guint8 *frame;         /* (owned) (nullable) header and page, as they are written */
  gboolean waits;        /* the header of @frame is not in the file yet */
  sqlite3_int64 at;      /* where it is to be */
  sqlite3_int64 read_at; /* where was read last, if nothing was done since, or -1 */
} LogFile;

static LogFile *
log_of (sqlite3_file *file)
{
  return (LogFile *) file;
}

int
dsq_log_file_get_size (void)
{
  return (int) sizeof (LogFile);
}

sqlite3_file *
dsq_log_file_get_behind (sqlite3_file *file)
{
  return (sqlite3_file *) (gpointer) (log_of (file) + 1);
}

/* Before anything else is done. */
static int
settle (sqlite3_file *file)
{
  LogFile *self = log_of (file);
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = SQLITE_OK;

  if (G_UNLIKELY (self->waits))
    code = behind->pMethods->xWrite (behind, self->frame, FRAME_HEADER, self->at);
  self->waits = FALSE;
  self->read_at = -1;
  return code;
}

static int
close_file (sqlite3_file *file)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  sqlite3_free (log_of (file)->frame);
  log_of (file)->frame = NULL;
  return behind->pMethods->xClose (behind);
}

static int
read_file (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = settle (file);

  log_of (file)->read_at = offset;
  return code != SQLITE_OK ? code : behind->pMethods->xRead (behind, buffer, length, offset);
}

static gboolean
may_wait (LogFile *self, int length, sqlite3_int64 offset)
{
  if (length != FRAME_HEADER || offset < LOG_HEADER || offset == self->read_at)
    return FALSE;
  if (self->frame == NULL)
    self->frame = sqlite3_malloc (FRAME_HEADER + MAX_PAGE);
  return self->frame != NULL;
}

static int
write_file (sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
  LogFile *self = log_of (file);
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  gboolean waits = !self->waits && may_wait (self, length, offset);
  int code;

  if (self->waits && offset == self->at + FRAME_HEADER && length <= MAX_PAGE)
    {
      memcpy (self->frame + FRAME_HEADER, bytes, (gsize) length);
      self->waits = FALSE;
      return behind->pMethods->xWrite (behind, self->frame, FRAME_HEADER + length, self->at);
    }
  code = settle (file);
  if (code != SQLITE_OK || !waits)
    return code != SQLITE_OK ? code : behind->pMethods->xWrite (behind, bytes, length, offset);
  memcpy (self->frame, bytes, FRAME_HEADER);
  self->at = offset;
  self->waits = TRUE;
  return SQLITE_OK;
}

static int
cut_file (sqlite3_file *file, sqlite3_int64 size)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = settle (file);

  return code != SQLITE_OK ? code : behind->pMethods->xTruncate (behind, size);
}

static int
sync_file (sqlite3_file *file, int flags)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = settle (file);

  return code != SQLITE_OK ? code : behind->pMethods->xSync (behind, flags);
}

static int
get_size (sqlite3_file *file, sqlite3_int64 *out_size)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);
  int code = settle (file);

  return code != SQLITE_OK ? code : behind->pMethods->xFileSize (behind, out_size);
}

static int
lock_file (sqlite3_file *file, int level)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xLock (behind, level);
}

static int
unlock_file (sqlite3_file *file, int level)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xUnlock (behind, level);
}

static int
check_lock (sqlite3_file *file, int *out_is_locked)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xCheckReservedLock (behind, out_is_locked);
}

static int
control_file (sqlite3_file *file, int operation, void *argument)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xFileControl (behind, operation, argument);
}

static int
get_sector_size (sqlite3_file *file)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xSectorSize (behind);
}

static int
get_characteristics (sqlite3_file *file)
{
  sqlite3_file *behind = dsq_log_file_get_behind (file);

  return behind->pMethods->xDeviceCharacteristics (behind);
}

static const sqlite3_io_methods methods = {
  .iVersion = 1,
  .xClose = close_file,
  .xRead = read_file,
  .xWrite = write_file,
  .xTruncate = cut_file,
  .xSync = sync_file,
  .xFileSize = get_size,
  .xLock = lock_file,
  .xUnlock = unlock_file,
  .xCheckReservedLock = check_lock,
  .xFileControl = control_file,
  .xSectorSize = get_sector_size,
  .xDeviceCharacteristics = get_characteristics,
};

void
dsq_log_file_init (sqlite3_file *file)
{
  *log_of (file) = (LogFile){ .file.pMethods = &methods, .read_at = -1 };
}
