/* dsq-pickle.c - what a Python pickle would do
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-pickle.h"
#include "pickle/dsq-pickle-check-private.h"

/**
 * dsq_pickle_check:
 * @pickle: (array length=length): a Python pickle of protocol 0 to 5
 * @length: bytes of @pickle
 * @out_length: (out): bytes returned
 * @error: return location for an error
 *
 * Tells what unpickling would import and call, without doing any of it.
 *
 * Where the result is empty, the pickle is plain data: containers, strings, bytes and numbers,
 * which any unpickler builds without running code. Else it is for the caller to judge each import
 * and each call that the report names, and to unpickle with an unpickler that gives nothing else.
 *
 * The report, numbers little-endian: a u32, the length of a pack; the pack; a u32 for each import
 * and then for each call, the offset in @pickle of the first opcode that does it; and, where there
 * are many instances or something is held twice, four u64 for each call: how many instances it
 * gave, and the weights of their arguments, of their states and of them as keys. A weight is 16
 * for each value and the bytes of it, what is held twice counted twice: of arguments as deep as a
 * list of pairs goes, and what hashing visits; of states two levels; of keys all. The pack, in the
 * form in which [method@Store.set_pack] takes entries, holds
 *
 * - a head: u8 protocol, u32 number of imports. The protocol has the bit 0x80 where keys are
 *   instances, or frozensets, so many that it would take too long if all had the same hash, which
 *   only who builds them can see: there may be such a report without imports;
 * - for each import three items: its uses (u8; 1: as a value, 2: in one of the four calls below),
 *   module, and name;
 * - for each different kind of call three items and its names: a head (u8 operation, u32 flags, u32
 *   import, u32 base, u32 number of names), the signature, the path of a member, and the names.
 *
 * Operations are R (`import(*arguments)`), N and X (`import.__new__(import, *arguments)`, X with
 * the flag 64: with keywords), M (`builtins.getattr(import, "name")`, or of such a member, used as
 * a value if the flag 128 is set, and what `_operator.or_` joins of these, and of integers), and O
 * (`copyreg._reconstructor(import, base, data)`). All but M are of the member, where there is one.
 * `_codecs.encode(string, "latin1")` is bytes, and no call. A signature has a letter for each of
 * the first eight arguments, and behind a * those that are among the rest: n None, b bool, i int
 * below 2^24, I int, H int of more than 4 KiB, f float, s str, q str that is a fraction or an
 * integer, y bytes, a bytearray, t tuple, l list, T and L those with what a call gave in them, d
 * dict, e set, z frozenset, c import, m member, o what a call gave.
 *
 * Flags tell what was done to any of the instances that such a call gave: 1 BUILD with a state, 2
 * with a key in the state like `__class__` or one that is no literal string, 4 with a state that is
 * not a dict, or a pair of dicts or None, 8, 16 and 32 with items appended, set and added, 256 with
 * a pair whose second is a dict. Names are the keys of that, of R those of a dict too, unless the
 * flag 512 is set: there are others. A name that begins with ( has the signature of a state that is
 * a tuple.
 *
 * Refused, with %DSQ_ERROR_INVALID_VALUE and a message that tells offset and reason, are pickles
 * that are damaged; that call what they did not import by name, or set the state of anything but an
 * instance that they made, or twice; that use the extension registry, persistent objects or buffers
 * outside; and that would take memory or time out of proportion to their length: nested more than
 * 1,000 deep, with memo indexes or lengths beyond their end, naming one value so often that hashing
 * or printing the whole has no end, or with keys that Python's dicts and sets find slowly.
 *
 * It takes time and memory in proportion to @length, at most.
 *
 * Returns: (transfer full) (nullable) (array length=out_length): the report; empty for plain data
 *
 * Since: 1.0
 */
guint8 *
dsq_pickle_check (const guint8 *pickle, gsize length, gsize *out_length, GError **error)
{
  guint8 *report;

  g_return_val_if_fail (pickle != NULL || length == 0, NULL);
  g_return_val_if_fail (out_length != NULL, NULL);

  return dsq_pickle_check_run (pickle, length, &report, out_length, error) ? report : NULL;
}
