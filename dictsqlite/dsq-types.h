/* dsq-types.h - forward declarations and limits
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(DICTSQLITE_INSIDE) && !defined(DICTSQLITE_COMPILATION)
#error "Only <dictsqlite.h> can be included directly."
#endif

#include <gio/gio.h>

#include <dsq-version.h>

G_BEGIN_DECLS

typedef struct _DsqStore DsqStore;
typedef struct _DsqCursor DsqCursor;
typedef struct _DsqScan DsqScan;
typedef struct _DsqStats DsqStats;
typedef struct _DsqTransaction DsqTransaction;
typedef struct _DsqWatch DsqWatch;
typedef struct _DsqItem DsqItem;
typedef struct _DsqKeyModel DsqKeyModel;

/**
 * DsqProgressFunc:
 * @n_done: entries that are done
 * @n_total: entries that there are
 * @user_data: (closure): what was passed along
 *
 * Called from time to time, on the thread that made the call, while something long runs.
 *
 * Since: 1.0
 */
typedef void (*DsqProgressFunc) (guint64 n_done, guint64 n_total, gpointer user_data);

/**
 * DSQ_MAX_KEY_LENGTH:
 *
 * The longest key, in bytes of its encoded form: 1 MiB.
 *
 * Since: 1.0
 */
#define DSQ_MAX_KEY_LENGTH 1048576

/**
 * DSQ_MAX_VALUE_LENGTH:
 *
 * The longest record, in bytes, its type byte included: 512 MiB.
 *
 * Since: 1.0
 */
#define DSQ_MAX_VALUE_LENGTH 536870912

G_END_DECLS
