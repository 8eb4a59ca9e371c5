/* test-pickle-check.c - what a pickle would do, told without doing it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "pickle-support.h"

/* --- what passes ------------------------------------------------------------------------------ */

static void
test_plain_data (void)
{
  assert_plain ("N.");
  assert_plain ("\x80\5N.");
  assert_plain ("\x80\5\x95\4\0\0\0\0\0\0\0]\x94]"
                "a.");
  assert_plain ("\x80\2}q\0(X\1\0\0\0aq\1K\1h\1\x88u.");
  assert_plain ("(lp0\nI1\naI-2\naL5L\naF1.5\naI01\naS'x'\naVy\\u1234\na.");
  assert_plain ("\x80\4\x8f(K\1\x8a\0\x90.");
  assert_plain ("\x80\4(K\1K\2\x91.");
  assert_plain ("\x80\2)(NNt\x86.");
  assert_plain ("\x80\5\x96\1\0\0\0\0\0\0\0x.");
}

static void
test_cycles_are_plain_data (void)
{
  assert_plain ("\x80\2]q\0(h\0h\0e.");
  assert_plain ("\x80\2]q\0h\0\x85q\1"
                "a0h\1.");
}

static void
test_imports_and_calls (void)
{
  assert_report ("\x80\4" C_IN_M ".", "m.C+value");
  assert_report ("cm\nC\n0N.", "m.C");
  assert_report ("\x80\4" C_IN_M ")R.", "m.C R0");
  assert_report ("\x80\4" C_IN_M "q\0(NK\1h\0]tR.", "m.C+value R0:nicl");
  assert_report ("\x80\4" C_IN_M "q\0(NNNNNNNNK\1]tR.", "m.C R0:nnnnnnnn*il");
  assert_report ("\x80\4" C_IN_M "q\0)\x81h\0)}\x92\x86.", "m.C N0 X0");
  assert_report ("\x80\4" C_IN_M ")}\x8c\1aNs\x92.", "m.C X0!64");
}

static void
test_equal_calls_are_told_once (void)
{
  assert_report ("\x80\4](" C_IN_M "q\0K\1\x85Rh\0K\2\x85Rh\0\x8a\5\0\0\0\0\1\x85"
                 "Re.",
                 "m.C R0:i R0:I");
}

static void
test_what_is_done_to_instances (void)
{
  assert_report ("\x80\4" C_IN_M ")\x81}\x8c\1aNsb.", "m.C N0!1");
  assert_report ("\x80\4" C_IN_M ")\x81N}\x8c\1aNs\x86"
                 "b.",
                 "m.C N0!257=a");
  assert_report ("\x80\4" C_IN_M ")\x81N}\x8c\11__class__Ns\x86"
                 "b.",
                 "m.C N0!259=__class__");
  assert_report ("\x80\4" C_IN_M ")\x81}\x8c\11__notes__Nsb.", "m.C N0!1");
  assert_report ("\x80\4" C_IN_M ")\x81}K\1Nsb.", "m.C N0!3");
  assert_report ("\x80\4" C_IN_M ")\x81K\1b.", "m.C N0!5");
  assert_report ("\x80\4" C_IN_M ")\x81(K\1K\2u(K\3\x90.", "m.C N0!48");
  /* what REDUCE gave may set them one by one; a state that is a tuple is told by its kinds */
  assert_report ("\x80\4" C_IN_M ")R}\x8c\4argsNsb.", "m.C R0!1=args");
  assert_report ("\x80\4}\x8c\4argsNs\x94"
                 "0" C_IN_M ")Rh\0b.",
                 "m.C R0!513");
  assert_report ("\x80\4" C_IN_M ")\x81K\1)N\x87"
                 "b.",
                 "m.C N0!5=(itn");
}

static void
test_signatures (void)
{
  assert_report ("\x80\4" C_IN_M "(\x8c\4-1/2\x8c\004"
                 "1/2/\x8c\1-\x8c\00212tR.",
                 "m.C R0:qssq");
  /* lists and tuples that hold instances */
  assert_report ("\x80\4" C_IN_M "\x94)R\x94"
                 "0h\0](h\1e](K\1eh\1\x85\x87R.",
                 "m.C R0 R0:LlT");
}

static void
test_known_calls (void)
{
  assert_report ("c__builtin__\ngetattr\n(cm\nC\nVRED\ntR.",
                 "__builtin__.getattr m.C+value M1/RED!128");
  assert_report ("c_operator\nor_\n(cbuiltins\ngetattr\np0\n(cm\nC\np1\nVA\ntRg0\n(g1\nVB\ntRtR.",
                 "_operator.or_ builtins.getattr m.C+value M2/A!128 M2/B!128");
  assert_report ("c_operator\nor_\n(cbuiltins\ngetattr\n(cm\nC\nVA\ntRI8\ntR.",
                 "_operator.or_ builtins.getattr m.C+value M2/A!128");
  assert_report ("ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nobject\nNtR.",
                 "copy_reg._reconstructor m.C+value __builtin__.object+value O1:ccn");
  assert_report ("ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nlist\n]tR.",
                 "copy_reg._reconstructor m.C+value __builtin__.list+value O1:ccl");
  assert_report ("c_codecs\nencode\n(Vx\nVlatin1\ntR.", "_codecs.encode");
  /* and as any other call where they are otherwise */
  assert_report ("c_codecs\nencode\n(Vx\nVrot13\ntR.", "_codecs.encode R0:ss");
  assert_report ("cbuiltins\ngetattr\n(NVx\ntR.", "builtins.getattr R0:ns");
  assert_report ("c_operator\nor_\n(NNtR.", "_operator.or_ R0:nn");
  /* what getattr() gave may be called, under its name, and have members itself */
  assert_report ("cbuiltins\ngetattr\n(cm\nC\nVmake\ntR(NtR.",
                 "builtins.getattr m.C+value M1/make R1/make:n");
  assert_report ("cbuiltins\ngetattr\np0\n(g0\n(cm\nC\nVA\ntRVB\ntR)\x81.",
                 "builtins.getattr m.C+value M1/A!128 M1/A.B N1/A.B");
}

/* --- what is refused -------------------------------------------------------------------------- */

static void
test_damage_is_refused (void)
{
  assert_refused ("", 0, "no end");
  assert_refused ("N", 1, "no end");
  assert_refused (".", 0, "no value");
  assert_refused ("NN.", 2, "more than one");
  assert_refused ("N.N", 1, "bytes follow");
  assert_refused ("(N.", 2, "more than one");
  assert_refused ("K", 0, "ends early");
  assert_refused ("t", 0, "a mark");
  assert_refused ("\x80\2\x85.", 2, "not there");
  assert_refused ("(\x85.", 1, "not there");
  assert_refused ("N(a.", 2, "not there");
  assert_refused ("(Nd.", 2, "no value");
  assert_refused ("h\0.", 0, "nothing was put");
  assert_refused ("\xff.", 0, "unknown opcode");
  assert_refused ("N\x80\2.", 1, "protocol");
  assert_refused ("\x80\6N.", 0, "protocol");
  assert_refused ("I1", 0, "no end");
}

static void
test_frames_must_tile (void)
{
  assert_refused ("\x80\4\x95\1\0\0\0\0\0\0\0K\1.", 11, "ends early");
  assert_refused ("\x80\4\x95\3\0\0\0\0\0\0\0N.", 2, "frame");
  assert_refused ("\x80\4\x95\0\0\0\0\0\0\0\0N.", 2, "frame");
  assert_refused ("\x80\2\x95\2\0\0\0\0\0\0\0N.", 2, "frame");
  assert_refused ("\x80\4\x95\x0b\0\0\0\0\0\0\0\x95\2\0\0\0\0\0\0\0N.", 11, "frame");
  assert_plain ("\x80\4\x95\1\0\0\0\0\0\0\0N\x94\x95\1\0\0\0\0\0\0\0.");
}

static void
test_calls_must_have_a_name (void)
{
  assert_refused ("\x80\4" C_IN_M ")R)R.", 12, "m:C: it calls what it does not name");
  assert_refused ("N)R.", 2, "it calls what it does not name");
  assert_refused ("\x80\4" C_IN_M "]R.", 10, "no tuple");
  assert_refused ("\x80\4" C_IN_M ")]\x92.", 11, "no dict");
  assert_refused ("\x80\4\x8c\1mN\x93.", 6, "literally");
  assert_refused ("c\xff\nC\n.", 0, "UTF-8");
  assert_refused ("(cm\nC\no.", 6, "Python 2");
  assert_refused ("(im\nC\n.", 1, "Python 2");
  assert_refused ("\x82\1.", 0, "extension");
  assert_refused ("NQ.", 1, "persistent");
  assert_refused ("\x97.", 0, "buffer");
}

static void
test_only_what_was_made_is_changed (void)
{
  assert_refused ("\x80\4" C_IN_M "}b.", 10, "m:C: it sets the state");
  assert_refused ("]}b.", 2, "it sets the state");
  assert_refused ("\x80\4" C_IN_M ")\x81}b}b.", 14, "twice");
  assert_refused ("\x80\4" C_IN_M ")\x81}bNa.", 14, "has its state");
  assert_refused ("\x80\4" C_IN_M "Na.", 10, "no container");
  assert_refused (")Na.", 2, "no container");
  assert_refused ("]NNs.", 3, "no container");
  assert_refused ("}]Ns.", 3, "hashed");
}

static void
test_bounds (void)
{
  g_autoptr (GString) deep = g_string_new (NULL);

  assert_refused ("Nr\xff\xff\xff\x7f.", 1, "index is too large");
  assert_refused ("\x8b\xff\xff\xff\x7f.", 0, "beyond its end");
  assert_refused ("\x80\4\x8e\0\0\0\0\1\0\0\0.", 2, "beyond its end");
  for (guint i = 0; i < 1000; i++)
    g_string_append_c (deep, '\x85');
  g_string_prepend_c (deep, 'N');
  g_string_append_c (deep, '.');
  assert_plain_length (deep->str, deep->len);
  g_string_insert_c (deep, 1, '\x85');
  g_string_insert_c (deep, 1, '\x85');
  assert_refused_length (deep->str, deep->len, 1002, "too deeply");
}

/* (1, 2), a pair of that twice, a pair of that twice, and so on: the last as a key. */
static GString *
doubled (guint levels)
{
  GString *pickle = g_string_new_len ("}K\1K\2\x86q\0", 8);

  for (guint level = 1; level < levels; level++)
    {
      const char below = (char) (level - 1);
      const char pair[] = { '0', 'h', below, 'h', below, '\x86', 'q', (char) level };

      g_string_append_len (pickle, pair, sizeof pair);
    }
  return g_string_append (pickle, "Ns.");
}

static void
test_what_is_named_again_is_weighed (void)
{
  g_autoptr (GString) light = doubled (15);
  g_autoptr (GString) key = doubled (22);
  g_autoptr (GString) heavy = doubled (40);

  assert_plain_length (light->str, light->len);
  assert_refused_length (key->str, key->len, (guint) key->len - 1, "hash");
  assert_refused_length (heavy->str, heavy->len, (guint) heavy->len - 1, "times over");
}

/* A set of @n integers, each 2^61 - 1 above the one before. */
static GString *
alike (guint n)
{
  GString *pickle = g_string_new_len ("\x80\4\x8f(", 4);

  for (guint i = 1; i <= n; i++)
    {
      guint8 bytes[18] = { 0x8a, 16 };
      unsigned __int128 number = (unsigned __int128) i * (((guint64) 1 << 61) - 1) + 7;

      dsq_bytes_store_u64 (bytes + 2, (guint64) number);
      dsq_bytes_store_u64 (bytes + 10, (guint64) (number >> 64));
      g_string_append_len (pickle, (const char *) bytes, sizeof bytes);
    }
  return g_string_append_len (pickle, "\x90.", 2);
}

static void
test_integers_that_hash_alike (void)
{
  g_autoptr (GString) few = alike (1000);
  g_autoptr (GString) many = alike (4000);

  assert_plain_length (few->str, few->len);
  assert_refused_length (many->str, many->len, (guint) many->len - 1, "hash alike");
}

/* A list of @n times @item, as the argument of a call. */
static GString *
called_with (guint n, const char *item, gsize length)
{
  GString *pickle = g_string_new_len ("\x80\4" C_IN_M "](", 11);

  while (n-- > 0)
    g_string_append_len (pickle, item, (gssize) length);
  return g_string_append_len (pickle, "e\x85R.", 4);
}

static void
test_numbers_whose_searches_follow_each_other (void)
{
  g_autoptr (GString) equal = called_with (100000, "K\7", 2);
  g_autoptr (GString) floats = called_with (100000, "G\x3f\xf0\0\0\0\0\0\0", 9);
  g_autoptr (GString) no_numbers = called_with (100000, "G\x7f\xf8\0\0\0\0\0\0", 9);
  g_autoptr (GString) orbit = g_string_new ("}(");
  guint8 number[6] = { 'J', 0, 0, 0, 0, 'N' };
  guint32 place = 1;

  g_free (describe (equal->str, equal->len));
  g_free (describe (floats->str, floats->len));
  assert_refused_length (no_numbers->str, no_numbers->len, (guint) no_numbers->len - 1, "alike");

  /* half of a table is filled along the way on which the others search */
  for (guint i = 0; i < 60000; i++)
    {
      dsq_bytes_store_u32 (number + 1, i < 30000 ? place : (1 << 17) * (i - 30000) + 1);
      place = (place * 5 + 1) & ((1 << 17) - 1);
      g_string_append_len (orbit, (const char *) number, sizeof number);
    }
  g_string_append_len (orbit, "u.", 2);
  assert_refused_length (orbit->str, orbit->len, (guint) orbit->len - 1, "alike");
}

static void
test_tuples_that_hash_alike (void)
{
  g_autoptr (GString) pickle = g_string_new_len ("\x80\4\x8f(", 4);
  g_autoptr (GString) honest = g_string_new_len ("\x80\4\x8f(", 4);

  for (guint32 i = 1; i <= 4000; i++)
    {
      const guint8 plain[] = { 'M', i & 0xff, i >> 8, 'K', 1, 0x86 };
      guint8 pair[16] = { 'K', 1, 0x8a, 11 };
      unsigned __int128 number = (unsigned __int128) i * (((guint64) 1 << 61) - 1);

      memcpy (pair + 4, &number, 11);
      pair[15] = 0x86;
      g_string_append_len (pickle, (const char *) pair, sizeof pair);
      g_string_append_len (honest, (const char *) plain, sizeof plain);
    }
  g_string_append_len (pickle, "\x90.", 2);
  g_string_append_len (honest, "\x90.", 2);
  assert_refused_length (pickle->str, pickle->len, (guint) pickle->len - 1, "alike");
  assert_plain_length (honest->str, honest->len);
}

/* Lists that all hold each other: of 20 there are more ways through them than can be printed. */
static void
test_cycles_that_print_without_end (void)
{
  for (guint n = 5; n <= 20; n += 15)
    {
      g_autoptr (GString) pickle = g_string_new ("(");

      for (guint i = 0; i < n; i++)
        g_string_append_printf (pickle, "(lp%u\n", i);
      for (guint i = 0; i < n; i++)
        for (guint k = 0; k < n; k++)
          g_string_append_printf (pickle, "g%u\ng%u\na0", i, k);
      g_string_append (pickle, "l.");
      if (n == 5)
        assert_plain_length (pickle->str, pickle->len);
      else
        assert_refused_length (pickle->str, pickle->len, (guint) pickle->len - 1, "without end");
    }
}

static void
test_containers_take_memory (void)
{
  g_autoptr (GString) few = g_string_new ("(");
  g_autoptr (GString) many = g_string_new ("(");

  for (guint i = 0; i < 100000; i++)
    {
      if (i < 4000)
        g_string_append_c (few, '\x8f');
      g_string_append_c (many, '\x8f');
    }
  g_string_append (few, "l.");
  g_string_append (many, "l.");
  assert_plain_length (few->str, few->len);
  assert_refused_length (many->str, many->len, (guint) many->len - 1, "memory");
}

/* Whether the report of @n times @key in one set says that its keys are to be looked at. */
static gboolean
looks_at_keys (const char *before, const char *key, gsize key_length, guint n)
{
  g_autoptr (GString) pickle = g_string_new (before);
  g_autofree guint8 *report = NULL;
  g_autoptr (GError) error = NULL;
  gsize report_length;
  DsqPackReader reader;
  const guint8 *head;
  guint32 head_length;

  g_string_append (pickle, "\x8f(");
  for (guint i = 0; i < n; i++)
    g_string_append_len (pickle, key, (gssize) key_length);
  g_string_append (pickle, "\x90.");
  g_assert_true (run (pickle->str, pickle->len, &report, &report_length, &error));
  if (report == NULL)
    return FALSE;
  g_assert_true (dsq_pack_reader_init (&reader, report + 4, dsq_bytes_load_u32 (report), &error));
  g_assert_true (dsq_pack_reader_next (&reader, &head, &head_length));
  return (head[0] & 0x80) != 0;
}

/* As its hashes are known to Python alone; not so where few are keys, or what is known. */
static void
test_keys_that_are_instances_are_told (void)
{
  static const struct
  {
    const char *before;
    const char *key;
    gsize length;
    gboolean is_told;
  } keys[] = {
    { "\x80\4cm\nC\nq\1"
      "0",
      "h\1)R",
      4,
      TRUE },
    { "\x80\4cm\nC\nq\1"
      "0",
      "h\1)R\x85",
      5,
      TRUE },
    { "\x80\4cm\nC\nq\1"
      "0",
      "(h\1)R\x91",
      6,
      TRUE },
    { "\x80\4", "(K\1\x91", 4, TRUE },
    { "\x80\4", "(\x8c\1a\x91", 5, FALSE },
    { "\x80\4cm\nC\nq\1"
      "0",
      "h\1",
      2,
      FALSE },
    { "\x80\4", "\x8c\1a", 3, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_assert_false (looks_at_keys (keys[i].before, keys[i].key, keys[i].length, 300));
      g_assert_cmpint (looks_at_keys (keys[i].before, keys[i].key, keys[i].length, 1000),
                       ==,
                       keys[i].is_told);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/pickle-check/plain-data", test_plain_data);
  g_test_add_func ("/dsq/pickle-check/cycles-are-plain-data", test_cycles_are_plain_data);
  g_test_add_func ("/dsq/pickle-check/imports-and-calls", test_imports_and_calls);
  g_test_add_func ("/dsq/pickle-check/equal-calls-are-told-once", test_equal_calls_are_told_once);
  g_test_add_func ("/dsq/pickle-check/what-is-done-to-instances", test_what_is_done_to_instances);
  g_test_add_func ("/dsq/pickle-check/signatures", test_signatures);
  g_test_add_func ("/dsq/pickle-check/known-calls", test_known_calls);
  g_test_add_func ("/dsq/pickle-check/damage-is-refused", test_damage_is_refused);
  g_test_add_func ("/dsq/pickle-check/frames-must-tile", test_frames_must_tile);
  g_test_add_func ("/dsq/pickle-check/calls-must-have-a-name", test_calls_must_have_a_name);
  g_test_add_func ("/dsq/pickle-check/only-what-was-made-is-changed",
                   test_only_what_was_made_is_changed);
  g_test_add_func ("/dsq/pickle-check/bounds", test_bounds);
  g_test_add_func ("/dsq/pickle-check/what-is-named-again-is-weighed",
                   test_what_is_named_again_is_weighed);
  g_test_add_func ("/dsq/pickle-check/integers-that-hash-alike", test_integers_that_hash_alike);
  g_test_add_func ("/dsq/pickle-check/numbers-whose-searches-follow-each-other",
                   test_numbers_whose_searches_follow_each_other);
  g_test_add_func ("/dsq/pickle-check/tuples-that-hash-alike", test_tuples_that_hash_alike);
  g_test_add_func ("/dsq/pickle-check/keys-that-are-instances-are-told",
                   test_keys_that_are_instances_are_told);
  g_test_add_func ("/dsq/pickle-check/cycles-that-print-without-end",
                   test_cycles_that_print_without_end);
  g_test_add_func ("/dsq/pickle-check/containers-take-memory", test_containers_take_memory);
  return g_test_run ();
}
