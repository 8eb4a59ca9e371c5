/* dsq-server-address-private.h - which server a path means, and which store there
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* postgresql://[user@][host][:port][/database][?table=name][&max_staleness=milliseconds][&...],
 * whose other parameters are libpq's. */
typedef struct
{
  char *uri;              /* (owned) for libpq, without what is ours */
  char *name;             /* (owned) the store's, UTF-8 */
  guint max_staleness_ms; /* 0: the server is asked at every read */
} DsqServerAddress;

/* Whether @path is one at all, and names no file. */
gboolean dsq_server_is_address (const char *path);
/* Sets DSQ_ERROR_INVALID_ARGUMENT, also where there is a password in it or another secret: it would
 * be shown wherever a path is. No message holds the address. */
gboolean dsq_server_address_parse (DsqServerAddress *self, const char *path, GError **error);
/* Whether it could be parsed. */
gboolean dsq_server_address_check (const char *path, GError **error);
/* For those who find a secret in it; returns FALSE. */
gboolean dsq_server_address_refuse_secret (const char *parameter, GError **error);
void dsq_server_address_clear (DsqServerAddress *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqServerAddress, dsq_server_address_clear)

G_END_DECLS
