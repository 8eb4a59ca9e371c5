/* dsq-error.h - the error domain
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

/**
 * DSQ_ERROR:
 *
 * The error domain of the library. The codes are those of [error@Error].
 *
 * Since: 1.0
 */
#define DSQ_ERROR (dsq_error_quark ())

/**
 * DsqError:
 * @DSQ_ERROR_CLOSED: the store is closed; open it anew
 * @DSQ_ERROR_FORKED: the store was inherited by fork(): open one of your own in the child; or no
 *   store can be opened there: start such processes by forkserver or spawn
 * @DSQ_ERROR_FAILED: something went wrong inside the library or SQLite; report it
 * @DSQ_ERROR_INVALID_ARGUMENT: a parameter is out of its range; pass another
 * @DSQ_ERROR_INVALID_KEY: the key is not UTF-8, or too long; use another key
 * @DSQ_ERROR_INVALID_VALUE: the value cannot be stored, or is too long; store another
 * @DSQ_ERROR_WRONG_TYPE: the key holds a value of another type; read it as what it is
 * @DSQ_ERROR_FORMAT: the file is not a store, or one of a later version; choose another file
 * @DSQ_ERROR_CORRUPT: the file or a record in it is damaged; restore it from a backup
 * @DSQ_ERROR_IO: the file could not be read or written; see to the medium and try again
 * @DSQ_ERROR_NO_SPACE: the medium is full; make room and try again
 * @DSQ_ERROR_READ_ONLY: the file, folder or medium cannot be written; change that and try again
 * @DSQ_ERROR_NOT_FOUND: the folder of the file is missing, or the file where it must exist
 * @DSQ_ERROR_PERMISSION: the file may not be opened by this user
 * @DSQ_ERROR_NOT_REGULAR: the path is a folder, a symbolic link that is not one's own or leads to
 *   nothing, or another thing than a file
 * @DSQ_ERROR_BUSY: another process held the file for longer than the busy timeout; try again
 * @DSQ_ERROR_CHANGED: the store changed its size while it was walked; start the walk anew
 * @DSQ_ERROR_NO_TABLE: the table was dropped; open it anew
 * @DSQ_ERROR_WRONG_PASSWORD: the password is not that of the file; pass another
 * @DSQ_ERROR_ENCRYPTED: the file is encrypted and no password was passed; pass its password
 * @DSQ_ERROR_NOT_ENCRYPTED: the file is not encrypted and a password was passed; pass none
 * @DSQ_ERROR_EXISTS: there is a file where a new one shall be; choose another name
 * @DSQ_ERROR_NAME_TOO_LONG: the path is too long; choose a shorter one
 * @DSQ_ERROR_TOO_MANY_FILES: the process or the system may open no more files; close some
 * @DSQ_ERROR_TOO_LARGE: the file may not grow further by the process's limit or the file system's;
 *   raise it, or make room in the file
 * @DSQ_ERROR_CONFLICT: a key that a transaction read, or a password, was changed by somebody else
 *   before its end; run it again
 * @DSQ_ERROR_OUTCOME_UNKNOWN: whether what was written lasts is not known. The call was ended while
 *   it could not be broken off: what it does is made by another thread, or fails there; see later
 *   what became of it. Or a sync has failed: open the store again, and look at what it holds
 * @DSQ_ERROR_TOO_COSTLY: to try a password of the file would cost more than kdf-limit; raise that
 *   if you trust the file
 * @DSQ_ERROR_NOT_SUPPORTED: an encrypted file hides the order of its keys; ask for the order of
 *   insertion. Or it cannot be done with a store on a server; or this library cannot reach one
 *
 * What went wrong, sorted by what the caller can do.
 *
 * A cancelled call gives %G_IO_ERROR_CANCELLED of the domain %G_IO_ERROR instead.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_ERROR_CLOSED,
  DSQ_ERROR_FORKED,
  DSQ_ERROR_FAILED,
  DSQ_ERROR_INVALID_ARGUMENT,
  DSQ_ERROR_INVALID_KEY,
  DSQ_ERROR_INVALID_VALUE,
  DSQ_ERROR_WRONG_TYPE,
  DSQ_ERROR_FORMAT,
  DSQ_ERROR_CORRUPT,
  DSQ_ERROR_IO,
  DSQ_ERROR_NO_SPACE,
  DSQ_ERROR_READ_ONLY,
  DSQ_ERROR_NOT_FOUND,
  DSQ_ERROR_PERMISSION,
  DSQ_ERROR_NOT_REGULAR,
  DSQ_ERROR_BUSY,
  DSQ_ERROR_CHANGED,
  DSQ_ERROR_NO_TABLE,
  DSQ_ERROR_WRONG_PASSWORD,
  DSQ_ERROR_ENCRYPTED,
  DSQ_ERROR_NOT_ENCRYPTED,
  DSQ_ERROR_EXISTS,
  DSQ_ERROR_NAME_TOO_LONG,
  DSQ_ERROR_TOO_MANY_FILES,
  DSQ_ERROR_TOO_LARGE,
  DSQ_ERROR_CONFLICT,
  DSQ_ERROR_OUTCOME_UNKNOWN,
  DSQ_ERROR_TOO_COSTLY,
  DSQ_ERROR_NOT_SUPPORTED
} DsqError;

DSQ_AVAILABLE_IN_1_0 GQuark dsq_error_quark (void);

G_END_DECLS
