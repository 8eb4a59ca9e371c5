/* dsq-types.h - forward declarations and export macro
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(DICTSQLITE_INSIDE) && !defined(DICTSQLITE_COMPILATION)
#error "Only <dictsqlite.h> can be included directly."
#endif

#include <gio/gio.h>

G_BEGIN_DECLS

/* The library is built with hidden visibility; what carries DSQ_API is public. */
#ifndef DSQ_API
#define DSQ_API extern
#endif

typedef struct _DsqStore DsqStore;
typedef struct _DsqCursor DsqCursor;
typedef struct _DsqStats DsqStats;

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
