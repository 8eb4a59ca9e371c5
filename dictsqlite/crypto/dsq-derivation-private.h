/* dsq-derivation-private.h - a key from a password, for a call that may be ended meanwhile
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crypto/dsq-kdf-private.h"
#include "crypto/dsq-key-private.h"

G_BEGIN_DECLS

/* Argon2id. Where the call can be ended while it waits, that is G_IO_ERROR_CANCELLED at once, and
 * what has begun goes on in a thread of its own, which throws away what comes of it. */
gboolean dsq_derivation_run (GBytes *password,
                             const DsqKdfCost *cost,
                             const guint8 salt[DSQ_KEY_SALT_LENGTH],
                             guint8 out_key[DSQ_KEY_LENGTH],
                             GError **error);

G_END_DECLS
