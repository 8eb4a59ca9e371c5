/* dsq-pickle-reading-private.h - the bytes of a pickle, one piece after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "pickle/dsq-pickle-machine-private.h"

G_BEGIN_DECLS

/* Where what may be read now ends: in a frame at its end, as no opcode crosses that. */
static inline guint32
dsq_pickle_end_of (const DsqPickleMachine *self)
{
  return self->frame_end != 0 ? self->frame_end : self->length;
}

/* The offset of the next @length bytes, which are passed over. */
static inline gboolean
dsq_pickle_take (DsqPickleMachine *self, guint64 length, guint32 *out_at)
{
  if (length > dsq_pickle_end_of (self) - self->at)
    return dsq_pickle_fail (self, "it ends early, or tells a length beyond its end");
  *out_at = self->at;
  self->at += (guint32) length;
  return TRUE;
}

/* A number of @size bytes, little-endian, unsigned. */
static inline gboolean
dsq_pickle_take_number (DsqPickleMachine *self, guint size, guint64 *out)
{
  guint32 at;

  if (!dsq_pickle_take (self, size, &at))
    return FALSE;
  *out = size == 8 ? dsq_bytes_load_u64 (self->bytes + at)
                   : dsq_bytes_load_short (self->bytes + at, size);
  return TRUE;
}

/* What stands up to the next line feed, which is passed over as well. */
static inline gboolean
dsq_pickle_take_line (DsqPickleMachine *self, guint32 *out_at, guint32 *out_length)
{
  const guint8 *begin = self->bytes + self->at;
  const guint8 *end = memchr (begin, '\n', dsq_pickle_end_of (self) - self->at);

  if (end == NULL)
    return dsq_pickle_fail (self, "a line has no end");
  *out_at = self->at;
  *out_length = (guint32) (end - begin);
  self->at += *out_length + 1;
  return TRUE;
}

G_END_DECLS
