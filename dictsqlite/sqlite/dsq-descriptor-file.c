/* dsq-descriptor-file.c - SQLite's file on a descriptor of ours
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite opens files by name, and follows no link to do so; a file without a name it cannot open.
 * This is a file as its "OS Interface" asks for, version 1.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dsq-mutex-private.h"
#include "sqlite/dsq-descriptor-file-private.h"

#define SECTOR_SIZE 4096

typedef struct
{
  sqlite3_file file;
  int descriptor; /* (unowned) */
} DescriptorFile;

static int
descriptor_of (sqlite3_file *file)
{
  return ((DescriptorFile *) file)->descriptor;
}

static int
close_file (sqlite3_file *file)
{
  return SQLITE_OK;
}

static int
read_file (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  int done = 0;

  while (done < length)
    {
      gssize n_read = pread (descriptor_of (file),
                             (char *) buffer + done,
                             (gsize) (length - done),
                             offset + done);

      if (n_read < 0 && errno == EINTR)
        continue;
      if (n_read < 0)
        return SQLITE_IOERR_READ;
      if (n_read == 0)
        break;
      done += (int) n_read;
    }
  memset ((char *) buffer + done, 0, (gsize) (length - done));
  return done == length ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
write_file (sqlite3_file *file, const void *buffer, int length, sqlite3_int64 offset)
{
  int done = 0;

  while (done < length)
    {
      gssize n_written = pwrite (descriptor_of (file),
                                 (const char *) buffer + done,
                                 (gsize) (length - done),
                                 offset + done);

      if (n_written < 0 && errno == EINTR)
        continue;
      if (n_written <= 0)
        return errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
      done += (int) n_written;
    }
  return SQLITE_OK;
}

static int
cut_file (sqlite3_file *file, sqlite3_int64 size)
{
  return ftruncate (descriptor_of (file), size) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int
sync_file (sqlite3_file *file, int flags)
{
  dsq_mutex_assert_may_wait ("a sync");
  return fsync (descriptor_of (file)) == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int
get_size (sqlite3_file *file, sqlite3_int64 *out_size)
{
  struct stat info;

  if (fstat (descriptor_of (file), &info) != 0)
    return SQLITE_IOERR_FSTAT;
  *out_size = info.st_size;
  return SQLITE_OK;
}

static int
lock_file (sqlite3_file *file, int level)
{
  return SQLITE_OK;
}

static int
check_lock (sqlite3_file *file, int *out_is_locked)
{
  *out_is_locked = 0;
  return SQLITE_OK;
}

static int
control_file (sqlite3_file *file, int operation, void *argument)
{
  return SQLITE_NOTFOUND;
}

static int
get_sector_size (sqlite3_file *file)
{
  return SECTOR_SIZE;
}

static int
get_characteristics (sqlite3_file *file)
{
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
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
  .xUnlock = lock_file,
  .xCheckReservedLock = check_lock,
  .xFileControl = control_file,
  .xSectorSize = get_sector_size,
  .xDeviceCharacteristics = get_characteristics,
};

void
dsq_descriptor_file_init (sqlite3_file *file, int descriptor)
{
  ((DescriptorFile *) file)->descriptor = descriptor;
  file->pMethods = &methods;
}

int
dsq_descriptor_file_get_size (void)
{
  return (int) sizeof (DescriptorFile);
}
