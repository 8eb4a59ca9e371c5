/* dsq-work-file-private.h - a file that has no name before it is whole
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct _DsqWorkFile DsqWorkFile;

/* An empty file on the file system of @target, to be written by us alone, with a mode that is no
 * wider than @mode nor than the process's mask lets it be. Where the file system can, it has no
 * name, so that nothing is left of it when the process dies. Else it has one in the folder of
 * @target that dsq_work_file_remove_left() knows, and so has the next file for that target. */
DsqWorkFile *dsq_work_file_new (const char *target, mode_t mode, GError **error);
/* Removes what was not published. */
void dsq_work_file_free (DsqWorkFile *self);

/* The path to open it at, by DSQ_DATABASE_WORK. */
const char *dsq_work_file_get_path (const DsqWorkFile *self);

/* Has the next connection find it out of WAL mode, as a copy of a file's pages is not: in that mode
 * it could only be written beside a log. It must be closed. */
gboolean dsq_work_file_leave_wal_mode (DsqWorkFile *self, GError **error);
/* Makes it a file in WAL mode, which it must be whole and closed for, and has it on the medium.
 * With
 * @like, the owner and the mode of the file of that path are taken over as far as may be. */
gboolean dsq_work_file_finish (DsqWorkFile *self, const char *like, GError **error);

/* Gives the finished file the name @path unless there is something of that name. */
gboolean dsq_work_file_publish (DsqWorkFile *self,
                                const char *path,
                                gboolean *out_was_first,
                                GError **error);
/* The same, and what has the name loses it at the same instant. */
gboolean dsq_work_file_replace (DsqWorkFile *self, const char *path, GError **error);

/* Removes what processes that died have left of files for @target. */
void dsq_work_file_remove_left (const char *target);

/* For tests: work files have names from now on, as on file systems where they must. */
void dsq_work_file_set_named (gboolean are_named);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqWorkFile, dsq_work_file_free)

G_END_DECLS
