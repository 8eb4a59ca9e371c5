/* dsq-format-private.h - the layout of the file, alone
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * docs/on-disk-format.md tells the same to a stranger; a test holds the two together. Numbers in
 * blobs are little-endian. Version 1 was never released. From version 2 on each can be read for
 * ever.
 */

/* The main file's header: application_id 'DSQ1', user_version. */
#define DSQ_FORMAT_APPLICATION_ID 0x44535131
#define DSQ_FORMAT_VERSION        2

/*
 * store.header, one blob, which ends with the CRC-32C of all before it.
 *
 *   offset  bytes
 *   0       4   "DSQ1"
 *   4       1   header version, 2
 *   5       1   cipher: 0 none, 1 XAES-256-GCM
 *   6       2   reserved, 0
 *   8       16  store id, random
 *   24      4   cipher 0: CRC-32C of bytes 0 to 23
 *
 * and for cipher 1:
 *
 *   24      1   key derivation: 1 Argon2id, version 19
 *   25      3   reserved, 0
 *   28      4   its memory, KiB
 *   32      4   its passes
 *   36      4   its lanes
 *   40      16  its salt, random
 *   56      72  the data key, sealed: nonce (24), key (32), tag (16); authenticates bytes 0 to 55
 *   128     32  HMAC-SHA256 of bytes 0 to 127
 *   160     4   CRC-32C of bytes 0 to 159
 */
#define DSQ_FORMAT_HEADER_MAGIC        "DSQ1"
#define DSQ_FORMAT_HEADER_VERSION      2
#define DSQ_FORMAT_HEADER_AT_VERSION   4
#define DSQ_FORMAT_HEADER_AT_CIPHER    5
#define DSQ_FORMAT_HEADER_AT_RESERVED  6
#define DSQ_FORMAT_HEADER_AT_STORE_ID  8
#define DSQ_FORMAT_HEADER_AT_CRC       24
#define DSQ_FORMAT_HEADER_PLAIN_LENGTH 28

#define DSQ_FORMAT_HEADER_AT_KDF          24
#define DSQ_FORMAT_HEADER_AT_KDF_RESERVED 25
#define DSQ_FORMAT_HEADER_AT_MEMORY       28
#define DSQ_FORMAT_HEADER_AT_PASSES       32
#define DSQ_FORMAT_HEADER_AT_LANES        36
#define DSQ_FORMAT_HEADER_AT_SALT         40
#define DSQ_FORMAT_HEADER_AT_DATA_KEY     56
#define DSQ_FORMAT_HEADER_AT_MAC          128
#define DSQ_FORMAT_HEADER_AT_SEALED_CRC   160
#define DSQ_FORMAT_HEADER_SEALED_LENGTH   164

#define DSQ_FORMAT_KDF_ARGON2ID 1

#define DSQ_FORMAT_CIPHER_NONE 0
#define DSQ_FORMAT_CIPHER_XAES 1

#define DSQ_FORMAT_STORE_ID_LENGTH 16

/*
 * Behind the header, in the same column: the tag, which a file that was not written since it was
 * made by somebody else may lack.
 *
 *   offset  bytes
 *   0       8   now: random, never 0, drawn by the transaction that begins a write-ahead log
 *   8       8   before: what now was until then, 0 where there was no tag
 *   16      4   CRC-32C of: store id (16), "dsq1l", now, before
 */
#define DSQ_FORMAT_TAG_PURPOSE   "dsq1l"
#define DSQ_FORMAT_TAG_AT_BEFORE 8
#define DSQ_FORMAT_TAG_AT_CRC    16
#define DSQ_FORMAT_TAG_LENGTH    20

/* A row's place is its table's id times 2^40 plus its position, which starts at 1. The last
 * position is never given out. */
#define DSQ_FORMAT_POSITION_BITS 40
#define DSQ_FORMAT_POSITION_MAX  ((G_GINT64_CONSTANT (1) << DSQ_FORMAT_POSITION_BITS) - 1)

#define DSQ_FORMAT_TABLE_MAIN 1

/*
 * tables.token of a plain store: empty for the table that a store opens with, id 1; for others
 * DSQ_FORMAT_TABLE_NAMED and the name, UTF-8. A gravestone keeps the greatest id from being given
 * out again, and has the one byte DSQ_FORMAT_TABLE_BURIED. tables.name is NULL.
 */
#define DSQ_FORMAT_TABLE_BURIED 0x00
#define DSQ_FORMAT_TABLE_NAMED  0x01

/*
 * tables.mark of a plain store:
 *
 *   offset  bytes
 *   0       1   version, 2
 *   1       4   CRC-32C of: store id (16), "dsq1m", table id (4), mark, token
 *   5       16  the mark: random, drawn once for the table, and a part of what its rows are bound
 * to
 */
#define DSQ_FORMAT_MARK_LENGTH     16
#define DSQ_FORMAT_MARK_VERSION    2
#define DSQ_FORMAT_MARK_AT_CRC     1
#define DSQ_FORMAT_MARK_AT_BYTES   5
#define DSQ_FORMAT_MARK_MAX_COLUMN (DSQ_FORMAT_SEALED_OVERHEAD + DSQ_FORMAT_MARK_LENGTH)

/*
 * entry.value of a plain store:
 *
 *   offset  bytes
 *   0       1   version, 2
 *   1       4   CRC-32C of: store id (16), "dsq1v", table id (4), mark (16), key length (4), key,
 *               body
 *   5           body: a record, which begins with its type; before it, if the entry expires,
 *               DSQ_FORMAT_BODY_EXPIRES and 8 bytes (milliseconds since 1970, never 0)
 */
#define DSQ_FORMAT_RECORD_VERSION 2
#define DSQ_FORMAT_RECORD_AT_CRC  1
#define DSQ_FORMAT_RECORD_AT_BODY 5
#define DSQ_FORMAT_BODY_EXPIRES   0x40

/* Types of records beside those of DsqValueType, for later versions: of compressed values from here
 * on, and from 0x20 on of other serializers. */
#define DSQ_FORMAT_RECORD_FIRST_RESERVED 0x10
#define DSQ_FORMAT_RECORD_LAST_RESERVED  0x2F

/*
 * An encrypted store's columns; sealed is a nonce (24), the same length encrypted, a tag (16), and
 * authenticates 58 bytes: purpose (5), version (1), store id (16), table id (4), mark (16),
 * token (16); a mark the first 26 of them.
 *
 *   entry.token    HMAC-SHA256 of table id (4), mark (16), key; its first 16 bytes
 *   entry.name     version, 2; the key, sealed for "dsq1n"
 *   entry.value    version, 2; the body as above, sealed for "dsq1v"
 *   tables.token   HMAC-SHA256 of 0 (4), the table's name; its first 16 bytes; empty in table 1
 *   tables.name    version, 2; the table's name, sealed for "dsq1t"; NULL in table 1
 *   tables.mark    version, 2; the mark, sealed for "dsq1m"
 */
#define DSQ_FORMAT_SEALED_VERSION    2
#define DSQ_FORMAT_TOKEN_LENGTH      16
#define DSQ_FORMAT_PURPOSE_LENGTH    5
#define DSQ_FORMAT_PURPOSE_NAME      "dsq1n"
#define DSQ_FORMAT_PURPOSE_VALUE     "dsq1v"
#define DSQ_FORMAT_PURPOSE_TABLE     "dsq1t"
#define DSQ_FORMAT_PURPOSE_MARK      "dsq1m"
#define DSQ_FORMAT_SEALED_AAD_LENGTH 58
#define DSQ_FORMAT_MARK_AAD_LENGTH   26
#define DSQ_FORMAT_SEALED_OVERHEAD   41
