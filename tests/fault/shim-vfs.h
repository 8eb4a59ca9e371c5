/* shim-vfs.h - a shim under SQLite, which a test asks before each of its system calls
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sqlite3.h>

typedef enum
{
  SHIM_STORE,
  SHIM_LOG,
  SHIM_TEMPORARY,
  SHIM_N_KINDS
} ShimKind;

typedef enum
{
  SHIM_OPEN,
  SHIM_READ,
  SHIM_WRITE,
  SHIM_TRUNCATE,
  SHIM_SYNC,
  SHIM_REMOVE
} ShimCall;

typedef struct
{
  ShimKind kind;
  ShimCall call;
  const void *bytes; /* (unowned) that are written */
  sqlite3_int64 length;
  sqlite3_int64 offset; /* or the size that it is cut to */
} ShimEvent;

/* What a call gives in place of being made, SQLITE_OK to have it made, SQLITE_DONE to have a
 * sync left out and called a success. Set before the shim is
 * installed; called by whichever thread calls SQLite. */
static int (*shim_hook) (const ShimEvent *event);

static sqlite3_vfs *shim_base; /* (unowned) SQLite's own */
static sqlite3_vfs shim_vfs;
static sqlite3_io_methods shim_methods[SHIM_N_KINDS];
static const sqlite3_io_methods *shim_behind[SHIM_N_KINDS]; /* (unowned) */

static inline int
shim_ask (ShimKind kind,
          ShimCall call,
          const void *bytes,
          sqlite3_int64 length,
          sqlite3_int64 offset)
{
  const ShimEvent event = { kind, call, bytes, length, offset };

  return shim_hook (&event);
}

/* The calls of a file of one kind: what is above may have methods of its own in place of these. */
#define SHIM_CALLS(kind, name)                                                                     \
  static int shim_read_##name (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset) \
  {                                                                                                \
    int code = shim_ask (kind, SHIM_READ, NULL, length, offset);                                   \
    return code != SQLITE_OK ? code : shim_behind[kind]->xRead (file, buffer, length, offset);     \
  }                                                                                                \
  static int shim_write_##name (sqlite3_file *file,                                                \
                                const void *bytes,                                                 \
                                int length,                                                        \
                                sqlite3_int64 offset)                                              \
  {                                                                                                \
    int code = shim_ask (kind, SHIM_WRITE, bytes, length, offset);                                 \
    return code != SQLITE_OK ? code : shim_behind[kind]->xWrite (file, bytes, length, offset);     \
  }                                                                                                \
  static int shim_truncate_##name (sqlite3_file *file, sqlite3_int64 size)                         \
  {                                                                                                \
    int code = shim_ask (kind, SHIM_TRUNCATE, NULL, 0, size);                                      \
    return code != SQLITE_OK ? code : shim_behind[kind]->xTruncate (file, size);                   \
  }                                                                                                \
  static int shim_sync_##name (sqlite3_file *file, int flags)                                      \
  {                                                                                                \
    int code = shim_ask (kind, SHIM_SYNC, NULL, 0, 0);                                             \
    if (code == SQLITE_DONE)                                                                       \
      return SQLITE_OK;                                                                            \
    return code != SQLITE_OK ? code : shim_behind[kind]->xSync (file, flags);                      \
  }

SHIM_CALLS (SHIM_STORE, store)
SHIM_CALLS (SHIM_LOG, log)
SHIM_CALLS (SHIM_TEMPORARY, temporary)

#define SHIM_SET_CALLS(methods, name)                                                              \
  do                                                                                               \
    {                                                                                              \
      (methods)->xRead = shim_read_##name;                                                         \
      (methods)->xWrite = shim_write_##name;                                                       \
      (methods)->xTruncate = shim_truncate_##name;                                                 \
      (methods)->xSync = shim_sync_##name;                                                         \
    }                                                                                              \
  while (0)

static inline void
shim_set_calls (ShimKind kind)
{
  if (kind == SHIM_STORE)
    SHIM_SET_CALLS (&shim_methods[kind], store);
  else if (kind == SHIM_LOG)
    SHIM_SET_CALLS (&shim_methods[kind], log);
  else
    SHIM_SET_CALLS (&shim_methods[kind], temporary);
}

static int
shim_open (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  ShimKind kind = (flags & SQLITE_OPEN_WAL) != 0       ? SHIM_LOG
                  : (flags & SQLITE_OPEN_MAIN_DB) != 0 ? SHIM_STORE
                                                       : SHIM_TEMPORARY;
  int code = shim_ask (kind, SHIM_OPEN, NULL, 0, 0);

  file->pMethods = NULL;
  if (code != SQLITE_OK)
    return code;
  code = shim_base->xOpen (shim_base, name, file, flags, out_flags);
  if (code != SQLITE_OK)
    return code;
  if (shim_behind[kind] == NULL)
    {
      shim_behind[kind] = file->pMethods;
      shim_methods[kind] = *file->pMethods;
      shim_set_calls (kind);
    }
  if (file->pMethods == shim_behind[kind])
    file->pMethods = &shim_methods[kind];
  return code;
}

static int
shim_remove (sqlite3_vfs *vfs, const char *name, int sync_folder)
{
  ShimKind kind = g_str_has_suffix (name, "-wal") ? SHIM_LOG : SHIM_STORE;
  int code = shim_ask (kind, SHIM_REMOVE, NULL, 0, 0);

  return code != SQLITE_OK ? code : shim_base->xDelete (shim_base, name, sync_folder);
}

static inline void
install_shim (int (*hook) (const ShimEvent *event))
{
  shim_hook = hook;
  shim_base = sqlite3_vfs_find (NULL);
  shim_vfs = *shim_base;
  shim_vfs.zName = "shim";
  shim_vfs.xOpen = shim_open;
  shim_vfs.xDelete = shim_remove;
  g_assert_cmpint (sqlite3_vfs_register (&shim_vfs, TRUE), ==, SQLITE_OK);
}
