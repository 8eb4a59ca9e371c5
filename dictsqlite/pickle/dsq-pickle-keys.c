/* dsq-pickle-keys.c - keys that Python's tables find slowly
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-hash-private.h"
#include "pickle/dsq-pickle-weights-private.h"

/*
 * Python hashes numbers, and tuples of them, without a secret. Whoever likes can name many that
 * hash alike, or whose searches in the table follow each other, so that each insertion visits all
 * keys before it. So where a container has many keys they are put into tables as Python's, here,
 * and the places visited are counted.
 *
 * Strings and bytes hash as nobody can foretell, in Python and here. So do instances and frozensets
 * here, which is not so of all in Python. A value has a second hash, all of which is secret, by
 * which those that are equal are known.
 */

#define MODULUS ((G_GUINT64_CONSTANT (1) << 61) - 1)

typedef struct
{
  guint64 hash;
  guint64 identity;
} Hash;

typedef struct
{
  const DsqPickleMachine *machine; /* (unowned) */
  Hash *tuples;                    /* (owned) of the tuples among its nodes */
  guint64 n_steps;                 /* that are left */
} Keys;

/* --- numbers ---------------------------------------------------------------------------------- */

/* Of any 64 bits, not always the least one: 2^61 is 1. */
static inline guint64
fold (guint64 number)
{
  return (number & MODULUS) + (number >> 61);
}

/* The remainder of the @length bytes of an integer, little-endian, in two's complement, without its
 * sign. */
static guint64
remainder_of (const guint8 *bytes, guint32 length, gboolean *out_is_negative)
{
  guint32 rest = length % 8;
  guint64 remainder = dsq_bytes_load_short (bytes + length - rest, rest);

  /* 2^64 is 8 */
  for (guint32 i = length - rest; i > 0; i -= 8)
    remainder = fold (remainder % MODULUS << 3) + fold (dsq_bytes_load_u64 (bytes + i - 8));
  remainder %= MODULUS;
  *out_is_negative = length > 0 && (bytes[length - 1] & 0x80) != 0;
  /* 2^(8 length), which is 2^(8 length mod 61), less that */
  if (*out_is_negative)
    remainder =
        ((G_GUINT64_CONSTANT (1) << (8 * (guint64) length % 61)) + MODULUS - remainder) % MODULUS;
  return remainder;
}

static guint64
remainder_of_digits (const guint8 *text, gboolean *out_is_negative)
{
  guint64 remainder = 0;

  *out_is_negative = *text == '-';
  for (text += *out_is_negative; g_ascii_isdigit (*text); text++)
    remainder =
        (guint64) (((unsigned __int128) remainder * 10 + (guint64) (*text - '0')) % MODULUS);
  return remainder;
}

/* As Python does; no hash is -1. */
static guint64
with_sign (guint64 hash, gboolean is_negative)
{
  if (is_negative)
    hash = 0 - hash;
  return hash == G_MAXUINT64 ? G_MAXUINT64 - 1 : hash;
}

/* Equal integers have one identity, but for those that are written as text; that of a small one
 * need not be secret, as its hash is another's only if it is that itself. */
static guint64
identify_integer (const guint8 *bytes, guint32 length)
{
  gint64 number;

  while (length > 8 && bytes[length - 1] == ((bytes[length - 2] & 0x80) != 0 ? 0xff : 0))
    length--;
  if (length > 8)
    return dsq_hash (DSQ_PICKLE_BIG_INTEGER, bytes, length);
  number = length == 0 ? 0 : (gint64) (dsq_bytes_load_short (bytes, length) << (64 - 8 * length));
  number >>= length == 0 ? 0 : 64 - 8 * length;
  return (guint64) number;
}

static Hash
hash_bytes_of_integer (const guint8 *bytes, guint32 length, gboolean is_signed)
{
  gboolean is_negative = FALSE;
  guint64 hash = is_signed ? remainder_of (bytes, length, &is_negative)
                           : dsq_bytes_load_short (bytes, length);
  guint8 wider[3] = { 0 };

  if (!is_signed)
    bytes = memcpy (wider, bytes, length++);
  return (Hash){ with_sign (hash, is_negative), identify_integer (bytes, length) };
}

/* The integer whose opcode is at @op. */
static Hash
hash_integer (const guint8 *op)
{
  gboolean is_negative;
  guint64 hash;

  switch (op[0])
    {
    case 'K':
      return hash_bytes_of_integer (op + 1, 1, FALSE);
    case 'M':
      return hash_bytes_of_integer (op + 1, 2, FALSE);
    case 'J':
      return hash_bytes_of_integer (op + 1, 4, TRUE);
    case 0x8a:
      return hash_bytes_of_integer (op + 2, op[1], TRUE);
    case 0x8b:
      return hash_bytes_of_integer (op + 5, dsq_bytes_load_u32 (op + 1), TRUE);
    case 0x88:
    case 0x89:
      return (Hash){ op[0] == 0x88, op[0] };
    default: /* INT and LONG */
      hash = remainder_of_digits (op + 1, &is_negative);
      return (Hash){ with_sign (hash, is_negative),
                     dsq_hash (DSQ_PICKLE_TEXT, op, strcspn ((const char *) op, "\n")) };
    }
}

/* As CPython's _Py_HashDouble(); all that are no number hash alike, as up to Python 3.9. */
static guint64
hash_float (double number)
{
  guint64 hash = 0;
  int exponent;
  double fraction;

  if (isnan (number))
    return 0;
  if (isinf (number))
    return with_sign (314159, number < 0);
  fraction = frexp (fabs (number), &exponent);
  while (fraction > 0)
    {
      guint64 digits;

      hash = (hash << 28 & MODULUS) | hash >> 33;
      fraction *= 268435456.0; /* 2^28 */
      exponent -= 28;
      digits = (guint64) fraction;
      fraction -= (double) digits;
      hash += digits; /* below the modulus: two rounds take all of a fraction's 53 bits */
    }
  exponent = exponent >= 0 ? exponent % 61 : 60 - (-1 - exponent) % 61;
  if (exponent > 0)
    hash = (hash << exponent & MODULUS) | hash >> (61 - exponent);
  return with_sign (hash, number < 0);
}

static Hash
hash_number (const guint8 *op)
{
  guint64 bits;
  double number;

  if (op[0] == 'G')
    {
      bits = GUINT64_SWAP_LE_BE (dsq_bytes_load_u64 (op + 1));
      memcpy (&number, &bits, sizeof number);
    }
  else
    {
      number = g_ascii_strtod ((const char *) op + 1, NULL);
      memcpy (&bits, &number, sizeof bits);
    }
  /* what is no number equals nothing, wherever it stands */
  if (isnan (number))
    bits = GPOINTER_TO_SIZE (op);
  return (Hash){ hash_float (number),
                 dsq_hash (DSQ_PICKLE_FLOAT, (const guint8 *) &bits, sizeof bits) };
}

/* --- all values ------------------------------------------------------------------------------- */

static Hash
hash_value (const Keys *keys, DsqPickleValue value)
{
  const guint8 *bytes = keys->machine->bytes + value.index;
  guint64 secret;

  switch ((DsqPickleKind) value.kind)
    {
    case DSQ_PICKLE_BOOLEAN:
    case DSQ_PICKLE_INTEGER:
    case DSQ_PICKLE_BIG_INTEGER:
    case DSQ_PICKLE_HUGE_INTEGER:
      return hash_integer (bytes);
    case DSQ_PICKLE_FLOAT:
      return hash_number (bytes);
    case DSQ_PICKLE_TUPLE:
      return keys->tuples[value.index];
    case DSQ_PICKLE_STRING:
    case DSQ_PICKLE_TEXT:
    case DSQ_PICKLE_BYTES:
      secret = dsq_hash (value.kind, bytes, value.length);
      return (Hash){ secret, secret };
    case DSQ_PICKLE_NONE:
    case DSQ_PICKLE_EMPTY_TUPLE:
      value.index = 0;
      break;
    default:
      break;
    }
  secret = dsq_hash (value.kind, (const guint8 *) &value.index, sizeof value.index);
  return (Hash){ secret, secret };
}

/* As CPython hashes tuples, since 3.8: xxHash. */
static Hash
hash_items (const Keys *keys, const DsqPickleValue *items, guint32 n_items)
{
  static const guint64 primes[] = { G_GUINT64_CONSTANT (11400714785074694791),
                                    G_GUINT64_CONSTANT (14029467366897019727),
                                    G_GUINT64_CONSTANT (2870177450012600261) };
  Hash sum = { primes[2], n_items };

  for (guint32 i = 0; i < n_items; i++)
    {
      Hash item = hash_value (keys, items[i]);
      const guint64 both[] = { sum.identity, item.identity };

      sum.hash += item.hash * primes[1];
      sum.hash = (sum.hash << 31 | sum.hash >> 33) * primes[0];
      sum.identity = dsq_hash (DSQ_PICKLE_TUPLE, (const guint8 *) both, sizeof both);
    }
  sum.hash += n_items ^ (primes[2] ^ 3527539);
  if (sum.hash == G_MAXUINT64)
    sum.hash = 1546275796;
  return sum;
}

/* A tuple comes after what is in it. */
static void
hash_tuples (Keys *keys)
{
  const DsqPickleMachine *machine = keys->machine;

  keys->tuples = g_new0 (Hash, machine->nodes.n);
  for (guint32 i = 0; i < machine->nodes.n; i++)
    {
      const DsqPickleNode *node = &machine->nodes.at[i];

      if (node->kind == DSQ_PICKLE_TUPLE)
        keys->tuples[i] = hash_items (keys, machine->arena.at + node->items, node->n_items);
    }
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Which places of a table as Python's are taken. */
typedef struct
{
  guint8 *taken; /* (owned) a bit each */
  guint64 mask;
  guint n_neighbours; /* that are looked at before another place is: a set does */
} Table;

static gboolean
insert (Keys *keys, Table *table, guint64 hash)
{
  guint64 place = hash & table->mask;

  for (guint64 perturb = hash;;)
    {
      guint n = place + table->n_neighbours <= table->mask ? table->n_neighbours : 0;

      for (guint64 next = place; next <= place + n; next++)
        {
          guint8 *byte = &table->taken[next / 8];
          guint8 bit = (guint8) (1 << next % 8);

          if (keys->n_steps == 0)
            return FALSE;
          keys->n_steps--;
          if ((*byte & bit) == 0)
            {
              *byte |= bit;
              return TRUE;
            }
        }
      perturb >>= 5;
      place = (place * 5 + 1 + perturb) & table->mask;
    }
}

/* A larger table for the first @n keys, as Python grows them. */
static gboolean
grow_table (Keys *keys, Table *table, const Hash *hashes, guint32 n)
{
  guint64 wanted = table->n_neighbours == 0 ? 3 * (guint64) n : (n > 50000 ? 2 : 4) * (guint64) n;

  while (table->mask < wanted)
    table->mask = 2 * table->mask + 1;
  g_free (table->taken);
  table->taken = g_malloc0 (table->mask / 8 + 1);
  for (guint32 i = 0; i < n; i++)
    if (!insert (keys, table, hashes[i].hash))
      return FALSE;
  return TRUE;
}

/* Whether the keys go into a table, one after the other, in time. */
static gboolean
fill_table (Keys *keys, const Hash *hashes, guint32 n_hashes, guint n_neighbours)
{
  Table table = { g_malloc0 (1), 7, n_neighbours };
  gboolean success = TRUE;

  for (guint32 i = 0; i < n_hashes && success; i++)
    {
      success = insert (keys, &table, hashes[i].hash);
      if (success && i + 1 >= (n_neighbours == 0 ? (table.mask + 1) * 2 / 3 : table.mask * 3 / 5))
        success = grow_table (keys, &table, hashes, i + 1);
    }
  g_free (table.taken);
  return success;
}

/* --- what was noted --------------------------------------------------------------------------- */

#define N_NEIGHBOURS 9

static int
compare_by_node (gconstpointer a, gconstpointer b)
{
  const DsqPickleKey *one = a;
  const DsqPickleKey *other = b;

  if (one->node != other->node)
    return one->node < other->node ? -1 : 1;
  return 0;
}

/* Brings together what is of one container, in the order in which it came. */
static void
group_by_node (GArray *noted)
{
  for (guint i = 1; i < noted->len; i++)
    if (g_array_index (noted, DsqPickleKey, i).node <
        g_array_index (noted, DsqPickleKey, i - 1).node)
      {
        g_array_sort (noted, compare_by_node); /* a stable sort */
        return;
      }
}

/* What a pair of a list of pairs has for its key; any other value: itself. */
static DsqPickleValue
first_of (const DsqPickleMachine *self, DsqPickleValue value)
{
  const DsqPickleNode *node;

  if (value.kind != DSQ_PICKLE_LIST && value.kind != DSQ_PICKLE_TUPLE)
    return value;
  node = &self->nodes.at[value.index];
  return node->n_items > 0 ? self->arena.at[node->items] : value;
}

static guint
secret_hash (gconstpointer identity)
{
  return (guint) dsq_hash (0, identity, sizeof (guint64));
}

/* A list may have an item many times over, of which a set that is made of it has one. */
static guint32
drop_equal (Hash *hashes, guint32 n_hashes)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (secret_hash, g_int64_equal);
  guint32 n = 0;

  for (guint32 i = 0; i < n_hashes; i++)
    {
      hashes[n] = hashes[i];
      if (g_hash_table_add (seen, &hashes[n].identity))
        n++;
    }
  return n;
}

/* A container's keys, in the order in which they come, behind those of it that were not noted. */
static gboolean
count_group (Keys *keys, const DsqPickleKey *group, guint32 n_noted)
{
  const DsqPickleNode *node = &keys->machine->nodes.at[group->node];
  guint32 n_keys = MAX (n_noted, node->n_keys);
  g_autofree Hash *hashes = g_new (Hash, n_keys);
  guint32 n = 0;

  for (; n < n_keys - n_noted; n++)
    hashes[n].hash = dsq_hash (DSQ_PICKLE_UNSET, (const guint8 *) &n, sizeof n);
  for (guint32 i = 0; i < n_noted; i++)
    hashes[n++] = hash_value (keys, group[i].value);
  return fill_table (
      keys,
      hashes,
      n,
      node->kind == DSQ_PICKLE_SET || node->kind == DSQ_PICKLE_FROZENSET ? N_NEIGHBOURS : 0);
}

/* The items of a list or tuple that a call is given, as those of a set and as pairs of a dict. */
static gboolean
count_items (Keys *keys, const DsqPickleKey *group, guint32 n_items)
{
  g_autofree Hash *hashes = g_new (Hash, n_items);
  guint32 n;

  for (guint32 i = 0; i < n_items; i++)
    hashes[i] = hash_value (keys, group[i].value);
  n = drop_equal (hashes, n_items);
  if (!fill_table (keys, hashes, n, N_NEIGHBOURS) || !fill_table (keys, hashes, n, 0))
    return FALSE;
  for (guint32 i = 0; i < n_items; i++)
    hashes[i] = hash_value (keys, first_of (keys->machine, group[i].value));
  n = drop_equal (hashes, n_items);
  return fill_table (keys, hashes, n, 0);
}

gboolean
dsq_pickle_count_keys (DsqPickleMachine *self)
{
  Keys keys = { .machine = self };
  const DsqPickleKey *noted;
  gboolean success = TRUE;
  guint32 n;

  if (self->keys == NULL || self->has_many != self->notes_lists)
    return TRUE;
  keys.n_steps = ((guint64) 1 << 22) + 128 * (guint64) self->keys->len;
  hash_tuples (&keys);
  group_by_node (self->keys);
  noted = (const DsqPickleKey *) (const void *) self->keys->data;
  for (guint32 i = 0; i < self->keys->len && success; i += n)
    {
      const DsqPickleNode *node = &self->nodes.at[noted[i].node];

      for (n = 1; i + n < self->keys->len && noted[i + n].node == noted[i].node;)
        n++;
      if ((node->flags & DSQ_PICKLE_NODE_IS_ARGUMENT) != 0)
        success = count_items (&keys, noted + i, n);
      else if (node->kind != DSQ_PICKLE_LIST && node->kind != DSQ_PICKLE_TUPLE)
        success = count_group (&keys, noted + i, n);
    }
  g_free (keys.tuples);
  return success || dsq_pickle_fail (self, "too many of its keys hash alike");
}
