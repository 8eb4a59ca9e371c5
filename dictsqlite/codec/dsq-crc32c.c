/* dsq-crc32c.c - the checksum of a plain file's records
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-crc32c-private.h"

/* The polynomial, its bits reversed. */
#define POLYNOMIAL 0x82F63B78u

/* --- portable: slicing by 8 ------------------------------------------------------------------ */

/* slices[k][b]: what byte b leaves in the register after k more bytes of zero. 8 KiB, made when a
 * processor without the instruction is first met. */
static guint32 slices[8][256]; /* (once slices_made), constant from then on */
static gsize slices_made;

static void
make_slices (void)
{
  for (guint byte = 0; byte < 256; byte++)
    {
      guint32 crc = byte;

      for (guint bit = 0; bit < 8; bit++)
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
      slices[0][byte] = crc;
    }
  for (guint k = 1; k < 8; k++)
    for (guint byte = 0; byte < 256; byte++)
      slices[k][byte] = (slices[k - 1][byte] >> 8) ^ slices[0][slices[k - 1][byte] & 0xFF];
}

guint32
dsq_crc32c_portable (guint32 crc, const guint8 *bytes, gsize length)
{
  if (g_once_init_enter (&slices_made))
    {
      make_slices ();
      g_once_init_leave (&slices_made, 1);
    }

  crc = ~crc;
  for (; length >= 8; bytes += 8, length -= 8)
    {
      guint64 word = dsq_bytes_load_u64 (bytes) ^ crc;

      crc = 0;
#pragma GCC unroll 8
      for (guint k = 0; k < 8; k++)
        crc ^= slices[7 - k][(word >> (8 * k)) & 0xFF];
    }
  for (; length > 0; bytes++, length--)
    crc = (crc >> 8) ^ slices[0][(crc ^ *bytes) & 0xFF];
  return ~crc;
}

/* --- x86-64: the SSE 4.2 instruction --------------------------------------------------------- */

#ifdef __x86_64__

/* The instruction takes three cycles but one can start each cycle, so long input goes as three
 * lanes side by side. A lane's register is moved past the lanes after it by a carry-less
 * multiplication with x^(8 n - 33) mod P, n the bytes to move by: the instruction that reduces the
 * product multiplies by x^32, and reversed bits by one x more. */
#define LANE_LENGTH    256
#define PAST_ONE_LANE  0xB9E02B86u /* n = LANE_LENGTH */
#define PAST_TWO_LANES 0xDD7E3B0Cu /* n = 2 * LANE_LENGTH */

__attribute__ ((target ("sse4.2,pclmul"))) static guint32
update_in_lanes (guint32 crc, const guint8 *bytes)
{
  guint64 first = crc;
  guint64 second = 0;
  guint64 third = 0;
  __m128i moved;

  for (gsize at = 0; at < LANE_LENGTH; at += 8)
    {
      first = _mm_crc32_u64 (first, dsq_bytes_load_u64 (bytes + at));
      second = _mm_crc32_u64 (second, dsq_bytes_load_u64 (bytes + LANE_LENGTH + at));
      third = _mm_crc32_u64 (third, dsq_bytes_load_u64 (bytes + 2 * LANE_LENGTH + at));
    }

  moved = _mm_xor_si128 (_mm_clmulepi64_si128 (_mm_cvtsi64_si128 ((gint64) first),
                                               _mm_cvtsi64_si128 (PAST_TWO_LANES),
                                               0),
                         _mm_clmulepi64_si128 (_mm_cvtsi64_si128 ((gint64) second),
                                               _mm_cvtsi64_si128 (PAST_ONE_LANE),
                                               0));
  return (guint32) (_mm_crc32_u64 (0, (guint64) _mm_cvtsi128_si64 (moved)) ^ third);
}

__attribute__ ((target ("sse4.2"))) static guint32
update_by_instruction (guint32 crc, const guint8 *bytes, gsize length)
{
  guint64 wide;

  if (length >= 3 * LANE_LENGTH && __builtin_cpu_supports ("pclmul"))
    for (; length >= 3 * LANE_LENGTH; bytes += 3 * LANE_LENGTH, length -= 3 * LANE_LENGTH)
      crc = update_in_lanes (crc, bytes);

  wide = crc;
  for (; length >= 8; bytes += 8, length -= 8)
    wide = _mm_crc32_u64 (wide, dsq_bytes_load_u64 (bytes));
  crc = (guint32) wide;
  if (length >= 4)
    {
      crc = _mm_crc32_u32 (crc, dsq_bytes_load_u32 (bytes));
      bytes += 4;
      length -= 4;
    }
  for (; length > 0; bytes++, length--)
    crc = _mm_crc32_u8 (crc, *bytes);
  return crc;
}

#endif

guint32
dsq_crc32c (guint32 crc, const guint8 *bytes, gsize length)
{
#ifdef __x86_64__
  if (__builtin_cpu_supports ("sse4.2"))
    return ~update_by_instruction (~crc, bytes, length);
#endif
  return dsq_crc32c_portable (crc, bytes, length);
}
