// Dsq.js - what gjs adds to the library: promises, for-of, plain values, and no string is cut
// SPDX-License-Identifier: LGPL-2.1-or-later
const {Gio, GLib} = imports.gi;

const PAGE = 256; // entries that a walk takes at a time

// Each also as name_async, which gives a promise.
const CALLS_OF_STRINGS = [
    'get', 'set', 'contains', 'remove', 'steal', 'increment', 'compare_and_set', 'get_string',
    'set_string', 'set_expiring', 'touch', 'get_expiry', 'get_many', 'get_table', 'drop_table',
    'list_keys',
];
const OTHER_CALLS = [
    'set_many', 'apply', 'clear', 'count', 'expire', 'list_tables', 'flush', 'copy', 'check',
    'close', 'change_password',
];

// C's strings end at U+0000, and gjs cuts them there without a word.
function refuseNul(what) {
    if (typeof what === 'string' && what.includes('\0'))
        throw new TypeError('a string that holds U+0000 has no form in C: keep it as bytes');
}

function withoutNul(method) {
    return function (...args) {
        args.flat().forEach(refuseNul);
        return method.apply(this, args);
    };
}

// A value as JavaScript has it: integers beyond 2^53 are a BigInt, bytes an Uint8Array.
function plainOf(variant) {
    if (variant === null)
        return null;
    switch (variant.get_type_string()) {
    case 'x': {
        const number = BigInt(variant.print(false));
        const isSafe = number <= Number.MAX_SAFE_INTEGER && number >= Number.MIN_SAFE_INTEGER;
        return isSafe ? Number(number) : number;
    }
    case 'ay':
        return variant.get_data_as_bytes().toArray();
    case 'mv':
        return plainOf(variant.get_maybe()?.get_variant() ?? null);
    default:
        return variant.recursiveUnpack();
    }
}

function variantOf(value) {
    if (value instanceof GLib.Variant)
        return value;
    if (value === null)
        return new GLib.Variant('mv', null);
    if (value instanceof Uint8Array)
        return GLib.Variant.new_from_bytes(new GLib.VariantType('ay'), new GLib.Bytes(value), true);
    refuseNul(value);
    switch (typeof value) {
    case 'string':
        return GLib.Variant.new_string(value);
    case 'boolean':
        return GLib.Variant.new_boolean(value);
    case 'bigint':
        if (BigInt.asIntN(64, value) !== value)
            throw new RangeError('an integer of more than 64 bits');
        return GLib.Variant.new_int64(value);
    case 'number':
        return Number.isSafeInteger(value) && !Object.is(value, -0)
            ? GLib.Variant.new_int64(value) : GLib.Variant.new_double(value);
    default:
        throw new TypeError(`a ${typeof value} is no plain value: make a GLib.Variant of it`);
    }
}

function* entries(page) {
    for (let i = 0; i < page.n_children(); i++) {
        const entry = page.get_child_value(i);
        yield [entry.get_child_value(0).get_string()[0], plainOf(entry.get_child_value(1))];
    }
}

function _init() {
    const Dsq = this;
    const store = Dsq.Store.prototype;

    Gio._promisify(Dsq.Store, 'open_async', 'open_finish');
    for (const name of CALLS_OF_STRINGS) {
        store[name] = withoutNul(store[name]);
        store[`${name}_async`] = withoutNul(store[`${name}_async`]);
    }
    for (const name of [...CALLS_OF_STRINGS, ...OTHER_CALLS])
        Gio._promisify(store, `${name}_async`, `${name}_finish`);
    Gio._promisify(Dsq.Cursor.prototype, 'next_many_async', 'next_many_finish');
    Gio._promisify(Dsq.Transaction.prototype, 'commit_async', 'commit_finish');

    store.get_value = function (key) {
        const value = this.get(key, null);
        return value === null ? undefined : plainOf(value);
    };
    store.set_value = function (key, value) {
        this.set(key, variantOf(value), null);
    };
    store[Symbol.iterator] = function* () {
        const cursor = this.walk(Dsq.WalkOrder.FORWARD);
        for (let page; (page = cursor.next_many(PAGE, null)).n_children() > 0;)
            yield* entries(page);
    };
    store[Symbol.asyncIterator] = async function* () {
        const cursor = this.walk(Dsq.WalkOrder.FORWARD);
        for (let page; (page = await cursor.next_many_async(PAGE, null)).n_children() > 0;)
            yield* entries(page);
    };
}
