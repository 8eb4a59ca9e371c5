/* test-pickle-edges.c - what is said of pickles that no honest program writes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "pickle-support.h"

#define GETATTR "cbuiltins\ngetattr\n"
#define OR      "c_operator\nor_\n"
#define REBUILD "ccopy_reg\n_reconstructor\n"

/* What is one of the known calls but for one thing is any call, or what is known of it. */
static void
test_calls_that_are_nearly_known (void)
{
  assert_report (OR "(" GETATTR "(cm\nC\nVA\ntR\x8a\5\0\0\0\0\1tR.",
                 "_operator.or_ builtins.getattr m.C+value M2/A!128");
  assert_report (OR "(" GETATTR "(cm\nC\nVA\ntRNtR.",
                 "_operator.or_ builtins.getattr m.C+value M2/A!128 R0:mn");
  assert_report (REBUILD "(cm\nC\nc__builtin__\nobject\ntR.",
                 "copy_reg._reconstructor m.C+value __builtin__.object+value R0:cc");
  assert_report (REBUILD "(NNNtR.", "copy_reg._reconstructor R0:nnn");
  assert_report (REBUILD "(cm\nC\nNNtR.", "copy_reg._reconstructor m.C+value R0:cnn");
  assert_report (REBUILD "(cm\nC\ncm\nD\nNtR.",
                 "copy_reg._reconstructor m.C+value m.D+value O1:ccn");
  assert_report (REBUILD "(" GETATTR "(cm\nC\nVA\ntRc__builtin__\nobject\nNtR.",
                 "copy_reg._reconstructor builtins.getattr m.C+value __builtin__.object+value "
                 "M2/A!128 O2/A:mcn");
}

static void
test_states (void)
{
  assert_report ("\x80\4" C_IN_M ")\x81}N\x86"
                 "b.",
                 "m.C N0!1");
  assert_report ("\x80\4" C_IN_M ")\x81NN\x86"
                 "b.",
                 "m.C N0!1");
  /* and as one is weighed, since a list is held twice */
  assert_report ("\x80\4(" C_IN_M ")\x81N}\x8c\1aNs\x86"
                 "b]q\0h\0t.",
                 "m.C N0!257=a");
  assert_refused ("\x80\4" C_IN_M ")}K\1Ns\x92.", 15, "a keyword of a call is no string");
}

/* Two instances of one call, of more names together than are told. */
static void
test_states_of_many_names (void)
{
  g_autoptr (GString) pickle = g_string_new ("(");
  g_autofree char *described = NULL;

  for (char of = 'a'; of <= 'b'; of++)
    {
      g_string_append (pickle, "cm\nC\n)R}(");
      for (guint i = 0; i < 40; i++)
        g_string_append_printf (pickle, "V%c%02u\nN", of, i);
      g_string_append (pickle, "ub");
    }
  g_string_append (pickle, "t.");
  described = describe (pickle->str, pickle->len);
  g_assert_true (g_str_has_prefix (described, "m.C R0!513=a39=a38"));
  g_assert_nonnull (strstr (described, "=a00=b39="));
  g_assert_true (g_str_has_suffix (described, "=b16"));
}

static void
test_cycles (void)
{
  /* which are let go of again; a tuple that is a key of what it holds */
  assert_plain ("]q\0h\0a0N.");
  assert_plain ("}q\0h\0\x85q\1Ns0h\1.");
  assert_plain ("]q\0}q\1\x86q\2h\1h\2Ns0h\0h\2a0.");
  assert_refused ("}\x96\1\0\0\0\0\0\0\0xNs.", 12, "a key cannot be hashed");
}

/* --- how much there may be -------------------------------------------------------------------- */

static void
test_arguments_that_are_deep (void)
{
  static const char *const calls[] = { "cm\nC\n(", REBUILD "(cm\nC\ncbuiltins\nobject\n" };

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    for (guint depth = 999; depth <= 1000; depth++)
      {
        g_autoptr (GString) pickle = g_string_new (calls[i]);

        g_string_append_c (pickle, 'N');
        for (guint n = 0; n < depth; n++)
          g_string_append_c (pickle, '\x85');
        g_string_append (pickle, "tR.");
        if (depth == 999)
          g_free (describe (pickle->str, pickle->len));
        else
          assert_refused_length (pickle->str, pickle->len, (guint) pickle->len - 2, "too deeply");
      }
}

static void
test_members_that_are_long (void)
{
  g_autofree char *name = g_strnfill (G_MAXUINT16 + 1, 'A');
  g_autofree char *one = g_strdup_printf (GETATTR "(cm\nC\nV%s\ntR.", name);
  g_autofree char *two = g_strdup_printf (GETATTR "(" GETATTR "(cm\nC\nV%s\ntRVB\ntR.", name);
  g_autofree char *described = describe (one, strlen (one));

  g_assert_true (g_str_has_suffix (described, "AAA!128"));
  assert_refused_length (two, strlen (two), (guint) strlen (two) - 2, "a name is no name");
}

/* As many calls as there may be, and one more of one kind or another. */
static void
test_as_many_calls_as_there_may_be (void)
{
  static const char *const more[] = { "", "g0\n(g1\nVmore\ntR.", "0g1\n)R." };
  g_autoptr (GString) pickle = g_string_new ("cbuiltins\ngetattr\np0\ncm\nC\np1\n");
  guint length;

  for (guint i = 0; i < 65536; i++)
    g_string_append_printf (pickle, "0g0\n(g1\nV%x\ntR", i);
  length = (guint) pickle->len;
  for (guint i = 0; i < G_N_ELEMENTS (more); i++)
    {
      g_string_truncate (pickle, length);
      g_string_append (pickle, i == 0 ? "0." : more[i]);
      if (i == 0)
        g_free (describe (pickle->str, pickle->len));
      else
        assert_refused_length (pickle->str, pickle->len, (guint) pickle->len - 2, "too many");
    }
}

/* What stands in it so many times over that 64 bits cannot tell. */
static void
test_weights_without_end (void)
{
  g_autoptr (GString) pickle = g_string_new ("]p0\n");

  for (guint level = 1; level < 100; level++)
    g_string_append_printf (pickle, "0(g%u\ng%u\nlp%u\n", level - 1, level - 1, level);
  g_string_append_c (pickle, '.');
  assert_refused_length (pickle->str, pickle->len, (guint) pickle->len - 1, "times over");
}

/* --- keys ------------------------------------------------------------------------------------- */

/* Of each form that an integer or a float has; and a tuple that has the one hash which Python
 * gives to no tuple, but to this one instead of it. */
static const struct
{
  const char *bytes;
  gsize length;
} forms[] = {
  { "\x8a\0", 2 },
  { "\x8a\1\xff", 3 },
  { "J\xff\xff\xff\xff", 5 },
  { "\x8b\x09\0\0\0\1\2\3\4\5\6\7\x08\x09", 14 },
  { "\x88", 1 },
  { "\x89", 1 },
  { "K\7", 2 },
  { "M\7\1", 3 },
  { "I-12\n", 5 },
  { "L13L\n", 5 },
  { "I01\n", 4 },
  { "F1.5\n", 5 },
  { "G\x7f\xf0\0\0\0\0\0\0", 9 },
  { "G\xff\xf0\0\0\0\0\0\0", 9 },
  { "G\x3f\xff\xff\xff\xff\xff\xff\xff", 9 },
  { "G\0\0\0\0\0\0\0\1", 9 },
  { "K\x11\x8a\x08\xf5\x2c\xd7\x6b\x58\xac\x69\xea\x86", 13 },
};

static void
append_numbers (GString *pickle, guint from, guint n, const char *value)
{
  for (guint i = from; i < from + n; i++)
    {
      guint8 number[5] = { 'J' };

      dsq_bytes_store_u32 (number + 1, i);
      g_string_append_len (pickle, (const char *) number, sizeof number);
      g_string_append (pickle, value);
    }
}

static void
test_keys_of_all_forms (void)
{
  g_autoptr (GString) pickle = g_string_new ("}(");

  append_numbers (pickle, 1000, 600, "N");
  for (guint i = 0; i < G_N_ELEMENTS (forms); i++)
    {
      g_string_append_len (pickle, forms[i].bytes, (gssize) forms[i].length);
      g_string_append_c (pickle, 'N');
    }
  g_string_append (pickle, "u.");
  assert_plain_length (pickle->str, pickle->len);
}

static void
test_very_many_keys (void)
{
  g_autoptr (GString) pickle = g_string_new_len ("\x80\4\x8f(", 4);

  append_numbers (pickle, 0, 120000, "");
  g_string_append (pickle, "\x90.");
  assert_plain_length (pickle->str, pickle->len);
}

/* Two dicts that are filled by turns: each by itself holds nothing that is alike. */
static void
test_keys_by_turns (void)
{
  g_autoptr (GString) pickle = g_string_new ("}p0\n}p1\n\x86");

  for (guint turn = 0; turn < 4; turn++)
    for (guint i = 0; i < 2; i++)
      {
        g_string_append_printf (pickle, "g%u\n(", i);
        append_numbers (pickle, turn * 600, 600, "N");
        g_string_append (pickle, "u0");
      }
  g_string_append_c (pickle, '.');
  assert_plain_length (pickle->str, pickle->len);
}

/* --- lists that calls are given --------------------------------------------------------------- */

static void
append_items (GString *pickle, guint n, const char *item)
{
  for (guint i = 0; i < n; i++)
    g_string_append (pickle, item);
}

static void
test_lists_of_lists (void)
{
  static const char *const items[] = { "]", "](K\1K\2e", "K\1K\2\x86", "N" };

  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    for (guint has_dict = 0; has_dict <= 1; has_dict++)
      {
        g_autoptr (GString) pickle = g_string_new ("cm\nC\n](");
        g_autofree char *described = NULL;

        append_items (pickle, 600, items[i]);
        g_string_append_c (pickle, 'e');
        if (has_dict)
          {
            g_string_append (pickle, "}(");
            append_numbers (pickle, 0, 600, "N");
            g_string_append_c (pickle, 'u');
          }
        g_string_append (pickle, has_dict ? "\x86R." : "\x85R.");
        described = describe (pickle->str, pickle->len);
        g_assert_cmpstr (described, ==, has_dict ? "m.C R0:ld" : "m.C R0:l");
      }
}

/* A list that got an instance when others may have held it, given twice. */
static void
test_a_list_that_is_filled_late (void)
{
  assert_report ("\x80\4" C_IN_M "q\0000]q\1h\1h\0)Ra0h\0h\1\x85Rh\0h\1\x85R\x87.", "m.C R0 R0:L");
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*func) (void);
  } tests[] = {
    { "calls-that-are-nearly-known", test_calls_that_are_nearly_known },
    { "states", test_states },
    { "states-of-many-names", test_states_of_many_names },
    { "cycles", test_cycles },
    { "arguments-that-are-deep", test_arguments_that_are_deep },
    { "members-that-are-long", test_members_that_are_long },
    { "as-many-calls-as-there-may-be", test_as_many_calls_as_there_may_be },
    { "weights-without-end", test_weights_without_end },
    { "keys-of-all-forms", test_keys_of_all_forms },
    { "very-many-keys", test_very_many_keys },
    { "keys-by-turns", test_keys_by_turns },
    { "lists-of-lists", test_lists_of_lists },
    { "a-list-that-is-filled-late", test_a_list_that_is_filled_late },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/dsq/pickle-edges/", tests[i].name, NULL);

      g_test_add_func (path, tests[i].func);
    }
  return g_test_run ();
}
