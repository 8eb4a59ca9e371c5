/* dsq-cold-notice.c - a descriptor that tells when the log is written to
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Everybody who commits writes to the log first, be it a program of ours or not, and the kernel
 * tells of that; the index, which says that it is committed, is memory, of which it does not.
 */

#include "config.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cold/dsq-cold-notice-private.h"
#include "cold/dsq-cold-sqlite-private.h"

gboolean
dsq_cold_open_notice (DsqColdTier *tier, int *out_fd, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  g_autofree char *path = g_strconcat (self->path, "-wal", NULL);
  int code;

  *out_fd = -1;
  if (self->read_role == DSQ_DATABASE_READ_UNCHANGING)
    return TRUE;
  *out_fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  if (*out_fd >= 0 && inotify_add_watch (*out_fd, path, IN_MODIFY) >= 0)
    return TRUE;
  code = errno;
  if (*out_fd >= 0)
    close (*out_fd);
  *out_fd = -1;
  dsq_database_set_system_error (code, "watch the store", error);
  return FALSE;
}
