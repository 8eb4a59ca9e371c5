/* fuzz-pickle.c - any bytes as a Python pickle
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-pack-private.h"
#include "driver.h"
#include "dsq-error.h"
#include "pickle/dsq-pickle-calls-private.h"
#include "pickle/dsq-pickle-check-private.h"

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\x80\5N."),
  /* {'name': 'Alice', 'age': 30, 'x': [1, (2, 3.5), {4}, frozenset([5])]} */
  FUZZ_SEED ("\x80\5}\x94(\x8c\4name\x94\x8c\5Alice\x94\x8c\3age\x94K\x1e\x8c"
             "\1x\x94]\x94(K\1K\2G@\x0c\0\0\0\0\0\0\x86\x94\x8f\x94(K\4\x90(K\5\x91\x94"
             "eu."),
  FUZZ_SEED ("\x80\4\x95\2\0\0\0\0\0\0\0N."),
  /* protocols 0 and 2 */
  FUZZ_SEED ("(lp0\nI1\naL5L\naF1.5\naS'x'\naVy\np1\na(dp2\ng1\nI01\nsa."),
  FUZZ_SEED ("\x80\2}q\0(X\1\0\0\0aq\1]q\2(K\1M\1\1J\1\0\1\0\x8a\1\x7f\x88NeU\1bh\2u."),
  FUZZ_SEED ("\x80\4\x8c\1m\x8c\1C\x93)\x81}\x8c\1aNsb."),
  FUZZ_SEED ("\x80\4\x8c\1m\x8c\1C\x93K\1\x85}\x92N}\x8c\1aNs\x86"
             "b."),
  FUZZ_SEED ("\x80\4\x8c\1m\x8c\1C\x93q\0(h\0h\0h\0h\0NNNNN]tR(K\1K\2u(Ne."),
  FUZZ_SEED ("\x80\4\x8c\11_operator\x8c\3or_\x93\x8c\10"
             "builtins\x8c\7getattr\x93q\1\x8c\1m\x8c\1"
             "F\x93q\2\x8c\1A\x86Rh\1h\2\x8c\1B\x86R\x86R."),
  FUZZ_SEED (
      "ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nobject\nNtRp0\n(dVa\nc_codecs\nencode\n"
      "(Vx\nVlatin1\ntRsb."),
  FUZZ_SEED ("\x80\2K\1K\2\x86q\0h\0\x86q\1h\1h\1\x86q\2}h\2Ns."),
  FUZZ_SEED ("\x80\2]q\0(h\0h\0e."),
  FUZZ_SEED ("\x80\4N(0N2\x94(N10."),
  /* a class in a class, a state in slots, a state that is a tuple, pairs, a fraction */
  FUZZ_SEED ("cbuiltins\ngetattr\np0\n(g0\n(cm\nC\nVA\ntRVB\ntRp1\n)\x81(Nd(Va\nNstb."),
  FUZZ_SEED ("cm\nC\n)R(K\1(K\1tNtb."),
  FUZZ_SEED ("\x80\2cm\nC\nq\0](](K\1Ne](K\2Neeq\1\x85Rh\0h\1\x85RX\3\0\0\0"
             "1/2\x85\x86\x86."),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static const guint8 *
next_item (DsqPackReader *reader, guint32 *out_length)
{
  const guint8 *item = NULL;

  g_assert_true (dsq_pack_reader_next (reader, &item, out_length));
  return item;
}

/* A report is a pack with a head, three items for each import, and three and its names for each
 * call; and behind it an offset for each of them, and four weights for each call or none. */
static void
check_report (const guint8 *report, gsize report_length, gsize length)
{
  DsqPackReader reader;
  gsize pack_length;
  gsize n_calls = 0;
  gsize rest;
  const guint8 *head;
  guint32 head_length;
  guint32 n_imports;

  g_assert_cmpuint (report_length, >, sizeof (guint32));
  pack_length = dsq_bytes_load_u32 (report);
  g_assert_cmpuint (pack_length, <=, report_length - sizeof (guint32));
  g_assert_true (dsq_pack_reader_init (&reader, report + sizeof (guint32), pack_length, NULL));
  head = next_item (&reader, &head_length);
  g_assert_cmpuint (head_length, ==, 5);
  g_assert_cmpuint (head[0] & ~DSQ_PICKLE_LOOK_AT_KEYS, <=, 5);
  n_imports = dsq_bytes_load_u32 (head + 1);
  for (guint32 i = 0; i < 3 * n_imports; i++)
    next_item (&reader, &head_length);
  for (; reader.n_left > 0; n_calls++)
    {
      guint32 n_names;

      head = next_item (&reader, &head_length);
      g_assert_cmpuint (head_length, ==, 17);
      g_assert_cmpuint (dsq_bytes_load_u32 (head + 5), <, n_imports);
      n_names = dsq_bytes_load_u32 (head + 13);
      for (guint32 i = 0; i < 2 + n_names; i++)
        next_item (&reader, &head_length);
    }
  rest = report_length - sizeof (guint32) - pack_length;
  if (rest != sizeof (guint32) * (n_imports + n_calls))
    g_assert_cmpuint (rest, ==, sizeof (guint32) * (n_imports + n_calls) + 32 * n_calls);
  for (gsize i = 0; i < n_imports + n_calls; i++)
    g_assert_cmpuint (dsq_bytes_load_u32 (report + sizeof (guint32) * (1 + i) + pack_length),
                      <,
                      length);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *report = NULL;
  gsize report_length;
  guint8 *none;

  if (!dsq_pickle_check_run (bytes, length, &report, &report_length, &error))
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
      g_assert_null (report);
      return 0;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (bytes[length - 1], ==, '.');
  if (report != NULL)
    check_report (report, report_length, length);
  /* nothing can be left out of it at its end */
  g_assert_false (dsq_pickle_check_run (bytes, length - 1, &none, &report_length, NULL));
  return 0;
}
