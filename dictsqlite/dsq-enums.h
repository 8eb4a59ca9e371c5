/* dsq-enums.h - the public enumerations
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

/**
 * DsqPersistMode:
 * @DSQ_PERSIST_MEMORY: a write is in memory, or in a private temporary file where it does not fit;
 *   all of it ends with the store
 * @DSQ_PERSIST_LAZY: a write is in memory when it returns, and in the file or its log after the
 *   next flush
 * @DSQ_PERSIST_WRITETHROUGH: a write is committed, in the file or its log, when it returns
 *
 * When a write reaches the file.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_PERSIST_MEMORY,
  DSQ_PERSIST_LAZY,
  DSQ_PERSIST_WRITETHROUGH
} DsqPersistMode;

/**
 * DsqDurability:
 * @DSQ_DURABILITY_NORMAL: what was written is synced to the medium in the background, at least once
 *   every [property@Store:flush-interval]; a power cut may cost the writes since
 * @DSQ_DURABILITY_FULL: a write returns after it has been synced to the medium; writers that wait
 * at the same time share one sync
 *
 * What a power cut may cost, in [enum@PersistMode.WRITETHROUGH].
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_DURABILITY_NORMAL,
  DSQ_DURABILITY_FULL
} DsqDurability;

/**
 * DsqAnswer:
 * @DSQ_ANSWER_UNKNOWN: it would have to be waited for; only what never waits answers so
 * @DSQ_ANSWER_NO: no; also with an error, which says that there is no answer
 * @DSQ_ANSWER_YES: yes
 *
 * What a call that may fail answers to a question.
 *
 * A boolean beside a #GError says here, as everywhere, no more than that there is no error: other
 * languages throw it away. What is asked for is a number, a value or one of these. Calls that are
 * for bindings give the same as a plain integer there.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_ANSWER_UNKNOWN = -1,
  DSQ_ANSWER_NO = 0,
  DSQ_ANSWER_YES = 1
} DsqAnswer;

/**
 * DSQ_NEVER:
 *
 * The time to live, in milliseconds, of an entry that does not expire: 2 to the 53rd less 1, the
 * largest integer that every language holds exactly. Anything longer is taken for it.
 *
 * Since: 1.0
 */
#define DSQ_NEVER (G_GINT64_CONSTANT (9007199254740991))

/**
 * DSQ_N_WORDS:
 *
 * How many words [method@Store.map_words] gives.
 *
 * Since: 1.0
 */
#define DSQ_N_WORDS 8710

/**
 * DSQ_WORD_WALKS:
 *
 * Which of the words moves while something is walked, with every change of that.
 *
 * Since: 1.0
 */
#define DSQ_WORD_WALKS 8192

/**
 * DSQ_WORD_ASKS:
 *
 * Which of the words is other than 0 as long as %DSQ_WORD_WALKS does not tell all that
 * [method@Scan.check] does.
 *
 * Since: 1.0
 */
#define DSQ_WORD_ASKS 8193

/**
 * DSQ_WORD_TABLES:
 *
 * The first of the words of tables, each of which moves by one with every change of its table.
 *
 * Since: 1.0
 */
#define DSQ_WORD_TABLES 8194

/**
 * DSQ_WORD_UNTIL:
 *
 * Which of the words says until when, in nanoseconds of the monotonic clock, what others have
 * committed need not be known, where a store is on a server; 0 elsewhere, where %DSQ_WORD_LIVE
 * tells of it.
 *
 * Since: 1.0
 */
#define DSQ_WORD_UNTIL 8258

/**
 * DSQ_WORD_LIVE:
 *
 * Which of the words moves with every commit to the file, whoever makes it; 0 where there is none.
 *
 * Since: 1.0
 */
#define DSQ_WORD_LIVE 8709

/**
 * DsqCopyForm:
 * @DSQ_COPY_SAME: as the store's own file is: plain, or encrypted under the same password
 * @DSQ_COPY_ENCRYPTED: encrypted, under a password of its own
 * @DSQ_COPY_PLAIN: not encrypted
 * @DSQ_COPY_NEW_KEYS: encrypted as the store's own file is, under the same password, but with keys
 * of its own
 *
 * What [method@Store.copy] makes.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_COPY_SAME,
  DSQ_COPY_ENCRYPTED,
  DSQ_COPY_PLAIN,
  DSQ_COPY_NEW_KEYS
} DsqCopyForm;

/**
 * DsqWalkOrder:
 * @DSQ_WALK_FORWARD: oldest key first, the order of insertion
 * @DSQ_WALK_REVERSE: newest key first
 *
 * The direction in which a [class@Cursor] walks.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_WALK_FORWARD,
  DSQ_WALK_REVERSE
} DsqWalkOrder;

/**
 * DsqBindFlags:
 * @DSQ_BIND_DEFAULT: both of the next two
 * @DSQ_BIND_GET: the property becomes what the key holds, now and whenever that changes
 * @DSQ_BIND_SET: the key is set to what the property becomes
 * @DSQ_BIND_NO_SENSITIVITY: the object's `sensitive` stays as it is; else it is made %FALSE where
 *   what the property becomes cannot be written, since the store is read-only
 * @DSQ_BIND_GET_NO_CHANGES: the property becomes what the key holds now, and not what it will
 * @DSQ_BIND_INVERT_BOOLEAN: the property is true when the key holds %FALSE, and the other way round
 *
 * Which way a binding goes. The numbers are those of #GSettingsBindFlags.
 *
 * Since: 1.0
 */
typedef enum /*< flags >*/
{
  DSQ_BIND_DEFAULT = 0,
  DSQ_BIND_GET = 1 << 0,
  DSQ_BIND_SET = 1 << 1,
  DSQ_BIND_NO_SENSITIVITY = 1 << 2,
  DSQ_BIND_GET_NO_CHANGES = 1 << 3,
  DSQ_BIND_INVERT_BOOLEAN = 1 << 4
} DsqBindFlags;

/**
 * DsqValueType:
 * @DSQ_VALUE_NONE: no value: Python's None, JavaScript's null
 * @DSQ_VALUE_BYTES: bytes
 * @DSQ_VALUE_STRING: UTF-8 text, NUL characters allowed, not terminated
 * @DSQ_VALUE_INT64: a signed integer, 8 bytes, little-endian
 * @DSQ_VALUE_DOUBLE: an IEEE 754 binary64, 8 bytes, little-endian
 * @DSQ_VALUE_BOOLEAN: one byte, 0 or 1
 * @DSQ_VALUE_VARIANT: a #GVariant, as the serialised form (little-endian) of a variant that holds
 * it
 * @DSQ_VALUE_OLD_PICKLE: a Python pickle behind this byte, for those of protocols 0 and 1, which
 *   do not begin with the next; only Python reads it
 * @DSQ_VALUE_PICKLE: a Python pickle of protocol 2 or later, which begins with this byte: the
 *   record is the pickle; only Python reads it
 *
 * The first byte of a record; the payload follows it.
 *
 * The numbers are part of the file format.
 *
 * Since: 1.0
 */
typedef enum
{
  DSQ_VALUE_NONE = 1,
  DSQ_VALUE_BYTES = 2,
  DSQ_VALUE_STRING = 3,
  DSQ_VALUE_INT64 = 4,
  DSQ_VALUE_DOUBLE = 5,
  DSQ_VALUE_BOOLEAN = 6,
  DSQ_VALUE_VARIANT = 7,
  DSQ_VALUE_OLD_PICKLE = 8,
  DSQ_VALUE_PICKLE = 128
} DsqValueType;

G_END_DECLS
