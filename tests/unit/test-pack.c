/* test-pack.c - many byte strings in one array
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-pack-private.h"
#include "dsq-error.h"

static guint8 *
pack_of_three (gsize *out_length)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();
  g_autoptr (GError) error = NULL;
  guint8 *pack;

  dsq_pack_builder_add (builder, (const guint8 *) "key", 3);
  dsq_pack_builder_add (builder, NULL, 0);
  dsq_pack_builder_add (builder, (const guint8 *) "a\0b", 3);
  pack = dsq_pack_builder_finish (builder, out_length, &error);
  g_assert_no_error (error);
  return pack;
}

static void
assert_no_pack (const guint8 *pack, gsize length)
{
  g_autofree guint8 *exact = g_memdup2 (pack, length);
  g_autoptr (GError) error = NULL;
  DsqPackReader reader;

  g_assert_false (dsq_pack_reader_init (&reader, exact, length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
}

static void
test_lies_as_told (void)
{
  static const guint32 numbers[] = { 3, 3, 0, 3 };
  gsize length;
  g_autofree guint8 *pack = pack_of_three (&length);

  g_assert_cmpuint (length, ==, sizeof numbers + 6);
  g_assert_cmpmem (pack, sizeof numbers, numbers, sizeof numbers);
  g_assert_cmpmem (pack + sizeof numbers, 6, "keya\0b", 6);
}

static void
test_reads_what_was_built (void)
{
  gsize length;
  g_autofree guint8 *pack = pack_of_three (&length);
  g_autofree guint8 *unaligned = g_malloc (length + 1);
  g_autoptr (GError) error = NULL;
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;

  memcpy (unaligned + 1, pack, length);
  g_assert_true (dsq_pack_reader_init (&reader, unaligned + 1, length, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (reader.n_items, ==, 3);
  g_assert_true (dsq_pack_reader_next (&reader, &item, &item_length));
  g_assert_cmpmem (item, item_length, "key", 3);
  g_assert_true (dsq_pack_reader_next (&reader, &item, &item_length));
  g_assert_cmpuint (item_length, ==, 0);
  g_assert_cmpuint (reader.n_left, ==, 1);
  g_assert_true (dsq_pack_reader_next (&reader, &item, &item_length));
  g_assert_cmpmem (item, item_length, "a\0b", 3);
  g_assert_false (dsq_pack_reader_next (&reader, &item, &item_length));
  g_assert_false (dsq_pack_reader_next (&reader, &item, &item_length));
  g_assert_cmpuint (reader.n_items, ==, 3);
}

static void
test_holds_nothing (void)
{
  gsize length;
  g_autofree guint8 *pack = dsq_pack_builder_finish (dsq_pack_builder_new (), &length, NULL);
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;

  g_assert_cmpuint (length, ==, sizeof (guint32));
  g_assert_true (dsq_pack_reader_init (&reader, pack, length, NULL));
  g_assert_cmpuint (reader.n_items, ==, 0);
  g_assert_false (dsq_pack_reader_next (&reader, &item, &item_length));
}

static void
test_refuses_what_does_not_tile (void)
{
  gsize length;
  g_autofree guint8 *pack = pack_of_three (&length);
  g_autofree guint8 *longer = g_malloc0 (length + 1);

  assert_no_pack (NULL, 0);
  for (gsize part = 0; part < length; part++)
    assert_no_pack (pack, part);
  memcpy (longer, pack, length);
  assert_no_pack (longer, length + 1);
}

static void
test_refuses_counts_and_lengths_beyond_its_end (void)
{
  static const guint32 vast_count[] = { G_MAXUINT32, 0 };
  static const guint32 wrapping_count[] = { 0x40000000, 0 };
  static const guint32 vast_length[] = { 1, G_MAXUINT32 };
  /* these lengths come to 4 in 32 bits */
  static const guint32 wrapping_lengths[] = { 2, 0x80000002, 0x80000002, 0 };

  assert_no_pack ((const guint8 *) vast_count, sizeof vast_count);
  assert_no_pack ((const guint8 *) wrapping_count, sizeof wrapping_count);
  assert_no_pack ((const guint8 *) vast_length, sizeof vast_length);
  assert_no_pack ((const guint8 *) wrapping_lengths, sizeof wrapping_lengths);
}

static void
test_grows (void)
{
  DsqPackBuilder *builder = dsq_pack_builder_new ();
  g_autofree guint8 *bytes = g_malloc (10000);
  g_autofree guint8 *pack = NULL;
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;
  gsize length;
  gsize expected = 0;

  for (guint i = 0; i < 10000; i++)
    bytes[i] = (guint8) (i * 7);
  for (gsize i = 0; i < 10000; i += 13)
    dsq_pack_builder_add (builder, bytes, i);
  pack = dsq_pack_builder_finish (builder, &length, NULL);

  g_assert_true (dsq_pack_reader_init (&reader, pack, length, NULL));
  for (; dsq_pack_reader_next (&reader, &item, &item_length); expected += 13)
    g_assert_cmpmem (item, item_length, bytes, expected);
  g_assert_cmpuint (expected, >=, 10000);
}

/* The item is refused by its length alone, so it need not be there. */
static void
test_refuses_to_build_four_gibibytes (void)
{
  const gsize lengths[] = { G_MAXUINT32, G_MAXUINT32 - 7, G_MAXSIZE, G_MAXSIZE - 8 };

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      DsqPackBuilder *builder = dsq_pack_builder_new ();
      g_autoptr (GError) error = NULL;
      gsize length;

      dsq_pack_builder_add (builder, (const guint8 *) "key", lengths[i]);
      dsq_pack_builder_add (builder, (const guint8 *) "key", 3);
      g_assert_null (dsq_pack_builder_finish (builder, &length, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
    }
}

/* With a byte before it an item may be one too long, and is told so before it is looked at. */
static void
test_items_with_a_head (void)
{
  static const guint32 numbers[] = { 2, 1, 4 };
  const gsize most = G_MAXUINT32 - 2 * sizeof (guint32);
  const gsize lengths[] = { most, most + 1, G_MAXUINT32, G_MAXSIZE - 1, G_MAXSIZE };
  DsqPackBuilder *builder = dsq_pack_builder_new ();
  g_autofree guint8 *pack = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  dsq_pack_builder_add_behind (builder, '1', NULL, 0);
  dsq_pack_builder_add_behind (builder, '2', (const guint8 *) "key", 3);
  pack = dsq_pack_builder_finish (builder, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, sizeof numbers + 5);
  g_assert_cmpmem (pack, sizeof numbers, numbers, sizeof numbers);
  g_assert_cmpmem (pack + sizeof numbers, 5, "12key", 5);

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      builder = dsq_pack_builder_new ();
      dsq_pack_builder_add_behind (builder, '1', (const guint8 *) "key", lengths[i]);
      g_assert_null (dsq_pack_builder_finish (builder, &length, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
}

static void
test_builder_may_be_given_up (void)
{
  g_autoptr (DsqPackBuilder) builder = dsq_pack_builder_new ();

  dsq_pack_builder_add (builder, (const guint8 *) "key", 3);
}

/* A pack of texts: @length bytes of @texts behind its head. */
static guint8 *
pack_of_texts (guint32 n_items, guint32 n_columns, const char *texts, gsize length)
{
  guint8 *pack = g_malloc (DSQ_PACK_TEXTS_HEAD + length);

  memcpy (dsq_pack_write_texts_head (pack, n_items, n_columns), texts, length);
  return pack;
}

static void
assert_texts (guint32 n_items, guint32 n_columns, const char *texts, gsize length, const char *all)
{
  g_autofree guint8 *pack = pack_of_texts (n_items, n_columns, texts, length);
  g_autoptr (GString) found = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  DsqPackReader reader;
  const guint8 *item;
  guint32 item_length;

  g_assert_true (dsq_pack_reader_init (&reader, pack, DSQ_PACK_TEXTS_HEAD + length, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (reader.n_items, ==, n_items);
  while (dsq_pack_reader_next (&reader, &item, &item_length))
    g_string_append_printf (found, "<%.*s>", (int) item_length, (const char *) item);
  g_assert_cmpstr (found->str, ==, all);
  g_assert_cmpuint (reader.n_left, ==, 0);
}

static void
test_reads_texts (void)
{
  assert_texts (1, 1, "", 0, "<>");
  assert_texts (1, 1, "one", 3, "<one>");
  assert_texts (3, 1, "a\0\0ccc", 6, "<a><><ccc>");
  assert_texts (3, 1, "a\0b\0", 4, "<a><b><>");
  assert_texts (2, 2, "key\0record", 10, "<key><record>");
  assert_texts (2, 2, "\0", 1, "<><>");
  assert_texts (6, 2, "a\0b\0c\0001\0002\0003", 11, "<a><1><b><2><c><3>");
  assert_texts (4, 2, "a\0\0\0d", 5, "<a><><><d>");
}

static void
assert_no_texts (guint32 n_items, guint32 n_columns, const char *texts, gsize length)
{
  g_autofree guint8 *pack = pack_of_texts (n_items, n_columns, texts, length);

  assert_no_pack (pack, DSQ_PACK_TEXTS_HEAD + length);
}

static void
test_refuses_other_texts (void)
{
  g_autofree guint8 *pack = pack_of_texts (1, 1, "a", 1);

  for (gsize length = 0; length < DSQ_PACK_TEXTS_HEAD; length++)
    assert_no_pack (pack, length);
  assert_no_texts (0, 1, "", 0);
  assert_no_texts (0, 2, "", 0);
  assert_no_texts (1, 0, "a", 1);
  assert_no_texts (3, 3, "a\0b\0c", 5);
  assert_no_texts (3, 2, "a\0b\0c", 5);
  assert_no_texts (2, 1, "a", 1);
  assert_no_texts (2, 1, "a\0b\0c", 5);
  assert_no_texts (G_MAXUINT32 - 1, 2, "a\0b", 3);
}

/* Which domain it is of stands in the head. */
static void
test_packs_errors (void)
{
  const GError errors[] = { { DSQ_ERROR, DSQ_ERROR_BUSY, (char *) "why" },
                            { G_IO_ERROR, G_IO_ERROR_CANCELLED, (char *) "why" } };
  const guint8 domains[] = { 1, 2 };

  for (guint i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      const guint8 expected[] = { 0, (guint8) errors[i].code, domains[i], 'w', 'h', 'y' };
      g_autoptr (GByteArray) item = dsq_pack_make_error (&errors[i]);

      g_assert_cmpmem (item->data, item->len, expected, sizeof expected);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/pack/lies-as-told", test_lies_as_told);
  g_test_add_func ("/dsq/pack/items-with-a-head", test_items_with_a_head);
  g_test_add_func ("/dsq/pack/reads-what-was-built", test_reads_what_was_built);
  g_test_add_func ("/dsq/pack/holds-nothing", test_holds_nothing);
  g_test_add_func ("/dsq/pack/refuses-what-does-not-tile", test_refuses_what_does_not_tile);
  g_test_add_func ("/dsq/pack/refuses-counts-and-lengths-beyond-its-end",
                   test_refuses_counts_and_lengths_beyond_its_end);
  g_test_add_func ("/dsq/pack/grows", test_grows);
  g_test_add_func ("/dsq/pack/refuses-to-build-four-gibibytes",
                   test_refuses_to_build_four_gibibytes);
  g_test_add_func ("/dsq/pack/builder-may-be-given-up", test_builder_may_be_given_up);
  g_test_add_func ("/dsq/pack/reads-texts", test_reads_texts);
  g_test_add_func ("/dsq/pack/packs-errors", test_packs_errors);
  g_test_add_func ("/dsq/pack/refuses-other-texts", test_refuses_other_texts);
  return g_test_run ();
}
