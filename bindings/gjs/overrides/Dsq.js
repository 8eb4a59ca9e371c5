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
    'set_many', 'apply', 'clear', 'count', 'expire', 'list_tables', 'flush', 'check', 'close',
];
const CALLS_OF_PASSWORDS = ['copy', 'change_password'];

// Which arguments are integers: gjs takes for 0 what is none, and cuts fractions off.
const INTEGERS = {increment: [1, 2], set_expiring: [2], touch: [1], list_keys: [2]};

// C's strings end at U+0000, and gjs cuts them there without a word; for half of a surrogate pair
// it writes U+FFFD.
function refuseUntold(what) {
    if (typeof what !== 'string')
        return;
    if (what.includes('\0'))
        throw new TypeError('a string that holds U+0000 has no form in C: keep it as bytes');
    if (/\p{Surrogate}/u.test(what))
        throw new TypeError('a string that holds half of a surrogate pair has no UTF-8');
}

function refuseNoText(what) {
    if (typeof what !== 'string')
        throw new TypeError(`a key is a string, not ${kindOf(what)}`);
    refuseUntold(what);
}

function kindOf(what) {
    return what === null || what === undefined ? `${what}` : `a value of type ${typeof what}`;
}

function checked(method, integers = []) {
    return function (...args) {
        args.flat().forEach(refuseUntold);
        for (const i of integers) {
            if (typeof args[i] !== 'bigint' && !Number.isInteger(args[i]))
                throw new TypeError(`argument ${i + 1} is a whole number, not ${String(args[i])}`);
        }
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
    refuseUntold(value);
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
        throw new TypeError(`no plain value, but ${kindOf(value)}: make a GLib.Variant of it`);
    }
}

// JSON has one text for several arguments of these kinds.
function jsonOf(args) {
    return JSON.stringify(args, function (name) {
        const value = this[name];
        const isTold = value === null || ['string', 'boolean'].includes(typeof value) ||
            Number.isFinite(value) || Array.isArray(value) ||
            (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype);
        if (!isTold)
            throw new TypeError(`JSON does not tell an argument apart: ${String(value)}`);
        return value;
    });
}

function* entries(page) {
    for (let i = 0; i < page.n_children(); i++) {
        const entry = page.get_child_value(i);
        yield [entry.get_child_value(0).get_string()[0], plainOf(entry.get_child_value(1))];
    }
}

// What Python's class has beyond the library's calls. Each is written once, as steps: a step is a
// call of the store, or of another object, or a value that may have to be waited for. So each is
// there as a call that waits, and as name_async, which gives a promise.
const VERBS = {
    *add(key, value) {
        return Boolean(yield ['compare_and_set', key, null, variantOf(value)]);
    },
    *pop(key, otherwise = undefined) {
        const value = yield ['steal', key];
        return value === null ? otherwise : plainOf(value);
    },
    *setdefault(key, value) {
        for (;;) {
            const found = yield ['get', key];
            if (found !== null)
                return plainOf(found);
            if (yield ['compare_and_set', key, null, variantOf(value)])
                return value;
        }
    },
    // An object, a Map, or pairs, all or none.
    *update(values) {
        if (typeof values !== 'object' || values === null)
            throw new TypeError(`no object, Map or pairs, but ${kindOf(values)}`);
        const pairs = values[Symbol.iterator] ? [...values] : Object.entries(values);
        const entries = pairs.map(pair => {
            if (!Array.isArray(pair))
                throw new TypeError(`no pair, but ${kindOf(pair)}`);
            refuseNoText(pair[0]);
            return GLib.Variant.new_dict_entry(GLib.Variant.new_string(pair[0]),
                GLib.Variant.new_variant(variantOf(pair[1])));
        });
        yield ['set_many', GLib.Variant.new_array(new GLib.VariantType('{sv}'), entries)];
    },
    // How many there were, at one instant.
    *delete_many(keys) {
        if (typeof keys === 'string')
            throw new TypeError('a string, not an array of keys');
        return yield* VERBS.transact.call(this, function* (inside) {
            let count = 0;
            for (const key of keys)
                count += Boolean(yield [inside, 'remove', key]);
            return count;
        });
    },
    // [value, milliseconds], null for what stays; undefined where it is missing.
    *get_with_expiry(key) {
        for (;;) {
            const value = yield ['get', key];
            if (value === null)
                return undefined;
            const left = yield ['get_expiry', key];
            const again = left === 0 ? null : yield ['get', key];
            if (again?.equal(value))
                return [plainOf(value), left === imports.gi.Dsq.NEVER ? null : left];
        }
    },
    // Sets a key to what change(value) gives, again where somebody came between.
    *edit(key, change, otherwise = undefined) {
        for (;;) {
            const found = yield ['get', key];
            const value = yield {value: change(found === null ? otherwise : plainOf(found))};
            if (yield ['compare_and_set', key, found, variantOf(value)])
                return value;
        }
    },
    // What work(transaction) gives, called again where somebody has changed what it has read.
    *transact(work, retries = 10) {
        for (;;) {
            const inside = this.begin();
            try {
                const begun = work(inside);
                const result = begun?.next ? yield* begun : yield {value: begun};
                yield [inside, 'commit'];
                return result;
            } catch (error) {
                inside.rollback();
                if (!matches(error, 'CONFLICT') || retries-- <= 0)
                    throw error;
            }
        }
    },
};

function matches(error, code) {
    const {Dsq} = imports.gi;
    return error instanceof GLib.Error && error.matches(Dsq.Error, Dsq.Error[code]);
}

function callOf(store, step) {
    const [object, name, ...args] = typeof step[0] === 'string' ? [store, ...step] : step;
    return suffix => object[`${name}${suffix}`](...args, null);
}

function notPromised(value) {
    if (typeof value?.then === 'function')
        throw new TypeError('a promise is not waited for: use the call that ends in _async');
    return value;
}

function doNow(store, steps) {
    let step = steps.next();
    while (!step.done) {
        let result;
        try {
            result = Array.isArray(step.value)
                ? callOf(store, step.value)('') : notPromised(step.value.value);
        } catch (error) {
            step = steps.throw(error);
            continue;
        }
        step = steps.next(result);
    }
    return step.value;
}

async function doLater(store, steps) {
    let step = steps.next();
    while (!step.done) {
        let result;
        try {
            result = await (Array.isArray(step.value)
                ? callOf(store, step.value)('_async') : step.value.value);
        } catch (error) {
            step = steps.throw(error);
            continue;
        }
        step = steps.next(result);
    }
    return step.value;
}

// Keys from `start` on, in the order of their bytes, which an encrypted file hides.
function* keysNow(store, prefix, start) {
    if (start !== null && store.contains(start, null))
        yield start;
    try {
        for (let keys, after = start; (keys = store.list_keys(prefix, after, PAGE, null)).length > 0;) {
            yield* keys;
            after = keys[keys.length - 1];
        }
    } catch (error) {
        if (!matches(error, 'ENCRYPTED'))
            throw error;
        yield* chosen([...store], prefix, start);
    }
}

async function* keysLater(store, prefix, start) {
    if (start !== null && await store.contains_async(start, null))
        yield start;
    try {
        for (let keys, after = start; (keys = await store.list_keys_async(prefix, after, PAGE, null)).length > 0;) {
            yield* keys;
            after = keys[keys.length - 1];
        }
    } catch (error) {
        if (!matches(error, 'ENCRYPTED'))
            throw error;
        const pairs = [];
        for await (const pair of store)
            pairs.push(pair);
        yield* chosen(pairs, prefix, start);
    }
}

function chosen(pairs, prefix, start) {
    return pairs.map(([key]) => key).sort(GLib.strcmp0)
        .filter(key => key.startsWith(prefix) && (start === null || GLib.strcmp0(key, start) > 0));
}

function _init() {
    const Dsq = this;
    const store = Dsq.Store.prototype;

    for (const name of ['open', 'open_async'])
        Dsq.Store[name] = checked(Dsq.Store[name]);
    Gio._promisify(Dsq.Store, 'open_async', 'open_finish');
    const {_init: construct} = store;
    store._init = function (properties = {}) {
        Object.values(properties).forEach(refuseUntold);
        construct.call(this, properties);
    };
    for (const name of [...CALLS_OF_STRINGS, ...CALLS_OF_PASSWORDS]) {
        store[name] = checked(store[name], INTEGERS[name]);
        store[`${name}_async`] = checked(store[`${name}_async`], INTEGERS[name]);
    }
    for (const name of [...CALLS_OF_STRINGS, ...CALLS_OF_PASSWORDS, ...OTHER_CALLS])
        Gio._promisify(store, `${name}_async`, `${name}_finish`);
    Gio._promisify(Dsq.Cursor.prototype, 'next_many_async', 'next_many_finish');
    Gio._promisify(Dsq.Transaction.prototype, 'commit_async', 'commit_finish');

    for (const [name, steps] of Object.entries(VERBS)) {
        store[name] = function (...args) {
            return doNow(this, steps.apply(this, args));
        };
        store[`${name}_async`] = async function (...args) {
            return await doLater(this, steps.apply(this, args));
        };
    }
    store.iter_prefix = function (prefix) {
        return keysNow(this, prefix, null);
    };
    store.iter_prefix_async = function (prefix) {
        return keysLater(this, prefix, null);
    };
    store.iter_from = function (start) {
        return keysNow(this, '', start);
    };
    store.iter_from_async = function (start) {
        return keysLater(this, '', start);
    };
    store.delete_prefix = function (prefix) {
        return this.delete_many([...this.iter_prefix(prefix)]);
    };
    store.delete_prefix_async = async function (prefix) {
        const keys = [];
        for await (const key of this.iter_prefix_async(prefix))
            keys.push(key);
        return await this.delete_many_async(keys);
    };
    // An async function whose results are kept, told apart by the JSON of its arguments.
    store.memoize = function (name, compute, milliseconds = Dsq.NEVER) {
        refuseNoText(name);
        if (typeof compute !== 'function')
            throw new TypeError(`no function, but ${kindOf(compute)}`);
        return async (...args) => {
            const key = `dictsqlite.memoize ${name} ${jsonOf(args)}`;
            const found = await this.get_async(key, null);
            if (found !== null)
                return plainOf(found);
            const result = await compute(...args);
            await this.set_expiring_async(key, variantOf(result), milliseconds, null);
            return result;
        };
    };

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
