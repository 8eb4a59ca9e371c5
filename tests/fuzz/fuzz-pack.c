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
#define TEXTS "\xff\xff\xff\xff"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (NUMBER ("\0")),
  FUZZ_SEED (NUMBER ("\1") NUMBER ("\0")),
  FUZZ_SEED (NUMBER ("\2") NUMBER ("\3") NUMBER ("\5") "keyvalue"),
  FUZZ_SEED (NUMBER ("\3") NUMBER ("\1") NUMBER ("\0") NUMBER ("\1") "ab"),
  FUZZ_SEED (TEXTS NUMBER ("\1") NUMBER ("\1")),
  FUZZ_SEED (TEXTS NUMBER ("\3") NUMBER ("\1") "a\0\0bc"),
  FUZZ_SEED (TEXTS NUMBER ("\4") NUMBER ("\2") "key\0a\0value\0"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* A pack of texts is its head and its items, each but the last with a byte 0 behind it. */
static void
check_texts (DsqPackReader *reader, const uint8_t *bytes, size_t length)
{
  g_autoptr (GByteArray) first = g_byte_array_new ();
  g_autoptr (GByteArray) second = g_byte_array_new ();
  gboolean in_two = reader->second != NULL;
  const guint8 *item;
  guint32 item_length;
  guint32 n_read = 0;

  for (; dsq_pack_reader_next (reader, &item, &item_length); n_read++)
    {
      GByteArray *column = in_two && n_read % 2 != 0 ? second : first;

      g_byte_array_append (column, item, item_length);
      g_byte_array_append (column, (const guint8 *) "", 1);
    }
  g_assert_cmpuint (n_read, ==, reader->n_items);
  g_byte_array_append (first, second->data, second->len);
  g_assert_cmpmem (first->data,
                   first->len - 1,
                   bytes + DSQ_PACK_TEXTS_HEAD,
                   length - DSQ_PACK_TEXTS_HEAD);
}

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
  if (reader.lengths == NULL)
    {
      check_texts (&reader, bytes, length);
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
