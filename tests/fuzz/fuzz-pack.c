/* fuzz-pack.c - any bytes as a pack
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-pack-private.h"
#include "driver.h"
#include "dsq-error.h"

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define NUMBER(n) n "\0\0\0"
#else
#define NUMBER(n) "\0\0\0" n
#endif

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (NUMBER ("\0")),
  FUZZ_SEED (NUMBER ("\1") NUMBER ("\0")),
  FUZZ_SEED (NUMBER ("\2") NUMBER ("\3") NUMBER ("\5") "keyvalue"),
  FUZZ_SEED (NUMBER ("\3") NUMBER ("\1") NUMBER ("\0") NUMBER ("\1") "ab"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* What is a pack is just what building it anew from its items gives. */
int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *again = NULL;
  DsqPackBuilder *builder;
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;
  gsize again_length;
  guint32 n_read = 0;

  if (!dsq_pack_reader_init (&reader, bytes, length, &error))
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      return 0;
    }

  builder = dsq_pack_builder_new ();
  for (; dsq_pack_reader_next (&reader, &item, &item_length); n_read++)
    dsq_pack_builder_add (builder, item, item_length);
  again = dsq_pack_builder_finish (builder, &again_length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n_read, ==, reader.n_items);
  g_assert_cmpmem (again, again_length, bytes, length);
  return 0;
}
