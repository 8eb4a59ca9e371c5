/* dsq-crc32c-private.h - the checksum of a plain file's records
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of @bytes, going on from @crc; start with 0.
 * dsq_crc32c (dsq_crc32c (0, a), b) is the CRC of a followed by b. */
guint32 dsq_crc32c (guint32 crc, const guint8 *bytes, gsize length);

/* The same without the processor's own instruction, for the tests. */
guint32 dsq_crc32c_portable (guint32 crc, const guint8 *bytes, gsize length);

G_END_DECLS
